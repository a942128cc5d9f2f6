#!/usr/bin/env python3
"""What every program owes its users: help, version, exit codes, and docs that agree with all of it."""

import os
import re
import subprocess

from tap import BUILD, SOURCE, Tap

# program: (directory in the build tree, man page)
PROGRAMS = {
    "updated": ("updated", "updated.8"),
    "update-engine-client": ("updated", "update-engine-client.1"),
    "update-serve": ("updated", "update-serve.1"),
    "locksmithd": ("locksmith", "locksmithd.8"),
    "locksmithctl": ("locksmith", "locksmithctl.1"),
    "payload": ("payload", "payload.1"),
    "cloud-config": ("cloud-config", "cloud-config.8"),
}
INTERNAL = {"locksmithd-idle": ("locksmith", None), "updated-postinst": ("updated", None), "updated-worker": ("updated", None)}
DAEMONS = {"updated", "locksmithd", *INTERNAL}  # no completion: nobody types them
HELP_COLUMNS_MAX = 80
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]+)")


def run(program, *arguments, stdout=subprocess.PIPE):
    directory = {**PROGRAMS, **INTERNAL}[program][0]
    return subprocess.run([os.path.join(BUILD, directory, program), *arguments], stdin=subprocess.DEVNULL,
                          stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=20, check=False)


def verbs_of(program):
    """The commands that --help lists."""
    section = run(program, "--help").stdout.partition("\nCommands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  ([a-z][a-z-]*)", section, re.MULTILINE)


def text_of(*path):
    try:
        with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def help_findings(program):
    done, short = run(program, "--help"), run(program, "-h")
    if done.returncode != 0:
        yield f"--help exits with {done.returncode}"
    if done.stderr:
        yield "--help writes to stderr"
    if short.stdout != done.stdout:
        yield "-h differs from --help"
    for line in done.stdout.split("\n"):
        if len(line) > HELP_COLUMNS_MAX:
            yield f"more than {HELP_COLUMNS_MAX} columns: {line}"
    version = run(program, "--version")
    if version.returncode != 0 or not re.fullmatch(program + r" \d+\.\d+\.\d+\n", version.stdout):
        yield f"--version prints {version.stdout!r} and exits with {version.returncode}"
    wrong = run(program, "--no-such-option")
    if wrong.returncode != 2 or wrong.stdout or not wrong.stderr.startswith(program + ": "):
        yield f"an unknown option exits with {wrong.returncode} and says {wrong.stderr!r}"


def failure_findings(program):
    """What a script relies on when something is wrong."""
    with open("/dev/full", "w", encoding="ascii") as full:
        lost = run(program, "--help", stdout=full)
    if lost.returncode != 1 or "No space left on device" not in lost.stderr:
        yield f"lost output exits with {lost.returncode} and says {lost.stderr!r}"
    misspelled = run(program, "--hlep")
    if misspelled.returncode != 2 or "did you mean --help?" not in misspelled.stderr:
        yield f"a misspelled option exits with {misspelled.returncode} and says {misspelled.stderr!r}"
    for verb in verbs_of(program):
        help_of_verb = run(program, verb, "--help")
        first = help_of_verb.stdout.partition("\n")[0]
        if help_of_verb.returncode != 0 or not first.startswith(f"Usage: {program} {verb}"):
            yield f"{verb} --help exits with {help_of_verb.returncode} and begins with {first!r}"
        wrong = run(program, verb, "--no-such-option")
        if wrong.returncode != 2 or 'unknown option "--no-such-option"' not in wrong.stderr:
            yield f"{verb} with an unknown option exits with {wrong.returncode} and says {wrong.stderr!r}"
        misspelled = run(program, verb + "x")
        if misspelled.returncode != 2 or f'did you mean "{verb}"?' not in misspelled.stderr:
            yield f"{verb} misspelled exits with {misspelled.returncode} and says {misspelled.stderr!r}"


def section_of(page, title):
    """A section of a man page's source, as text; "" if it has none."""
    return page.partition(f"\n# {title}\n")[2].partition("\n# ")[0]


def headings_of(section):
    """The lines in front of an indented paragraph: what this section explains."""
    return re.findall(r"^(\S.*)\n\t", section, re.MULTILINE)


def verb_findings(program, page):
    verbs, text = verbs_of(program), text_of("docs/man", page + ".scd")
    explained = set()
    for heading in headings_of(section_of(text, "COMMANDS") or section_of(text, "DESCRIPTION")):
        explained.update(re.findall(r"(?:^|, )\*([a-z][a-z-]*)\*", heading))
    for verb in verbs:
        if verb not in explained:
            yield f"docs/man/{page}.scd does not explain {verb}"
        if verb != "help" and not re.search(rf"\*({program} )?{verb}\*", section_of(text, "SYNOPSIS")) and program != "update-serve":
            yield f"the synopsis of docs/man/{page}.scd lacks {verb}"
    for word in sorted(explained - set(verbs)):
        yield f"docs/man/{page}.scd explains {word}, which the program does not know"

    bash, zsh = (text_of("docs/completions", *path) for path in (("bash", program), ("zsh", "_" + program)))
    offered = set(re.findall(r"(?<=')([a-z][a-z-]*):[a-z]", zsh))
    for verb in verbs:
        if not re.search(rf"(?<![\w-]){verb}(?![\w-])", bash):
            yield f"docs/completions/bash/{program} lacks {verb}"
        if verb not in offered:
            yield f"docs/completions/zsh/_{program} lacks {verb}"
    for word in sorted(offered - set(verbs)):
        yield f"docs/completions/zsh/_{program} offers {word}, which the program does not know"


def documentation_findings(program, page):
    options = set(OPTION.findall(run(program, "--help").stdout)) - {"help", "version"}
    texts = {f"docs/man/{page}.scd": text_of("docs/man", page + ".scd")}
    if program not in DAEMONS:
        texts[f"docs/completions/bash/{program}"] = text_of("docs/completions/bash", program)
        texts[f"docs/completions/zsh/_{program}"] = text_of("docs/completions/zsh", "_" + program)
    for path, text in texts.items():
        if text is None:
            yield f"there is no {path}"
            continue
        named = set(OPTION.findall(text.replace("\\-", "-")))
        if path.startswith("docs/man"):
            headings = " ".join(headings_of(section_of(text, "OPTIONS")))
            for option in sorted(set(OPTION.findall(headings)) - options - {"help", "version"}):
                yield f"{path} explains --{option}, which the program does not know"
        for option in sorted(options - named):
            yield f"{path} lacks --{option}"
        if path.startswith("docs/completions"):
            for option in sorted(named - options - {"help", "version"}):
                yield f"{path} offers --{option}, which the program does not know"


def main():
    tap = Tap()
    for program in {**PROGRAMS, **INTERNAL}:
        tap.case(f"{program}: help, version and wrong usage are as everywhere", list(help_findings(program)))
        tap.case(f"{program}: what is wrong is said, and with the right exit status", list(failure_findings(program)))
    for program, (_, page) in PROGRAMS.items():
        if verbs_of(program):
            tap.case(f"{program}: man page and completions know its commands", list(verb_findings(program, page)))
        tap.case(f"{program}: man page and completions know its options", list(documentation_findings(program, page)))
    tap.done()


main()

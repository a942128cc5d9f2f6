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


def run(program, *arguments):
    directory = {**PROGRAMS, **INTERNAL}[program][0]
    return subprocess.run([os.path.join(BUILD, directory, program), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)


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
        for option in sorted(options - named):
            yield f"{path} lacks --{option}"
        if path.startswith("docs/completions"):
            for option in sorted(named - options - {"help", "version"}):
                yield f"{path} offers --{option}, which the program does not know"


def main():
    tap = Tap()
    for program in {**PROGRAMS, **INTERNAL}:
        tap.case(f"{program}: help, version and wrong usage are as everywhere", list(help_findings(program)))
    for program, (_, page) in PROGRAMS.items():
        tap.case(f"{program}: man page and completions know its options", list(documentation_findings(program, page)))
    tap.done()


main()

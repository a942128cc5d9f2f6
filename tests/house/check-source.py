#!/usr/bin/env python3
"""The style guide's rules that a machine can check (docs/style.md)."""

import re
import shutil
import subprocess

from tap import SOURCE, Tap, read, sources

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
LINE_COLUMNS_MAX = 100
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|system|popen|alloca|mktemp|tmpnam)\s*\(")
FORMAT = re.compile(r"\bv?asprintf\s*\(")  # leaves its output undefined after a failure
GOTO = re.compile(r"^\s*goto\b")
DIRECTIVE = re.compile(r"^\s*#\s*(if|ifdef|ifndef)\b")
STRING = re.compile(r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'")


def code_of(text):
    """The text without comments and strings, line numbers kept."""
    text = re.sub(r"/\*.*?\*/", lambda match: re.sub(r"[^\n]", "", match.group(0)), STRING.sub('""', text), flags=re.DOTALL)
    return text


def functions_of(text):
    """(name line, number of lines) of every function body that clang-format has laid out."""
    start = None
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield lines[start - 2].strip(), number - start + 1
            start = None


def line_findings(path, pattern, text, what):
    for number, line in enumerate(text.split("\n"), 1):
        if pattern.search(line):
            yield f"{path}:{number}: {what}: {line.strip()[:70]}"


def main():
    tap = Tap()
    files = {path: read(path) for path in sources(".c", ".h")}
    code = {path: code_of(text) for path, text in files.items()}

    tap.case(f"no file has more than {FILE_LINES_MAX} lines",
             [f"{path}: {text.count(chr(10))} lines" for path, text in files.items()
              if text.count("\n") > FILE_LINES_MAX])
    tap.case(f"no function has more than {FUNCTION_LINES_MAX} lines",
             [f"{path}: {name[:60]}: {lines} lines" for path, text in files.items()
              for name, lines in functions_of(text) if lines > FUNCTION_LINES_MAX])
    tap.case("no banned function is called",
             [finding for path, text in code.items() for finding in line_findings(path, BANNED, text, "banned")])
    tap.case("texts are formatted by text_format() and text_vformat()",
             [finding for path, text in code.items() if path != "updated/base/text.c"
              for finding in line_findings(path, FORMAT, text, "banned")])
    tap.case("no goto", [finding for path, text in code.items() for finding in line_findings(path, GOTO, text, "goto")])
    tap.case("no // comments",
             [finding for path, text in code.items() for finding in line_findings(path, re.compile("//"), text, "//")])
    tap.case("no conditional compilation in functions",
             [finding for path, text in code.items() for finding in line_findings(path, DIRECTIVE, text, "#if")])
    tap.case("nothing left to do is hidden in comments",
             [finding for path, text in files.items()
              for finding in line_findings(path, re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!X)"), text, "note")])
    tap.case("every header begins with a comment that says why it exists, and #pragma once",
             [path for path, text in files.items()
              if path.endswith(".h") and not (text.startswith("/*\n") and "#pragma once" in text)])

    if shutil.which("clang-format"):
        done = subprocess.run(["clang-format", "--dry-run", "--Werror", *sorted(files)], cwd=SOURCE,
                              stderr=subprocess.PIPE, text=True, check=False)
        tap.case("clang-format would change nothing", [line for line in done.stderr.split("\n") if "error:" in line][:20])
    else:
        tap.skip("clang-format would change nothing", "clang-format is not installed")

    if shutil.which("shellcheck"):
        scripts = [path for path in sources(".sh")] + ["tests/demo", "tests/run", ".ci/run"]
        done = subprocess.run(["shellcheck", "-x", "-S", "warning", *scripts], cwd=SOURCE, stdout=subprocess.PIPE,
                              text=True, check=False)
        tap.case("shellcheck has no warning", done.stdout.split("\n")[:40] if done.returncode else [])
    else:
        tap.skip("shellcheck has no warning", "shellcheck is not installed")
    tap.done()


main()

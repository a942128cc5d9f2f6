#!/usr/bin/env python3
"""Counts the cases of meson test logs: summary.py BROKEN NAME=testlog.json...

Prints what failed (with its output) and what was skipped (with its reason), then "N passed, N failed".
BROKEN is a number of failures that happened outside of the logs, such as a build that failed.
"""

import json
import re
import sys

CASE = re.compile(r"^(not )?ok\b(?:\s+\d+)?\s*-?\s*(.*)$")
SKIP = re.compile(r"#\s*SKIP\b\s*(.*)$", re.IGNORECASE)


def cases_of(test):
    """Yields (verdict, name, reason) for every case of one test program."""
    output = test.get("stdout", "")
    found = False
    for line in output.splitlines():
        plan = re.match(r"^1\.\.0\s*#\s*SKIP\s*(.*)$", line, re.IGNORECASE)
        if plan:
            yield "skipped", test["name"], plan.group(1)
            return
        case = CASE.match(line)
        if not case:
            continue
        found = True
        skip = SKIP.search(case.group(2))
        if skip:
            yield "skipped", f"{test['name']}: {case.group(2)[:skip.start()].strip()}", skip.group(1)
        else:
            yield "failed" if case.group(1) else "passed", f"{test['name']}: {case.group(2)}", ""
    if not found:
        yield {"OK": "passed", "SKIP": "skipped"}.get(test["result"], "failed"), test["name"], ""


def main():
    counts = {"passed": 0, "failed": int(sys.argv[1]), "skipped": 0}
    skipped = {}
    for argument in sys.argv[2:]:
        name, path = argument.split("=", 1)
        with open(path, encoding="utf-8", errors="replace") as log:
            tests = [json.loads(line) for line in log]
        for test in tests:
            verdicts = list(cases_of(test))
            bad = [case for case in verdicts if case[0] == "failed"]
            if test["result"] not in ("OK", "SKIP") and not bad:
                verdicts.append(("failed", f"{test['name']}: {test['result']}", ""))
                bad = verdicts[-1:]
            for verdict, case, reason in verdicts:
                counts[verdict] += 1
                if verdict == "skipped":
                    skipped.setdefault(reason or "no reason given", set()).add(case)
            if bad:
                print(f"\n-- failed ({name}): {test['name']}")
                for _, case, _ in bad:
                    print(f"   {case}")
                print((test.get("stdout", "") + test.get("stderr", ""))[-4000:])

    for reason, names in sorted(skipped.items()):
        print(f"\nskipped, {reason}:")
        for name in sorted(names):
            print(f"   {name}")
    print(f"\n{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] else 0


sys.exit(main())

#!/usr/bin/env python3
"""Windows on dates and days open when systemd says that its calendar expression of the same text elapses."""

import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lock_etcd import Tap  # noqa: E402

CTL = os.path.join(os.environ["SLUICE_BUILD"], "locksmith/locksmithctl")
DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
FROM, TO = "2026-01-01", "2032-12-31"
N, OPENINGS = 60, 12


def numbers(dice, most):
    kind = dice.randrange(5)
    first = dice.randint(1, most)
    if kind == 0:
        return "*"
    if kind == 1:
        return str(first)
    if kind == 2:
        return f"{first}..{dice.randint(first, most)}"
    if kind == 3:
        return f"{first // 2 + 1}/{dice.randint(1, most // 3)}"
    return ",".join(str(dice.randint(1, most)) for _ in range(3))


def expression(dice):
    words = []
    if dice.random() < 0.6:
        first = dice.randrange(7)
        words.append(dice.choice([DAYS[first], f"{DAYS[first]},{DAYS[(first + 2) % 7]}", "Mon..Fri", "Tue..Thu,Sat"]))
    if dice.random() < 0.8:
        words.append(f"*-{numbers(dice, 12)}-{numbers(dice, 28)}")
    return " ".join(words + [f"{dice.choice([0, 4, 12, 23]):02}:{dice.randrange(60):02}"])


def of_systemd(text):
    done = subprocess.run(["systemd-analyze", "calendar", f"--base-time={FROM} 00:00:00 UTC", f"--iterations={OPENINGS}", text],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, TZ="UTC"))
    times = [line.split(": ", 1)[1][4:23] for line in done.stdout.splitlines() if "Next elapse: " in line or "Iter. #" in line]
    return done.returncode == 0, [time for time in times if time < f"{TO} 00:00:00" and time[0] == "2"]


def of_ours(root, text):
    done = subprocess.run([CTL, "--root", root, "--json", "simulate", "--from", FROM, "--to", TO], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=dict(os.environ, TZ="UTC", REBOOT_WINDOWS=text + " 1m"))
    if done.returncode != 0:
        return done.stderr
    opens = [datetime.datetime.fromtimestamp(opening["opens"], datetime.timezone.utc) for opening in json.loads(done.stdout)]
    return [when.strftime("%Y-%m-%d %H:%M:%S") for when in opens]


def main():
    if not shutil.which("systemd-analyze") or subprocess.run(["systemd-analyze", "calendar", "daily"], stdout=subprocess.DEVNULL,
                                                             stderr=subprocess.DEVNULL).returncode != 0:
        print("1..0 # SKIP systemd-analyze is needed")
        return 0
    tap, dice = Tap(), random.Random(7)
    compared = 0
    with tempfile.TemporaryDirectory(prefix="sluice-test.") as root:  # without any settings
        for _ in range(N):
            text = expression(dice)
            known, theirs = of_systemd(text)
            ours = of_ours(root, text)
            # they begin strictly behind the base time, we at it
            ours = [when for when in ours if when > f"{FROM} 00:00:00"][:len(theirs)] if isinstance(ours, list) else ours
            compared += len(theirs)
            tap.case(f"\"{text}\"", "" if known and ours == theirs else f"systemd: {theirs}\n# ours: {ours}")
    tap.case("there was something to compare", "" if compared > 5 * N else str(compared))
    print(f"1..{tap.n}")
    return 0


sys.exit(main())

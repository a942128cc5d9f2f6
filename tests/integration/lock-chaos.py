#!/usr/bin/env python3
"""The lock on three members of etcd that are killed, stopped and started again: it stays safe, and everybody gets it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lock_etcd import Etcd, Tap  # noqa: E402

FLEET = os.path.join(os.environ["SLUICE_BUILD"], "tests/bench/lock-fleet")
HOSTS, MAX = 60, 2
BLOWS = 8  # how many times a member goes


def cluster_start(directory):
    members = [Etcd(os.path.join(directory, name), name) for name in ("a", "b", "c")]
    everybody = ",".join(member.cluster for member in members)
    for member in members:
        member.cluster = everybody
        member.launch()
    for member in members:
        member.wait()
    return members


def strike(member, dice):
    """One member dies, or hangs, for about a second."""
    if dice.random() < 0.5:
        member.stop()
        time.sleep(dice.uniform(0.3, 1.2))
        member.launch()
    else:
        member.process.send_signal(signal.SIGSTOP)
        time.sleep(dice.uniform(0.3, 1.2))
        member.process.send_signal(signal.SIGCONT)


def problem_of(history):
    turns, before = {}, set()
    for document in history:
        holders = document["holders"] or []
        if len(holders) > document["max"] or document["semaphore"] != document["max"] - len(holders):
            return f"{document}"
        for name in set(holders) - before:
            turns[name] = turns.get(name, 0) + 1
        before = set(holders)
    if before:
        return f"left behind: {sorted(before)}"
    if len(turns) != HOSTS or set(turns.values()) != {1}:
        return f"not one turn for each: {turns}"
    return ""


def main():
    if not shutil.which("etcd"):
        print("1..0 # SKIP etcd-server is needed")
        return 0
    tap, seed = Tap(), random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)
    print(f"# seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sluice-test.") as directory:
        members = cluster_start(directory)
        fleet = subprocess.Popen([FLEET, "--etcd", ",".join(member.url for member in members), "--hosts", str(HOSTS),
                                  "--max", str(MAX), "--hold", "300"], stdout=subprocess.PIPE, text=True)
        try:
            for _ in range(BLOWS):
                strike(dice.choice(members), dice)
                time.sleep(dice.uniform(0.2, 0.8))
            try:
                report = json.loads(fleet.communicate(timeout=90)[0])
            except subprocess.TimeoutExpired:
                report = {"failed": "not everybody had a turn within 90 s"}
            tap.case(f"{HOSTS} hosts get the lock while members of etcd come and go",
                     "" if report.get("taken") == HOSTS and report["failed"] == 0 else str(report))
            tap.case(f"never more than {MAX} hold it", "" if report.get("most_holding", 99) <= MAX else str(report))
            for member in members:
                member.wait()
            tap.case("also in every revision of the key; one turn for each, nothing leaks", problem_of(members[0].history()))
        finally:
            fleet.kill()
            fleet.wait()
            for member in members:
                member.stop()
    print(f"1..{tap.n}")
    return 0


sys.exit(main())

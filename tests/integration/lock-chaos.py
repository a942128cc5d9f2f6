#!/usr/bin/env python3
"""The lock on three members of etcd that are killed, stopped and started again, behind proxies that lose requests and
answers: never more than max holders, everybody has all turns, nothing leaks. 100 turns, or 1,000 with SLUICE_TEST_FULL=1.
"""

import base64
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lock_etcd import KEY, Tap, cluster_start, free_port  # noqa: E402

FLEET = os.path.join(os.environ["SLUICE_BUILD"], "tests/bench/lock-fleet")
PROXY = os.path.join(os.environ["SLUICE_SOURCE"], "tests/double/lossy-proxy.py")
FULL = os.environ.get("SLUICE_TEST_FULL") == "1"
MAX = 3
HOSTS, ROUNDS, HOLD_MS = (50, 20, 100) if FULL else (50, 2, 200)
LOST = 4  # percent of requests and answers
PATIENCE = 400 if FULL else 200  # seconds, to end a run that hangs
PREFIX = KEY.rsplit(b"/", 1)[0] + b"/"


def proxy_start(member, seed):
    member.public = free_port()
    process = subprocess.Popen([sys.executable, PROXY, str(member.public), str(member.port), f"random:{seed}:{LOST}"])
    while process.poll() is None:
        try:
            connection = socket.create_connection(("127.0.0.1", member.public), timeout=1)
            connection.close()
            break
        except OSError:
            time.sleep(0.02)
    return process


class Blows:
    """Until the fleet is done, members die or hang for about a second: mostly one, sometimes two, so that there is no quorum."""

    def __init__(self, members, dice):
        self.members, self.dice, self.over = members, dice, threading.Event()
        self.killed = self.stopped = self.without_quorum = 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        for n in itertools.count():
            victims = self.dice.sample(self.members, 2 if n == 2 or self.dice.random() < 0.2 else 1)
            self.without_quorum += len(victims) > 1
            dead = [member for member in victims if n == 0 or (n != 1 and self.dice.random() < 0.5)]
            for member in victims:
                if member in dead:
                    member.stop()
                else:
                    member.process.send_signal(signal.SIGSTOP)
            self.killed, self.stopped = self.killed + len(dead), self.stopped + len(victims) - len(dead)
            self.over.wait(self.dice.uniform(0.3, 1.2))
            for member in victims:
                if member in dead:
                    member.launch()
                else:
                    member.process.send_signal(signal.SIGCONT)
            if self.over.wait(self.dice.uniform(0.5, 1.2)):
                return

    def __str__(self):
        return f"{self.killed} kills, {self.stopped} stops, {self.without_quorum} times without quorum"


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
    if document["max"] != MAX:
        return f"max is {document['max']}: it was not {MAX} that could hold it"
    if len(turns) != HOSTS or set(turns.values()) != {ROUNDS}:
        return f"not {ROUNDS} turns for each: {turns}"
    return ""


def keys_of(member):
    answer = member.post("/v3/kv/range", {"key": base64.b64encode(PREFIX).decode(), "keys_only": True,
                                          "range_end": base64.b64encode(PREFIX[:-1] + b"0").decode()})
    return [base64.b64decode(kv["key"]) for kv in answer.get("kvs", [])]


def fleet_run(members, blows):
    urls = ",".join(f"http://127.0.0.1:{member.public}" for member in members)
    fleet = subprocess.Popen([FLEET, "--etcd", urls, "--hosts", str(HOSTS), "--rounds", str(ROUNDS), "--max", str(MAX),
                              "--hold", str(HOLD_MS)], stdout=subprocess.PIPE, text=True)
    try:
        blows.thread.start()
        return json.loads(fleet.communicate(timeout=PATIENCE)[0])
    except (subprocess.TimeoutExpired, ValueError) as problem:
        return {"failed": f"not everybody had all turns: {problem}"}
    finally:
        blows.over.set()
        blows.thread.join()
        if fleet.poll() is None:
            fleet.kill()
            fleet.wait()


def judge(tap, members, report, blows):
    print(f"# {report}; {blows}", flush=True)
    tap.case(f"{HOSTS} hosts get the lock {ROUNDS} times each while members of etcd come and go and answers are lost",
             "" if report.get("taken") == HOSTS * ROUNDS and report["failed"] == 0 else str(report))
    tap.case("members were killed, stopped, and without quorum",
             "" if blows.killed and blows.stopped and blows.without_quorum else f"it was over too soon: {blows}")
    tap.case(f"never more than {MAX} hold it", "" if report.get("most_holding", 99) <= MAX else str(report))
    tap.case("nobody is passed over for long", "" if report.get("longest_wait", 10**6) <= 4 * HOSTS else str(report))
    for member in members:
        member.wait()
    tap.case("also in every revision of the key: never more holders, all turns for each", problem_of(members[0].history()))
    left = [key for key in keys_of(members[0]) if key != KEY]
    tap.case("nothing leaks: no holder, no ticket, no record is left", str(left) if left else "")


def main():
    if not shutil.which("etcd"):
        print("1..0 # SKIP etcd-server is needed")
        return 0
    tap, seed = Tap(), random.SystemRandom().randrange(1 << 32)
    dice, proxies, members = random.Random(seed), [], []
    print(f"# seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sluice-test.") as directory:
        try:
            members = cluster_start(directory, "abc")
            proxies = [proxy_start(member, seed + i) for i, member in enumerate(members)]
            blows = Blows(members, dice)
            judge(tap, members, fleet_run(members, blows), blows)
        finally:
            for proxy in proxies:
                proxy.kill()
                proxy.wait()
            for member in members:
                member.stop()
    print(f"1..{tap.n}")
    return 0


sys.exit(main())

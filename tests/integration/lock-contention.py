#!/usr/bin/env python3
"""Many locksmithctl processes at once against one real etcd: never more than max holders, in every revision of the key."""

import os
import random
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lock_etcd import with_etcd  # noqa: E402

CTL = os.path.join(os.environ["SLUICE_BUILD"], "locksmith/locksmithctl")
HOSTS = 30
ROUNDS = 2
HOLD = 0.01


def ctl(etcd, *arguments):
    return subprocess.run([CTL, "--endpoint", etcd.url, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)


def host(etcd, name, failures):
    """Takes and gives back the lock, as often as it must."""
    for _ in range(ROUNDS):
        while True:
            done = ctl(etcd, "lock", name)
            if done.returncode == 0:
                break
            if "semaphore is at" not in done.stderr:
                failures.append(done.stderr)
            time.sleep(random.uniform(0.01, 0.1))
        time.sleep(HOLD)
        done = ctl(etcd, "unlock", name)
        if done.returncode != 0:
            failures.append(done.stderr)


def crowd(etcd, limit):
    failures = []
    ctl(etcd, "set-max", str(limit))
    threads = [threading.Thread(target=host, args=(etcd, f"host-{i}", failures)) for i in range(HOSTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def problem_of(history, limits):
    """The first document of the history that breaks a rule, or None."""
    taken, before = {}, set()
    for document in history:
        holders = document["holders"] or []
        limits = limits[1:] if len(limits) > 1 and document["max"] == limits[1] else limits
        if len(holders) > document["max"] or document["max"] != limits[0]:
            return f"too many: {document}"
        if document["semaphore"] != document["max"] - len(holders) or holders != sorted(set(holders)):
            return f"not as locksmith writes it: {document}"
        if len(before ^ set(holders)) > 1:
            return f"more than one change at once: {document}"
        for name in set(holders) - before:
            taken[name] = taken.get(name, 0) + 1
        before = set(holders)
    if before or set(taken.values()) != {ROUNDS * len(LIMITS)} or len(taken) != HOSTS:
        return f"not everybody had their turns: {taken}"
    return None


LIMITS = [1, 5, HOSTS]


def body(tap, etcd):
    for limit in LIMITS:
        failures = crowd(etcd, limit)
        tap.case(f"{HOSTS} hosts, max {limit}: nobody fails but for a taken lock", "; ".join(failures[:3]))
    tap.case("the history of the key: never more than max holders, everybody had all turns, nothing leaks",
             problem_of(etcd.history(), list(LIMITS)))


sys.exit(with_etcd(body))

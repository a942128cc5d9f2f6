#!/usr/bin/env python3
"""Many locksmithctl processes at once against one real etcd: never more than max holders, in every revision of the key."""

import base64
import http.client
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

CTL = os.path.join(os.environ["SLUICE_BUILD"], "locksmith/locksmithctl")
KEY = b"coreos.com/updateengine/rebootlock/semaphore"
HOSTS = 30
ROUNDS = 2
HOLD = 0.01


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Etcd:
    def __init__(self, directory):
        self.port, self.peer, self.directory, self.process = free_port(), free_port(), directory, None
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        peer = f"http://127.0.0.1:{self.peer}"
        self.process = subprocess.Popen(
            ["etcd", "--name", "m", "--data-dir", self.directory, "--unsafe-no-fsync", "--logger", "zap", "--log-level", "error",
             "--listen-client-urls", self.url, "--advertise-client-urls", self.url, "--listen-peer-urls", peer,
             "--initial-advertise-peer-urls", peer, "--initial-cluster", "m=" + peer],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.post("/v3/kv/range", {"key": base64.b64encode(KEY).decode()})
                return
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                time.sleep(0.05)
        raise SystemExit("Bail out! etcd did not start")

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", path, json.dumps(body))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        answer["header"]  # an error has none
        return answer

    def history(self):
        """Every value the key ever had, in order."""
        last = int(self.post("/v3/kv/range", {"key": base64.b64encode(KEY).decode()})["kvs"][0]["mod_revision"])
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/v3/watch", json.dumps(
            {"create_request": {"key": base64.b64encode(KEY).decode(), "start_revision": "1"}}))
        stream, seen = connection.getresponse(), 0
        while seen < last:
            for event in json.loads(stream.readline())["result"].get("events", []):
                seen = int(event["kv"]["mod_revision"])
                yield json.loads(base64.b64decode(event["kv"]["value"]))
        connection.close()


class Tap:
    def __init__(self):
        self.n = 0

    def case(self, what, problem):
        self.n += 1
        print(("ok" if not problem else "not ok"), self.n, "-", what, "" if not problem else f"\n# {problem}", flush=True)


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


def main():
    if not shutil.which("etcd"):
        print("1..0 # SKIP etcd-server is needed")
        return 0
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="sluice-test.") as directory:
        etcd = Etcd(directory)
        etcd.start()
        try:
            for limit in LIMITS:
                failures = crowd(etcd, limit)
                tap.case(f"{HOSTS} hosts, max {limit}: nobody fails but for a taken lock", "; ".join(failures[:3]))
            tap.case("the history of the key: never more than max holders, everybody had all turns, nothing leaks",
                     problem_of(etcd.history(), list(LIMITS)))
        finally:
            etcd.stop()
    print(f"1..{tap.n}")
    return 0


sys.exit(main())

#!/usr/bin/env python3
"""The limit on all groups together, while many hosts of several groups race for it on a real etcd, and while somebody
changes it. The history of all keys tells whether it was ever exceeded."""

import base64
import http.client
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lock_etcd import with_etcd  # noqa: E402

FLEET = os.path.join(os.environ["SLUICE_BUILD"], "tests/bench/lock-fleet")
CTL = os.path.join(os.environ["SLUICE_BUILD"], "locksmith/locksmithctl")
ROOT = "coreos.com/updateengine/rebootlock/"
GROUPS, HOSTS, ROUNDS, MAX = ("", "red", "green", "blue"), 10, 2, 4
LIMITS = (3, 2, 5, 1, 3)  # one after another, while they run


def b64(text):
    return base64.b64encode(text.encode()).decode()


def events(etcd):
    """Every change of every key of the lock, in order."""
    span = {"key": b64(ROOT), "range_end": b64(ROOT[:-1] + "0")}
    last = int(etcd.post("/v3/kv/range", span)["header"]["revision"])
    connection = http.client.HTTPConnection("127.0.0.1", etcd.port, timeout=20)
    etcd.post("/v3/kv/put", {"key": b64(ROOT + "end"), "value": b64("x")})  # so that there is a last event to wait for
    connection.request("POST", "/v3/watch", json.dumps({"create_request": {**span, "start_revision": "1"}}))
    stream, seen = connection.getresponse(), 0
    while seen <= last:
        for event in json.loads(stream.readline())["result"].get("events", []):
            seen = int(event["kv"]["mod_revision"])
            value = base64.b64decode(event["kv"].get("value", "")).decode()
            yield base64.b64decode(event["kv"]["key"]).decode(), value if event.get("type") != "DELETE" else None
    connection.close()


def judge(changes):
    """Returns the problem, or "", and by how many holders the fullest moment was filled, and how often somebody came."""
    held, limit, most, taken = {}, None, 0, 0
    for key, value in changes:
        if key == ROOT + "sluice/+limit":
            limit = json.loads(value)["max"] if value else None
        if not key.endswith("/semaphore"):
            continue
        holders = set(json.loads(value)["holders"] or [])
        came = holders - held.get(key, set())
        held[key] = holders
        total = sum(len(group) for group in held.values())
        taken += len(came)
        most = max(most, total)
        if came and limit and total > limit:
            return f"{total} hold a lock, and {limit} may", most, taken
    return "", most, taken


def ctl(etcd, *arguments):
    subprocess.run([CTL, "--endpoint", etcd.url, *arguments], check=True, stdout=subprocess.DEVNULL)


def race(etcd):
    fleets = [subprocess.Popen([FLEET, "--etcd", etcd.url, "--hosts", str(HOSTS), "--rounds", str(ROUNDS), "--max", str(MAX),
                                "--hold", "5", "--give-up", "80"], env={**os.environ, "LOCKSMITHD_GROUP": group},
                               stdout=subprocess.PIPE, text=True) for group in GROUPS]
    try:
        for limit in LIMITS:
            time.sleep(0.3)  # some turns under each; the proof does not depend on how many
            ctl(etcd, "set-max", "--global", str(limit))
        return [json.loads(fleet.communicate(timeout=90)[0]) for fleet in fleets]
    finally:
        for fleet in fleets:
            if fleet.poll() is None:
                fleet.kill()
                fleet.wait()


def body(tap, etcd):
    ctl(etcd, "set-max", "--global", str(LIMITS[0]))
    reports = race(etcd)
    wanted = HOSTS * ROUNDS
    tap.case("every host of every group has its turns, whoever is in the way",
             "" if all(r["taken"] == wanted and r["failed"] == 0 for r in reports) else str(reports))
    problem, most, taken = judge(events(etcd))
    tap.case("nobody ever came in above the limit, as it was at that moment", problem)
    tap.case("the limit was reached, so that this proves something", "" if most >= max(LIMITS[:3]) - 2 else str(most))
    tap.case("the history is whole", "" if taken == wanted * len(GROUPS) else f"{taken} turns of {wanted * len(GROUPS)}")
    tap.case("the judge would have seen it", "" if judge([
        (ROOT + "sluice/+limit", '{"max":1}'), (ROOT + "semaphore", '{"holders":["a"]}'),
        (ROOT + "groups/red/semaphore", '{"holders":["b"]}')])[0] else "it did not")


sys.exit(with_etcd(body))

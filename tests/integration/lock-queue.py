#!/usr/bin/env python3
"""The queue for the lock, with many hosts in one process (tests/bench/lock-fleet.c) and one real etcd."""

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lock_etcd import with_etcd  # noqa: E402

FLEET = os.path.join(os.environ["SLUICE_BUILD"], "tests/bench/lock-fleet")
CTL = os.path.join(os.environ["SLUICE_BUILD"], "locksmith/locksmithctl")
QUEUE = b"coreos.com/updateengine/rebootlock/sluice/queue/"
REQUESTS = r'grpc_server_started_total\{grpc_method="(?:Range|Txn|LeaseGrant|LeaseRevoke|LeaseKeepAlive|Watch)".*\} (\d+)'


def fleet(etcd, *arguments):
    done = subprocess.run([FLEET, "--etcd", etcd.url, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=100)
    return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr}


def requests(etcd):
    with urllib.request.urlopen(etcd.url + "/metrics", timeout=10) as answer:
        return sum(int(n) for n in re.findall(REQUESTS, answer.read().decode()))


def keys_left(etcd):
    prefix = b"coreos.com/updateengine/rebootlock/sluice/"  # but for the policy, which has the log of what was done by hand
    answer = etcd.post("/v3/kv/range", {"key": base64.b64encode(prefix).decode(),
                                        "range_end": base64.b64encode(prefix[:-1] + b"0").decode(), "keys_only": True})
    return sum(not base64.b64decode(kv["key"]).startswith(prefix + b"+policy") for kv in answer.get("kvs", []))


def problem(report, **wanted):
    return "" if all(report.get(key) == value for key, value in wanted.items()) else f"{report}, wanted {wanted}"


def cost(etcd, hosts):
    before = requests(etcd)
    report = fleet(etcd, "--hosts", str(hosts), "--hold", "5", "--in-order")
    return report, (requests(etcd) - before) / hosts


def queue_of(etcd):
    answer = subprocess.run([CTL, "--endpoint", etcd.url, "--json", "status"], stdout=subprocess.PIPE, text=True).stdout
    return [waiter["id"] for waiter in json.loads(answer)["queue"]]


def deserters(etcd, tap):
    """The first in the queue dies, and its ticket ends with its lease: the others go on."""
    subprocess.run([CTL, "--endpoint", etcd.url, "lock", "somebody"], check=True)
    first = subprocess.Popen([FLEET, "--etcd", etcd.url, "--hosts", "1"], stdout=subprocess.DEVNULL)
    others = None
    try:
        wait_for(lambda: queue_of(etcd) == ["host-0000"])
        first.kill()
        first.wait()
        tap.case("a host that died is still in the queue", "" if queue_of(etcd) == ["host-0000"] else str(queue_of(etcd)))
        others = subprocess.Popen([FLEET, "--etcd", etcd.url, "--hosts", "1"], stdout=subprocess.PIPE, text=True)
        ticket = etcd.post("/v3/kv/range", {"key": base64.b64encode(QUEUE + b"host-0000").decode()})["kvs"][0]
        etcd.post("/v3/lease/revoke", {"ID": ticket["lease"]})  # as a minute would do it
        subprocess.run([CTL, "--endpoint", etcd.url, "unlock", "somebody"], check=True)
        output, _ = others.communicate(timeout=60)
        tap.case("the same host comes again and gets its turn, whatever became of its old ticket",
                 problem(json.loads(output), taken=1, failed=0))
    finally:
        for process in (first, others):
            if process and process.poll() is None:
                process.kill()
                process.wait()


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("Bail out! waited too long")
        time.sleep(0.05)


def body(tap, etcd):
    few, few_cost = cost(etcd, 10)
    many, many_cost = cost(etcd, 80)
    tap.case("10 hosts get the lock in the order in which they came, one at a time",
             problem(few, taken=10, most_holding=1, out_of_order=0, failed=0))
    tap.case("80 hosts, too", problem(many, taken=80, most_holding=1, out_of_order=0, failed=0))
    # eight times the hosts; what a busy machine adds (leases kept alive, answers asked for again) is less than twice
    tap.case("a host costs the same few requests, however many wait",
             "" if many_cost < 2 * few_cost and many_cost < 20 else f"{few_cost} with 10, {many_cost} with 80")
    report = fleet(etcd, "--hosts", "40", "--max", "5", "--hold", "10")
    tap.case("5 slots: never more than 5", "" if report.get("taken") == 40 and 1 < report["most_holding"] <= 5 else str(report))
    report = fleet(etcd, "--hosts", "40", "--max", "40", "--hold", "10")
    tap.case("as many slots as hosts: nobody fails", problem(report, taken=40, failed=0))
    report = fleet(etcd, "--hosts", "20", "--polling", "--poll", "20")
    tap.case("without the queue, as old clients do it, the lock is still safe",
             problem(report, taken=20, most_holding=1, failed=0))
    subprocess.run([CTL, "--endpoint", etcd.url, "set-max", "1"], check=True, stdout=subprocess.DEVNULL)
    deserters(etcd, tap)
    wait_for(lambda: keys_left(etcd) == 0)
    tap.case("no ticket and no record is left behind", "")


sys.exit(with_etcd(body))

#!/usr/bin/env python3
"""The reboot lock and a version on trial: the real updated, the real locksmithd, a real etcd, one bus."""

import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
SOURCE = os.environ["SLUICE_SOURCE"]
sys.path[:0] = [os.path.join(SOURCE, "tests/integration/lab"), os.path.join(SOURCE, "tests/integration")]

from host import BUILD, wait_until  # noqa: E402
from lab import Lab  # noqa: E402
from lock_etcd import Etcd  # noqa: E402

CTL = os.path.join(BUILD, "locksmith/locksmithctl")
LOCKSMITHD = os.path.join(BUILD, "locksmith/locksmithd")
KEEPS = "until the running slot is marked good"
MACHINE = "0123456789abcdef0123456789abcdef"  # Host's


class Locksmith:
    def __init__(self, host, etcd):
        self.host, self.process = host, None
        self.environment = dict(host.environment, LOCKSMITHD_ENDPOINT=etcd.url, REBOOT_STRATEGY="etcd-lock")

    def start(self):
        self.host.write("locksmithd.log")
        with open(self.host.path("locksmithd.log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([LOCKSMITHD, "--root", self.host.root], env=self.environment, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def log(self):
        return self.host.read("locksmithd.log")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


def holders(etcd):
    out = subprocess.run([CTL, "--endpoint", etcd.url, "--json", "status"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(out)["holders"]


def boot_on_trial(host, locksmith, etcd):
    """The reboot into slot B, which the lock was taken for: what the boot loader does, then both daemons."""
    subprocess.run([CTL, "--endpoint", etcd.url, "lock", MACHINE], check=True)
    locksmith.stop()
    host.stop_daemon()
    host.boot("B", "2.0.0")
    host.set_attributes("B", 49)
    host.start()
    locksmith.start()
    wait_until(lambda: KEEPS in locksmith.log(), what="locksmithd to look at the slot")


def main():
    if not shutil.which("etcd"):
        print("1..0 # SKIP etcd-server is needed")
        return
    with Lab() as lab:
        tap, host, etcd = lab.tap, lab.host_make(), Etcd(os.path.join(lab.directory, "etcd"))
        etcd.start()
        lab.at_end(etcd.stop)
        locksmith = Locksmith(host, etcd)
        lab.at_end(locksmith.stop)
        go = os.path.join(lab.directory, "go")
        hook = "etc/sluice/post-boot.d/10-waits"
        host.write(hook, f"#!/bin/sh\nread -r status <{go}\nexit \"$status\"\n")
        os.chmod(host.path(hook), 0o755)
        os.mkfifo(go)
        lab.server.offer(lab.release_make("two").bytes)
        host.start_bus()
        host.set_attributes("A", 48, 56)
        host.start()
        tap.same(host.update()[0], 0, "an update is staged")

        boot_on_trial(host, locksmith, etcd)
        tap.same((host.status()["trial"], holders(etcd)), ("running", [MACHINE]), "on trial: locksmithd keeps the lock")
        with open(go, "w", encoding="ascii") as file:
            file.write("1\n")
        wait_until(lambda: host.status()["trial"] == "failed", what="the end of the trial")
        tap.same(holders(etcd), [MACHINE], "an ill version keeps it as well")
        locksmith.stop()
        locksmith.start()
        wait_until(lambda: KEEPS in locksmith.log(), what="locksmithd to look at the slot")
        tap.same(holders(etcd), [MACHINE], "also when locksmithd starts anew: the fleet does not follow")

        tap.same(host.client("mark-good")[0], 0, "mark-good")
        wait_until(lambda: not holders(etcd), seconds=90, what="the release of the lock")
        tap.ok(True, "gives the lock back")

        host.client("reset-status")
        host.set_attributes("B", 48, 52)
        boot_on_trial(host, locksmith, etcd)
        with open(go, "w", encoding="ascii") as file:
            file.write("0\n")
        wait_until(lambda: not holders(etcd), seconds=90, what="the release of the lock")
        tap.same(host.status()["trial"], "", "and so does a version that is found good")


main()

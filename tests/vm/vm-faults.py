#!/usr/bin/env python3
"""What befalls a host while it updates itself: its clock is set, it is paused, its disk is slow, its disk stands still."""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cycle import LIMIT, Cycle  # noqa: E402
from image import MIB, systemd_boot_files  # noqa: E402
from scenario import scenario, wait_until  # noqa: E402

RATE = MIB  # of the download: it is to last until all has happened
SLOW = MIB  # bytes/s that the disk reads and writes
STALL = 30  # seconds for which it does next to nothing; this and the pause are the faults themselves
PAUSE = 20
LIMITS = {name: 0 for name in ("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr")}


class Faults:
    def __init__(self, lab):
        self.lab = lab
        self.cycle = Cycle(lab, systemd_boot_files(lab.versions["1.0.0"]))
        self.machine = self.cycle.machine

    def fetched(self):
        status = self.cycle.status()
        assert status["current_operation"] == "UPDATE_STATUS_DOWNLOADING", status
        return status["progress"]

    def goes_on(self, what):
        before = self.fetched()
        wait_until(lambda: self.fetched() > before, LIMIT, f"the download to go on: {what}")
        self.lab.ok(True, f"{what}: the download goes on")

    def limit(self, **limits):
        self.machine.qmp("block_set_io_throttle", device="d0", **{**LIMITS, **limits})

    def meanwhile(self):
        machine = self.machine
        machine.wait("update-engine-client status | grep -q UPDATE_STATUS_DOWNLOADING", LIMIT)
        for jump in ("400 days", "800 days ago"):
            machine.output(f"date --set '{jump}'")
            self.goes_on(f"the clock is set to {jump}")
        machine.qmp("stop")
        time.sleep(PAUSE)
        machine.qmp("cont")
        self.goes_on(f"paused for {PAUSE} s")
        self.limit(bps=SLOW)
        self.goes_on("a disk with 1 MiB/s")
        self.limit(iops=1)
        time.sleep(STALL)
        self.lab.ok(self.cycle.status()["current_operation"], f"a disk that stands still for {STALL} s: the daemon answers")
        self.limit()

    def body(self):
        self.cycle.install()
        self.cycle.good("2.0.0", "B", self.meanwhile)


scenario("vm-faults", lambda lab: Faults(lab).body(), "--delay-rate", str(RATE))

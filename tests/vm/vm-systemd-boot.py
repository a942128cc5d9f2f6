#!/usr/bin/env python3
"""A host that starts with systemd-boot: an update under the real systemd, and versions that are ill, panic and hang."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cycle import Cycle  # noqa: E402
from image import systemd_boot_files  # noqa: E402
from scenario import scenario  # noqa: E402


def loader(cycle):
    """What bootctl, which is not ours, says of the boot loader and its entries."""
    entries = [json.loads(line) for line in cycle.machine.output("bootctl --json=short list").splitlines()]
    names = [os.path.basename(entry.get("path") or "") for entry in entries]
    return [name for name in names if name.startswith("sluice-")]


def body(lab):
    cycle = Cycle(lab, systemd_boot_files(lab.versions["1.0.0"]))
    cycle.install()
    lab.same(cycle.chooser(), "systemd-boot", "the boot loader is found")
    cycle.good("2.0.0", "B")
    lab.same(loader(cycle), ["sluice-b_2.0.0.conf", "sluice-a.conf"], "systemd-boot keeps it, and the one before")
    cycle.unwell("3.0.0", "A", "a check of the administrator fails")
    cycle.unwell("3.1.0", "A", "a unit fails that the boot waits for")
    cycle.unbootable("4.0.0", "A", "the kernel panics", "Kernel panic")
    cycle.unbootable("5.0.0", "A", "systemd hangs", "watchdog")
    cycle.good("6.0.0", "A")


scenario("vm-systemd-boot", body)

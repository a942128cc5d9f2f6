#!/usr/bin/env python3
"""A host that starts with GRUB, by the fragment of grub.cfg that is shipped, from a BIOS."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cycle import Cycle  # noqa: E402
from image import run  # noqa: E402
from loaders import grub_files, grub_install  # noqa: E402
from scenario import scenario  # noqa: E402


def choice(lab, cycle):
    """What grub-editenv, which is not ours, reads on the disk."""
    path = os.path.join(lab.directory, "seen")
    run("mcopy", "-n", "-o", "-i", f"{cycle.disk.path}@@{cycle.disk.offsets['EFI-SYSTEM']}", "::grub/grubenv", path)
    return run("grub-editenv", path, "list").split("\n")[:5]


def body(lab):
    cycle = Cycle(lab, grub_files(lab.directory), firmware="bios")
    grub_install(cycle.disk, lab.directory)
    cycle.install()
    lab.same(cycle.chooser(), "grub", "the boot loader is found")
    cycle.good("2.0.0", "B")
    cycle.machine.output("sync")
    lab.same(choice(lab, cycle), ["sluice_order=B A", "sluice_ok_a=1", "sluice_tries_a=0", "sluice_ok_b=1", "sluice_tries_b=0"],
             "GRUB keeps it, and the one before")
    cycle.unwell("3.0.0", "A", "a check of the administrator fails")
    cycle.unbootable("4.0.0", "A", "the kernel panics", "Kernel panic")
    cycle.good("6.0.0", "A")


scenario("vm-grub", body)

#!/usr/bin/env python3
"""How fast updated answers on the bus while it is idle, and while a payload of 96 MiB is fetched and written.

    SLUICE_BUILD=build SLUICE_SOURCE=. tests/bench/bus-latency.py

Prints, and judges nothing: the figures belong to the machine.
"""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import MIB, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

MEASURE = os.path.join(os.environ["SLUICE_BUILD"], "tests/bench/bus-latency")
SIZE = 192 * MIB


def measure(host, seconds):
    return subprocess.run([MEASURE, str(seconds)], env=host.environment, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main():
    with Lab() as lab:
        release, host = lab.release_make("large", size=SIZE), lab.host_make(slot_size=SIZE)
        host.start()
        print("idle:   ", measure(host, 2))
        lab.server.offer(release.bytes)
        host.client("check")
        wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_DOWNLOADING", what="the download")
        print("writing:", measure(host, 1), "-", host.status()["current_operation"])
        wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT", 120, "the end")


main()

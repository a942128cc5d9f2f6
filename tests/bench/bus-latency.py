#!/usr/bin/env python3
"""How fast updated answers on the bus while it is idle, and while a payload of 96 MiB is fetched and written.

    SLUICE_BUILD=build SLUICE_SOURCE=. tests/bench/bus-latency.py

Prints, and judges nothing: the figures belong to the machine.
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

import host as lab  # noqa: E402
from omaha import Server  # noqa: E402

MEASURE = os.path.join(os.environ["SLUICE_BUILD"], "tests/bench/bus-latency")
lab.SLOT_SIZE = 192 * lab.MIB


def measure(host, seconds):
    return subprocess.run([MEASURE, str(seconds)], env=host.environment, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main():
    directory = tempfile.mkdtemp(prefix="sluice-bench.")
    server = Server()
    private, public = lab.key_make(directory, "key")
    release = lab.Release(directory, "large", private, 192 * lab.MIB)
    host = lab.Host(directory, server.url, public)
    try:
        host.start()
        print("idle:   ", measure(host, 2))
        server.offer(release.bytes)
        host.client("check")
        lab.wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_DOWNLOADING", what="the download")
        print("writing:", measure(host, 1), "-", host.status()["current_operation"])
        lab.wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT", 120, "the end")
    finally:
        host.stop()
        server.shutdown()
        shutil.rmtree(directory, ignore_errors=True)


main()

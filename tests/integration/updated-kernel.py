#!/usr/bin/env python3
"""The kernel of a payload goes to the boot partition: whole, under its name, and never into the last free bytes."""

import filecmp
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import IMAGE_SIZE, MIB, run  # noqa: E402
from lab import Lab  # noqa: E402

KERNEL = b"MZ a kernel " * 100000  # 1.2 MB
LARGE = 300 * MIB


def test_written(tap, host, release):
    for old in ("vmlinuz-a", "vmlinuz-b"):
        host.write(f"boot/flatcar/{old}", old)
    host.write("boot/flatcar/vmlinuz-b.new", "what a power cut left")
    host.start()
    code, _, error = host.update()
    tap.same(code, 0, "an update with a kernel", error, host.read("updated.log"))
    tap.ok(host.slot("B", IMAGE_SIZE) == release.image_bytes, "the slot is written")
    files = host.files("boot")
    tap.same(sorted(files), ["flatcar/vmlinuz-a", "flatcar/vmlinuz-b"], "nothing is left over")
    tap.ok(files["flatcar/vmlinuz-b"] == KERNEL, "the kernel is in its place")
    tap.ok(files["flatcar/vmlinuz-a"] == b"vmlinuz-a", "that of the running slot is untouched")
    tap.same(host.attributes("B"), (2, 1, False), "and the target boots next")


def test_without_kernel(tap, host, server, release):
    server.offer(release.bytes, version="2.0.0")
    tap.same(host.update()[0], 0, "an update without a kernel", host.read("updated.log"))
    tap.same(host.files("boot"), {"sluice/vmlinuz-b": b"old"}, "leaves the old one, and no file of its own")


def test_nowhere(tap, host, server, release):
    server.offer(release.bytes, version="2.0.0")
    tap.same(host.update()[0], 0, "without a directory for kernels they come with the slot")
    tap.ok(not os.path.exists(host.path("boot")), "and nothing is written")


def test_large(lab, host):
    """Unified images with everything in them are larger than any kernel; the room there is, is the limit."""
    kernel = os.path.join(lab.directory, "large.kernel")
    with open(kernel, "wb") as file:
        file.truncate(LARGE)
    host.write("boot/sluice/vmlinuz-a", "a")
    lab.server.offer(lab.release_make("large", options=("--kernel", kernel)).bytes, version="2.0.0")
    code, _, error = host.update()
    lab.tap.same(code, 0, f"an update with a kernel of {LARGE} bytes", error, host.read("updated.log"))
    written = host.path("boot/sluice/vmlinuz-b")
    lab.tap.ok(os.path.exists(written) and filecmp.cmp(kernel, written, shallow=False), "it is whole")


def test_full(tap, host, size):
    """On a file system of its own, as small as a boot partition may be."""
    os.makedirs(host.path("boot"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", host.path("boot")], check=False,
                             capture_output=True)
    if mounted.returncode != 0:
        tap.ok(True, f"a boot partition of {size} bytes # SKIP it takes root to mount one")
        return
    try:
        host.write("boot/sluice/vmlinuz-a", "a")
        host.write("boot/sluice/vmlinuz-b", "b")
        before = host.attributes("A")
        code, _, error = host.update()
        error += host.status()["error"]
        wanted = "the boot partition is full" if size <= MIB else "kernel: the image has"
        tap.ok(code == 1 and wanted in error, f"a boot partition of {size} bytes is too small, and that is said", error)
        tap.same(host.files("boot"), {"sluice/vmlinuz-a": b"a", "sluice/vmlinuz-b": b"b"}, "its files are as they were")
        tap.same((host.attributes("A"), host.attributes("B")), (before, (0, 0, False)), "the target can not be booted")
    finally:
        host.stop()
        run("umount", host.path("boot"))


def main():
    with Lab() as lab:
        tap, server, release = lab.tap, lab.server, lab.release_make("new", kernel=KERNEL)
        server.offer(release.bytes, version="2.0.0")
        test_written(tap, lab.host_make(), release)
        for size in (MIB, 2 * MIB):
            host = lab.host_make()
            host.start()
            test_full(tap, host, size)
        host = lab.host_make()
        host.start()
        test_large(lab, host)
        host = lab.host_make()
        host.start()
        test_full(tap, host, LARGE)
        server.offer(release.bytes, version="2.0.0")
        host = lab.host_make()
        host.start()
        test_nowhere(tap, host, server, release)
        host = lab.host_make()
        host.write("boot/sluice/vmlinuz-b", "old")
        host.start()
        test_without_kernel(tap, host, server, lab.release_make("plain"))


main()

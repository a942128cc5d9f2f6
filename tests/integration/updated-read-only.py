#!/usr/bin/env python3
"""A boot partition that is read-only, as vfat is after an error: refused with what to do, and then gone on with."""

import json
import os
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import UUID_USR, run, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

# Nothing that is mounted here is seen outside. Root needs no user namespace, which a chroot does not give.
OWN_MOUNTS = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
HINT = "it is on a file system that is read-only; where an error made it so, fsck mends it, then mount it for writing"
ENTRY = "sort-key example\nversion {version}\nlinux /sluice/vmlinuz-{slot}\noptions usr=PARTUUID={uuid}\n"
KERNELS = {"sluice/vmlinuz-a": "a", "sluice/vmlinuz-b": "b"}
ENTRIES = {f"loader/entries/sluice-{slot}.conf": ENTRY.format(version=version, slot=slot, uuid=UUID_USR[slot.upper()])
           for slot, version in (("a", "1.0.0"), ("b", "0.9"))}
VARIABLES = (("order", "A B"), ("ok_a", 1), ("tries_a", 0), ("ok_b", 1), ("tries_b", 0))
GRUBENV = "# GRUB Environment Block\n" + "".join(f"sluice_{name}={value}\n" for name, value in VARIABLES)
CHOOSERS = (
    ("gpt", "boot", KERNELS),
    ("systemd-boot", "boot", ENTRIES | KERNELS),
    ("grub", "boot", {"grub/grubenv": GRUBENV.ljust(1024, "#")}),
    ("grub", "boot", {"grub/grubenv": GRUBENV.ljust(1024, "#")} | KERNELS),
)


def states(host):
    """What the boot loader is told, as the client has it."""
    return sorted(json.loads(host.client("slots", "--json")[1]), key=lambda slot: slot["slot"])


class ReadOnly:
    def __init__(self, host):
        self.path = host.path("boot")

    def __enter__(self):
        run("mount", "--bind", self.path, self.path)
        run("mount", "-o", "remount,bind,ro", self.path)

    def __exit__(self, *_):
        run("umount", self.path)


def log_since(host, size):
    return host.read("updated.log")[size:]


def test_before(tap, name, host, release):
    """Nothing has changed yet: the way back stays one."""
    before = (host.files("boot"), states(host), host.attributes("B"), host.slot("B"))
    with ReadOnly(host):
        code, _, error = host.update()
        tap.ok(code == 1 and "/boot" in error and HINT in error, f"{name}: read-only before an update, refused with what to do",
               error, host.read("updated.log"))
    tap.ok((host.files("boot"), states(host), host.attributes("B"), host.slot("B")) == before, f"{name}: nothing has changed",
           states(host), before[1])


def test_meanwhile(tap, name, host, server, release):
    """It was writable when the update began."""
    server.offer(release.bytes, version="2.0.0", stall=threading.Event())
    size = len(host.read("updated.log"))
    host.client("check")
    wait_until(lambda: server.downloads, what="the download")
    with ReadOnly(host):
        server.stall.set()
        wait_until(lambda: host.status()["error"] and host.status()["current_operation"] == "UPDATE_STATUS_IDLE", what="the end of it")
        error = host.status()["error"]
        tap.ok("/boot" in error and HINT in error, f"{name}: read-only in the middle of it, refused with what to do", error,
               log_since(host, size))
    running, target = states(host)
    tap.ok(running["good"] and running["priority"] > 0 == target["tries"] and not target["good"], f"{name}: only the running slot may boot",
           running, target)
    server.offer(release.bytes, version="2.0.0")
    tap.same(host.update()[0], 0, f"{name}: mounted for writing again, the next attempt succeeds", log_since(host, size))
    tap.ok(not any(".new" in file or file.startswith(".") for file in host.files("boot")), f"{name}: nothing is left over",
           sorted(host.files("boot")))


def test_good(tap, name, host):
    """The new version runs, and can not be marked good."""
    host.stop_daemon()
    host.boot("B", "2.0.0")
    size = len(host.read("updated.log"))
    with ReadOnly(host):
        host.start()
        code, _, error = host.client("mark-good")
        tap.ok(code == 1 and HINT in error, f"{name}: a version that can not be marked good, mark-good says why", error)
        tap.ok(f"marking the running slot USR-B good: {HINT}" in log_since(host, size), f"{name}: and the log", log_since(host, size))
    tap.same(host.client("mark-good")[0], 0, f"{name}: mounted for writing again it is marked good", log_since(host, size))


def test(tap, host, server, release, name):
    server.offer(release.bytes, version="2.0.0")
    host.start()
    test_before(tap, name, host, release)
    test_meanwhile(tap, name, host, server, release)
    if not name.startswith("gpt"):
        test_good(tap, name, host)


def main():
    with Lab() as lab:
        release = lab.release_make("new", kernel=b"new kernel" * 100)
        for chooser, boot, files in CHOOSERS:
            host = lab.host_make(settings=f"BOOT_CHOOSER={chooser}\nBOOT_DIRECTORY=/{boot}\n")
            for file, text in files.items():
                host.write(f"{boot}/{file}", text)
            kernels = ", with kernels" if chooser == "grub" and len(files) > 1 else ""
            test(lab.tap, host, lab.server, release, chooser + kernels)


def main_alone():
    if os.environ.get("SLUICE_OWN_MOUNTS"):
        return main()
    if subprocess.run([*OWN_MOUNTS, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        print("1..0 # SKIP mount namespaces of their own are not allowed here")
        return None
    return sys.exit(subprocess.run([*OWN_MOUNTS, sys.executable, os.path.abspath(__file__)], check=False,
                                   env=dict(os.environ, SLUICE_OWN_MOUNTS="1")).returncode)


main_alone()

#!/usr/bin/env python3
"""Who has a say before a new slot may boot: the image's own postinst, on real file systems, and post-install.d."""

import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import BUILD, MIB, PATH, PAYLOAD, run, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

HELPER = os.path.join(BUILD, "updated/updated-postinst")
SIZE = 20 * MIB  # btrfs wants 16
UNSELECTABLE = (0, 0, False)
LOOK = """: "${SLUICE_MOUNT:?}"
echo "args $*"
echo "versions $SLUICE_FROM_VERSION $SLUICE_TO_VERSION $SLUICE_SLOT"
echo "proxies $ALL_PROXY $all_proxy $HTTP_PROXY $http_proxy $HTTPS_PROXY $https_proxy $NO_PROXY $no_proxy"
echo "beside me $(cat "$SLUICE_MOUNT/beside")"
touch "$SLUICE_MOUNT/new" 2>/dev/null && echo "it can be written"
mount -o remount,rw "$SLUICE_MOUNT" 2>/dev/null && echo "it can be remounted"
mknod "$(mktemp -u)" b 7 0 2>/dev/null && echo "devices can be made"
ls /dev/loop* /dev/sd* /dev/vd* /dev/nvme* /dev/mapper 2>/dev/null && echo "there are disks"
grep -q " $SLUICE_MOUNT .* ro" /proc/self/mountinfo && echo "read-only"
"""


class Image:
    """An image with a file system of that kind, in which the files are: name → text, or (text, mode), or link."""

    def __init__(self, directory, key, kind, files):
        tree = tempfile.mkdtemp(dir=directory)
        self.file = os.path.join(tree, "image")
        self.payload = os.path.join(tree, "payload")
        os.mkdir(os.path.join(tree, "tree"))
        for name, content in files.items():
            path = os.path.join(tree, "tree", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if content.startswith("-> "):
                os.symlink(content[3:], path)
                continue
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
            os.chmod(path, 0o755 if content.startswith("#!") else 0o644)
        self.make(kind, os.path.join(tree, "tree"))
        run(PAYLOAD, "create", "--image", self.file, "--output", self.payload, "--key", key)

    def make(self, kind, tree):
        if kind in ("ext4", "btrfs", "noise"):
            with open(self.file, "wb") as file:
                file.truncate(SIZE)
        command = {"ext4": ("mkfs.ext4", "-q", "-d", tree, self.file), "erofs": ("mkfs.erofs", self.file, tree),
                   "squashfs": ("mksquashfs", tree, self.file, "-quiet", "-noappend"),
                   "btrfs": ("mkfs.btrfs", "-q", "-M", "-r", tree, self.file)}.get(kind)
        if command:
            run(*command)
        with open(self.file, "r+b") as file:  # payloads are made of whole blocks
            file.truncate((os.path.getsize(self.file) + 4095) // 4096 * 4096)

    @property
    def bytes(self):
        with open(self.payload, "rb") as file:
            return file.read()

    def is_in(self, host):
        with open(self.file, "rb") as file:
            image = file.read()
        return host.slot("B", len(image)) == image


def script(*lines):
    return "\n".join(("#!/bin/sh", *lines, ""))


def update(host, server, image, settings=""):
    """Returns (exit status, error, what was logged)."""
    server.offer(image.bytes)
    host.write("etc/coreos/update.conf", f"SERVER={server.url}\n{settings}")
    if host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT":
        host.client("reset-status")
    before = len(host.read("updated.log"))
    status, _, error = host.update()
    return status, error, host.read("updated.log")[before:]


def runs(command):
    """Does any process of the machine have this command line?"""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                if file.read().replace(b"\0", b" ").strip() == command.encode():
                    return True
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has just ended
    return False


def nothing_is_left(host, command):
    mounts = open("/proc/self/mountinfo", encoding="utf-8").read()
    return (host.root not in mounts and host.disk not in run("losetup", "--list", "--noheadings", "-O", "BACK-FILE")
            and not runs(command))


def test_file_systems(tap, directory, key, host, server):
    proxy = "http://nowhere.invalid:1"
    for kind in ("ext4", "squashfs", "erofs", "btrfs"):
        image = Image(directory, key, kind, {"postinst": script(LOOK, "setsid sleep 98765 &"), "beside": kind})
        status, error, log = update(host, server, image, f"PROXY={proxy}\nNO_PROXY=127.0.0.1,none\n")
        tap.ok(status == 0 and host.attributes("B")[:2] == (2, 1), f"{kind}: the update succeeds", error, log)
        wanted = [f"args {host.disk}", "versions 1.0.0 2.0.0 B", "proxies " + " ".join(6 * [proxy] + 2 * ["127.0.0.1,none"]),
                  f"beside me {kind}", "read-only"]
        tap.same([line.split("postinst: ")[1] for line in log.splitlines() if "updated: postinst: " in line], wanted,
                 f"{kind}: what its postinst sees, and what it can not do", log)
        tap.ok(image.is_in(host), f"{kind}: the slot is as it was written")
        wait_until(lambda: nothing_is_left(host, "sleep 98765"), what="the end of all mounts, devices and processes")
        tap.ok(True, f"{kind}: nothing is left, neither mount nor device nor process")


def refused(tap, host, server, name, image, *texts, code=5, settings=""):
    status, error, log = update(host, server, image, settings)
    tap.ok(status == 1 and f"(code {code})" in error and all(text in error for text in texts), f"{name}: refused, and says why",
           error, log)
    tap.same(host.attributes("B"), UNSELECTABLE, f"{name}: the slot can not boot")
    wait_until(lambda: nothing_is_left(host, "sleep 98765"), what="the end of all mounts, devices and processes")
    tap.ok(True, f"{name}: nothing is left")


def test_what_it_says(tap, directory, key, host, server):
    def image(*lines, kind="squashfs", **files):
        return Image(directory, key, kind, {"postinst": script(*lines), **files})

    refused(tap, host, server, "exit status 1", image("echo first; echo the disk is too old; exit 1"),
            "the postinst of the new image: exit status 1: the disk is too old")
    refused(tap, host, server, "exit status 3", image("exit 3"), "second firmware", code=19)
    refused(tap, host, server, "killed", image("kill -9 $$"), "exit status 137")
    refused(tap, host, server, "too long", image("trap '' TERM; sleep 98765 & setsid sleep 98765"), "it took longer than 1",
            settings="POSTINST_TIMEOUT=1s\n")
    status, error, log = update(host, server, image("exit 1"), "POSTINST=no\n")
    tap.ok(status == 0 and "postinst:" not in log, "POSTINST=no passes it over", error, log)


def test_what_there_may_be(tap, directory, key, host, server):
    def image(files, kind="squashfs"):
        return Image(directory, key, kind, {"beside": "x", **files})

    table = (("no postinst", image({}), "the image has no postinst"),
             ("no file system", image({}, "noise"), "no file system that is known"),
             ("a link within the image", image({"postinst": "-> /lib/do", "lib/do": script("echo linked")}), "postinst: linked"),
             ("a link that would climb out", image({"postinst": "-> ../../../lib/do", "lib/do": script("echo inside")}), "postinst: inside"))
    for name, release, text in table:
        status, error, log = update(host, server, release)
        tap.ok(status == 0 and text in log, f"{name} is fine", error, log)
    outside = os.path.join(directory, "outside")
    with open(outside, "w", encoding="utf-8") as file:
        file.write(script("echo outside"))
    os.chmod(outside, 0o755)
    for name, release, text in (("a link to a program of the host", image({"postinst": "-> " + outside}), "No such file"),
                                ("a link through /proc", image({"postinst": "-> /proc/1/root" + outside}), "No such file"),
                                ("a loop of links", image({"postinst": "-> postinst"}), "Too many levels"),
                                ("a file that is no program", image({"postinst": "text"}), "Permission denied"),
                                ("a directory", image({"postinst/x": "text"}), "Permission denied")):
        refused(tap, host, server, name, release, "the postinst of the image: " + text)
        tap.ok("postinst: outside" not in host.read("updated.log"), f"{name}: nothing of the host was run")


def test_hooks(tap, directory, key, host, server):
    def hook(name, *lines):
        host.write("etc/sluice/post-install.d/" + name, script(*lines))
        os.chmod(host.path("etc/sluice/post-install.d/" + name), 0o755)

    image = Image(directory, key, "erofs", {"postinst": script("echo own"), "beside": "me"})
    hook("20-look", LOOK)
    hook("10-first", "echo one")
    status, error, log = update(host, server, image)
    lines = [line.split("updated: ")[1] for line in log.splitlines() if "postinst: own" in line or "post-install: " in line]
    tap.ok(status == 0 and lines[:3] == ["postinst: own", "post-install: 10-first: one", f"post-install: 20-look: args {host.disk}"],
           "hooks run behind the postinst, in their order", error, log)
    tap.ok("20-look: beside me me" in log and not any(bad in log for bad in ("it can be", "can be made", "there are disks")),
           "they see the slot, and can not change it either", log)
    hook("30-no", "echo not today; exit 1")
    refused(tap, host, server, "a hook that says no", image, "post-install.d/30-no: exit status 1: not today")
    os.unlink(host.path("etc/sluice/post-install.d/20-look"))
    status, error, log = update(host, server, Image(directory, key, "noise", {}))
    tap.ok(status == 1 and "30-no" in error, "hooks are asked about every image", error, log)
    shutil.rmtree(host.path("etc/sluice/post-install.d"))


def test_interrupted(tap, directory, key, host, server):
    """cancel, and the death of the daemon, in the middle of it."""
    image = Image(directory, key, "squashfs", {"postinst": script("echo waiting", "sleep 98765")})
    for name in ("cancel", "kill"):
        server.offer(image.bytes)
        before = len(host.read("updated.log"))
        host.client("check")
        wait_until(lambda: "postinst: waiting" in host.read("updated.log")[before:], what="its first line, before its end")
        tap.same(host.status()["current_operation"], "UPDATE_STATUS_FINALIZING", f"{name}: the bus is answered meanwhile")
        if name == "cancel":
            host.client("cancel")
        else:
            host.stop_daemon("KILL")
        wait_until(lambda: nothing_is_left(host, "sleep 98765"), what="the end of the postinst")
        tap.same(host.attributes("B"), UNSELECTABLE, f"{name}: the slot can not boot, and nothing is left")
        if name == "cancel":
            wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_IDLE", what="the end of the attempt")
    host.start()


def may_mount(directory):
    """Why not, or None."""
    if os.geteuid() != 0:
        return "mounting wants root"
    for tool in ("mkfs.ext4", "mkfs.erofs", "mkfs.btrfs", "mksquashfs"):
        if not shutil.which(tool, path=PATH):
            return f"there is no {tool}"
    with open("/proc/filesystems", encoding="utf-8") as file:
        known = file.read()
    for kind in ("ext4", "squashfs", "erofs", "btrfs"):
        if kind not in known:
            return f"this kernel has no {kind}"
    tree = os.path.join(directory, "probe")
    os.makedirs(os.path.join(tree, "x"))
    run("mksquashfs", os.path.join(tree, "x"), os.path.join(tree, "image"), "-quiet", "-noappend")
    os.mkdir(os.path.join(tree, "place"))
    done = subprocess.run(["unshare", "--mount", "mount", "-o", "loop,ro", os.path.join(tree, "image"), os.path.join(tree, "place")],
                          stderr=subprocess.PIPE, text=True, check=False)
    return None if done.returncode == 0 else "mounts are not allowed here: " + done.stderr.strip()


def main():
    with Lab() as lab:
        reason = may_mount(lab.directory)
        if reason:
            lab.tap.skip(reason)
            return
        host = lab.host_make(slot_size=SIZE)
        host.start()
        parts = lab.tap, lab.directory, lab.private, host, lab.server
        test_file_systems(*parts)
        test_what_it_says(*parts)
        test_what_there_may_be(*parts)
        test_hooks(*parts)
        test_interrupted(*parts)


main()

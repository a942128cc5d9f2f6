#!/usr/bin/env python3
"""BOOT_CHOOSER=grub: the daemon, GRUB's own tools, and GRUB itself, which runs docs/examples/grub.cfg."""

import itertools
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import BUILD, IMAGE_SIZE, MIB, PATH, run  # noqa: E402
from lab import Lab  # noqa: E402

FRAGMENT = os.path.join(os.environ["SLUICE_SOURCE"], "docs/examples/grub.cfg")
CHOICE = os.path.join(BUILD, "tests/double/boot-choice")
NAMES = ("sluice_order", "sluice_ok_a", "sluice_tries_a", "sluice_ok_b", "sluice_tries_b")


def env_make(path, *values):
    if os.path.exists(path):
        os.unlink(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    run("grub-editenv", path, "create")
    run("grub-editenv", path, "set", *(f"{name}={value}" for name, value in zip(NAMES, values)))


def env_list(path):
    found = dict(line.split("=", 1) for line in run("grub-editenv", path, "list").splitlines())
    return tuple(found[name] for name in NAMES)


def grub_run(directory, paths):
    """GRUB on a disk with one environment block for each path: the choices; the blocks are as GRUB left them."""
    disk, config, part = (os.path.join(directory, name) for name in ("grub.img", "config", "part"))
    with open(FRAGMENT, encoding="utf-8") as file:
        fragment = file.read().split("set default=0")[0]
    with open(disk, "wb") as file:
        file.truncate(8 * MIB)
    run("mkfs.vfat", disk)
    run("mmd", "-i", disk, "::/grub", *(f"::/{i}" for i in range(len(paths))))
    with open(part, "w", encoding="utf-8") as file:
        file.write(fragment)
    run("mcopy", "-i", disk, part, "::/part.cfg")
    with open(config, "w", encoding="utf-8") as file:
        for i, path in enumerate(paths):
            run("mcopy", "-i", disk, path, f"::/{i}/grubenv")
            file.write(f"set prefix=(hd0)/{i}\nsource (hd0)/part.cfg\necho CHOICE {i} $sluice_slot\n")
            file.write("unset sluice_order sluice_ok_a sluice_ok_b sluice_tries_a sluice_tries_b\n")
        file.write("exit\n")
    run("mcopy", "-i", disk, config, "::/grub/grub.cfg")
    with open(os.path.join(directory, "map"), "w", encoding="utf-8") as file:
        file.write(f"(hd0) {disk}\n")
    done = subprocess.run(["grub-emu", "-m", os.path.join(directory, "map"), "-d", "/grub", "-r", "hd0"], text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100,
                          env=dict(os.environ, PATH=PATH, TERM="dumb"))
    for i, path in enumerate(paths):
        run("mcopy", "-o", "-i", disk, f"::/{i}/grubenv", path)
    words = done.stdout.replace("\r", "").split("CHOICE ")[1:]
    return [word.split()[1] for word in words]


def test_fragment(tap, directory):
    run("grub-script-check", FRAGMENT)
    tap.ok(True, "grub-script-check takes the fragment")

    states = list(itertools.product(("A B", "B A"), "01", "0139", "01", "0139"))
    paths, ours = [], []
    for i, values in enumerate(states):
        path = os.path.join(directory, "states", str(i))
        env_make(path, *values)
        shutil.copy(path, path + ".ours")
        paths.append(path)
        ours.append(run(CHOICE, "grub", path + ".ours").strip())
    chosen = grub_run(directory, paths)
    tap.same(chosen, ours, f"GRUB chooses in {len(states)} states what the rule says")
    tap.same([env_list(path) for path in paths], [env_list(path + ".ours") for path in paths],
             "GRUB takes the tries away that the rule takes")


def boot(directory, host):
    return grub_run(directory, [host.path("boot/grub/grubenv")])[0]


def slots(host):
    _, out, _ = host.client("slots")
    return out


def test_update(tap, directory, host, release):
    env = host.path("boot/grub/grubenv")
    before = os.stat(env)
    code, _, error = host.update()
    tap.same(code, 0, "an update", error, host.read("updated.log"))
    tap.ok(host.slot("B", IMAGE_SIZE) == release.image_bytes, "the target holds the image")
    tap.same(env_list(env), ("B A", "1", "0", "0", "2"), "grub-editenv reads what the daemon wrote")
    after = os.stat(env)
    tap.same((after.st_ino, after.st_size, after.st_blocks), (before.st_ino, 1024, before.st_blocks), "in place")
    tap.same(host.attributes("A"), (1, 0, True), "the partition table is as it was")
    tap.ok(any(line.split()[:5] == ["B", "USR-B", "2.0.0", "2", "2"] for line in slots(host).splitlines()),
           "the client shows the tries", slots(host))
    tap.ok("Boot chooser: grub" in slots(host), "and the chooser", slots(host))
    host.stop_daemon()

    tap.same([boot(directory, host) for _ in range(3)], ["B", "B", "A"], "GRUB tries it twice and goes back")
    host.boot("A", "1.0.0")
    host.start()
    tap.ok("did not boot" in host.status()["error"], "that is told", host.status())
    host.client("reset-status")
    tap.same(host.update()[0], 0, "and tried again when somebody asks for it", host.read("updated.log"))
    host.stop_daemon()
    tap.same(boot(directory, host), "B", "GRUB starts the new version")
    host.boot("B", "2.0.0")
    host.start()
    tap.same(env_list(env), ("B A", "1", "0", "1", "0"), "it is marked good", host.read("updated.log"))
    tap.same(boot(directory, host), "B", "and started from now on")
    tap.same(host.client("rollback")[0], 0, "a rollback", host.read("updated.log"))
    tap.same(env_list(env), ("A B", "0", "2", "1", "0"), "puts the old slot first, on trial")
    host.stop_daemon()
    tap.same(boot(directory, host), "A", "GRUB starts the old version")


def test_refusals(tap, host):
    with open(host.path("boot/grub/grubenv"), "wb") as file:
        file.write(b"x" * 1024)
    host.boot("A", "1.0.0")
    host.start()
    code, _, error = host.update()
    tap.ok(code != 0 and "environment block of GRUB can not be used: it does not begin" in error + host.status()["error"],
           "a file that is no environment block is no boot chooser", error, host.status())
    with open(host.path("boot/grub/grubenv"), "rb") as file:
        tap.ok(file.read() == b"x" * 1024, "and is left as it is")


def test_where_grub_can_not_write(lab, release):
    """It would never start a version on trial there."""
    host = lab.host_make(settings="BOOT_CHOOSER=grub\n")
    image, boot = host.path("boot.img"), host.path("boot")
    env_make(os.path.join(host.path("tree"), "grub/grubenv"), "A B", 1, 0, 1, 0)
    run("truncate", "--size=20M", image)
    run("mkfs.btrfs", "-q", "-M", "-r", host.path("tree"), image)
    os.makedirs(boot)
    mounted = subprocess.run(["mount", "-o", "loop", image, boot], check=False, capture_output=True)
    if mounted.returncode != 0:
        lab.tap.ok(True, "an environment block on btrfs # SKIP it takes root and a kernel with btrfs to mount one")
        return
    lab.at_end(run, "umount", boot)
    host.start()
    lab.at_end(host.stop)
    lab.server.offer(release.bytes, version="2.0.0")
    before = host.slot("B"), env_list(host.path("boot/grub/grubenv"))
    code, _, error = host.update()
    lab.tap.ok(code == 1 and "boot/grub/grubenv: GRUB can not write to btrfs and ZFS" in error,
               "an environment block on btrfs is refused, and why", error, host.status())
    lab.tap.ok((host.slot("B"), env_list(host.path("boot/grub/grubenv"))) == before, "before anything is written")


def main():
    with Lab() as lab:
        os.makedirs(os.path.join(lab.directory, "states"))
        test_fragment(lab.tap, lab.directory)
        host, release = lab.host_make(settings="BOOT_CHOOSER=grub\nBOOT_TRIES=2\n"), lab.release_make("new")
        lab.server.offer(release.bytes, version="2.0.0")
        env_make(host.path("boot/grub/grubenv"), "A B", 1, 0, 0, 0)
        host.start()
        test_update(lab.tap, lab.directory, host, release)
        test_refusals(lab.tap, host)
        test_where_grub_can_not_write(lab, release)


main()

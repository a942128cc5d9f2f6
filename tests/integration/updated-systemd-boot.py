#!/usr/bin/env python3
"""BOOT_CHOOSER=systemd-boot: the daemon on an ESP, with bootctl as the judge of the order in the menu."""

import json
import os
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import BUILD, IMAGE_SIZE, MIB, UUID_USR, run  # noqa: E402
from lab import Lab  # noqa: E402

CHOICE = os.path.join(BUILD, "tests/double/boot-choice")
ENTRY = """# an entry as an image builder makes it
title Example OS
sort-key example
version {version}
linux /sluice/vmlinuz-{slot}
options verity.usr=PARTUUID={uuid} quiet usr=PARTUUID={uuid}/PARTNROFF=1 x=PARTUUID={uuid}0
"""


def uki_make(version, kernel=b"kernel"):
    """A PE file as small as one can be that bootctl takes for a unified kernel image."""
    release = f'ID=example\nPRETTY_NAME="Example {version}"\nVERSION_ID={version}\n'.encode()
    sections = [(b".osrel", release), (b".cmdline", b"quiet"), (b".linux", kernel)]
    head = bytearray(b"MZ" + bytes(58) + struct.pack("<I", 64))
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 0, 0x22)
    body, at = b"", 1024
    for number, (name, data) in enumerate(sections):
        head += struct.pack("<8sIIIIIIHHI", name, len(data), (number + 1) * 0x10000, len(data), at + len(body), 0, 0, 0, 0, 0x40000040)
        body += data
    return bytes(head).ljust(1024, b"\0") + body


class Esp:
    def __init__(self, host):
        self.host = host
        self.path = host.path("efi")

    def write(self, name, data):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def read(self, name):
        with open(os.path.join(self.path, name), "rb") as file:
            return file.read()

    def files(self):
        return sorted(os.path.relpath(os.path.join(directory, name), self.path)
                      for directory, _, names in os.walk(self.path) for name in names)

    def entries(self):
        return [os.path.basename(name) for name in self.files() if name.startswith(("loader/entries/", "EFI/Linux/"))]

    def menu(self):
        """The ids as bootctl lists them, in its order, without what it adds by itself."""
        done = subprocess.run(["bootctl", "--json=short", "list"], check=False, capture_output=True, text=True,
                              env=dict(os.environ, SYSTEMD_ESP_PATH=self.path, SYSTEMD_XBOOTLDR_PATH=self.path))
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        found = []
        for line in done.stdout.splitlines():  # systemd 252 prints one object after the other, later ones an array
            value = json.loads(line)
            found += value if isinstance(value, list) else [value]
        return [os.path.basename(entry["path"]) for entry in found if entry.get("path")]

    def boot(self):
        """The entry that is started; its try is counted."""
        name = run(CHOICE, "bls", self.path).split()[0]
        return os.path.basename(name)


def settled(tap, host, esp, first, name):
    """bootctl, the rule of the doubles and the client agree on what comes next."""
    before = esp.files()
    menu = esp.menu()
    tap.same(menu[0] if menu else None, first, name, menu, before)
    slots = json.loads(host.client("slots", "--json")[1])
    best = max(slots, key=lambda slot: slot["priority"])
    tap.same(best["slot"].lower(), first.removeprefix("sluice-")[0], "and the client says so", slots)


def test_conf(tap, host, server, release, later):
    esp = Esp(host)
    for slot in "ab":
        esp.write(f"loader/entries/sluice-{slot}.conf", ENTRY.format(version="0.9" if slot == "b" else "1.0.0", slot=slot,
                                                                     uuid=UUID_USR[slot.upper()].lower()))
        esp.write(f"sluice/vmlinuz-{slot}", f"kernel {slot}")
    esp.write("loader/loader.conf", "timeout 0\n")
    esp.write("loader/entries/other.conf", "title Other\nsort-key zzz\nlinux /other\n")
    esp.write("loader/entries/sluice-b+3.conf.abcdef", "half")
    esp.write("loader/entries/.#sluice-b_1.5+3.conf.abcdef", "half")
    host.start()
    settled(tap, host, esp, "sluice-a.conf", "the running version comes first")
    running = esp.read("loader/entries/sluice-a.conf")

    server.offer(release.bytes, version="2.0.0")
    code, _, error = host.update()
    tap.same(code, 0, "an update", error, host.read("updated.log"))
    tap.same(esp.files(), ["loader/entries/other.conf", "loader/entries/sluice-a.conf", "loader/entries/sluice-b_2.0.0+3.conf",
                           "loader/loader.conf", "sluice/vmlinuz-a", "sluice/vmlinuz-b"], "the target has one entry, with tries")
    tap.ok(esp.read("sluice/vmlinuz-b") == b"new kernel", "its kernel is new")
    tap.same((esp.read("loader/entries/sluice-a.conf"), esp.read("sluice/vmlinuz-a")), (running, b"kernel a"),
             "what the running slot has is untouched")
    text = esp.read("loader/entries/sluice-b_2.0.0+3.conf").decode()
    uuid = UUID_USR["B"].lower()
    tap.same(text.splitlines(), ["title Example OS", "sort-key example", "linux /sluice/vmlinuz-b",
                                 f"options verity.usr=PARTUUID={uuid} quiet usr=PARTUUID={uuid}/PARTNROFF=1 "
                                 f"x=PARTUUID={UUID_USR['A'].lower()}0", "version 2.0.0"], "made from that of the running slot")
    tap.ok(host.slot("B", IMAGE_SIZE) == release.image_bytes, "the slot is written")
    settled(tap, host, esp, "sluice-b_2.0.0+3.conf", "bootctl puts it first")
    host.stop_daemon()

    tap.same([esp.boot() for _ in range(4)], ["sluice-b_2.0.0+3.conf", "sluice-b_2.0.0+2-1.conf", "sluice-b_2.0.0+1-2.conf",
                                              "sluice-a.conf"], "three tries, then the old one")
    host.boot("A", "1.0.0")
    host.start()
    tap.ok("did not boot" in host.status()["error"], "that is told", host.status())
    settled(tap, host, esp, "sluice-a.conf", "bootctl puts what was tried in vain last")
    host.client("reset-status")
    tap.same(host.update()[0], 0, "another update", host.read("updated.log"))
    host.stop_daemon()
    tap.same(esp.boot(), "sluice-b_2.0.0+3.conf", "and boot")
    host.boot("B", "2.0.0")
    host.start()
    tap.same(esp.entries(), ["other.conf", "sluice-a.conf", "sluice-b_2.0.0.conf"], "the counter goes when it is good")
    settled(tap, host, esp, "sluice-b_2.0.0.conf", "it stays first")

    tap.same(host.client("rollback")[0], 0, "a rollback", host.read("updated.log"))
    tap.same(esp.entries(), ["other.conf", "sluice-a+3.conf", "sluice-b_2.0.0+0.conf"], "puts the newer version last")
    settled(tap, host, esp, "sluice-a+3.conf", "bootctl as well")
    host.stop_daemon()
    tap.same(esp.boot(), "sluice-a+3.conf", "the old one starts, on trial")
    host.boot("A", "1.0.0")
    host.start()
    server.offer(later.bytes, version="3.0.0")
    tap.same(host.update()[0], 0, "then the next version", host.read("updated.log"))
    tap.same(esp.entries(), ["other.conf", "sluice-a.conf", "sluice-b_3.0.0+3.conf"], "takes its place")
    settled(tap, host, esp, "sluice-b_3.0.0+3.conf", "in front")


def test_uki(lab, host):
    tap, esp = lab.tap, Esp(host)
    esp.write("EFI/Linux/sluice-a_1.9.0.efi", uki_make("1.9.0"))
    esp.write("EFI/Linux/sluice-b_1.8.0.efi", uki_make("1.8.0"))
    esp.write("loader/loader.conf", "")
    image = uki_make("1.10.0", b"k" * MIB)
    lab.server.offer(lab.release_make("uki", kernel=image).bytes, version="1.10.0")
    host.start()
    settled(tap, host, esp, "sluice-a_1.9.0.efi", "unified kernel images")
    code, _, error = host.update()
    tap.same(code, 0, "an update", error, host.read("updated.log"))
    tap.same(esp.files(), ["EFI/Linux/sluice-a_1.9.0.efi", "EFI/Linux/sluice-b_1.10.0+3.efi", "loader/loader.conf"],
             "the image is in its place, once")
    tap.ok(esp.read("EFI/Linux/sluice-b_1.10.0+3.efi") == image, "whole")
    settled(tap, host, esp, "sluice-b_1.10.0+3.efi", "1.10 is newer than 1.9")
    host.stop_daemon()
    tap.same(esp.boot(), "sluice-b_1.10.0+3.efi", "it is started")
    host.boot("B", "1.10.0")
    host.start()
    tap.same(esp.entries(), ["sluice-a_1.9.0.efi", "sluice-b_1.10.0.efi"], "and good")


def test_long(tap, host, server, release):
    """A version is any text; the name of a file is not."""
    version = "2.0.0-" + "x" * 300
    server.offer(release.bytes, version=version)
    host.start()
    code, _, error = host.update()
    tap.same(code, 0, "an update to a version that is longer than any file name", error, host.read("updated.log"))
    entry = [name for name in Esp(host).entries() if name.startswith("sluice-b")]
    tap.ok(len(entry) == 1 and entry[0].endswith("+3.conf") and len(entry[0]) < 200, "has an entry with a shorter one", entry)
    tap.ok(f"version {version}\n" in Esp(host).read("loader/entries/" + entry[0]).decode(), "in which the version is whole")


def test_refusal(tap, host, server, release, wanted, name):
    esp = Esp(host)
    server.offer(release.bytes, version="2.0.0")
    before = esp.files()
    host.start()
    code, _, error = host.update()
    tap.ok(code == 1 and wanted in error, name, code, error, host.read("updated.log"))
    tap.same([file for file in esp.files() if "sluice-a" in file], [file for file in before if "sluice-a" in file],
             "the running slot's entry stays")
    tap.ok(not any("sluice-b" in file for file in esp.files()), "the target has none", esp.files())


def main():
    with Lab() as lab:
        def host_new(**files):
            host = lab.host_make(settings="BOOT_CHOOSER=systemd-boot\nBOOT_TRIES=3\nBOOT_DIRECTORY=/efi\n")
            os.makedirs(host.path("efi"))
            for name, content in files.items():
                Esp(host).write(name, content)
            return host

        tap, server, release = lab.tap, lab.server, lab.release_make("new", kernel=b"new kernel")
        test_conf(tap, host_new(), server, release, lab.release_make("later", kernel=b"later kernel"))
        test_uki(lab, host_new())
        model = {"loader/entries/sluice-a.conf": "sort-key x\nversion 1\nlinux /sluice/vmlinuz-a\noptions usr=PARTLABEL=USR-A\n"}
        test_long(tap, host_new(**model), server, release)
        entry, image = "loader/entries/sluice-a.conf", {"EFI/Linux/sluice-a.efi": uki_make("1.0")}
        for files, offered, wanted, name in (
                ({}, release, "no boot entry of the running slot", "without entries nothing is chosen"),
                ({entry: "linux /sluice/vmlinuz-a\noptions root=/dev/sda3\n"}, release, "name its partition by neither",
                 "an entry that names no partition is no template"),
                ({entry: "linux /sluice/vmlinuz-a\noptions usr=PARTLABEL=USR-A usrhash=00ff\n"}, release, "name the hash of its image",
                 "an entry that fits one image only is no template"),
                ({entry: "linux /sluice/VMLINUZ-B\noptions usr=PARTLABEL=USR-A\n"}, release, "starts the kernel of the other",
                 "a kernel of the other slot is not removed"),
                (image, release, "is no unified kernel image", "a plain kernel beside unified images is refused"),
                (image, lab.release_make("bare"), "the payload has no kernel", "a payload without a kernel is refused")):
            test_refusal(tap, host_new(**files), server, offered, wanted, name)


main()

#!/usr/bin/env python3
"""Packages beside the payload: the images of the OEM and of extensions, in place before the slot may boot."""

import base64
import hashlib
import json
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import key_make, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

OEM = "oem/sysext/oem-qemu-{}.raw"
PODMAN = "etc/flatcar/sysext/flatcar-podman-{}.raw"
UNSELECTABLE = (0, 0, False)


class Set:
    """The payload of a version and the packages that a server has beside it."""

    def __init__(self, lab, version):
        self.version = version
        self.system = lab.release_make("os-" + version)
        self.images = {name: lab.release_make(f"{name}-{version}", size=256 * 1024)
                       for name in ("oem-qemu", "flatcar-podman", "flatcar-python", "oem-azure", "notes")}

    def offer(self, server, **settings):
        server.offer(self.system.bytes, version=self.version, **settings)
        server.packages = {name + ".gz": release.bytes for name, release in self.images.items()}

    def is_whole(self, host, *names):
        return all(content(host, name.format(self.version)) == self.images[os.path.basename(name)[:-len("-{}.raw")]].image_bytes
                   for name in names)


def content(host, name):
    try:
        with open(host.path(name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def images(host):
    """Everything in the two directories, hidden files too."""
    return sorted(name for directory in ("oem/sysext", "etc/flatcar/sysext") if os.path.isdir(host.path(directory))
                  for name in os.listdir(host.path(directory)))


def fetched(server):
    return [os.path.basename(path) for path in server.paths]


def reboot(host, slot, version):
    host.stop_daemon()
    host.boot(slot, version)
    host.start()


def host_start(lab):
    host = lab.host_make()
    host.write("etc/oem-release", "ID=qemu\nVERSION_ID=1\n")
    os.makedirs(host.path("oem"))
    host.write("usr/share/flatcar/enabled-sysext.conf", "python # what the vendor has\n")
    host.write("etc/flatcar/enabled-sysext.conf", "# ours\n-python\npodman\n../evil\n")
    host.start()
    return host


def test_in_place_before_the_slot(tap, host, server, release):
    release.offer(server)
    server.package_stall = {"flatcar-podman.gz": threading.Event()}
    status, _, error = host.client("check")
    wait_until(lambda: "flatcar-podman.gz" in fetched(server), what="the last package")
    tap.ok(status == 0 and host.attributes("B") == UNSELECTABLE, "until the last package is there the slot can not boot", error)
    tap.ok(release.is_whole(host, OEM) and not release.is_whole(host, PODMAN), "what is whole has its name, the other has not",
           images(host))
    wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_DOWNLOADING", what="the download")
    seen = host.status()
    total = sum(map(len, (release.system.bytes, server.packages["oem-qemu.gz"], server.packages["flatcar-podman.gz"])))
    tap.ok(seen["bytes_total"] == total and 0.5 < seen["progress"] < 1, "status counts the packages as well", seen)
    server.package_stall["flatcar-podman.gz"].set()
    wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT", what="the update")
    tap.ok(release.is_whole(host, OEM, PODMAN), "then both are there, as they were made", images(host))
    tap.same(images(host), ["flatcar-podman-2.0.0.raw", "oem-qemu-2.0.0.raw"], "and nothing else is")
    tap.same(fetched(server), ["update.payload", "oem-qemu.gz", "flatcar-podman.gz"],
             "the payload comes first, and packages that this host does not want are not fetched")
    tap.same(host.attributes("B"), (2, 1, False), "the slot boots next")


def test_shown(tap, host):
    slots = {slot["slot"]: slot["packages"] for slot in json.loads(host.client("slots", "--json")[1])}
    tap.same(slots, {"A": [], "B": ["oem-qemu", "flatcar-podman"]}, "slots --json shows them")
    tap.ok("      with oem-qemu, flatcar-podman\n" in host.client("slots")[1], "slots shows them", host.client("slots")[1])
    tap.same({slot["slot"]: slot["packages"] for slot in host.status()["slots"]}, slots, "status --json shows them")
    last = json.loads(host.client("history", "--json")[1])[-1]
    tap.ok(last["outcome"] == "staged" and last["note"] == "with oem-qemu, flatcar-podman" and last["error"] == "",
           "history shows them", last)
    tap.ok("\"../evil\" is no name of an extension" in host.read("updated.log"), "a name that is none is told about")


def test_old_ones_go_when_no_slot_needs_them(tap, host, server, sets):
    two, three, four = sets
    reboot(host, "B", "2.0.0")
    tap.ok(two.is_whole(host, OEM, PODMAN) and host.attributes("B")[2], "after the boot the new set is there, and good")
    three.offer(server)
    host.update()
    tap.ok(two.is_whole(host, OEM, PODMAN) and three.is_whole(host, OEM, PODMAN),
           "the set of the running version stays beside the next one", images(host), host.read("updated.log"))
    host.stop_daemon()
    host.boot("B", "2.0.0")
    host.set_attributes("A", 48, 49)  # it was tried and did not come up
    host.start()
    tap.ok(two.is_whole(host, OEM, PODMAN), "after a fall-back the old set is whole")

    four.offer(server)
    host.update()
    tap.ok(not any("3.0.0" in name for name in images(host)), "with the next update the set that did not boot goes", images(host))
    reboot(host, "A", "4.0.0")
    tap.ok(two.is_whole(host, OEM, PODMAN) and four.is_whole(host, OEM, PODMAN),
           "when the next one is good, the set of the way back is still there", images(host), host.read("updated.log"))


def refused(tap, host, release, name, *texts, written=True):
    before, kept = host.slot("B"), images(host)
    status, _, error = host.update()
    tap.ok(status == 1 and "(code 5)" in error and all(text in error for text in texts),
           f"{name}: refused, and says why", error, host.read("updated.log"))
    tap.ok(release.is_whole(host, OEM, PODMAN) and host.attributes("A")[2], f"{name}: the running set is whole", images(host))
    if written:
        tap.same(host.attributes("B"), UNSELECTABLE, f"{name}: the slot can not boot")
        tap.ok(not any(word.endswith(".part") or "flatcar-podman-5" in word for word in images(host)),
               f"{name}: nothing has its name that is not right", images(host))
    else:
        tap.ok(host.slot("B") == before and images(host) == kept, f"{name}: not a byte was written")


def test_refused_before_anything_is_written(tap, host, server, running, release):
    podman = hashlib.sha256(release.images["flatcar-podman"].bytes).hexdigest()
    table = (("a package that the host uses is missing", None, ("comes without package flatcar-podman.gz", "enabled-sysext.conf")),
             ("no hash_sha256", 'hash="2jmj7l5rSw0yVb/vlWAYkK/YBwk="', ("flatcar-podman.gz", "without hash_sha256")),
             ("larger than any", f'size="9000000000" hash_sha256="{podman}"', ("flatcar-podman.gz", "larger than 8 GiB")),
             ("a version that is a path", None, ("oem-qemu.gz", "can not be part of a file name")))
    for name, attributes, texts in table:
        release.offer(server)
        if name.startswith("a version"):
            server.version = "5/../../etc"
        elif attributes is None:
            del server.packages["flatcar-podman.gz"]
        elif attributes.startswith("size"):
            server.answer = server.answer_to("<updatecheck").replace(
                f'size="{len(server.packages["flatcar-podman.gz"])}" required="false" hash_sha256="{podman}"', attributes)
        else:
            server.package_attributes = {"flatcar-podman.gz": attributes}
        refused(tap, host, running, name, *texts, written=False)
        tap.same(server.paths, [], f"{name}: nothing is fetched")
    release.offer(server)
    del server.packages["oem-qemu.gz"]
    refused(tap, host, running, "the OEM's image, which the running version has", "comes without package oem-qemu.gz", written=False)


def test_a_failed_package_fails_the_update(tap, host, server, running, release, stranger):
    good = release.images["flatcar-podman"].bytes
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    table = (("not there", None, "HTTP status 404"), ("another file", flipped, "SHA-256"),
             ("a stranger's", stranger.bytes, "signature"), ("no payload", b"not a payload at all" * 100, "CrAU"))
    for name, data, text in table:
        release.offer(server)
        if data is None:
            server.package_status = {"flatcar-podman.gz": 404}
        elif data is flipped:
            announced = hashlib.sha256(good).digest()
            server.package_attributes = {"flatcar-podman.gz": f'hash_sha256="{base64.b64encode(announced).decode()}"'}
        server.packages["flatcar-podman.gz"] = data or good
        refused(tap, host, running, name, "package flatcar-podman.gz, which version 5.0.0 needs", text)
        tap.ok(("oem-qemu.gz" in fetched(server)) == (name == "not there"), f"{name}: what was whole before is not fetched again",
               fetched(server))
    event = [event for event in server.events() if event[0] == "3" and event[1] == "0"][-1]
    tap.same(event[2], str(5 | 1 << 28), "the server is told the number")


def test_on_from_the_last_whole_package(tap, host, server, running, release):
    release.offer(server)
    server.urls = [server.base + "nowhere/", server.base + "files/"]
    server.package_stall = {"flatcar-podman.gz": threading.Event()}
    host.client("check")
    wait_until(lambda: "/files/flatcar-podman.gz" in server.paths, what="the package")
    wait_until(lambda: any(name.endswith(".part") for name in images(host)), what="its file")
    host.stop_daemon("KILL")
    server.package_stall["flatcar-podman.gz"].set()
    tap.ok(running.is_whole(host, OEM, PODMAN), "a crash in the middle of a package harms nothing", images(host))
    host.start()
    release.offer(server)
    server.urls = [server.base + "nowhere/", server.base + "files/"]
    status, _, error = host.update()
    tap.ok(status == 0 and release.is_whole(host, OEM, PODMAN), "the next attempt succeeds, with the second address", error,
           images(host))
    tap.ok("oem-qemu.gz" not in fetched(server), "and fetches only what is not whole", server.paths)
    tap.ok(not any(name.endswith(".part") for name in images(host)), "nothing is left behind", images(host))


def test_damaged_meanwhile(tap, host, server, running, release):
    """An attempt failed behind the first package. What became of its image since then, nobody knows."""
    name = OEM.format(release.version)
    for damage in ("one bit", "the end", "everything", "none"):
        release.offer(server)
        server.package_status = {"flatcar-podman.gz": 404}
        host.update()
        tap.ok(release.is_whole(host, OEM) and not release.is_whole(host, PODMAN), f"{damage}: the first image is there, the second is not")
        size = os.path.getsize(host.path(name))
        with open(host.path(name), "r+b") as file:
            if damage == "one bit":
                file.seek(size // 2)
                byte = file.read(1)[0]
                file.seek(size // 2)
                file.write(bytes([byte ^ 16]))
            elif damage != "none":
                file.truncate(size - 1 if damage == "the end" else 0)
        release.offer(server)
        server.package_status = {"flatcar-podman.gz": 404} if damage != "none" else {}
        before = len(host.read("updated.log"))
        status, _, error = host.update()
        log = host.read("updated.log")[before:]
        tap.same("oem-qemu.gz" in fetched(server), damage != "none", f"{damage} of it is damaged: it is fetched again, or not", log)
        tap.same(f"the image oem-qemu of version {release.version} in /oem/sysext is damaged" in log, damage in ("one bit", "the end"),
                 f"{damage}: that is told", log)
        tap.ok(release.is_whole(host, OEM) and running.is_whole(host, OEM, PODMAN), f"{damage}: and whole", images(host))
    tap.ok(status == 0 and release.is_whole(host, OEM, PODMAN), "then the update succeeds", error)


def main():
    with Lab() as lab:
        sets = [Set(lab, f"{number}.0.0") for number in (2, 3, 4, 5, 6)]
        stranger = lab.release_make("stranger", key=key_make(lab.directory, "other")[0], size=256 * 1024)
        host = host_start(lab)
        parts = lab.tap, host, lab.server
        test_in_place_before_the_slot(*parts, sets[0])
        test_shown(lab.tap, host)
        test_old_ones_go_when_no_slot_needs_them(*parts, sets[:3])
        test_refused_before_anything_is_written(*parts, sets[2], sets[3])
        test_a_failed_package_fails_the_update(*parts, sets[2], sets[3], stranger)
        test_on_from_the_last_whole_package(*parts, sets[2], sets[3])
        reboot(host, "B", sets[3].version)
        test_damaged_meanwhile(*parts, sets[3], sets[4])


main()

#!/usr/bin/env python3
"""What updated refuses: after each case the running slot is untouched, the target can not be booted, the error is known."""

import base64
import hashlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import APP_ID, IMAGE_SIZE, SLOT_SIZE, key_make, run, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

PRIVATE_SERVER = 1 << 28


def check_refused(tap, host, server, name, code, text, events=True, untouched=False):
    """An update attempt that has to fail with this Omaha number and this word in its sentence."""
    before, untouched_target = host.slot("A"), host.slot("B") if untouched else None
    status, out, error = host.update()
    tap.ok(status == 1, f"{name}: update exits with 1", f"exit {status}", out, error, host.read("updated.log"))
    tap.ok(f"(code {code})" in error and text in error, f"{name}: the error says what and why", error)
    tap.same(host.status()["current_operation"], "UPDATE_STATUS_IDLE", f"{name}: the daemon is idle again")
    tap.ok(host.slot("A") == before and host.attributes("A") == (1, 0, True), f"{name}: the running slot is untouched")
    tap.same(host.attributes("B"), (0, 0, False), f"{name}: the target can not be booted")
    if untouched:
        tap.ok(host.slot("B") == untouched_target, f"{name}: not a byte was written")
    wanted = ("3", "0", str(code | PRIVATE_SERVER), None)
    if events:
        wait_until(lambda: wanted in server.events(), 5, f"event {wanted}, got {server.events()}")
        tap.same(server.events().count(wanted), 1, f"{name}: the server is told, once")


def test_signatures(tap, host, server, releases):
    server.offer(releases["stranger"].bytes)
    check_refused(tap, host, server, "signed by a stranger", 18, "trusted key")
    server.offer(releases["unsigned"].bytes)
    check_refused(tap, host, server, "unsigned", 17, "not signed")


def test_announcements(tap, host, server, releases):
    payload = releases["good"].bytes
    wrong = base64.b64encode(hashlib.sha256(b"something else").digest()).decode()
    server.offer(payload, announced_sha256=wrong)
    check_refused(tap, host, server, "another SHA-256 announced", 10, "SHA-256")
    server.offer(payload, announced_size=len(payload) + 1)
    check_refused(tap, host, server, "shorter than announced", 11, "announced", untouched=True)
    server.offer(payload + b"more", announced_size=len(payload))
    check_refused(tap, host, server, "longer than announced", 11, "announced", untouched=True)


def test_size(tap, host, server, releases):
    server.offer(releases["large"].bytes)
    check_refused(tap, host, server, "image larger than the slot", 13, "has room", untouched=True)


def test_flipped_bytes(tap, host, server, releases):
    payload = bytearray(releases["good"].bytes)
    places = {"magic": 0, "version": 11, "manifest length": 18, "manifest": 40, "data": len(payload) // 2,
              "last data": len(payload) - 300, "signature": len(payload) - 100, "last byte": len(payload) - 1}
    for name, place in places.items():
        damaged = bytearray(payload)
        damaged[place] ^= 0x20
        server.offer(bytes(damaged))
        before = host.slot("A")
        status, _, error = host.update()
        good = status == 1 and host.slot("A") == before and host.attributes("B") == (0, 0, False)
        tap.ok(good, f"a flipped byte in {name} is refused", f"exit {status}", error, host.attributes("B"))
    server.offer(b"<html><body>Please log in to the hotel's network</body></html>" * 10)
    check_refused(tap, host, server, "a web page", 21, "", untouched=True)


def test_answers(tap, host, server):
    def about(status, content="", app=APP_ID):
        return f'<response protocol="3.0"><app appid="{app}" status="{status}">{content}</app></response>'

    cases = [
        ("an empty answer", "", 30, "empty"),
        ("no XML", "hello", 31, "XML"),
        ("a DOCTYPE", '<!DOCTYPE x [<!ENTITY a "b">]><response protocol="3.0"/>', 31, "DOCTYPE"),
        ("endless nesting", "<a>" * 100, 31, "deep"),
        ("another application", about("ok", app="{00000000-0000-0000-0000-000000000000}"), 34, "application"),
        ("an unknown application", about("error-unknownApplication"), 34, "error-unknownApplication"),
        ("no updatecheck", about("ok"), 34, "updatecheck"),
    ]
    for name, answer, code, text in cases:
        server.offer(None, answer=answer)
        check_refused(tap, host, server, name, code, text, untouched=True)
    server.offer(None, answer="x" * (2 << 20))
    check_refused(tap, host, server, "an endless answer", 31, "", untouched=True)
    server.offer(None, status=500)
    check_refused(tap, host, server, "HTTP status 500", 2500, "500", untouched=True)
    server.offer(None, answer=about("error-updatesDisabled", '<updatecheck status="error-internal"/>'))
    status, _, error = host.update()
    tap.ok(status == 0 and "No update" in error, "a server's policy is no error", error)
    tap.ok(not any(event[1] == "0" for event in server.events()), "and is not reported as one", server.events())


def test_no_answer(tap, host):
    host.write("etc/coreos/update.conf", "SERVER=http://user:secret@127.0.0.1:1/\nCHECK_INTERVAL=1s\n")
    status, _, error = host.update()
    tap.ok(status == 1 and "(code 2000)" in error, "a server that is not there is an error", error)
    tap.ok("secret" not in error and "secret" not in host.read("updated.log"), "which does not tell a password", error)
    tap.ok(not os.listdir(host.path("var/lib/updated/events")), "of which no event waits for it")
    host.write("etc/coreos/update.conf", "SERVER=disabled\n")
    status, _, error = host.update()
    tap.ok(status == 0, "SERVER=disabled asks nobody, without a restart of the daemon", error)


def test_hosts(lab, release):
    """Hosts on which no update can go anywhere."""
    def damage_disk(host):
        with open(host.disk, "r+b") as disk:
            disk.write(bytes(34 * 512))
            disk.seek(-33 * 512, 2)
            disk.write(bytes(33 * 512))

    def wrong_command_line(host):
        host.write("proc/cmdline", "root=PARTUUID=00000000-0000-0000-0000-000000000001\n")

    def twice_the_same(host):
        run("sfdisk", "--quiet", "--part-label", host.disk, "2", "USR-A")
        host.write("proc/cmdline", "root=PARTLABEL=USR-A\n")

    def other_type(host):
        run("sfdisk", "--quiet", "--part-type", host.disk, "2", "0FC63DAF-8483-4772-8E79-3D69D8477DE4")

    cases = [
        ("no second slot", {"second_slot": False}, None, 7, "there is no second slot"),
        ("a second slot of another type", {}, other_type, 7, "there is no second slot"),
        ("two partitions of one name", {}, twice_the_same, 7, "ambiguous"),
        ("no running slot on the disk", {}, wrong_command_line, 7, "is not on this disk"),
        ("no partition table", {}, damage_disk, 7, "no GPT"),
        ("no key", {"public_key": None}, None, 12, "trusts no key"),
    ]
    tap, server = lab.tap, lab.server
    for name, settings, prepare, code, text in cases:
        with lab.host_make(**settings) as host:
            if prepare:
                prepare(host)
            with open(host.disk, "rb") as disk:
                before = hashlib.sha256(disk.read()).digest()
            server.offer(release.bytes)
            host.start()
            status, _, error = host.update()
            tap.ok(status == 1 and f"(code {code})" in error and text in error, f"{name}: refused", error, host.read("updated.log"))
            with open(host.disk, "rb") as disk:
                tap.ok(hashlib.sha256(disk.read()).digest() == before, f"{name}: not a bit of the disk changed")
            tap.same(server.downloads, [], f"{name}: nothing was fetched")


def test_state_directory(tap, host, server, releases):
    """A state directory that can not be written: nothing begins."""
    host.write("etc/coreos/update.conf", f"SERVER={server.url}\n")
    os.rename(host.path("var/lib/updated"), host.path("var/lib/kept"))
    host.write("var/lib/updated", "in the way")
    server.offer(releases["good"].bytes)
    check_refused(tap, host, server, "no place for the state", 1, "/var/lib/updated/state", events=False, untouched=True)
    os.unlink(host.path("var/lib/updated"))
    os.rename(host.path("var/lib/kept"), host.path("var/lib/updated"))


def test_recovers(tap, host, server, releases):
    host.write("etc/coreos/update.conf", f"SERVER={server.url}\n")
    server.offer(releases["good"].bytes)
    status, _, error = host.update()
    tap.ok(status == 0 and host.slot("B", IMAGE_SIZE) == releases["good"].image_bytes,
           "after all that, the good update goes through", error)
    tap.same(host.status()["error"], "", "and no error is left")


def main():
    with Lab() as lab:
        stranger, _ = key_make(lab.directory, "stranger")
        releases = {
            "good": lab.release_make("good"),
            "stranger": lab.release_make("stranger", key=stranger),
            "unsigned": lab.release_make("unsigned", key=None),
            "large": lab.release_make("large", size=SLOT_SIZE + 4096),
        }
        host = lab.host_make()
        host.start()
        parts = lab.tap, host, lab.server
        test_signatures(*parts, releases)
        test_announcements(*parts, releases)
        test_size(*parts, releases)
        test_flipped_bytes(*parts, releases)
        test_answers(*parts)
        test_no_answer(lab.tap, host)
        test_state_directory(*parts, releases)
        test_hosts(lab, releases["good"])
        test_recovers(*parts, releases)


main()

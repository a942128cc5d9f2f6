#!/usr/bin/env python3
"""No older system by accident or by attack: channels, the high-water mark, MINIMUM_VERSION, signed times."""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import IMAGE_SIZE, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

PRIVATE_SERVER = 1 << 28
HOUR = 3600


def signed(lab, name, version, made=0, expires=0):
    """A payload of format v2, with what it says of itself under its signature."""
    times = [part for option, value in (("--timestamp", made), ("--expires", expires)) if value
             for part in (option, str(int(value)))]
    return lab.release_make(name, version=version, options=("--format", "v2", *times))


def refused(tap, host, name, code, *texts, target=(0, 0, False), command=("update",)):
    before = host.slot("A")
    status, _, error = host.client(*command)
    tap.ok(status == 1 and f"(code {code})" in error and all(text in error for text in texts), f"{name}: refused, and says why",
           f"exit {status}", error, host.read("updated.log"))
    tap.ok(host.slot("A") == before and host.attributes("A") == (1, 0, True), f"{name}: the running slot is untouched")
    tap.same(host.attributes("B"), target, f"{name}: the other slot is as it should be")


def accepted(tap, host, name):
    status, _, error = host.update()
    tap.ok(status == 0 and host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT", name, error,
           host.read("updated.log"))


def reboot(host, slot, version):
    host.stop_daemon()
    host.boot(slot, version)
    host.set_attributes(slot, 49)
    host.start()


def configure(host, server, *lines):
    host.write("etc/coreos/update.conf", "\n".join((f"SERVER={server.url}", *lines, "")))


def test_versions(tap, host, server, release):
    server.offer(release.bytes, version="0.9.0")
    refused(tap, host, "an older version", 35, "0.9.0", "1.0.0", "DOWNGRADE=allow")
    tap.same(server.downloads, [], "nothing is fetched for it")
    wanted = ("3", "9", str(35 | PRIVATE_SERVER), None)
    wait_until(lambda: wanted in server.events(), what="the event")
    tap.same(server.events().count(wanted), 1, "the server is told that policy refuses it, once")
    configure(host, server, "DOWNGRADE=allow", "MINIMUM_VERSION=0.9.1")
    refused(tap, host, "a version below the minimum", 35, "0.9.0", "0.9.1", "MINIMUM_VERSION")
    configure(host, server, "DOWNGRADE=maybe", "MINIMUM_VERSION=")
    refused(tap, host, "a DOWNGRADE that is no word", 35, "1.0.0")
    configure(host, server, "DOWNGRADE=allow")
    accepted(tap, host, "DOWNGRADE=allow lets it in")
    host.client("reset-status")
    configure(host, server)


def test_replay(tap, host, server, release):
    """An old, well signed payload under the name of a new version."""
    server.offer(release.bytes, version="9.0.0")
    refused(tap, host, "an old payload announced as a new one", 23, "0.9.0", "9.0.0")
    refused(tap, host, "an old payload from an operator", 35, "0.9.0", "1.0.0", command=("install", release.payload))


def test_expiry(tap, host, server, releases):
    server.offer(releases["expired"].bytes, version="2.0.0")
    refused(tap, host, "a payload that has expired", 23, "expired")
    server.offer(releases["epoch"].bytes, version="2.0.0")
    refused(tap, host, "one that expired before this program was made", 23, "expired")
    host.stop_daemon()
    state = host.read("var/lib/updated/state")
    host.write_state(state + f'TRUSTED_TIME="{int(time.time()) + 5 * HOUR}"\n')
    host.start()
    server.offer(releases["soon"].bytes, version="2.0.0")
    refused(tap, host, "a clock that was set back does not bring it to life again", 23, "expired")
    host.stop_daemon()
    host.write_state(state)
    host.start()
    accepted(tap, host, "the same payload while it is valid")
    state = host.read("var/lib/updated/state")
    trusted = [line for line in state.splitlines() if line.startswith("TRUSTED_TIME")]
    tap.ok(trusted and abs(int(trusted[0].split('"')[1]) - time.time()) < 60, "the time that was agreed on is kept", state)


def test_marks(tap, host, server, releases):
    reboot(host, "B", "2.0.0")
    state = host.read("var/lib/updated/state")
    tap.ok('HIGHEST_VERSION="2.0.0"' in state and "GOOD_MADE=" in state, "what is good raises the marks", state)
    tap.same(host.client("rollback")[0], 0, "rollback")
    reboot(host, "A", "1.0.0")
    host.set_attributes("A", 48, 56)
    server.offer(releases["old"].bytes, version="1.5.0")
    refused(tap, host, "newer than what runs, older than what ran", 35, "1.5.0", "2.0.0", "ran here before", target=(1, 0, True))
    server.offer(releases["early"].bytes, version="3.0.0")
    refused(tap, host, "a payload made before the one that was good", 23, "older than what is installed")
    configure(host, server, "DOWNGRADE=allow")
    accepted(tap, host, "DOWNGRADE=allow lets that in as well")
    host.client("reset-status")
    configure(host, server)
    server.offer(releases["late"].bytes, version="4.0.0")
    accepted(tap, host, "one that was made later needs nobody's leave")
    tap.ok(host.slot("B", IMAGE_SIZE) == releases["late"].image_bytes, "and is written")


def main():
    now = time.time()
    with Lab() as lab:
        releases = {
            "old": signed(lab, "old", "0.9.0"),
            "expired": signed(lab, "expired", "2.0.0", now - 2 * HOUR, now - HOUR),
            "epoch": signed(lab, "epoch", "2.0.0", 1, 1000),
            "soon": signed(lab, "soon", "2.0.0", now - HOUR, now + 4 * HOUR),
            "early": signed(lab, "early", "3.0.0", now - 3 * HOUR),
            "late": signed(lab, "late", "4.0.0", now),
        }
        host = lab.host_make()
        host.start()
        parts = lab.tap, host, lab.server
        test_versions(*parts, releases["old"])
        test_replay(*parts, releases["old"])
        test_expiry(*parts, releases)
        test_marks(*parts, releases)


main()

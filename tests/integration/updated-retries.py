#!/usr/bin/env python3
"""A payload that fails again and again is put off, for days, also after a restart; which address failed how often is
remembered; an operator and another offer need not wait."""

import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import IMAGE_SIZE, wait_until  # noqa: E402
from hostile import HostileServer  # noqa: E402
from lab import Lab  # noqa: E402

HOUR = 3600
DEFERRED = ("3", "9", str(40 | 1 << 28), None)


class RetriesLab(Lab):
    def __init__(self):
        super().__init__()
        self.release, self.other = self.release_make("two"), self.release_make("three")
        self.hostile, self.host = self.server_make(HostileServer), None

    def begin(self):
        """A new host that asks every second."""
        self.end()
        self.host = self.host_make(settings="CHECK_FIRST=1s\nCHECK_INTERVAL=1s\n")
        self.host.start()
        return self.host

    def offer(self, release, behaviour, postinstall='MaxFailureCountPerUrl="3"', **settings):
        self.hostile.behave(behaviour)
        self.server.offer(release.bytes, urls=settings.pop("urls", [self.hostile.base]), postinstall=postinstall, **settings)

    def checks(self):
        return sum("<updatecheck" in body for body in list(self.server.requests))

    def more_checks(self, count):
        wanted = self.checks() + count
        wait_until(lambda: self.checks() >= wanted, seconds=60, what=f"{count} more checks")

    def end(self):
        if self.host:
            self.host.stop()
            self.host = None


def gone(request):
    request.head(404, "Content-Length: 0")


def put_off(lab):
    lab.offer(lab.release, gone)
    host = lab.begin()
    wait_until(lambda: host.status()["rounds"] == 1, seconds=60, what="the end of a round")
    status, now = host.status(), time.time()
    lab.tap.same(len(lab.hostile.requests), 3, "one address that fails is tried as often as the server says")
    lab.tap.ok(17 * HOUR < status["not_before"] - now < 31 * HOUR, "then the payload is put off, for a day, 6 hours more or less",
               status["not_before"] - now)
    lab.more_checks(3)
    lab.tap.same(len(lab.hostile.requests), 3, "further checks fetch nothing")
    lab.tap.ok("404" in host.status()["error"], "the last error is still why", host.status()["error"])
    wait_until(lambda: DEFERRED in lab.server.events(), what="the event")
    lab.tap.ok(True, "the server is told with code 40")
    lab.tap.ok("Put off:" in host.client("status")[1], "status says so", host.client("status")[1])
    entries = json.loads(host.client("history", "--json")[1])
    lab.tap.same([entry["outcome"] for entry in entries], ["failed", "put-off"], "history, too", entries)
    lab.tap.same(entries[0]["count"], 3, "with the number of failures")

    host.stop_daemon("KILL")
    host.start()
    lab.more_checks(2)
    lab.tap.same((len(lab.hostile.requests), host.status()["not_before"]), (3, status["not_before"]), "a restart changes nothing")

    lab.hostile.behave(lambda request: request.send(request.rest_of(lab.release.bytes)))
    code, _, error = host.update()
    lab.tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == lab.release.image_bytes, "an operator need not wait", error)
    host.client("reset-status")
    lab.tap.same((host.status()["rounds"], host.status()["not_before"]), (0, 0), "reset-status forgets")


def other_offer(lab):
    lab.offer(lab.release, gone)
    host = lab.begin()
    wait_until(lambda: host.status()["rounds"] == 1, seconds=60, what="the end of a round")
    lab.offer(lab.other, lambda request: request.send(request.rest_of(lab.other.bytes)), version="3.0.0")
    wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT", what="the update")
    lab.tap.ok(host.slot("B", IMAGE_SIZE) == lab.other.image_bytes, "another offer need not wait")
    host.stop_daemon()
    host.boot("B", "3.0.0")
    host.set_attributes("B", 49)
    lab.server.offer(None)
    host.start()
    lab.tap.same((host.status()["rounds"], host.status()["not_before"]), (0, 0), "what booted is not put off")


def no_backoff(lab):
    lab.offer(lab.release, gone, postinstall='MaxFailureCountPerUrl="1" DisablePayloadBackoff="true"')
    host = lab.begin()
    wait_until(lambda: len(lab.hostile.requests) >= 4, seconds=60, what="tries")
    lab.tap.ok(host.status()["rounds"] >= 3 and DEFERRED not in lab.server.events(), "DisablePayloadBackoff: nothing is put off", host.status())


def metered(lab):
    lab.offer(lab.release, lambda request: request.send(request.rest_of(lab.release.bytes)))
    host = lab.begin()
    host.stop_daemon()
    host.write("etc/coreos/update.conf", host.read("etc/coreos/update.conf") + "METERED=yes\n")
    host.start()
    host.client("reset-status")
    lab.offer(lab.release, lambda request: request.send(request.rest_of(lab.release.bytes)))
    lab.more_checks(2)
    lab.tap.ok(not lab.hostile.requests and "METERED=yes" in host.read("updated.log"), "METERED=yes: the schedule asks, and fetches nothing",
               lab.hostile.requests)
    lab.tap.ok(host.update()[0] == 0 and lab.hostile.requests, "METERED=yes: an operator's update is fetched")


def addresses(lab):
    """One mirror has something else, another is dead, the third breaks off; then it is well."""
    def behaviour(request):
        if request.path.startswith("/files/one/"):
            request.send(request.rest_of(bytes(len(lab.release.bytes))))
        elif request.path.startswith("/files/two/") or not lab.well:
            gone(request)
        else:
            request.send(request.rest_of(lab.release.bytes))

    lab.well = False
    lab.offer(lab.release, behaviour, urls=[lab.hostile.base + name for name in ("one/", "two/", "three/")])
    host = lab.begin()
    host.stop_daemon()
    host.write("etc/coreos/update.conf", host.read("etc/coreos/update.conf").replace("=1s", "=1h"))
    host.start()
    paths = []
    for _ in range(2):
        del lab.hostile.requests[:]
        host.update()
        paths.append([request.path.split("/")[2] for request in lab.hostile.requests])
    lab.tap.same(paths, [["one", "two", "three"], ["two", "three"]], "an address whose bytes are refused is not asked again")
    lab.tap.same(host.status()["address_failures"], [3, 2, 2], "which one failed how often is told")
    lab.well = True
    lab.tap.ok(host.update()[0] == 0, "another address gives the update")


def main():
    with RetriesLab() as lab:
        for part in (put_off, other_offer, no_backoff, metered, addresses):
            part(lab)


main()

#!/usr/bin/env python3
"""An update that is interrupted goes on where it was, after the end of the worker, of the daemon and of the host; and
begins anew when anything is not as it was. What counts are the bytes that are asked for again."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import BUILD, MIB, run, wait_until  # noqa: E402
from hostile import HostileServer  # noqa: E402
from lab import Lab  # noqa: E402

SERVE = os.path.join(BUILD, "updated/update-serve")
KIB = 1024
IMAGE_SIZE, SLOT_SIZE = 24 * MIB, 25 * MIB
HALF = 15 * MIB            # what the first attempt gets
REDONE_MAX = 8 * MIB       # what an interruption may cost …
REPORTED = 2 * MIB         # … and what of it the daemon was not told of yet
HEADER = 256 * KIB         # more than header and manifest
ROOM = 4096                # where in the file the checkpoints begin


class ResumeLab(Lab):
    def __init__(self):
        super().__init__()
        self.releases = [self.release_make(name, size=IMAGE_SIZE, options=("--compression", "none", "--format", version))
                         for name, version in (("two", "v2"), ("three", "v2"), ("old", "v1"))]
        self.release, self.other = self.releases[:2]
        self.data = self.release.bytes
        self.hostile, self.host = self.server_make(HostileServer), None

    def begin(self):
        """A new host, whose first attempt stands still after HALF of the payload."""
        self.end()
        self.host = self.host_make(slot_size=SLOT_SIZE)
        self.host.start()
        self.running = self.host.slot("A")
        self.interrupt()
        return self.host

    def interrupt(self, reach=HALF):
        stop = threading.Event()

        def behaviour(request):
            rest = request.rest_of(self.data)
            end = max(reach - request.start, 0)
            request.send(rest[:end])
            while not stop.wait(0.05) and end < len(rest):  # the worker reports what it has when something comes
                request.send(rest[end:end + KIB])
                end += KIB

        self.server.offer(self.data, urls=[self.hostile.base])
        self.hostile.behave(behaviour)
        self.host.client("check")
        wait_until(lambda: self.host.status()["bytes_done"] >= reach - REPORTED, what="a part of the payload")
        self.stop = stop

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)
        self.stop.set()

    def worker(self):
        with open(f"/proc/{self.host.daemon.pid}/task/{self.host.daemon.pid}/children", encoding="ascii") as file:
            return int(file.read())

    def kill_worker(self):
        self.kill(self.worker())
        wait_until(lambda: self.host.status()["current_operation"] == "UPDATE_STATUS_IDLE", what="the end of the attempt")

    def serve_rest(self, request, etag='"one"', data=None):
        """Of what is asked for from its beginning more than the manifest is sent only when the client waits for it."""
        data = data or self.data
        rest = request.rest_of(data, etag=etag)
        if request.start:
            request.send(rest)
            return
        request.send(rest[:HEADER])
        if not request.closed(2):
            request.send(rest[HEADER:])

    def goes_on(self, name):
        """The next attempt: header and manifest, then the rest, and no more."""
        self.hostile.behave(self.serve_rest)
        code, _, error = self.host.update()
        log = self.host.read("updated.log")
        starts = [request.start for request in self.hostile.requests]
        self.tap.ok(code == 0 and self.host.slot("B", IMAGE_SIZE) == self.release.image_bytes,
                    f"{name}: the next attempt comes through", error, log[-2000:])
        self.tap.ok(len(starts) == 2 and starts[0] == 0 and HALF - REPORTED - REDONE_MAX <= starts[1] < HALF + MIB,
                    f"{name}: at most header, manifest and 8 MiB are fetched again", starts)
        self.tap.ok("an update that was interrupted goes on at byte" in log, f"{name}: the journal knows", log[-2000:])
        history = json.loads(self.host.client("history", "--json")[1])
        self.tap.ok([entry["version"] for entry in history if entry["outcome"] == "resumed"] == ["2.0.0"],
                    f"{name}: the history, too", history)
        self.tap.ok(self.host.slot("A") == self.running and self.host.attributes("B") == (2, 1, False),
                    f"{name}: the running slot is untouched, the other one boots next", self.host.attributes("B"))
        self.tap.ok(not os.path.exists(self.host.path("var/lib/updated/checkpoint")), f"{name}: nothing is left to go on with")

    def begins_anew(self, name, text, requests, data=None, etag='"one"'):
        self.hostile.behave(lambda request: self.serve_rest(request, data=data, etag=etag))
        code, _, error = self.host.update()
        log = self.host.read("updated.log")
        self.tap.ok(code == 0 and self.host.slot("B", IMAGE_SIZE) == (self.other if data else self.release).image_bytes,
                    f"{name}: the update comes through", error, log[-2000:])
        self.tap.same([request.start for request in self.hostile.requests], requests, f"{name}: from its first byte")
        self.tap.ok(text in log, f"{name}: and the log says why", log[-2000:])

    def end(self):
        if self.host:
            self.host.stop()
            shutil.rmtree(self.host.root)
            self.host = None


def interruptions(lab):
    host = lab.begin()
    lab.tap.same(host.attributes("B"), (0, 0, False), "the target can not be booted while it is written")
    lab.kill_worker()
    lab.tap.same(host.attributes("B"), (0, 0, False), "nor while the update is interrupted")
    lab.goes_on("SIGKILL of the worker")

    host = lab.begin()
    lab.kill(host.daemon.pid)
    host.stop_daemon()
    host.start()
    lab.tap.same((host.status()["current_operation"], host.attributes("B")), ("UPDATE_STATUS_IDLE", (0, 0, False)),
                 "after the end of the daemon nothing is pretended")
    lab.goes_on("SIGKILL of the daemon")

    host = lab.begin()
    seconds = host.stop_daemon()[1]
    lab.stop.set()
    host.boot("A", "1.0.0")
    host.start()
    lab.tap.ok(seconds < 2, "SIGTERM ends the daemon in time", seconds)
    lab.goes_on("a restart of the host")


def twice(lab):
    """Cut off again while it goes on: no byte is lost twice."""
    host = lab.begin()
    lab.kill_worker()
    reached = 0
    for reach in (HALF + 3 * MIB, HALF + 6 * MIB):
        lab.interrupt(reach)
        lab.kill_worker()
        starts = [request.start for request in lab.hostile.requests]
        lab.tap.ok(len(starts) == 2 and starts[1] >= max(reached, HALF - REPORTED - REDONE_MAX), "cut off again: it never goes back", starts)
        reached = starts[1]
    lab.tap.same(host.attributes("B"), (0, 0, False), "cut off again: not bootable")
    host.stop_daemon()
    host.start()
    lab.hostile.behave(lab.serve_rest)
    lab.tap.ok(host.update()[0] == 0 and lab.hostile.requests[1].start >= reached, "cut off again: it comes through")


def other_things(lab):
    host = lab.begin()
    lab.kill_worker()
    lab.server.offer(lab.other.bytes, urls=[lab.hostile.base])
    lab.begins_anew("another payload", "is of another payload or another slot", [0], data=lab.other.bytes)

    for name, damage in (("damaged", lambda data: data[:ROOM] + bytes(byte ^ 1 for byte in data[ROOM:])),
                         ("cut short", lambda data: data[:ROOM + 100]),
                         ("of another program", lambda data: data.replace(b"RESUME=1", b"RESUME=9")),
                         ("for another slot", lambda data: data.replace(b"SLOT=E", b"SLOT=F").replace(b"SLOT=e", b"SLOT=f"))):
        host = lab.begin()
        lab.kill_worker()
        with open(host.path("var/lib/updated/checkpoint"), "r+b") as file:
            data = damage(file.read())
            file.seek(0)
            file.truncate()
            file.write(data)
        lab.begins_anew(f"a checkpoint that is {name}", "checkpoint: it is damaged" if name == "damaged" else "or damaged", [0])

    host = lab.begin()
    lab.kill_worker()
    with open(host.disk, "r+b") as disk:
        disk.seek(host.offsets["B"] + 12345)
        disk.write(b"x")
    lab.hostile.behave(lab.serve_rest)
    code, _, error = host.update()
    starts = [request.start for request in lab.hostile.requests]
    lab.tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == lab.release.image_bytes, "changed bytes in the slot: found, and written anew",
               error, host.read("updated.log")[-2000:])
    lab.tap.ok(len(starts) == 3 and starts[0] == starts[2] == 0, "changed bytes in the slot: from the first byte", starts)


def other_servers(lab):
    """The rest is taken only when it is the rest of the very file."""
    host = lab.begin()
    lab.kill_worker()

    def no_ranges(request):
        request.start = 0
        lab.serve_rest(request)

    lab.hostile.behave(no_ranges)
    code, _, error = host.update()
    lab.tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == lab.release.image_bytes, "a server without Range: all of it, once more", error)
    lab.tap.same(len(lab.hostile.requests), 3, "a server without Range: it is asked for all of it when it gives no part")

    host = lab.begin()
    lab.kill_worker()
    lab.hostile.behave(lambda request: lab.serve_rest(request, etag='"two"' if request.start else '"one"'))
    code, _, error = host.update()
    lab.tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == lab.release.image_bytes, "another ETag for the rest: all of it, once more", error)
    lab.tap.same([bool(request.start) for request in lab.hostile.requests], [False, True, False], "another ETag: never two files spliced")


def tokens(lab):
    """Addresses that are good for a while only: each answer names another one."""
    host = lab.begin()
    lab.kill_worker()
    lab.server.offer(lab.data, urls=[lab.hostile.base + "token-2/"])

    def behaviour(request):
        if request.path.startswith("/files/token-2/"):
            lab.serve_rest(request)
        else:
            request.head(403, "Content-Length: 0")

    lab.hostile.behave(behaviour)
    code, _, error = host.update()
    starts = [request.start for request in lab.hostile.requests]
    lab.tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == lab.release.image_bytes, "a new token: the update goes on at the new address", error)
    lab.tap.ok(len(starts) == 2 and starts[1] >= HALF - REPORTED - REDONE_MAX, "a new token: nothing is fetched twice for it", starts)


def tampered_manifest(lab):
    """The blobs are right, the manifest is another one of the same length: the original engine believed it."""
    for release, error_text, log_text in ((lab.releases[0], "by a trusted key", ""),
                                          (lab.releases[2], "is not the announced one", "checkpoint: it is of another payload")):
        lab.release, lab.data = release, release.bytes
        host = lab.begin()
        lab.kill_worker()
        inside = bytearray(lab.data)
        inside[inside.index(hashlib.sha256(release.image_bytes).digest())] ^= 1
        lab.hostile.behave(lambda request, data=bytes(inside): lab.serve_rest(request, data=data))
        code, _, error = host.update()
        log = host.read("updated.log")
        name = "a changed manifest, format v" + str(lab.data[11])
        lab.tap.ok(code == 1 and error_text in error, f"{name}: not believed when an update goes on", error)
        lab.tap.same([request.start for request in lab.hostile.requests], [0], f"{name}: nothing is gone on with")
        lab.tap.ok(log_text in log, f"{name}: the log says so", log[-2000:])
        lab.tap.ok(host.slot("A") == lab.running and host.attributes("B") == (0, 0, False), f"{name}: the slot can not be booted")
    lab.release = lab.releases[0]


def real_server(lab):
    """update-serve, slowly, and its worker killed on the way."""
    site = os.path.join(lab.directory, "site")
    os.mkdir(site)
    run(SERVE, "--directory", site, "publish", "--version", "2.0.0", lab.release.payload, "--channel", "beta")
    server = subprocess.Popen([SERVE, "--directory", site, "--listen", "127.0.0.1:0", "--delay-rate", str(8 * MIB)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    base = next(found.group() for found in (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in server.stdout) if found)
    lab.end()
    lab.host = host = lab.host_make(server=base + "v1/update/", slot_size=SLOT_SIZE)
    try:
        host.start()
        host.client("check")
        wait_until(lambda: host.status()["bytes_done"] > 12 * MIB, what="12 MiB")
        lab.stop = threading.Event()
        lab.kill_worker()
        code, _, error = host.update()
        lab.tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == lab.release.image_bytes, "update-serve: the update goes on", error)
        found = re.search(r"resumed.*at byte (\d+) of", host.client("history")[1])
        lab.tap.ok(found and int(found[1]) >= 4 * MIB, "update-serve: at most 8 MiB are fetched again", host.client("history")[1])
    finally:
        server.terminate()
        server.wait()


def main():
    with ResumeLab() as lab:
        for part in (interruptions, twice, other_things, other_servers, tokens, tampered_manifest, real_server):
            part(lab)


main()

#!/usr/bin/env python3
"""Rows N1 to N8 of the fault catalogue against a server that lies on the wire: requests, bytes, and what the host does."""

import os
import resource
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import IMAGE_SIZE  # noqa: E402
from hostile import HostileServer  # noqa: E402
from lab import Lab  # noqa: E402

KIB = 1024
TRIES_OF_ONE_ADDRESS = 4


class HostileLab(Lab):
    def __init__(self):
        super().__init__()
        self.hostile, self.release = self.server_make(HostileServer), self.release_make("two")
        self.data = self.release.bytes
        self.host = self.host_make()
        self.host.start()
        self.before = self.host.slot("A")

    def update(self, behaviour, **settings):
        self.server.offer(self.data, urls=settings.pop("urls", None) or [self.hostile.base], **settings)
        self.hostile.behave(behaviour)
        return self.host.update()

    def accepts(self, name, behaviour, requests, **settings):
        code, _, error = self.update(behaviour, **settings)
        self.tap.ok(code == 0 and self.host.slot("B", IMAGE_SIZE) == self.data_of_image(), f"{name}: the update comes through", error,
                    self.host.read("updated.log")[-3000:])
        self.tap.same(len(self.hostile.requests), requests, f"{name}: so many requests")
        self.host.client("reset-status")

    def refuses(self, name, behaviour, requests, text, **settings):
        code, _, error = self.update(behaviour, **settings)
        self.tap.ok(code == 1 and text in error, f"{name}: refused, and says why", f"exit {code}", error)
        self.tap.same(len(self.hostile.requests), requests, f"{name}: so many requests")
        self.tap.ok(self.host.slot("A") == self.before and self.host.attributes("A") == (1, 0, True), f"{name}: the running slot is untouched")
        self.tap.same(self.host.attributes("B"), (0, 0, False), f"{name}: the target can not be booted")

    def data_of_image(self):
        return self.release.image_bytes

def n1_cuts(lab):
    """The connection is reset after every 64 KiB: each time the rest, and no byte twice."""
    sent = []

    def reset(request):
        rest = request.rest_of(lab.data)[:64 * KIB]
        request.send(rest)
        sent.append((request.start, len(rest)))
        time.sleep(0.1)  # or the reset overtakes the bytes
        if request.start + len(rest) < len(lab.data):
            request.reset()

    lab.accepts("N1 a reset every 64 KiB", reset, -(-len(lab.data) // (64 * KIB)))
    lab.tap.same(sum(n for _, n in sent), len(lab.data), "N1: exactly the payload's bytes went over the wire")

    def half_open(request):
        if request.number == 0:
            request.send(request.rest_of(lab.data)[:100 * KIB])
        else:
            request.send(request.rest_of(lab.data))

    lab.accepts("N1 the end before Content-Length", half_open, 2)
    lab.tap.same(lab.hostile.requests[1].start, 100 * KIB, "N1: what is there is not fetched again")


def n2_ranges(lab):
    """Never two versions of a file spliced: what does not fit is fetched from its first byte."""
    wrong = bytes(len(lab.data))

    def cut_then(answer):
        def behaviour(request):
            if request.number == 0:
                request.send(request.rest_of(lab.data)[:100 * KIB])
            elif request.start:
                answer(request)
            else:
                request.send(request.rest_of(lab.data))
        return behaviour

    lies = {
        "a range that begins elsewhere": lambda request: request.send(request.rest_of(wrong, first=0)),
        "a range of a file of another size": lambda request: request.send(request.rest_of(wrong, total=len(wrong) + 1)),
        "another ETag": lambda request: request.send(request.rest_of(wrong, etag='"two"')),
        "416": lambda request: request.head(416, "Content-Length: 0"),
        "206 without Content-Range": lambda request: request.head(206, "Content-Length: 4"),
    }
    for name, answer in lies.items():
        lab.accepts(f"N2 {name}", cut_then(answer), 3)
        lab.tap.same([request.start for request in lab.hostile.requests], [0, 100 * KIB, 0], f"N2 {name}: from zero")

    def never(request):
        request.head(206, f"Content-Length: {len(lab.data)}", f"Content-Range: bytes 0-{len(lab.data) - 1}/{len(lab.data)}")
        request.send(lab.data)

    lab.refuses("N2 206 to a request without Range", never, 1, "(code 9)")


def n4_endless(lab):
    def headers(request):
        request.send(b"HTTP/1.1 200 X\r\n")
        while True:
            request.send(b"X-More: " + b"x" * 1000 + b"\r\n")

    def body(request):
        request.head(200)
        request.send(lab.data)
        while True:
            request.send(bytes(64 * KIB))

    def chunks(request):
        request.head(200, "Transfer-Encoding: chunked")
        while True:
            request.send(b"10000\r\n" + bytes(64 * KIB) + b"\r\n")

    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    lab.refuses("N4 endless headers", headers, 1, "(code 9)")
    lab.refuses("N4 an endless body", body, 1, "longer than announced")
    lab.refuses("N4 endless chunks that are no payload", chunks, 1, "(code 21)")
    grown = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - memory
    lab.tap.ok(grown < 64 * KIB, "N4: no process has grown by 64 MiB", f"{grown} KiB")


def n4_redirects(lab):
    def to(target):
        return lambda request: request.head(302, f"Location: {target}", "Content-Length: 0")

    lab.refuses("N4 a redirect in a circle", to(lab.hostile.base), 6, "(code 9)")
    lab.refuses("N4 redirects without end", lambda request: request.head(302, f"Location: {lab.hostile.base}{request.number}",
                                                                         "Content-Length: 0"), 6, "(code 9)")
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "scp://127.0.0.1/x"):
        lab.refuses(f"N4 a redirect to {target}", to(target), 1, "(code 9)")
    lab.refuses("N4 credentials in an address", lambda request: request.head(404, "Content-Length: 0"), 1, "404",
                urls=[lab.hostile.base.replace("//", "//me:hunter2@")])
    log = lab.host.read("updated.log") + lab.host.status()["error"]
    lab.tap.ok("hunter2" not in log, "N4: a password is neither logged nor told")


def n5_statuses(lab):
    for status, requests in ((500, 4), (502, 4), (429, 4), (401, 1), (403, 1), (404, 1), (407, 1), (410, 1)):
        begin = time.monotonic()
        lab.refuses(f"N5 {status}", lambda request, status=status: request.head(status, "Content-Length: 0"), requests, str(status))
        if requests > 1:
            lab.tap.ok(time.monotonic() - begin > 3, f"N5 {status}: the tries are further and further apart", time.monotonic() - begin)
    lab.refuses("N5 204", lambda request: request.head(204), TRIES_OF_ONE_ADDRESS, "(code 9)")

    def busy_for(text):
        def behaviour(request):
            if request.number == 0:
                request.head(503, f"Retry-After: {text}", "Content-Length: 0")
            else:
                request.send(request.rest_of(lab.data))
        return behaviour

    for text, least, most in (("2", 2, 6), ("-5", 0, 3), ("soon", 0, 3)):
        begin = time.monotonic()
        lab.accepts(f"N5 Retry-After: {text}", busy_for(text), 2)
        took = time.monotonic() - begin
        lab.tap.ok(least <= took < most, f"N5 Retry-After: {text}: it waits as it should", took)


def n8_encodings(lab):
    """A proxy that compresses or rewrites what passes through."""
    def gzip(request):
        lab.tap.ok("gzip" not in request.headers.get("accept-encoding", ""), "N8: no encoding is offered")
        request.head(200, f"Content-Length: {len(lab.data)}", "Content-Encoding: gzip")
        request.send(b"\x1f\x8b\x08\x00" + bytes(len(lab.data) - 4))

    def portal(request):
        page = b"<html>Please log in</html>".ljust(len(lab.data))
        request.head(200, f"Content-Length: {len(page)}", "Content-Type: text/html")
        request.send(page)

    untouched = lab.host.slot("B")
    lab.refuses("N8 gzip that nobody asked for", gzip, 1, "(code 21)")
    lab.refuses("N8 a captive portal", portal, 1, "(code 21)")
    lab.tap.ok(lab.host.slot("B") == untouched, "N8: not a byte of them was written")


def n10_mirrors(lab):
    """The first mirror breaks off and is gone, the second has other bytes, the third is good."""
    def behaviour(request):
        if request.path.startswith("/files/one/"):
            request.send(request.rest_of(lab.data)[:100 * KIB]) if request.number == 0 else request.head(404, "Content-Length: 0")
        elif request.path.startswith("/files/two/"):
            request.send(request.rest_of(lab.data[:200 * KIB] + bytes(len(lab.data) - 200 * KIB)))
        else:
            request.send(request.rest_of(lab.data))

    lab.accepts("N10 three mirrors that disagree", behaviour, 4, urls=[lab.hostile.base + name for name in ("one/", "two/", "three/")])
    lab.tap.same([request.start for request in lab.hostile.requests], [0, 100 * KIB, 0, 0], "N10: bytes of two mirrors are never mixed")


def main():
    with HostileLab() as lab:
        for part in (n1_cuts, n2_ranges, n4_endless, n4_redirects, n5_statuses, n8_encodings, n10_mirrors):
            part(lab)


main()

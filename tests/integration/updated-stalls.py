#!/usr/bin/env python3
"""Rows N3 and N9 of the fault catalogue: servers that are slow on purpose, names that are not answered, addresses that
lead nowhere or change. In namespaces of its own, where the test is the name server; without them only what needs none."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import IMAGE_SIZE, PATH, run, wait_until  # noqa: E402
from hostile import HostileServer  # noqa: E402
from lab import Lab  # noqa: E402

KIB = 1024
NAMESPACES = ["unshare", "--map-root-user", "--mount", "--net", "--"]
IN_NAMESPACES = "SLUICE_IN_NAMESPACES"
LIMIT = 2         # seconds: CONNECT_TIMEOUT and DOWNLOAD_STALL of these hosts
ENOUGH = 60       # no stall may take so long: it would be the default's, or for ever
QUESTION = 12     # where the name begins in a message of DNS
TYPES = {1: socket.AF_INET, 28: socket.AF_INET6}


class Names(threading.Thread):
    """The name server. names: what is answered; a name that is not there gets no answer at all."""

    def __init__(self):
        super().__init__(daemon=True)
        self.names, self.asked = {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.start()

    def run(self):
        while True:
            query, client = self.socket.recvfrom(512)
            labels, at = [], QUESTION
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            question, name = query[QUESTION:at + 5], ".".join(labels)
            self.asked.append(name)
            if name not in self.names:
                continue
            kind = int.from_bytes(query[at + 1:at + 3], "big")
            found = [socket.inet_pton(TYPES[kind], address) for address in self.names[name]
                     if kind in TYPES and (":" in address) == (kind == 28)]
            records = b"".join(b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\0" + len(data).to_bytes(2, "big") + data for data in found)
            self.socket.sendto(query[:2] + b"\x81\x80\0\1" + len(found).to_bytes(2, "big") + bytes(4) + question + records, client)


class StallsLab(Lab):
    def __init__(self):
        super().__init__()
        self.release = self.release_make("two")
        self.data = self.release.bytes
        self.names = names_begin(self.directory) if IN_NAMESPACES in os.environ else None
        self.hostile, self.good = self.server_make(HostileServer), self.server_make(HostileServer)
        self.host = self.host_make(settings=f"CONNECT_TIMEOUT={LIMIT}s\nDOWNLOAD_STALL={LIMIT}s\nCHECK_INTERVAL=1s\n"
                                            "DOWNLOAD_RATE_MIN=1000\nCHECK_FIRST=1h\n")
        self.host.start()

    def update(self, urls, **settings):
        """(exit status, error, seconds)"""
        self.good.behave(self.serve)
        self.server.offer(self.data, urls=urls, postinstall='MaxFailureCountPerUrl="1" DisablePayloadBackoff="true"', **settings)
        begin = time.monotonic()
        code, _, error = self.host.update()
        return code, error, time.monotonic() - begin

    def serve(self, request):
        request.send(request.rest_of(self.data))

    def next_address(self, name, url, requests=None):
        """The bad address first, then a good one."""
        code, error, seconds = self.update([url, self.good.base])
        self.tap.ok(code == 0 and self.host.slot("B", IMAGE_SIZE) == self.release.image_bytes, f"{name}: the next address gives the update",
                    error, self.host.read("updated.log")[-2000:])
        self.tap.ok(LIMIT <= seconds < ENOUGH, f"{name}: it is waited for as long as update.conf says", seconds)
        if requests is not None:
            self.tap.same(len(self.hostile.requests), requests, f"{name}: it is not asked again and again")
        self.host.client("reset-status")


def slow_answers(lab):
    def headers(request):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + bytes(ENOUGH * 10):
            request.send(bytes((byte,)))
            time.sleep(0.1)

    def body(request):
        rest = request.rest_of(lab.data)
        at_once = 0 if request.start else 64 * KIB
        request.send(rest[:at_once])
        for byte in rest[at_once:at_once + ENOUGH * 10]:
            request.send(bytes((byte,)))
            time.sleep(0.1)

    def silence(request):
        request.closed(ENOUGH)

    for name, behaviour, requests in (("N3 headers byte by byte", headers, 1), ("N3 a server that says nothing", silence, 1),
                                      ("N3 a body byte by byte", body, 2)):
        lab.hostile.behave(behaviour)
        lab.next_address(name, lab.hostile.base, requests)


def no_handshake(lab):
    """TCP connects, TLS never begins; and a port whose queue is full: not even TCP connects."""
    with socket.create_server(("127.0.0.1", 0), backlog=10) as listener:
        lab.next_address("N3 no TLS handshake", f"https://127.0.0.1:{listener.getsockname()[1]}/files/")
    with FullListener("127.0.0.1") as listener:
        lab.next_address("N3 no connection", f"http://127.0.0.1:{listener.port}/files/")


class FullListener:
    """One that never accepts, and has no room for one more: SYNs are dropped as on a path that leads nowhere."""

    def __init__(self, address, port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sockets = [socket.socket(family)]
        self.sockets[0].bind((address, port))
        self.sockets[0].listen(0)
        self.port = self.sockets[0].getsockname()[1]
        while self._fill((address, self.port), family):
            pass

    def _fill(self, address, family):
        self.sockets.append(socket.socket(family))
        self.sockets[-1].settimeout(0.5)
        try:
            self.sockets[-1].connect(address)
        except TimeoutError:
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()


def slow_update_server(lab):
    """The question itself: a server that takes it and never answers."""
    silent = HostileServer()
    silent.behave(lambda request: request.closed(ENOUGH))
    settings = lab.host.read("etc/coreos/update.conf")
    lab.host.write("etc/coreos/update.conf", settings.replace(lab.server.url, silent.base))
    begin = time.monotonic()
    code, _, error = lab.host.update()
    seconds = time.monotonic() - begin
    lab.tap.ok(code == 1 and "gives no answer" in error and seconds < ENOUGH, "N3 an update server that never answers", code, error, seconds)
    lab.tap.same(len(silent.requests), 2, "N3 an update server that never answers: two tries")
    lab.host.write("etc/coreos/update.conf", settings)
    silent.shutdown()


def no_name(lab, names):
    silent = "http://silent.example:1/files/"
    lab.next_address("N9 a name that nobody answers", silent)
    lab.tap.ok("silent.example" in names.asked, "N9 a name that nobody answers: it was asked for")

    settings = lab.host.read("etc/coreos/update.conf")
    lab.host.write("etc/coreos/update.conf", settings.replace(lab.server.url, silent))
    lab.host.client("check")
    slowest = 0
    wait_until(lambda: names.asked.count("silent.example") > 4, what="the question for the update server")
    for _ in range(20):
        begin = time.monotonic()
        status = lab.host.status()
        slowest = max(slowest, time.monotonic() - begin)
        if status["current_operation"] == "UPDATE_STATUS_IDLE":
            break
        time.sleep(0.05)
    lab.tap.ok(slowest < LIMIT, "N9 the bus is answered while a name is not", slowest)
    wait_until(lambda: "gives no answer" in lab.host.status()["error"], seconds=ENOUGH, what="the end of the check")
    lab.host.client("check")
    lab.tap.ok(lab.host.stop_daemon()[1] < 2, "N9 SIGTERM need not wait for a name")
    lab.host.write("etc/coreos/update.conf", settings)
    lab.host.start()


def broken_ipv6(lab, names):
    """The first address of a name leads nowhere, the second one is good."""
    with FullListener("::1", lab.good.port):
        names.names["both.example"] = ["::1", "127.0.0.1"]
        code, error, seconds = lab.update([f"http://both.example:{lab.good.port}/files/"])
    lab.tap.ok(code == 0, "N9 an IPv6 address that leads nowhere: the other one is taken", error)
    lab.tap.ok(len(lab.good.requests) == 1 and seconds < ENOUGH, "N9 an IPv6 address that leads nowhere: within one request",
               len(lab.good.requests), seconds)
    lab.host.client("reset-status")


def moved(lab, names):
    """The name leads elsewhere when the connection breaks: there the rest is fetched."""
    first = HostileServer("127.0.0.2", 0)
    second = HostileServer("127.0.0.1", first.port)
    second.behave(lab.serve)

    def breaks_off(request):
        rest = request.rest_of(lab.data)
        names.names["moved.example"] = ["127.0.0.1"]
        first.shutdown()
        request.send(rest[:100 * KIB])

    names.names["moved.example"] = ["127.0.0.2"]
    first.behave(breaks_off)
    code, error, _ = lab.update([f"http://moved.example:{first.port}/files/"])
    lab.tap.ok(code == 0 and lab.host.slot("B", IMAGE_SIZE) == lab.release.image_bytes, "N9 a name that moves: the update goes on there", error)
    lab.tap.same([request.start for request in second.requests], [100 * KIB], "N9 a name that moves: the rest only")
    second.shutdown()


def namespaces_enter():
    """Runs this file again where /etc/resolv.conf and port 53 are ours; returns when that can not be done."""
    if not shutil.which("unshare") or not shutil.which("ip", path=PATH) or subprocess.run([*NAMESPACES, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return
    os.environ[IN_NAMESPACES] = "1"
    os.execvp(NAMESPACES[0], [*NAMESPACES, sys.executable, *sys.argv])


def names_begin(directory):
    run("ip", "link", "set", "lo", "up")
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"), ("nsswitch.conf", "hosts: files dns\n")):
        path = os.path.join(directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        run("mount", "--bind", path, os.path.join("/etc", name))
    return Names()


def main():
    with StallsLab() as lab:
        for part in (slow_answers, no_handshake, slow_update_server):
            part(lab)
        if not lab.names:
            lab.tap.ok(True, "N9 # SKIP no namespaces for an unprivileged user here")
            return
        for part in (no_name, broken_ipv6, moved):
            part(lab, lab.names)


if IN_NAMESPACES not in os.environ:
    namespaces_enter()
main()

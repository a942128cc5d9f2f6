#!/usr/bin/env python3
"""updated and other processes: a second daemon, somebody else at the disk image, processes that are stopped, the watchdog."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import CLIENT, IMAGE_SIZE, UPDATED, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

DOWNLOADING, NEED_REBOOT = "UPDATE_STATUS_DOWNLOADING", "UPDATE_STATUS_UPDATED_NEED_REBOOT"


def content(host, *names):
    found = []
    for name in names:
        with open(host.path(name), "rb") as file:
            found.append(file.read())
    return found


def children(process):
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def test_second_daemon(tap, host):
    host.set_attributes("A", 48)  # not good: a daemon that starts here marks it so
    before = content(host, "disk.img", "var/lib/updated/state")
    second = subprocess.run([UPDATED, "--root", host.root], env=host.environment, stdin=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    tap.ok(second.returncode == 1 and "another update daemon runs on this host" in second.stderr, "a second daemon ends, and says why",
           second)
    tap.ok(content(host, "disk.img", "var/lib/updated/state") == before, "it has changed nothing")
    tap.same(host.status()["running_version"], "1.0.0", "the first one answers")
    host.set_attributes("A", 48, 56)


def test_two_clients(tap, host, server, release):
    server.offer(release.bytes, stall=threading.Event())
    first = subprocess.Popen([CLIENT, "update"], env=host.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: host.status()["current_operation"] == DOWNLOADING, what="the download")
    second = subprocess.Popen([CLIENT, "update"], env=host.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    code, _, error = host.client("install", release.payload)
    tap.ok(code == 1 and "under way" in error, "while one client updates, another one can not install", code, error)
    server.stall.set()
    tap.same((first.wait(60), second.wait(60)), (0, 0), "two clients that want an update get the same one",
             first.stderr.read(), second.stderr.read())
    tap.same(len(server.downloads), 1, "which is fetched once")
    host.client("reset-status")


def test_disk_image_in_use(tap, host, server, release):
    server.offer(release.bytes)
    before = host.slot("A"), host.slot("B")
    with open(host.disk, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, _, error = host.update()
        tap.ok(code == 1 and "another program writes to this disk image" in error, "a locked disk image is left alone", code, error)
        tap.ok((host.slot("A"), host.slot("B")) == before, "not a byte of its slots was written")
    tap.same(host.update()[0], 0, "as soon as it is free, the update succeeds")
    host.client("reset-status")


def test_stopped_worker(tap, host, server, release):
    server.offer(release.bytes, stall=threading.Event())
    host.client("check")
    wait_until(lambda: host.status()["current_operation"] == DOWNLOADING, what="the download")
    worker = children(host.daemon)[0]
    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: state_of(worker) == "T", what="the worker to stop")
    server.stall.set()
    tap.same(host.status()["current_operation"], DOWNLOADING, "a worker that is stopped keeps nobody from an answer")
    tap.same(host.attributes("B")[0], 0, "and its slot can not be booted")
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: host.status()["current_operation"] == NEED_REBOOT, what="the end of the update")
    tap.ok(host.slot("B", IMAGE_SIZE) == release.image_bytes, "when it goes on, the update comes to its end")
    host.client("reset-status")


def test_stopped_daemon(tap, host, server, release):
    server.offer(release.bytes, stall=threading.Event())
    host.client("check")
    wait_until(lambda: host.status()["current_operation"] == DOWNLOADING, what="the download")
    host.daemon.send_signal(signal.SIGSTOP)
    wait_until(lambda: state_of(host.daemon.pid) == "T", what="the daemon to stop")
    server.stall.set()
    waiting = subprocess.Popen([CLIENT, "status", "--json"], env=host.environment, stdout=subprocess.PIPE, text=True)
    host.daemon.send_signal(signal.SIGCONT)
    tap.ok(waiting.communicate(timeout=60)[0].startswith("{"), "a daemon that was stopped answers when it goes on")
    wait_until(lambda: host.status()["current_operation"] == NEED_REBOOT, what="the end of the update")
    tap.ok(host.slot("B", IMAGE_SIZE) == release.image_bytes, "and its update comes to its end")
    host.client("reset-status")


def test_interrupted_client(tap, host, server, release):
    server.offer(release.bytes, stall=threading.Event())
    client = subprocess.Popen([CLIENT, "update", "--json"], env=host.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: host.status()["current_operation"] == DOWNLOADING, what="the download")
    client.send_signal(signal.SIGINT)
    out, error = client.communicate(timeout=30)
    tap.ok(client.returncode == 130 and "updated goes on with the update" in error, "Ctrl-C ends the client, which says what goes on",
           client.returncode, error)
    last = json.loads(out.splitlines()[-1])
    tap.ok(last["done"] is False and "interrupted" in last["error"], "in JSON as well", last)
    tap.same(host.status()["current_operation"], DOWNLOADING, "the daemon goes on")
    server.stall.set()
    wait_until(lambda: host.status()["current_operation"] == NEED_REBOOT, what="the end of the update")
    host.client("reset-status")


def test_no_bus(tap, host):
    """The end of the host: its bus goes, and what waits for it says so."""
    watch = subprocess.Popen([CLIENT, "watch"], env=host.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    tap.ok(watch.stdout.readline().startswith("UPDATE_STATUS_"), "a client watches")
    host.bus.terminate()
    _, error = watch.communicate(timeout=30)
    tap.same((watch.returncode, "the system bus went away" in error), (1, True), "when the bus goes away it ends, and says why", error)
    code, _, error = host.client("status")
    tap.ok(code == 1 and "is dbus running?" in error, "without a bus there is a hint", code, error)


def test_watchdog(tap, host):
    """What systemd does for WatchdogSec=: it gives an address and a time, and listens."""
    host.stop_daemon()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(host.path("notify"))
    listener.settimeout(30)
    host.environment = dict(host.environment, NOTIFY_SOCKET=host.path("notify"), WATCHDOG_USEC="400000")
    host.start()
    seen = set()
    while not {"READY=1", "WATCHDOG=1"} <= seen:
        seen.update(listener.recv(4096).decode().splitlines())
    tap.ok(True, "the daemon tells systemd that it is ready, and that it is alive")
    with open(os.path.join(os.environ["SLUICE_BUILD"], "updated/units/updated.service"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    tap.ok(any(line.startswith("WatchdogSec=") for line in lines) and "Restart=on-failure" in lines,
           "the unit wants that, and a new start when it does not come", lines)
    listener.close()


def main():
    with Lab() as lab:
        release = lab.release_make("two")
        host = lab.host_make()
        host.start()
        parts = lab.tap, host, lab.server, release
        test_second_daemon(lab.tap, host)
        test_two_clients(*parts)
        test_disk_image_in_use(*parts)
        test_stopped_worker(*parts)
        test_stopped_daemon(*parts)
        test_interrupted_client(*parts)
        test_watchdog(lab.tap, host)
        test_no_bus(lab.tap, host)


main()

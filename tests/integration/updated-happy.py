#!/usr/bin/env python3
"""updated, end to end: an update by hand and by schedule, the reboot into it, what the server is told, the client."""

import json
import os
import signal
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import CLIENT, IMAGE_SIZE, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

NO_EVENT = ("3", "2", None, "")


def test_update_and_reboot(tap, host, server, release):
    server.offer(release.bytes)
    running = host.slot("A")
    code, out, error = host.update()
    tap.same(code, 0, "update ends with 0", out, error, host.read("updated.log"))
    tap.ok("reboot needed" in error, "it says that a reboot is needed", error)
    tap.same(host.status()["current_operation"], "UPDATE_STATUS_UPDATED_NEED_REBOOT", "the state is NEED_REBOOT")
    tap.ok(host.slot("B", IMAGE_SIZE) == release.image_bytes, "the target holds the image, byte by byte")
    tap.ok(host.slot("A") == running, "the running slot is untouched")
    tap.same((host.attributes("A"), host.attributes("B")), ((1, 0, True), (2, 1, False)), "the target boots next, on trial")
    wait_until(lambda: len(server.events()) >= 4, what="the events")
    tap.same(server.events(), [("3", "2", None, "0.0.0.0"), ("13", "1", None, None), ("14", "1", None, None),
                               ("3", "1", None, None)], "the events came, in order")
    tap.ok('machinealias="a &quot;b&quot; &lt;c&gt;"' in server.requests[0], "attributes are escaped", server.requests[0])
    code, out, _ = host.client("-update")
    tap.same((code, out.splitlines()[2:4]), (0, ["CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT", "NEW_VERSION=2.0.0"]),
             "-update has nothing more to do")

    for _ in range(2):
        host.stop_daemon()
        host.start()
    tap.same(host.status()["current_operation"], "UPDATE_STATUS_UPDATED_NEED_REBOOT", "NEED_REBOOT survives restarts")

    host.stop_daemon()
    host.boot("B", "2.0.0")
    host.set_attributes("B", 49)  # priority 2; the boot loader has used up the try
    host.start()
    status = host.status()
    tap.same(status["current_operation"], "UPDATE_STATUS_IDLE", "NEED_REBOOT ends with the reboot")
    tap.same(status["running_version"], "2.0.0", "the new version runs")
    tap.same(status["settings"]["GROUP"], {"value": "beta", "origin": "/etc/coreos/update.conf:2"},
             "status says where a setting is from")
    tap.ok("GROUP=beta (/etc/coreos/update.conf:2)" in host.client("status")[1], "to people, too")
    tap.same(host.attributes("B"), (2, 0, True), "it is marked good")
    server.offer(None)
    tap.same(host.update()[0], 0, "no update is no failure")
    tap.same(server.events(), [("3", "2", None, "1.0.0")], "the server is told what ran before")
    host.update()
    tap.same(server.events()[1:], [NO_EVENT], "once")
    slots = json.loads(host.client("slots", "--json")[1])
    tap.same([(s["slot"], s["version"], s["running"], s["target"]) for s in slots],
             [("A", "1.0.0", False, True), ("B", "2.0.0", True, False)], "slots tells both versions")


def test_back_into_slot_a(tap, host, server, release):
    server.offer(release.bytes, version="3.0.0")
    tap.same(host.update()[0], 0, "the next update goes into slot A")
    tap.same((host.attributes("A"), host.attributes("B")), ((2, 1, False), (1, 0, True)), "priorities stay compact")
    tap.ok(host.slot("A", IMAGE_SIZE) == release.image_bytes, "slot A holds the new image")


def test_rollback_is_told_and_remembered(tap, host, server, release):
    wait_until(lambda: len(server.events()) >= 4, what="the events")
    host.stop_daemon()
    host.boot("B", "2.0.0")       # A did not come up
    host.set_attributes("A", 49)  # its try is gone
    host.start()
    tap.ok("did not boot" in host.status()["error"], "a version that did not boot is an error", host.status())
    server.offer(release.bytes, version="3.0.0")
    code, _, error = host.update()
    tap.same((code, len(server.downloads)), (0, 0), "it is not fetched again", error)
    tap.same(server.events(), [("3", "0", "44", None)], "the server is told of the rollback")
    host.client("reset-status")
    tap.same(host.update()[0], 0, "after reset-status it is tried again")
    tap.same(host.status()["current_operation"], "UPDATE_STATUS_UPDATED_NEED_REBOOT", "and staged")


def test_reset_status(tap, host):
    tap.same(host.client("-reset_status")[0], 0, "-reset_status works while an update waits")
    tap.same(host.status()["current_operation"], "UPDATE_STATUS_IDLE", "and leads to IDLE")
    code, out, error = host.client("-status")
    tap.same((code, [line.split("=")[0] for line in out.splitlines()], error),
             (0, ["LAST_CHECKED_TIME", "PROGRESS", "CURRENT_OP", "NEW_VERSION", "NEW_SIZE"], ""), "-status prints five lines")


def test_classic_interface(tap, host):
    call = subprocess.run(["dbus-send", "--system", "--print-reply=literal", "--dest=com.coreos.update1",
                           "/com/coreos/update1", "com.coreos.update1.Manager.GetStatus"], env=host.environment,
                          stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    tap.same([call[0], call[2], call[4], call[-2]], ["int64", "double", "UPDATE_STATUS_IDLE", "int64"],
             "GetStatus answers (x d s s x)", call)


def test_daemon_answers_while_it_works(tap, host, server, release):
    server.offer(release.bytes, version="4.0.0", stall=threading.Event())
    watch = subprocess.Popen([CLIENT, "watch", "--json"], env=host.environment, stdout=subprocess.PIPE, text=True)
    watch.stdout.readline()  # the state as it is: from now on it sees every change
    tap.same(host.client("check")[0], 0, "check returns at once")
    wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_DOWNLOADING", what="the download")
    tap.ok(host.client("reset-status")[0] == 1, "reset-status is refused while it downloads")
    tap.ok(not host.attributes("A")[2] and host.attributes("A")[0] == 0, "the target is unselectable while it is written",
           host.attributes("A"))
    server.stall.set()
    wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT", what="the end")
    watch.send_signal(signal.SIGTERM)
    states = []
    for line in watch.communicate()[0].splitlines():
        state = json.loads(line)["current_operation"].removeprefix("UPDATE_STATUS_")
        if not states or states[-1] != state:
            states.append(state)
    tap.same(states[-5:], ["CHECKING_FOR_UPDATE", "UPDATE_AVAILABLE", "DOWNLOADING", "FINALIZING", "UPDATED_NEED_REBOOT"],
             "watch shows the states of an update in their order")


def test_kill_in_the_middle(tap, host, server, release):
    host.client("reset-status")
    server.offer(release.bytes, version="5.0.0", stall=threading.Event())
    host.client("check")
    wait_until(lambda: server.downloads, what="the download")
    wait_until(lambda: host.attributes("A")[0] == 0, what="the target to be unselectable")
    with open(f"/proc/{host.daemon.pid}/task/{host.daemon.pid}/children", encoding="ascii") as file:
        children = file.read().split()
    host.stop_daemon("KILL")
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in children), what="the worker to end")
    tap.same(len(children), 1, "the worker goes with its daemon")
    server.stall.set()
    host.start()
    tap.same(host.status()["current_operation"], "UPDATE_STATUS_IDLE", "after a crash nothing is pretended")
    server.stall = None
    tap.same(host.update()[0], 0, "and the next attempt succeeds")
    status, seconds = host.stop_daemon()
    tap.ok(status == 0 and seconds < 2, "SIGTERM ends the daemon in time", status, seconds)


def test_schedule(lab, release):
    tap, server = lab.tap, lab.server
    server.offer(release.bytes, event_status=500)
    with lab.host_make(settings="CHECK_FIRST=1s\nCHECK_INTERVAL=1s\nBROKEN LINE\nCHEK_FIRST=3\n") as host:
        host.start()
        wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT", what="the schedule")
        tap.ok('installsource="scheduler"' in server.requests[0], "the schedule finds the update by itself")
        log = host.read("updated.log")
        tap.ok("/etc/coreos/update.conf:6: there is no" in log and "/etc/coreos/update.conf:7: there is no setting CHEK_FIRST, "
               "did you mean CHECK_FIRST?" in log, "bad lines of update.conf are named with file and line", log)
        wait_until(lambda: any("<ping" in body and "<updatecheck" not in body for body in server.requests), what="a ping")
        tap.ok(True, "while it waits for the reboot it only pings")
        tap.same(len(server.events()), 1, "events that the server does not take now, or a captive portal swallows …", server.events())
        host.stop_daemon()
        server.event_status, server.event_answer = 200, "<html>Please log in</html>"
        host.start()
        wait_until(lambda: server.turned_away, what="an event")
        server.event_answer = None
        wait_until(lambda: len(server.events()) == 4, what="the queue of events")
        tap.same(server.events()[1:], [("13", "1", None, None), ("14", "1", None, None), ("3", "1", None, None)],
                 "… are sent later, in order, even by the next daemon")


def test_large_sectors(lab, release):
    lab.server.offer(release.bytes)
    with lab.host_make(sector=4096) as host:
        host.start()
        code, _, error = host.update()
        lab.tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == release.image_bytes and host.attributes("B") == (2, 1, False),
                   "a disk image with sectors of 4096 bytes", error, host.attributes("B"))


def test_damaged_table(lab, release):
    """One copy of the partition table is gone: the other one is used, and the first is there again afterwards."""
    lab.server.offer(release.bytes)
    for name, offset, whence in (("first", 512, os.SEEK_SET), ("second", -512, os.SEEK_END)):
        with lab.host_make() as host:
            with open(host.disk, "r+b") as disk:
                disk.seek(offset, whence)
                disk.write(bytes(512))
            host.start()
            code, _, error = host.update()
            with open(host.disk, "rb") as disk:
                disk.seek(offset, whence)
                mended = disk.read(8) == b"EFI PART"
            lab.tap.ok(code == 0 and mended and host.attributes("B") == (2, 1, False), f"the {name} copy of the table is mended",
                       error, host.partitions())


def main():
    with Lab() as lab:
        tap, server = lab.tap, lab.server
        two, three = lab.release_make("two"), lab.release_make("three")
        host = lab.host_make()
        host.start()
        test_update_and_reboot(tap, host, server, two)
        test_back_into_slot_a(tap, host, server, three)
        test_rollback_is_told_and_remembered(tap, host, server, three)
        test_reset_status(tap, host)
        test_classic_interface(tap, host)
        test_daemon_answers_while_it_works(tap, host, server, two)
        test_kill_in_the_middle(tap, host, server, three)
        test_schedule(lab, two)
        test_large_sectors(lab, two)
        test_damaged_table(lab, two)


main()

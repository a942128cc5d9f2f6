#!/usr/bin/env python3
"""A version on trial: good only after the boot is complete and the checks passed, else the version before runs again."""

import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import BUILD, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

TARGET = "boot-complete.target"
HOOKS = "etc/sluice/post-boot.d/"
BLESS_BOOT = os.path.join(os.environ["SLUICE_SOURCE"], "updated/units/systemd-bless-boot.conf")


class Double:
    """A program on the host's bus that is told what to do by lines, and says what it was asked."""

    def __init__(self, host, name, *arguments):
        host.start_bus()
        self.said = host.path(f"{name}.said")
        with open(self.said, "a", encoding="utf-8") as said:
            self.process = subprocess.Popen([os.path.join(BUILD, "tests/double", name), *arguments], env=host.environment,
                                            stdin=subprocess.PIPE, stdout=said, text=True)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def lines(self):
        with open(self.said, encoding="utf-8") as said:
            return said.read().splitlines()

    def stop(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


class Scene:
    """A host that has staged version 2.0.0 in slot B. begin() is its first boot of that, again and again."""

    def __init__(self, lab, release):
        self.tap, self.server, self.host = lab.tap, lab.server, lab.host_make()
        self.doubles = []
        lab.at_end(self.end)
        self.settings = self.host.read("etc/coreos/update.conf")
        self.server.offer(release.bytes)
        self.host.start()
        self.tap.same(self.host.update()[0], 0, "the next version is staged")
        wait_until(lambda: len(self.server.events()) >= 4, what="the events")
        self.host.stop_daemon()
        self.saved = {name: open(self.host.path(name), "rb").read() for name in ("disk.img", "var/lib/updated/state")}
        self.host.write("run/systemd/system/units")

    def begin(self, settings="", hooks=None, systemd=(), login=False):
        self.end()
        for name, content in self.saved.items():
            with open(self.host.path(name), "wb") as file:
                file.write(content)
        for leftover in ("var/lib/updated/history", "updated.log"):
            if os.path.exists(self.host.path(leftover)):
                os.unlink(self.host.path(leftover))
        shutil.rmtree(self.host.path(HOOKS), ignore_errors=True)
        for name, script in (hooks or {}).items():
            self.hook(name, script)
        self.host.write("etc/coreos/update.conf", self.settings + settings)
        self.server.offer(None)
        if systemd is not None:
            self.systemd(*systemd)
        if login:
            self.login()
        self.host.boot("B", "2.0.0")
        self.host.set_attributes("B", 49)  # priority 2, the boot loader has used up the try
        self.host.start()

    def systemd(self, *arguments):
        double = Double(self.host, "systemd1", *arguments)
        self.doubles.append(double)
        wait_until(lambda: "ready" in double.lines(), what="the double of systemd")
        return double

    def login(self):
        """logind, as bus-peers plays it; the update daemon is the real one."""
        double = Double(self.host, "bus-peers")
        self.doubles.append(double)
        double.tell("leave")
        wait_until(lambda: "org.freedesktop.login1" in self.names() and "com.coreos.update1" not in self.names(),
                   what="the double of logind")

    def names(self):
        return subprocess.run(["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/",
                               "org.freedesktop.DBus.ListNames"], env=self.host.environment, stdout=subprocess.PIPE,
                              text=True, check=True).stdout

    def hook(self, name, script):
        self.host.write(HOOKS + name, "#!/bin/sh\n" + script)
        os.chmod(self.host.path(HOOKS + name), 0o755)

    def end(self):
        self.host.stop_daemon()
        for double in self.doubles:
            double.stop()
        for double in self.doubles:
            os.unlink(double.said)
        self.doubles = []

    def trial(self):
        status = self.host.status()
        return status["trial"], status["trial_text"]

    def good(self):
        return next(slot["good"] for slot in json.loads(self.host.client("slots", "--json")[1]) if slot["running"])

    def wait_for(self, word):
        wait_until(lambda: self.trial()[0] == word, what=f"a trial that is \"{word}\"")

    def outcomes(self):
        return [entry["outcome"] for entry in json.loads(self.host.client("history", "--json")[1])]

    def reboots(self):
        return [line for double in self.doubles for line in double.lines() if line.startswith("reboot")]

    def boot_old(self):
        """The boot loader: slot B has no tries left and was not good."""
        self.host.stop_daemon()
        self.host.boot("A", "1.0.0")
        self.server.offer(self.server.payload)
        self.host.start()


def test_boot_that_completes(scene, release):
    tap, host = scene.tap, scene.host
    scene.begin()
    tap.same(scene.trial(), ("running", f"waits for {TARGET}"), "a version is on trial until the boot is complete")
    tap.ok(f"Trial:       it waits for {TARGET}" in host.client("status")[1], "status shows it")
    tap.same((scene.good(), host.attributes("B")), (False, (2, 0, False)), "it is not good so far, on disk and on the bus")

    scene.server.offer(release.bytes, version="3.0.0")
    before = host.slot("A")
    code, _, error = host.update()
    tap.ok(code == 1 and "on trial" in error and not scene.server.requests, "no update is asked for", code, error)
    code, _, error = host.client("install", release.payload)
    tap.ok(code == 1 and "on trial" in error and host.slot("A") == before, "nor installed from a file", code, error)
    scene.doubles[0].tell("active " + TARGET)
    wait_until(scene.good, what="the slot to be good")
    tap.same((scene.trial()[0], host.attributes("B")), ("", (2, 0, True)), "it is good when the target is reached")
    tap.same(scene.outcomes(), ["good"], "history says so")
    scene.server.offer(None)
    host.update()
    tap.same(scene.server.events(), [("3", "2", None, "1.0.0")], "and only now the server is told that it runs")


def test_systemd_comes_later(scene):
    scene.begin(systemd=None)
    scene.tap.same(scene.trial(), ("running", f"waits for {TARGET}"), "systemd that is not on the bus yet is waited for")
    scene.systemd().tell("silent " + TARGET)
    wait_until(scene.good, what="the slot to be good")
    scene.tap.ok(True, "and asked again")


def test_checks(scene):
    tap, host = scene.tap, scene.host
    note = f'echo "$(basename "$0") $SLUICE_VERSION" >>{host.path("ran")}\n'
    scene.begin(hooks={"20-second": note, "10-first": "echo it speaks\n" + note, ".hidden": note, "30-backup~": note},
                settings="HEALTH_TARGET=\n")
    wait_until(scene.good, what="the slot to be good")
    tap.same(host.read("ran").splitlines(), ["10-first 2.0.0", "20-second 2.0.0"], "checks run one after the other, with the version")
    tap.ok("10-first: it speaks" in host.read("updated.log"), "what they print is in the log")
    tap.same(scene.doubles[0].lines(), ["ready"], "HEALTH_TARGET= asks systemd nothing")

    os.unlink(host.path("ran"))
    scene.begin(hooks={"10-first": note})
    tap.ok(not os.path.exists(host.path("ran")), "checks wait for the target")
    scene.doubles[0].tell("active " + TARGET)
    wait_until(scene.good, what="the slot to be good")
    tap.same(host.read("ran").splitlines(), ["10-first 2.0.0"], "and run then")


def ill(scene, why, name):
    scene.wait_for("failed")
    tap, host = scene.tap, scene.host
    text = scene.trial()[1]
    tap.ok(why in text and not scene.good() and host.attributes("B") == (2, 0, False), name, text, host.attributes("B"))
    return text


def test_check_that_fails(scene, release):
    tap, host = scene.tap, scene.host
    scene.begin(hooks={"10-net": "echo no route >&2\nexit 3\n", "20-never": f"touch {host.path('never')}\n"}, settings="HEALTH_TARGET=\n")
    ill(scene, "10-net: exit status 3: no route", "a check that fails makes the version ill")
    tap.ok(not os.path.exists(host.path("never")), "no other check runs")
    status = host.status()
    tap.ok(status["error_code"] == 44 and "version 2.0.0 is not good" in status["error"], "the error is a rollback's", status)
    tap.same(scene.outcomes(), ["ill"], "history says so")
    log = host.read("updated.log")
    tap.ok("The next reboot brings the version before back" in log and "mark-good" in log, "the log says what follows", log)
    scene.server.offer(release.bytes, version="3.0.0")
    code, _, error = host.update()
    tap.ok(code == 1 and "not good" in error and not scene.server.requests, "no update takes the way back away", code, error)

    host.stop_daemon()
    host.start()
    ill(scene, "10-net", "a new start of the daemon is a new trial, with the same result")
    scene.boot_old()
    status = host.status()
    tap.ok(status["error_code"] == 44 and "version 2.0.0 was not good, 1.0.0 runs again" in status["error"],
           "the version before knows what happened", status)
    scene.server.offer(release.bytes)
    host.update()
    tap.same((scene.server.events(), scene.server.downloads), ([("3", "0", "44", None)], []),
             "the server is told of the rollback, and the version is not fetched again")
    host.update()
    tap.same(scene.server.events()[1:], [("3", "2", None, "")], "once")
    tap.same(scene.outcomes(), ["ill", "fell-back"], "history has both")


def test_check_that_hangs(scene):
    host = scene.host
    pid = host.path("hangs.pid")
    scene.begin(hooks={"10-hangs": f"echo $$ >{pid}\nexec sleep 1000\n"}, settings="HEALTH_TARGET=\nHEALTH_TIMEOUT=1s\n")
    ill(scene, "10-hangs: it took longer than 1.0 s", "a check that hangs makes it ill")
    scene.begin(hooks={"10-deaf": f"trap '' TERM\necho $$ >{pid}\nwhile :; do sleep 0.1; done\n"},
                settings="HEALTH_TARGET=\nHEALTH_TIMEOUT=1s\n")
    ill(scene, "10-deaf: it took longer than 1.0 s", "so does one that ignores SIGTERM")
    with open(pid, encoding="ascii") as file:
        wait_until(lambda: not os.path.exists(f"/proc/{int(file.read() or 0)}/fd"), what="the check to end")
    scene.tap.ok(True, "it is killed")


def test_target_that_is_not_reached(scene):
    scene.begin(settings="HEALTH_TIMEOUT=1s\n")
    ill(scene, f"{TARGET} was not reached within 1.0 s: inactive", "a boot that does not complete in time is ill")
    scene.begin(systemd=None, settings="HEALTH_TIMEOUT=1s\n")
    ill(scene, "systemd does not answer", "so is one without an answer")
    scene.begin(systemd=(f"{TARGET}=missing",))
    ill(scene, f"systemd can not start {TARGET}: it is not-found", "a target that does not exist is told at once")


def test_good_too_early(scene):
    """systemd-bless-boot, or somebody else, marks it good when the target is reached, and the checks go on."""
    tap, host = scene.tap, scene.host
    scene.begin(hooks={"10-slow": f"touch {host.path('begun')}\nwhile [ ! -e {host.path('go')} ]; do sleep 0.02; done\nexit 1\n"},
                settings="HEALTH_TARGET=\n")
    wait_until(lambda: os.path.exists(host.path("begun")), what="the check")
    host.set_attributes("B", 49, 56)
    host.write("go")
    ill(scene, "10-slow: exit status 1", "a version that was marked good before its checks failed is not good")
    tap.ok("The next reboot brings the version before back" in host.read("updated.log"), "and the next reboot leaves it",
           host.read("updated.log"))


def test_who_marks_it(scene):
    """systemd judges the condition of the drop-in that leaves the mark to us where there are checks."""
    tap, host = scene.tap, scene.host
    with open(BLESS_BOOT, encoding="utf-8") as file:
        line = [line for line in file.read().splitlines() if line.startswith("Condition")]
    shutil.rmtree(host.path(HOOKS), ignore_errors=True)
    for checks, marks in (("no directory", 0), ("none", 0), ("one", 1)):
        if checks == "none":
            os.makedirs(host.path(HOOKS))
        elif checks == "one":
            scene.hook("10-check", "exit 0\n")
        done = subprocess.run(["systemd-analyze", "condition", line[0].replace("/" + HOOKS.rstrip("/"), host.path(HOOKS))], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        tap.same(done.returncode, marks, f"systemd-bless-boot with checks of the administrator's: {checks}", line, done.stdout)


def test_reboot_at_once(scene):
    tap, host = scene.tap, scene.host
    settings = "HEALTH_TARGET=\nHEALTH_FAILURE=reboot\n"
    scene.begin(hooks={"10-fails": "exit 1\n"}, settings=settings, login=True)
    wait_until(scene.reboots, what="a reboot")
    tap.same((scene.reboots(), host.attributes("B")), (["reboot interactive=0 accepted"], (2, 0, False)),
             "HEALTH_FAILURE=reboot asks logind for a reboot, and the slot has no tries left")
    host.stop_daemon()
    host.start()
    ill(scene, "10-fails", "a boot loader that comes back to the same version …")
    tap.same(len(scene.reboots()), 1, "… is no reason for another reboot")
    scene.boot_old()
    tap.ok(scene.good() and "was not good" in host.status()["error"], "the version before runs, and is good")

    scene.begin(hooks={"10-fails": "exit 1\n"}, settings=settings, login=True)
    wait_until(scene.reboots, what="a reboot")
    scene.begin(hooks={"10-fails": "exit 1\n"}, settings=settings, systemd=None)
    wait_until(lambda: "rebooting into the version before" in host.read("updated.log"), what="the refusal")
    tap.ok("tried again in 1 min" in host.read("updated.log"), "without logind that is told, and tried again", host.read("updated.log"))

    scene.saved_good = scene.saved["disk.img"]
    scene.end()
    host.set_attributes("A", 48)  # priority, and nothing else
    with open(host.disk, "rb") as file:
        scene.saved["disk.img"] = file.read()
    scene.begin(hooks={"10-fails": "exit 1\n"}, settings=settings, login=True)
    ill(scene, "10-fails", "without a good version to go back to …")
    tap.ok(not scene.reboots() and "There is no good version to go back to" in host.read("updated.log"), "… there is no reboot",
           scene.reboots(), host.read("updated.log"))
    tap.same(host.client("mark-good")[0], 0, "but mark-good")
    scene.saved["disk.img"] = scene.saved_good


def test_by_hand(scene):
    tap, host = scene.tap, scene.host
    pid = host.path("hangs.pid")
    scene.begin(hooks={"10-hangs": f"echo $$ >{pid}\nexec sleep 1000\n"}, settings="HEALTH_TARGET=\n")
    wait_until(lambda: os.path.exists(pid) and host.read("hangs.pid").strip(), what="the check")
    tap.same(scene.trial(), ("running", "runs the checks of /etc/sluice/post-boot.d"), "status answers while a check runs")
    code, _, error = host.client("mark-good")
    tap.ok(code == 0 and scene.good() and host.attributes("B") == (2, 0, True), "mark-good ends a trial", error)
    tap.same((scene.trial()[0], host.client("mark-good")[0]), ("", 0), "and does nothing on a good version")
    wait_until(lambda: not os.path.exists(f"/proc/{host.read('hangs.pid').strip()}/fd"), what="the check to end")
    tap.ok(True, "the check that ran is killed")

    os.unlink(pid)
    scene.begin(hooks={"10-hangs": f"echo $$ >{pid}\nexec sleep 1000\n"}, settings="HEALTH_TARGET=\n")
    wait_until(lambda: os.path.exists(pid) and host.read("hangs.pid").strip(), what="the check")
    code, seconds = host.stop_daemon()
    wait_until(lambda: not os.path.exists(f"/proc/{host.read('hangs.pid').strip()}/fd"), what="the check to end")
    tap.ok(code == 0 and seconds < 2, "the end of the daemon ends a check, in time", code, seconds)

    scene.begin(hooks={"10-fails": "exit 1\n"}, settings="HEALTH_TARGET=\n")
    scene.wait_for("failed")
    tap.same(host.client("mark-good")[0], 0, "mark-good works on an ill version")
    status = host.status()
    tap.ok(scene.good() and not status["error"], "which is good then", status)
    tap.ok("FAILED_VERSION" not in host.read("var/lib/updated/state"), "and no failed one any more")

    scene.begin(hooks={"10-fails": "exit 1\n"}, settings="HEALTH_TARGET=\n")
    scene.wait_for("failed")
    tap.same(host.client("rollback")[0], 0, "rollback works on an ill version")
    tap.same((host.attributes("A"), scene.trial()[0]), ((2, 0, True), ""), "and makes the version before the next one")


def test_check_by_schedule(scene):
    scene.begin(settings="CHECK_FIRST=1s\nCHECK_INTERVAL=1s\n")
    wait_until(lambda: scene.host.status()["next_check"], what="the schedule")
    first = scene.host.status()["next_check"]
    wait_until(lambda: scene.host.status()["next_check"] > first, what="the check to be due")
    scene.tap.same(scene.server.requests, [], "a check by schedule waits for the end of a trial")
    scene.doubles[0].tell("active " + TARGET)
    wait_until(lambda: scene.server.requests, what="the check")
    scene.tap.ok(True, "and is made then")


def main():
    with Lab() as lab:
        release = lab.release_make("two")
        scene = Scene(lab, release)
        test_boot_that_completes(scene, release)
        test_systemd_comes_later(scene)
        test_checks(scene)
        test_check_that_fails(scene, release)
        test_check_that_hangs(scene)
        test_target_that_is_not_reached(scene)
        test_good_too_early(scene)
        test_who_marks_it(scene)
        test_reboot_at_once(scene)
        test_by_hand(scene)
        test_check_by_schedule(scene)


main()

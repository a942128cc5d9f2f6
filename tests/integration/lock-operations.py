#!/usr/bin/env python3
"""What locksmithd tells operators and how it lives with systemd: journal entries with their catalog, metrics, notify.d,
status and watchdog of sd_notify, and a bus that goes away."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lock_etcd import Etcd, Tap  # noqa: E402

BUILD, SOURCE = os.environ["SLUICE_BUILD"], os.environ["SLUICE_SOURCE"]
CATALOG = os.path.join(SOURCE, "locksmith/units/sluice-locksmith.catalog")
JOURNAL = "/run/systemd/journal"
INSIDE = "SLUICE_TEST_INSIDE"


def subjects():
    """{message id: its subject in the catalog}"""
    with open(CATALOG, encoding="utf-8") as file:
        return dict(re.findall(r"^-- ([0-9a-f]{32})\nSubject: (.*)$", file.read(), re.MULTILINE))


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def read(*path):
    try:
        with open(os.path.join(*path), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def write(text, *path, mode=0o644):
    os.makedirs(os.path.dirname(os.path.join(*path)), exist_ok=True)
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(os.path.join(*path), mode)


class Datagrams:
    """A socket that a daemon sends to: journald's, or systemd's for sd_notify()."""

    def __init__(self, path):
        self.received = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            text = self.socket.recv(1 << 20).decode()
            self.received.append((time.monotonic(), dict(line.split("=", 1) for line in text.splitlines() if "=" in line)))

    def entries(self):
        return [entry for _, entry in list(self.received)]

    def subjects(self):
        named = subjects()
        return [named[entry["MESSAGE_ID"]] for entry in self.entries() if entry.get("MESSAGE_ID") in named]


class Host:
    def __init__(self, directory, etcd):
        self.root, self.etcd, self.processes = directory, etcd, []
        self.address = f"unix:path={directory}/bus"
        self.environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address, LOCKSMITHD_ENDPOINT=etcd.url, TZ="UTC",
                                REBOOT_STRATEGY="etcd-lock", REBOOT_METRICS_FILE="/metrics/reboot.prom",
                                LOCKSMITHD_GROUP="web")
        write("host-a\n", directory, "etc/machine-id")
        self.boot("first")

    def boot(self, name):
        write(f"{name}\n", self.root, "proc/sys/kernel/random/boot_id")

    def spawn(self, *arguments, **options):
        process = subprocess.Popen(arguments, env=dict(self.environment, **options.pop("environment", {})), **options)
        self.processes.append(process)
        return process

    def bus_start(self):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.bus = self.spawn("dbus-daemon", "--session", "--nofork", f"--address={self.address}", **quiet)
        wait_for(lambda: os.path.exists(f"{self.root}/bus"))
        self.peers = self.spawn(os.path.join(BUILD, "tests/double/bus-peers"), stdin=subprocess.PIPE, text=True,
                                stdout=open(f"{self.root}/calls", "a", encoding="utf-8"), stderr=subprocess.DEVNULL)

    def bus_stop(self):
        for process in (self.peers, self.bus):
            self.stop(process)
        if os.path.exists(f"{self.root}/bus"):
            os.unlink(f"{self.root}/bus")

    def tell(self, line):
        self.peers.stdin.write(line + "\n")
        self.peers.stdin.flush()

    def start(self, **environment):
        self.log = open(f"{self.root}/log", "a", encoding="utf-8")
        self.daemon = self.spawn(os.path.join(BUILD, "locksmith/locksmithd"), "--root", self.root, stderr=self.log,
                                 environment=environment)

    def stop(self, process, how=signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(how)
        process.wait()

    def calls(self):
        return len(read(self.root, "calls").splitlines())

    def state(self, text):
        return text in read(self.root, "run/update-engine/coordinator.conf")

    def metric(self, line):
        return line in read(self.root, "metrics/reboot.prom").splitlines()

    def ctl(self, *arguments):
        subprocess.run([os.path.join(BUILD, "locksmith/locksmithctl"), "--endpoint", self.etcd.url, "--group", "web", *arguments],
                       check=True, stdout=subprocess.DEVNULL)

    def end(self):
        for process in self.processes:
            self.stop(process)


def ok(tap, good, what, detail=""):
    tap.case(what, "" if good else str(detail or "not so"))


def test_a_reboot(tap, host, journal, notify):
    host.tell("inhibitor backup of the disk")
    host.start(NOTIFY_SOCKET=f"{host.root}/notify", WATCHDOG_USEC="400000", JOURNAL_STREAM="1:1")
    ok(tap, wait_for(lambda: {"READY": "1"} in notify.entries()), "systemd is told when it is ready", notify.entries())
    ok(tap, wait_for(lambda: {"STATUS": "waiting for an update"} in notify.entries()), "and what it does", notify.entries())
    ok(tap, host.metric("sluice_reboot_due 0") and host.metric(
        'sluice_reboot_info{strategy="etcd-lock",group="web",state="running"} 1'), "metrics of an idle daemon",
       read(host.root, "metrics/reboot.prom"))
    ok(tap, wait_for(lambda: read(f"/proc/{host.daemon.pid}/comm") == "locksmithd-idle\n"), "at rest it is the small program")
    fed = notify.entries().count({"WATCHDOG": "1"})
    ok(tap, wait_for(lambda: notify.entries().count({"WATCHDOG": "1"}) > fed + 2), "which feeds the watchdog", notify.entries())
    host.tell("status UPDATE_STATUS_UPDATED_NEED_REBOOT")
    ok(tap, wait_for(lambda: "A reboot is kept back" in journal.subjects()), "an inhibitor is told", journal.subjects())
    ok(tap, wait_for(lambda: any("an inhibitor blocks it" in entry.get("STATUS", "") for entry in notify.entries())), "systemd, too",
       notify.entries())
    ok(tap, wait_for(lambda: host.metric("sluice_reboot_due 1")) and re.search(
        r"^sluice_reboot_due_since_timestamp_seconds \d{10}$", read(host.root, "metrics/reboot.prom"), re.M),
       "metrics of a reboot that is due", read(host.root, "metrics/reboot.prom"))
    host.tell("refuse not today")
    host.tell("inhibitor")
    ok(tap, wait_for(lambda: "A reboot was refused" in journal.subjects(), 30), "a refusal is told", journal.subjects())
    host.tell("accept")
    ok(tap, wait_for(lambda: "The host reboots" in journal.subjects(), 40), "and the reboot", journal.subjects())
    ok(tap, wait_for(lambda: host.metric('sluice_reboot_requests_total{answer="refused"} 1')), "both are counted",
       read(host.root, "metrics/reboot.prom"))
    told = [subject for subject in journal.subjects() if subject != "A reboot is kept back"]
    tap.case("event by event", "" if told == [
        "A reboot is due", "The reboot lock was taken", "A reboot was refused", "The reboot lock was given back",
        "The reboot lock was taken", "The host reboots"] else str(told))
    ok(tap, all(entry.get("SYSLOG_IDENTIFIER") == "locksmithd" and entry.get("PRIORITY") and entry.get("REBOOT_GROUP") == "web"
                for entry in journal.entries() if entry.get("MESSAGE_ID")), "each with program, priority and group", journal.entries())
    ok(tap, {"UPDATE_VERSION": "2.0.0", "REBOOT_REASON": "not today"}.items() <= next(
        entry for entry in journal.entries() if "refused" in entry.get("MESSAGE", "")).items(), "and with its reason", journal.entries())
    fed = notify.entries().count({"WATCHDOG": "1"})
    ok(tap, wait_for(lambda: notify.entries().count({"WATCHDOG": "1"}) > fed + 2), "the watchdog is fed", notify.entries())
    host.stop(host.daemon)


def test_notifications(tap, host, journal):
    notes = f"{host.root}/notes"
    ok(tap, "start 2.0.0 web" in read(notes), "notify.d is told of the start", read(notes))
    host.boot("second")
    times = os.path.join(host.root, "var/lib/updated/reboot-times")
    write(re.sub(r"asked (\d+)", lambda found: f"asked {int(found.group(1)) - 300}", read(times)), times)
    host.tell("silent UPDATE_STATUS_IDLE")
    host.tell("good no")
    host.start(JOURNAL_STREAM="1:1", REBOOT_RETURN_TIME="2s")
    ok(tap, wait_for(lambda: "The host is back and not well" in journal.subjects()), "a host that is ill is told", journal.subjects())
    ok(tap, "back" not in read(notes), "it is not told as back", read(notes))
    host.tell("good yes")
    ok(tap, wait_for(lambda: "The host is back" in journal.subjects(), 40), "a host that is back is told", journal.subjects())
    ok(tap, wait_for(lambda: "back" in read(notes)), "notify.d is told of it", read(notes))
    ok(tap, wait_for(lambda: re.search(r"^sluice_reboot_last_duration_seconds 30\d$", read(host.root, "metrics/reboot.prom"), re.M)),
       "and how long it took", read(host.root, "metrics/reboot.prom"))
    host.stop(host.daemon, signal.SIGTERM)
    host.start(JOURNAL_STREAM="1:1")
    wait_for(lambda: host.state("waiting for an update"))
    ok(tap, read(notes).count("back") == 1, "once", read(notes))
    host.stop(host.daemon, signal.SIGTERM)
    write("#!/bin/sh\necho 'nobody listens'\nexit 1\n", host.root, "etc/sluice/notify.d/20-fails", mode=0o755)
    before = host.calls()
    host.tell("status UPDATE_STATUS_UPDATED_NEED_REBOOT")
    host.start()
    ok(tap, wait_for(lambda: host.calls() > before), "a program in notify.d that fails keeps nothing up", read(host.root, "log"))
    ok(tap, "20-fails: exit status 1: nobody listens" in read(host.root, "log"), "the log says so", read(host.root, "log"))
    host.stop(host.daemon)
    host.ctl("unlock", "host-a")


def switches(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", read(f"/proc/{pid}/status"), re.M).group(1))


def ticks(pid):
    return sum(int(n) for n in read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[11:13])


def test_the_bus(tap, host):
    host.ctl("lock", "somebody")
    host.tell("silent UPDATE_STATUS_UPDATED_NEED_REBOOT")
    before = host.calls()
    host.start()
    ok(tap, wait_for(lambda: host.state("semaphore is at 0")), "the daemon waits for the lock", read(host.root, "log"))
    host.bus_stop()
    ok(tap, wait_for(lambda: host.state("waiting for the update daemon")), "without the bus it waits for it, not for the lock",
       read(host.root, "log"))
    host.ctl("unlock", "somebody")
    woken, busy = switches(host.daemon.pid), ticks(host.daemon.pid)
    time.sleep(5)  # what is measured here is that nothing happens
    woken, busy = switches(host.daemon.pid) - woken, ticks(host.daemon.pid) - busy
    ok(tap, woken < 50 and busy < 25, "it does not spin meanwhile", f"{woken} switches, {busy} ticks in 5 s")
    host.bus_start()
    host.tell("silent UPDATE_STATUS_UPDATED_NEED_REBOOT")
    ok(tap, wait_for(lambda: host.calls() > before, 60), "when the bus is back it goes on, and reboots", read(host.root, "log"))
    host.bus_stop()
    ok(tap, wait_for(lambda: "lost: looking" in read(host.root, "log").rsplit("rebooting", 1)[1]), "a bus that ends with the reboot",
       read(host.root, "log"))
    ok(tap, host.state("STATE=rebooting"), "is the reboot: the lock is kept", read(host.root, "run/update-engine/coordinator.conf"))
    host.stop(host.daemon, signal.SIGTERM)


def test_catalog(tap, directory):
    """systemd's own reader takes it."""
    if not shutil.which("journalctl"):
        ok(tap, True, "the catalog # SKIP there is no journalctl")
        return
    root = os.path.join(directory, "root")
    os.makedirs(root + "/usr/lib/systemd/catalog")
    os.makedirs(root + "/var/lib/systemd/catalog")
    shutil.copy(CATALOG, root + "/usr/lib/systemd/catalog/")
    subprocess.run(["journalctl", "--root", root, "--update-catalog"], check=True)
    listed = subprocess.run(["journalctl", "--root", root, "--list-catalog"], stdout=subprocess.PIPE, text=True, check=True).stdout
    ok(tap, listed.count("Sluice: ") == len(subjects()), "journalctl takes every entry of the catalog", listed)


def run():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="sluice-test.") as directory:
        os.makedirs(JOURNAL, exist_ok=True)
        journal, notify = Datagrams(JOURNAL + "/socket"), Datagrams(f"{directory}/notify")
        etcd = Etcd(f"{directory}/etcd")
        etcd.start()
        host = Host(directory, etcd)
        write(f"#!/bin/sh\necho \"$SLUICE_EVENT $SLUICE_TO_VERSION $SLUICE_GROUP\" >>{directory}/notes\n", directory,
              "etc/sluice/notify.d/10-note", mode=0o755)
        try:
            host.bus_start()
            test_a_reboot(tap, host, journal, notify)
            test_notifications(tap, host, journal)
            test_the_bus(tap, host)
            test_catalog(tap, directory)
        finally:
            host.end()
            etcd.stop()
    print(f"1..{tap.n}")
    return 0


def main():
    if not shutil.which("etcd") or not shutil.which("dbus-daemon"):
        print("1..0 # SKIP etcd-server and dbus are needed")
        return 0
    if os.environ.get(INSIDE):
        return run()
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("1..0 # SKIP a mount namespace is needed, for a journal of its own")
        return 0
    return subprocess.run([*unshare, "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh", sys.executable, __file__],
                          env=dict(os.environ, **{INSIDE: "1"})).returncode


sys.exit(main())

#!/usr/bin/env python3
"""What updated tells operators: journal entries with MESSAGE_ID and fields, the catalog behind them, the metrics file."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import wait_until  # noqa: E402
from lab import Lab  # noqa: E402

CATALOG = os.path.join(os.environ["SLUICE_SOURCE"], "updated/units/sluice-update.catalog")
JOURNAL = "/run/systemd/journal"
INSIDE = "SLUICE_TEST_INSIDE"


def subjects():
    """{message id: its subject in the catalog}"""
    with open(CATALOG, encoding="utf-8") as file:
        return dict(re.findall(r"^-- ([0-9a-f]{32})\nSubject: (.*)$", file.read(), re.MULTILINE))


class Journal:
    """Stands where journald does, and understands its datagrams (names and values by lines)."""

    def __init__(self):
        self.entries = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(JOURNAL + "/socket")
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            text = self.socket.recv(1 << 20).decode()
            self.entries.append(dict(line.split("=", 1) for line in text.splitlines() if "=" in line))

    def events(self):
        named = subjects()
        return [(named.get(entry.get("MESSAGE_ID")), entry.get("UPDATE_VERSION"), entry.get("SLOT"), entry.get("UPDATE_ERROR"))
                for entry in list(self.entries)]


def test_events(tap, host, server, release, journal):
    server.offer(None)
    host.update()
    server.offer(release.bytes, version="2.0.0", cut_after=len(release.bytes) // 2 + 1)
    host.update()
    wait_until(lambda: any("boots next" in (event[0] or "") for event in journal.events()), what="the last event")
    tap.same([event for event in journal.events() if event[0] != "Version @UPDATE_VERSION@ is good"],
             [("The update server was asked", None, None, None),
              ("Update @UPDATE_VERSION@ was found", "2.0.0", None, None),
              ("A download or an interrupted update goes on", "2.0.0", None, None),
              ("Update @UPDATE_VERSION@ is written and verified", "2.0.0", "B", None),
              ("Update @UPDATE_VERSION@ boots next", "2.0.0", "B", None)], "an update in the journal, event by event")
    host.stop_daemon()
    host.boot("B", "2.0.0")
    host.set_attributes("B", 49)
    host.start()
    tap.ok(("Version @UPDATE_VERSION@ is good", "2.0.0", "B", None) in journal.events(), "marked good", journal.events())
    server.offer(release.bytes[:-1], version="3.0.0")
    host.update()
    wait_until(lambda: journal.events()[-1][0] == "An update did not happen", what="the refusal")
    tap.same(journal.events()[-1], ("An update did not happen", "3.0.0", None, "payload-size"), "a refusal with its reason")
    tap.ok(all(entry.get("PRIORITY") and entry.get("SYSLOG_IDENTIFIER") == "updated" for entry in journal.entries),
           "each entry has its priority and its program", journal.entries)


def test_roll_backs(tap, host, server, release, journal):
    server.offer(release.bytes, version="4.0.0")
    host.update()
    host.stop_daemon()
    host.boot("B", "2.0.0")
    host.set_attributes("A", 49)
    host.start()
    tap.ok(("A version was left", "4.0.0", None, None) in journal.events(), "a version that did not boot", journal.events())


def test_catalog(tap, directory):
    """systemd's own reader takes it."""
    if not shutil.which("journalctl"):
        tap.ok(True, "the catalog # SKIP there is no journalctl")
        return
    root = os.path.join(directory, "root")
    os.makedirs(root + "/usr/lib/systemd/catalog")
    os.makedirs(root + "/var/lib/systemd/catalog")
    shutil.copy(CATALOG, root + "/usr/lib/systemd/catalog/")
    done = subprocess.run(["journalctl", "--root", root, "--update-catalog"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    listed = subprocess.run(["journalctl", "--root", root, "--list-catalog"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False).stdout
    tap.ok(done.returncode == 0 and listed.count("Sluice: ") == len(subjects()), "journalctl takes every entry of the catalog",
           done.stdout, listed)


def test_metrics(tap, host, server):
    text = host.read("metrics/sluice.prom")
    tap.ok('sluice_update_info{version="2.0.0",staged=""} 1' in text, "the metrics know the version", text)
    tap.ok('sluice_update_failures_total{cause="rolled-back"} 1' in text, "and the failures by cause", text)
    server.offer(None)
    host.update()
    text = host.read("metrics/sluice.prom")
    tap.ok(re.search(r"^sluice_update_last_check_timestamp_seconds \d{10}$", text, re.MULTILINE)
           and re.search(r"^sluice_update_last_success_timestamp_seconds \d{10}$", text, re.MULTILINE), "and the times", text)
    tap.same(os.stat(host.path("metrics/sluice.prom")).st_mode & 0o777, 0o644, "another user may collect them")


def inside(lab):
    os.makedirs(JOURNAL, exist_ok=True)
    journal, release = Journal(), lab.release_make("two")
    host = lab.host_make(settings="METRICS_FILE=/metrics/sluice.prom\n")
    host.environment["JOURNAL_STREAM"] = "1:1"
    host.start()
    test_events(lab.tap, host, lab.server, release, journal)
    test_roll_backs(lab.tap, host, lab.server, release, journal)
    test_metrics(lab.tap, host, lab.server)
    test_catalog(lab.tap, lab.directory)


def main():
    if not os.environ.get(INSIDE):
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                   'mount -t tmpfs none /run && exec python3 "$0"', os.path.abspath(__file__)]
        probe = subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.PIPE, text=True, check=False)
        if probe.returncode != 0:
            print(f"1..0 # SKIP the journal's socket needs a mount namespace of our own: {probe.stderr.strip()}")
            return
        sys.exit(subprocess.run(command, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode)
    with Lab() as lab:
        inside(lab)


main()

#!/usr/bin/env python3
"""What locksmithctl shows on a terminal of 80 columns and 24 lines, with a real etcd: no line is longer, none is lost, and
nothing of it is cut where it goes into a pipe."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lock_etcd import with_etcd  # noqa: E402

CTL = os.path.join(os.environ["SLUICE_BUILD"], "locksmith/locksmithctl")
SIDE = "coreos.com/updateengine/rebootlock/sluice"
ROWS = 24
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
ID = "69d27b356a94476da859461d3a3bc6{:02x}"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, etcd, root, columns, *arguments, **environment):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen([CTL, "--root", root, "--endpoint", etcd.url, *arguments], stdin=slave, stdout=slave,
                                        stderr=subprocess.DEVNULL, env={**clean, "TZ": "UTC", **environment})
        os.close(slave)
        self.text = ""

    def read(self, done):
        """Everything until done says so, or until the program ends."""
        end = time.monotonic() + 30
        while not done(self.text) and time.monotonic() < end:
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            try:
                self.text += os.read(self.master, 65536).decode()
            except OSError:  # it has ended
                break
        return self.text

    def end(self, signum=None):
        if signum:
            self.process.send_signal(signum)
        status = self.process.wait(timeout=30)
        os.close(self.master)
        return status


def screen_of(text):
    """The lines of a terminal behind all this: what is written from the top, and what is cleared below."""
    last = text.rsplit("\x1b[H", 1)[-1]
    return ESCAPES.sub("", last).replace("\r", "").rstrip("\n").split("\n")


def lines_of(etcd, root, columns, *arguments, **environment):
    terminal = Terminal(etcd, root, columns, *arguments, **environment)
    text = terminal.read(lambda _: False)
    terminal.end()
    return text.replace("\r", "").rstrip("\n").split("\n")


def piped(etcd, root, *arguments):
    return subprocess.run([CTL, "--root", root, "--endpoint", etcd.url, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
                          env={**os.environ, "TZ": "UTC", "COLUMNS": "20"}).stdout


def put(etcd, key, value):
    import base64
    etcd.post("/v3/kv/put", {"key": base64.b64encode(key.encode()).decode(),
                             "value": base64.b64encode(json.dumps(value).encode()).decode()})


def record(i, **more):
    return {"host": f"web-{i}.example.com", "boot_id": "x", "reason": "update", "from_version": f"4459.2.{i}",
            "to_version": "4593.1.0", "since": int(time.time()) - 60 * i, **more}


def fleet_make(etcd, root):
    os.makedirs(os.path.join(root, "etc/coreos"))
    with open(os.path.join(root, "etc/machine-id"), "w", encoding="utf-8") as file:
        file.write(ID.format(3) + "\n")
    with open(os.path.join(root, "etc/coreos/update.conf"), "w", encoding="utf-8") as file:
        file.write('REBOOT_STRATEGY=etcd-lock\nREBOOT_WINDOWS="Mon..Fri 02:00 2h; Sat,Sun *-*-1..7 10:00 4h"\n'
                   'REBOOT_BLACKOUT="2026-12-24..2027-01-02, 2027-04-01"\n')
    piped(etcd, root, "set-max", "5")
    for i in range(1, 4):
        piped(etcd, root, "lock", ID.format(i))
        put(etcd, f"{SIDE}/holders/{ID.format(i)}", record(i, departed=5, return_within=60))
    piped(etcd, root, "lock", "by-hand")
    for i in range(4, 9):
        put(etcd, f"{SIDE}/queue/{ID.format(i)}", record(i))
    for i in range(1, 60):
        put(etcd, f"{SIDE}/hosts/{ID.format(i)}", record(i, held=100))
    put(etcd, f"{SIDE}/+policy/policy", {
        "failures": [{"id": ID.format(1), "host": "web-1.example.com", "since": 5,
                      "why": "it came back with version 4459.2.1 instead of 4593.1.0"}],
        "stopped": {"who": "web-1.example.com", "since": 5, "reason":
                    "1 host has failed, and the budget is 1; last web-1: it came back with version 4459.2.1 instead of 4593.1.0"},
        "log": [{"who": "core on admin.example.com", "reason": f"unlock {ID.format(9)}", "since": 1795000000}]})


def words(text):
    return re.findall(r"[^\s]+", re.sub(r"\b\d+ (s|min|h|d)\b", "AGE", text))


def check_width(tap, etcd, root, columns, arguments):
    name = " ".join(arguments)
    lines, full = lines_of(etcd, root, columns, *arguments), piped(etcd, root, *arguments)
    long = [line for line in lines if len(line) > columns]
    lost = [word for word in words(full) if word not in words("\n".join(lines))]
    tap.case(f"{name}: no line is longer than {columns} columns", f"{long}" if long else "" if len(lines) > 1 else f"{lines}")
    tap.case(f"{name}: nothing is lost at {columns} columns", f"{lost}" if lost else "")


def check_pipe(tap, etcd, root):
    full = piped(etcd, root, "status", "--details").split("\n")
    holders = [line for line in full if line.startswith(ID.format(1))]
    tap.case("in a pipe a host is one line, whatever COLUMNS says",
             "" if holders and holders[0].endswith("OVERDUE web-1.example.com  4459.2.1 -> 4593.1.0  update") else f"{full}")


def check_watch(tap, etcd, root):
    terminal = Terminal(etcd, root, 80, "status", "--watch")
    first = screen_of(terminal.read(lambda text: "\x1b[J" in text))
    tap.case("the live view fits on the screen", "" if len(first) < ROWS and max(map(len, first)) <= 80 else f"{first}")
    tap.case("what it has no room for is counted", "" if re.match(r"\d+ more lines: see", first[-1]) else f"{first}")
    draws = terminal.text.count("\x1b[J")
    put(etcd, f"{SIDE}/queue/{ID.format(9)}", record(9))
    terminal.read(lambda text: text.count("\x1b[J") > draws)
    more = screen_of(terminal.text)[-1]
    tap.case("a change is drawn in the place of the old screen, without clearing it",
             "" if int(more.split()[0]) > int(first[-1].split()[0]) and terminal.text.count("\x1b[2J") == 1 else more)
    tap.case("Ctrl-C ends it", "" if terminal.end(signal.SIGINT) == 130 else "not with 130")


def body(tap, etcd):
    with tempfile.TemporaryDirectory(prefix="sluice-test.") as root:
        fleet_make(etcd, root)
        for arguments in (["status", "--details"], ["explain"], ["simulate", "--from", "2026-11-23", "--to", "2026-12-31"],
                          ["check"], ["hosts"], ["log"]):
            check_width(tap, etcd, root, 80, arguments)
        check_width(tap, etcd, root, 70, ["status", "--details"])
        wide = lines_of(etcd, root, 80, "status", "--details", COLUMNS="200")
        tap.case("COLUMNS is believed", "" if max(map(len, wide)) > 80 else f"{wide}")
        check_pipe(tap, etcd, root)
        check_watch(tap, etcd, root)


sys.exit(with_etcd(body))

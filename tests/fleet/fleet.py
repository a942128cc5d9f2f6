#!/usr/bin/env python3
"""The demo: a fleet of three hosts updates itself, one reboot at a time. Started by tests/demo."""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import disks
from host import Host
from table import Table
from timeline import Timeline

OLD, NEW = "1.0.0", "2.0.0"
DEADLINE = 110  # seconds for everything behind the build
REFRESH = 0.25
DOWNLOAD_RATE = 4_000_000  # bytes a second, so that a progress bar can be seen
# What an image vendor ships: where the slots are, and short intervals, because nobody watches for 45 minutes.
# The machines have no systemd, although cloud-config leaves a drop-in for one.
VENDOR_SETTINGS = "DISK=/disk.img\nCHECK_FIRST=1s\nCHECK_INTERVAL=2s\nHEALTH_TARGET=\n"


class Interrupted(Exception):
    pass


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Fleet:
    def __init__(self, options):
        self.programs = os.path.abspath(options.programs)
        self.directory = os.path.abspath(options.directory)
        self.processes = []
        self.etcd = self.server = None
        self.deadline = time.monotonic() + DEADLINE
        self.table = Table("fleet")
        self.hosts = [Host(name, channel, os.path.join(self.directory, "hosts"), self.programs)
                      for name, channel in (("canary", "beta"), ("web-1", "stable"), ("web-2", "stable"))]

    # Servers

    def _start(self, name, *command, **options):
        log = open(os.path.join(self.directory, name + ".log"), "w", encoding="utf-8")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log,
                                   stdout=options.get("stdout", log), text=True, start_new_session=True)
        self.processes.append(process)
        return process

    def start_etcd(self):
        client, peer = free_port(), free_port()
        self.etcd = f"http://127.0.0.1:{client}"
        peer_url = f"http://127.0.0.1:{peer}"
        self._start("etcd", "etcd", "--name", "demo", "--data-dir", os.path.join(self.directory, "etcd"),
                    "--listen-client-urls", self.etcd, "--advertise-client-urls", self.etcd,
                    "--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url,
                    "--initial-cluster", f"demo={peer_url}")
        self.wait("etcd answers", self._etcd_is_healthy)

    def _etcd_is_healthy(self):
        try:
            with urllib.request.urlopen(self.etcd + "/health", timeout=1) as answer:
                return json.load(answer)["health"] == "true"
        except OSError:
            return False

    def start_update_serve(self):
        serve = self._start("update-serve", self.program("updated/update-serve"), "--directory", self.releases,
                            "--listen", "127.0.0.1:0", "--delay-rate", str(DOWNLOAD_RATE),
                            stdout=subprocess.PIPE)
        ready = serve.stdout.readline()
        found = re.search(r"http://\S+", ready)
        if not found:
            raise SystemExit(f"tests/demo: update-serve did not start, see {self.directory}/update-serve.log")
        self.server = found.group(0)

    # Steps

    def program(self, name):
        return os.path.join(self.programs, name)

    def publish(self, channel, release, promote=False):
        payload = [] if promote else [release.payload]
        disks.run(self.program("updated/update-serve"), "--directory", self.releases, "publish", "--channel", channel,
                  "--version", release.version, *payload)

    def prepare(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.releases = os.path.join(self.directory, "releases")
        self.timeline = Timeline(os.path.join(self.directory, "timeline.jsonl"))
        keys = disks.Keys(self.directory)
        self.table.note(f"making releases {OLD} and {NEW}: ext4 images, signed with RSA-2048")
        self.old = disks.Release(self.directory, OLD, keys, VENDOR_SETTINGS)
        self.new = disks.Release(self.directory, NEW, keys, VENDOR_SETTINGS)
        for release in (self.old, self.new):
            release.make_payload(self.program("payload/payload"), keys)

        self.table.note(f"starting etcd and an update server; every channel leads to {OLD}")
        self.start_etcd()
        self.publish("alpha", self.old)
        for channel in ("beta", "stable"):
            self.publish(channel, self.old, promote=True)
        self.start_update_serve()

    def boot(self):
        self.table.note(f"powering on three hosts: a disk with two slots each, {OLD} in slot A")
        for host in self.hosts:
            host.install(self.old, self.server, self.etcd)
            host.power_on(self.timeline.path)
        self.wait("all hosts idle", lambda: all(host.state == "IDLE" for host in self.hosts))

    def roll_out(self):
        canary, stable = self.hosts[0], self.hosts[1:]
        self.table.note(f"publishing {NEW} to beta, which only the canary follows")
        self.publish("alpha", self.new)
        self.publish("beta", self.new, promote=True)
        self.wait("the canary is updated", lambda: self.is_done(canary))

        self.table.note(f"the canary runs {NEW} and is well: promoting it to stable")
        self.publish("stable", self.new, promote=True)
        self.wait("the others are updated", lambda: all(self.is_done(host) for host in stable))

    def is_done(self, host):
        return host.version == NEW and host.state == "IDLE" and not self.holders()

    # Watching

    def holders(self):
        lock = self.lock()
        return lock.get("holders") or []

    def lock(self):
        answer = subprocess.run([self.program("locksmith/locksmithctl"), "--endpoint", self.etcd, "--json", "status"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return json.loads(answer.stdout) if answer.returncode == 0 else {}

    def refresh(self):
        by_name = {host.name: host for host in self.hosts}
        for event in self.timeline.read_new():
            host = by_name[event["host"]]
            if event["event"] in ("up", "down"):
                host.up = event["event"] == "up"
                host.report = {}
            if "slot" in event:
                host.slot = event["slot"].removeprefix("USR-")
        for host in self.hosts:
            if host.machine and host.machine.poll() is not None:
                raise SystemExit(f"tests/demo: the machine of {host.name} ended, see {host.root}/var/log/")
            host.ask()

    def wait(self, what, done):
        while True:
            if any(host.machine for host in self.hosts):
                self.refresh()
                self.table.show(self.hosts, self.holders())
            if done():
                return
            if time.monotonic() > self.deadline:
                raise SystemExit(f"\ntests/demo: gave up waiting until {what}; the logs are in {self.directory}")
            time.sleep(REFRESH)

    # The end

    def prove(self):
        self.table.close(self.hosts, self.holders())
        print("\nWho was down, and when")
        for line in self.table.bars(self.timeline.outages()):
            print("  " + line)
        print("\nProof, read from the disks, from etcd and from the times above")
        lock = self.lock()
        checks = [
            (f"every host runs {NEW}, from slot B",
             all(host.version == NEW and host.slot == "B" for host in self.hosts)),
            ("every slot B holds the released image, sha256 " + self.new.sha256[:16] + "…",
             all(host.disk.slot_sha256("B") == self.new.sha256 for host in self.hosts)),
            ("every slot A still holds the old release, sha256 " + self.old.sha256[:16] + "…",
             all(host.disk.slot_sha256("A") == self.old.sha256 for host in self.hosts)),
            ("every host rebooted once, and never two were down at once",
             len(self.timeline.outages()) == len(self.hosts) and self.timeline.most_down_at_once() == 1),
            ("the canary was first", self.timeline.outages()[0][2] == "canary"),
            ("the new slots are marked good", all(self.is_good(host) for host in self.hosts)),
            (f"the lock is free: {lock.get('available')} of {lock.get('max')} slots",
             lock.get("holders") == [] and lock.get("available") == lock.get("max") == 1),
        ]
        for text, holds in checks:
            print(f"  {'ok ' if holds else 'NOT'}  {text}")
        return all(holds for _, holds in checks)

    @staticmethod
    def is_good(host):
        """Bit 56 of the slot's GPT entry, as another tool reads it."""
        return any('name="USR-B"' in line and re.search(r"GUID:[\d,]*\b56\b", line) for line in host.disk.partitions())

    def write_environment(self):
        """What a shell needs to talk to the fleet, in a file. Returns its path, as short as it can be."""
        directories = ":".join(self.program(name) for name in ("updated", "locksmith", "payload", "cloud-config"))
        canary = self.hosts[0]
        lines = [f"PATH={directories}:$PATH", f"LOCKSMITHCTL_ENDPOINT={self.etcd}", "ETCDCTL_API=3",
                 f"ETCDCTL_ENDPOINTS={self.etcd}", f"RELEASES={self.releases}", f"CANARY={canary.root}",
                 f"DBUS_SYSTEM_BUS_ADDRESS={canary.address}"]
        lines += [f"BUS_OF_{host.name.upper().replace('-', '_')}={host.address}" for host in self.hosts]
        path = os.path.join(self.directory, "environment")
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"export '{line}'\n" if "$" not in line else f'export "{line}"\n' for line in lines)
        short = os.path.relpath(path)
        return path if short.startswith("..") else short

    def explain(self):
        print(f"""
The fleet goes on running until Ctrl-C. Poke at it from another terminal:

  . {self.write_environment()}
  update-engine-client status             # of the canary; so are the next two
  update-engine-client slots
  locksmithctl --root $CANARY explain     # what its next reboot waits for
  locksmithctl status --watch             # the lock of the fleet
  locksmithctl lock somebody
  update-serve -d $RELEASES log           # what the hosts asked and reported
  etcdctl get --prefix coreos.com/
  DBUS_SYSTEM_BUS_ADDRESS=$BUS_OF_WEB_1 update-engine-client history

Logs: {os.path.dirname(self.write_environment())}/hosts/*/var/log/""")
        sys.stdout.flush()
        while True:
            signal.pause()

    def stop(self):
        for host in self.hosts:
            host.power_off()
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def interrupted(_signal, _frame):
    raise Interrupted


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True, help="the build directory")
    parser.add_argument("--directory", required=True, help="where everything is put; emptied first")
    parser.add_argument("--keep", action="store_true", help="go on running at the end")
    options = parser.parse_args()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    fleet = Fleet(options)
    proved = False
    try:
        fleet.prepare()
        fleet.boot()
        fleet.roll_out()
        proved = fleet.prove()
        print(f"\n{'Done' if proved else 'FAILED'} in {time.time() - fleet.table.started:.0f} seconds.", flush=True)
        if options.keep:
            fleet.explain()
    except Interrupted:
        print("\ntests/demo: stopping")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        fleet.stop()
    return 0 if proved else 1


sys.exit(main())

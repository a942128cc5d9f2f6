"""What a scenario needs around its machine: our update-serve and a real etcd on loopback, releases, logs, TAP."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

SOURCE = os.environ["SLUICE_SOURCE"]
sys.path[:0] = [os.path.join(SOURCE, "tests/integration/lab"), os.path.join(SOURCE, "tests/integration")]

import image  # noqa: E402
from host import wait_until  # noqa: E402, F401
from lab import Tap  # noqa: E402
from loaders import GRUB  # noqa: E402
from lock_etcd import Etcd  # noqa: E402
from machine import OVMF, Machine, Stalled, die_with_parent  # noqa: E402

HOST = "10.0.2.2"  # where guests find the loopback of the machine that runs the test
SERVE = os.path.join(image.BUILD, "updated/update-serve")
PROGRAMS = ["qemu-system-x86_64", "mmdebstrap", "mcopy", "sfdisk", "mke2fs", "mkfs.vfat", "etcd"]
OUR_UNITS = ["updated", "locksmithd", "sluice-cloud-config"]


class Site:
    """Our update server."""

    def __init__(self, directory, *options):
        self.directory = directory
        os.mkdir(directory)
        self.server = subprocess.Popen([SERVE, "--directory", directory, "--listen", "127.0.0.1:0", *options], stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)", self.server.stdout.readline()).group(1))
        self.url = f"http://{HOST}:{self.port}/v1/update/"

    def publish(self, version, channel="stable"):
        image.run(SERVE, "--directory", self.directory, "publish", "--version", version.name, "--channel", channel, version.payload)

    def log(self):
        """All that hosts asked and reported."""
        return [json.loads(line) for line in image.run(SERVE, "--directory", self.directory, "log", "--json").splitlines()]

    def events(self):
        """(type, result, error code) of all events but those that only say that the host still runs what it ran."""
        return [(entry["type"], entry["result"], entry["errorcode"]) for entry in self.log() if entry["what"] == "event"
                and not (entry["type"] == 3 and entry["result"] == 2 and entry["previousversion"] in ("", "0.0.0.0"))]

    def checks(self):
        """How often a host has asked for updates."""
        return sum(entry["what"] == "check" for entry in self.log())

    def stop(self):
        self.server.terminate()
        self.server.wait()


class Lab(Tap):
    """Everything of a scenario. Nothing of it is left afterwards but the logs."""

    def __init__(self, name, *serve_options):
        super().__init__()
        self.directory = tempfile.mkdtemp(prefix="sluice-vm-", dir="/dev/shm")
        self.logs = os.path.join(image.CACHE, "logs", name)
        self.machines = []
        self.etcd = self.site = None
        shutil.rmtree(self.logs, ignore_errors=True)
        os.makedirs(self.logs)
        self.base = image.prepare()
        self.versions = image.VERSIONS
        self.site = Site(os.path.join(self.directory, "site"), *serve_options)

    def ok(self, good, name, *details):
        super().ok(good, name, *details)
        sys.stdout.flush()

    def start_etcd(self):
        """Returns its URL for guests."""
        self.etcd = Etcd(os.path.join(self.directory, "etcd"))
        self.etcd.start()
        return self.etcd.url.replace("127.0.0.1", HOST)

    def machine(self, settings, esp, name="machine", gpt=False, **options):
        """A machine that is switched off, with version 1.0.0 in slot A."""
        directory = os.path.join(self.directory, name)
        os.mkdir(directory)
        disk = image.Disk(os.path.join(directory, "disk.img"), self.versions["1.0.0"], settings, esp, gpt)
        machine = Machine(directory, disk.path, os.path.join(self.logs, name + ".log"), **options)
        self.machines.append(machine)
        return machine, disk

    def shutdown(self):
        for machine in self.machines:
            machine.power_cut()
        if self.site:
            self.site.stop()
        if self.etcd:
            self.etcd.stop()
        shutil.rmtree(self.directory)


def missing():
    """Why virtual machines can not be tested here, or None."""
    if os.environ.get("SLUICE_TEST_FULL") != "1":
        return "virtual machines are tested by tests/run --full, or with SLUICE_TEST_FULL=1"
    if os.geteuid() != 0:
        return "making the tree of a machine needs root"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for program in PROGRAMS:
        if not shutil.which(program, path=path):
            return f"{program} is needed: the packages of [vm] in tests/packages"
    for place in (OVMF, GRUB):
        if not os.path.exists(place):
            return f"{place} is needed: the packages of [vm] in tests/packages"
    return None


def scenario(name, body, *serve_options):
    """Runs body(lab), prints TAP; called by each test with its own name. More options for update-serve may follow."""
    reason = missing()
    if reason:
        print("1..0 # SKIP", reason)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Bail out! ended by SIGTERM"))
    lab = None
    try:
        lab = Lab(name, *serve_options)
        body(lab)
    except (Stalled, RuntimeError, TimeoutError) as problem:
        trace = "".join(traceback.format_exception(problem))
        tails = [machine.tail() for machine in lab.machines] if lab else []
        print(f"not ok {lab.count + 1 if lab else 1} - the scenario came to its end")
        print("\n".join("# " + line for line in trace.splitlines()), *tails, sep="\n")
        if lab:
            lab.count += 1
    finally:
        if lab:
            lab.shutdown()
    if lab:
        print(f"# {Machine.retries} boots were begun a second time; logs: {lab.logs}")
        lab.done()

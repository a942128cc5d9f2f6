"""One host of the demo: its directory, its disk, its stand-in machine, and what can be asked of it."""

import json
import os
import subprocess
import uuid

import disks

USER_DATA = """#cloud-config
coreos:
  update:
    group: {channel}
    server: {server}
    reboot-strategy: etcd-lock
  locksmith:
    endpoint: {etcd}
"""


class Host:
    def __init__(self, name, channel, directory, programs):
        self.name = name
        self.channel = channel
        self.programs = programs
        self.root = os.path.join(directory, name)
        self.id = uuid.uuid4().hex
        self.disk = None
        self.machine = None
        self.address = None
        self.slot = "?"
        self.up = False
        self.report = {}

    def install(self, release, server, etcd):
        """Puts disk, machine id and user-data in place, as an installer would."""
        for path in ("etc", "var/lib/coreos-install", "proc/sys/kernel/random"):
            os.makedirs(os.path.join(self.root, path))
        self.disk = disks.Disk(os.path.join(self.root, "disk.img"), release)
        self._write("etc/machine-id", self.id + "\n")
        self._write("etc/hostname", self.name + "\n")
        self._write("var/lib/coreos-install/user_data",
                    USER_DATA.format(channel=self.channel, server=server, etcd=etcd))

    def _write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="ascii") as file:
            file.write(text)

    def power_on(self, timeline):
        self.machine = subprocess.Popen(
            [os.path.join(self.programs, "tests/double/machine"), "--root", self.root, "--disk", self.disk.path,
             "--name", self.name, "--programs", self.programs, "--timeline", timeline],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.address = self.machine.stdout.readline().strip()
        if not self.address:
            raise SystemExit(f"tests/demo: the machine of {self.name} did not start")

    def power_off(self):
        if self.machine and self.machine.poll() is None:
            self.machine.terminate()
            self.machine.wait()

    def program(self, name, *arguments):
        """Runs one of the command line tools on this host. Returns its standard output, None if it failed."""
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address)
        done = subprocess.run([os.path.join(self.programs, name), *arguments], env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout if done.returncode == 0 else None

    def ask(self):
        """Refreshes report from the update daemon; a host that is down keeps its last one."""
        if self.up:
            answer = self.program("updated/update-engine-client", "status", "--json")
            if answer:
                self.report = json.loads(answer)

    @property
    def version(self):
        """The version that runs: what the filesystem in the booted slot says."""
        try:
            with open(os.path.join(self.root, "usr/share/coreos/release"), encoding="ascii") as file:
                return dict(line.strip().split("=", 1) for line in file)["COREOS_RELEASE_VERSION"]
        except (OSError, KeyError, ValueError):
            return "?"

    @property
    def state(self):
        if not self.up:
            return "REBOOTING" if self.slot != "?" else "BOOTING"
        return self.report.get("current_operation", "").removeprefix("UPDATE_STATUS_") or "STARTING"

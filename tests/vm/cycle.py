"""The life of a host that updates itself, the same with each boot loader: good versions, ill ones, such that do not boot."""

import json
import re

from scenario import OUR_UNITS, wait_until

LIMIT = 300  # seconds for what takes a minute on a machine that has nothing else to do
DOWNLOAD_BEGUN, DOWNLOADED, INSTALLED, RUNNING, ROLLED_BACK = (13, 1, 0), (14, 1, 0), (3, 1, 0), (3, 2, 0), (3, 0, 44)

SETTINGS = """SERVER={url}
GROUP=stable
REBOOT_STRATEGY=etcd-lock
LOCKSMITHD_ENDPOINT={etcd}
HEALTH_FAILURE=reboot
"""


class Cycle:
    def __init__(self, lab, esp, settings="", **options):
        """esp: what the boot loader needs on its partition"""
        self.lab = lab
        self.etcd = lab.start_etcd()
        lab.site.publish(lab.versions["1.0.0"])
        self.machine, self.disk = lab.machine(SETTINGS.format(url=lab.site.url, etcd=self.etcd) + settings, esp, **options)
        self.running, self.slot = "1.0.0", "A"

    def install(self):
        """The first boot."""
        self.machine.boot()
        self.up()
        self.lab.same(self.state(), ("1.0.0", "A", True), "1.0.0 starts from A and is good")
        self.well()

    def up(self):
        """Until all units are started, the trial of the version is over, and the lock is given back."""
        self.machine.run("systemctl is-system-running --wait", LIMIT)
        wait_until(lambda: self.slots()[self.slot_now()]["good"], LIMIT, "the running slot to be good")
        wait_until(lambda: self.holders() == [], LIMIT, "the lock to be given back")

    def status(self):
        return json.loads(self.machine.output("update-engine-client status --json"))

    def slots(self):
        return {slot["slot"]: slot for slot in json.loads(self.machine.output("update-engine-client slots --json"))}

    def chooser(self):
        return re.search(r"Boot chooser: (\S+)", self.machine.output("update-engine-client slots")).group(1)

    def slot_now(self):
        return [name for name, slot in self.slots().items() if slot["running"]][0]

    def holders(self):
        return json.loads(self.machine.output("locksmithctl --json status"))["holders"]

    def state(self):
        """(version that runs, its slot, is it good)"""
        slot = self.slot_now()
        return self.machine.output(". /etc/os-release; echo $VERSION_ID"), slot, self.slots()[slot]["good"]

    def well(self, expected=""):
        """Nothing of ours has failed in this boot, but what is expected."""
        failed = self.machine.output("systemctl --failed --plain --no-legend")
        self.lab.same(failed, "", "no unit has failed")
        units = " ".join("-u " + unit for unit in OUR_UNITS)
        errors = self.machine.output(f"journalctl -b -p err {units} -o cat --no-pager; journalctl -b -o cat --no-pager | "
                                     "grep -E 'denied|not permitted|ead-only file system|SIGSYS' || true")
        self.lab.same(errors, expected, "no other error of ours is in the journal, and nothing was denied")

    def good(self, name, slot, meanwhile=None):
        """A version is published, comes to the host by itself, and is good. meanwhile() may do something to the host."""
        lab, machine, version = self.lab, self.machine, self.lab.versions[name]
        before = len(lab.site.events())
        lab.site.publish(version)
        if meanwhile:
            meanwhile()
        machine.wait_end(LIMIT)
        lab.ok(self.disk.slot_sha256(slot) == version.sha256(), f"{name} is in {slot}, and the host has rebooted")
        machine.boot()
        self.up()
        lab.same(self.state(), (name, slot, True), f"{name} starts from {slot} and is good")
        wait_until(lambda: (3, 2, 0) in lab.site.events()[before:], LIMIT, "the report of the new version")
        lab.same(lab.site.events()[before:], [DOWNLOAD_BEGUN, DOWNLOADED, INSTALLED, RUNNING], "the server was told of each step")
        self.well()
        self.running, self.slot = name, slot

    def _fell_back(self, name, before):
        """The version before runs again, the server was told once, and the bad one is not fetched again."""
        lab = self.lab
        self.up()
        lab.same(self.state(), (self.running, self.slot, True), f"{self.running} runs again, from {self.slot}")
        wait_until(lambda: ROLLED_BACK in lab.site.events()[before:], LIMIT, "the report of the fall-back")
        checks = lab.site.checks()
        wait_until(lambda: lab.site.checks() >= checks + 3, LIMIT, "three more checks")
        lab.same(lab.site.events()[before:], [DOWNLOAD_BEGUN, DOWNLOADED, INSTALLED, ROLLED_BACK],
                 f"the server was told of {name} once, and it is not fetched again")
        self.well(f"the reboot has failed: it came back with version {self.running} instead of {name}")
        lab.ok("Stopped: " in self.machine.output("locksmithctl status"), f"no host follows to {name}")
        self.machine.output("locksmithctl resume --reason 'it was withdrawn'")

    def unwell(self, name, slot, why):
        """A version starts, is not found good, and is left by itself."""
        before = len(self.lab.site.events())
        self.lab.site.publish(self.lab.versions[name])
        self.machine.wait_end(LIMIT)
        self.machine.boot()
        self.lab.same(self.machine.output(". /etc/os-release; echo $VERSION_ID"), name, f"{name} starts: {why}")
        self.machine.wait_end(LIMIT)
        self.machine.boot()
        self._fell_back(name, before)

    def unbootable(self, name, slot, why, sign):
        """A version never gets so far that it could say something; sign: what its console says."""
        before = len(self.lab.site.events())
        self.lab.site.publish(self.lab.versions[name])
        self.machine.wait_end(LIMIT)
        self.machine.start()
        self.machine.wait_end(LIMIT)
        self.lab.ok(sign in self.machine.console(), f"{name} ends in its boot: {why}", self.machine.tail())
        self.machine.boot()
        self._fell_back(name, before)

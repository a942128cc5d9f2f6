"""A host for the tests of updated: a disk image with two slots, a root directory, a private D-Bus, the real daemon."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import uuid

BUILD = os.environ["SLUICE_BUILD"]
MIB = 1 << 20
IMAGE_SIZE = 1 * MIB
SLOT_SIZE = 2 * MIB
TYPE_USR = "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"
UUID_USR = {"A": "7130C94A-213A-4E5A-8E26-6CCE9662F132", "B": "E03DD35C-7C2D-4A47-B3FE-27F15780A57C"}
APP_ID = "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}"
UPDATED = os.path.join(BUILD, "updated/updated")
CLIENT = os.path.join(BUILD, "updated/update-engine-client")
PAYLOAD = os.path.join(BUILD, "payload/payload")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

BUS_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow send_type="signal"/>
<allow receive_sender="*"/></policy></busconfig>
"""


# As the system bus has it: nothing is allowed but what a file of ours allows.
STRICT_BUS_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/></policy>
<include>{}</include></busconfig>
"""
POLICY = os.path.join(os.environ["SLUICE_SOURCE"], "updated/units/com.coreos.update1.conf")


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=dict(os.environ, PATH=PATH), **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


def wait_until(condition, seconds=20, what="a condition"):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class Release:
    """An image of half noise, half text, and its payload."""

    def __init__(self, directory, name, key, size=IMAGE_SIZE, kernel=None, version=None, options=()):
        self.image = os.path.join(directory, name + ".img")
        self.payload = os.path.join(directory, name + ".payload")
        noise = hashlib.shake_256(name.encode()).digest(size // 2)
        with open(self.image, "wb") as file:
            file.write(noise + (name.encode() * size)[:size - len(noise)])
        signing = ["--key", key] if key else []
        more = ["--version", version] if version else []
        if kernel:
            self.kernel = os.path.join(directory, name + ".kernel")
            with open(self.kernel, "wb") as file:
                file.write(kernel)
            more += ["--kernel", self.kernel]
        run(PAYLOAD, "create", "--image", self.image, "--output", self.payload, *signing, *more, *options)

    @property
    def bytes(self):
        with open(self.payload, "rb") as file:
            return file.read()

    @property
    def image_bytes(self):
        with open(self.image, "rb") as file:
            return file.read()


def key_make(directory, name):
    private, public = (os.path.join(directory, name + suffix) for suffix in (".pem", ".pub.pem"))
    run("openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private)
    run("openssl", "pkey", "-in", private, "-pubout", "-out", public)
    return private, public


class Host:
    """Slot A runs version 1.0.0; everything is below self.root."""

    def __init__(self, directory, server, public_key, second_slot=True, settings="", sector=512, slot_size=None):
        self.root = tempfile.mkdtemp(dir=directory)
        self.disk = self.path("disk.img")
        self.offsets = {}
        self.sector = sector
        self.slot_size = slot_size or SLOT_SIZE
        self.bus = self.daemon = None
        self.strict = False  # a bus with the policy that we install
        self.address = "unix:path=" + self.path("bus")
        self.environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address, PATH=PATH)
        self.log = self.path("updated.log")
        self._make_disk(second_slot)
        self.write("etc/coreos/update.conf", f"SERVER={server}\nGROUP=beta\nMACHINE_ALIAS=a \"b\" <c>\n{settings}")
        self.write("usr/share/coreos/update.conf", "DISK=/disk.img\nCHECK_FIRST=1h\nCHECK_INTERVAL=1h\n")
        self.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        self.write("usr/share/update_engine/update-payload-key.pub.pem")
        if public_key:
            shutil.copy(public_key, self.path("usr/share/update_engine/update-payload-key.pub.pem"))
        else:
            os.unlink(self.path("usr/share/update_engine/update-payload-key.pub.pem"))
        self.boot("A", "1.0.0")

    def path(self, name):
        return os.path.join(self.root, name)

    def write_state(self, lines):
        """Replaces the state of the daemon, with the checksum that its last line has (FNV-1a)."""
        kept = "".join(line + "\n" for line in lines.splitlines() if not line.startswith("CHECK="))
        check = 0xCBF29CE484222325
        for byte in kept.encode():
            check = (check ^ byte) * 0x100000001B3 % 2**64
        self.write("var/lib/updated/state", f"{kept}CHECK={check:016x}\n")

    def write(self, name, text=""):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def files(self, directory):
        """What is in the files below it: {name: bytes}."""
        found = {}
        for path, _, names in os.walk(self.path(directory)):
            for name in names:
                with open(os.path.join(path, name), "rb") as file:
                    found[os.path.relpath(file.name, self.path(directory))] = file.read()
        return found

    def _make_disk(self, second_slot):
        lines = ["label: gpt"]
        for slot in "AB" if second_slot else "A":
            attributes = ', attrs="GUID:48,56"' if slot == "A" else ""
            lines.append(f'size={self.slot_size // self.sector}, type={TYPE_USR}, uuid={UUID_USR[slot]}, name="USR-{slot}"{attributes}')
        with open(self.disk, "wb") as file:
            file.truncate(2 * self.slot_size + 4 * MIB)
        self.write("layout", "\n".join(lines) + "\n")
        self._fdisk("I", "layout", "w")
        for line in self.partitions():
            for slot in "AB":
                if f'name="USR-{slot}"' in line:
                    self.offsets[slot] = int(line.split("start=")[1].split(",")[0]) * self.sector
        with open(self.disk, "r+b") as file:
            file.seek(self.offsets["A"])
            file.write(hashlib.shake_256(b"the running system").digest(SLOT_SIZE))

    def _fdisk(self, *commands):
        """fdisk and not sfdisk, because of the sector size."""
        run("fdisk", "--sector-size", str(self.sector), self.disk, input="\n".join(commands) + "\n", cwd=self.root)

    def partitions(self):
        """As fdisk, not as we, reads them."""
        if os.path.exists(self.path("dump")):
            os.unlink(self.path("dump"))
        self._fdisk("O", "dump", "q")
        return self.read("dump").splitlines()

    def slot(self, name, size=None):
        with open(self.disk, "rb") as file:
            file.seek(self.offsets[name])
            return file.read(size or self.slot_size)

    def attributes(self, name):
        """(priority, tries, successful)"""
        for line in self.partitions():
            if f'name="USR-{name}"' in line:
                bits = set()
                if "attrs=" in line:
                    words = line.split('attrs="')[1].split('"')[0]
                    bits = {int(bit) for bit in words.removeprefix("GUID:").split(",")}
                number = lambda first: sum(1 << (bit - first) for bit in bits if first <= bit < first + 4)
                return number(48), number(52), 56 in bits
        return None

    def set_attributes(self, name, *bits):
        run("sfdisk", "--quiet", "--part-attrs", self.disk, str("AB".index(name) + 1), "GUID:" + ",".join(map(str, bits)))

    def boot(self, slot, version):
        """What a boot loader and a kernel leave for the system that starts."""
        self.write("proc/cmdline", f"mount.usr=/dev/mapper/usr verity.usr=PARTUUID={UUID_USR[slot].lower()} quiet\n")
        self.write("proc/sys/kernel/random/boot_id", str(uuid.uuid4()) + "\n")
        self.write("usr/share/coreos/release", f"COREOS_RELEASE_VERSION={version}\nCOREOS_RELEASE_BOARD=amd64-usr\n"
                                               f"COREOS_RELEASE_APPID={APP_ID}\n")

    def start_bus(self):
        if self.bus:
            return
        self.write("bus.conf", STRICT_BUS_CONFIGURATION.format(self.path("bus"), POLICY) if self.strict
                   else BUS_CONFIGURATION.format(self.path("bus")))
        self.bus = subprocess.Popen(["dbus-daemon", "--config-file=" + self.path("bus.conf"), "--nofork"],
                                    env=self.environment, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.path("bus")), what="the D-Bus daemon")

    def start(self):
        self.start_bus()
        with open(self.log, "a", encoding="utf-8") as log:
            self.daemon = subprocess.Popen([UPDATED, "--root", self.root, "--verbose"], env=self.environment, stderr=log,
                                           stdin=subprocess.DEVNULL)
        wait_until(lambda: self.daemon.poll() is not None or self.client("status")[0] == 0, what="updated on the bus")

    def stop_daemon(self, signal="TERM"):
        """Returns (exit status, seconds it took)."""
        if not self.daemon:
            return None, 0
        start = time.monotonic()
        if self.daemon.poll() is None:
            self.daemon.kill() if signal == "KILL" else self.daemon.terminate()
        status = self.daemon.wait(10)
        self.daemon = None
        return status, time.monotonic() - start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stop_daemon()
        if self.bus:
            self.bus.terminate()
            self.bus.wait()
            self.bus = None

    def client(self, *arguments, timeout=60, user=None):
        done = subprocess.run([CLIENT, *arguments], env=self.environment, stdin=subprocess.DEVNULL, text=True, user=user,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
        return done.returncode, done.stdout, done.stderr

    def status(self):
        code, out, error = self.client("status", "--json")
        if code != 0:
            raise RuntimeError(error)
        return json.loads(out)

    def update(self):
        """update-engine-client update, to its end."""
        return self.client("update")

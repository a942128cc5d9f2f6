"""The images of the virtual machines: a Debian tree with Sluice in it, its versions, their payloads, disks.

Everything lies in the build tree below vm/ and is made once: the Debian tree for a list of packages, the releases for
a state of the programs and of what is in guest/.
"""

import fcntl
import hashlib
import os
import re
import shutil
import struct
import subprocess

BUILD = os.environ["SLUICE_BUILD"]
SOURCE = os.environ["SLUICE_SOURCE"]
HERE = os.path.join(SOURCE, "tests/vm")
CACHE = os.path.join(BUILD, "vm")
PAYLOAD = os.path.join(BUILD, "payload/payload")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

MIB = 1 << 20
SECTOR = 512
IMAGE_SIZE = 112 * MIB
SLOT_SIZE = 128 * MIB
ESP_SIZE = 64 * MIB
STATE_SIZE = 96 * MIB
TYPE_BIOS = "21686148-6449-6E6F-744E-656564454649"
TYPE_ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
TYPE_USR = "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"
TYPE_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
UUID_SLOT = {"A": "7130c94a-213a-4e5a-8e26-6cce9662f132", "B": "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"}
# priority 1, successful: how an installer leaves the slot it filled (bits 48-51 and 56)
ATTRIBUTES_INSTALLED = "GUID:48,56"

# Besides the libraries that our programs link.
PACKAGES = ["dbus", "iproute2", "kmod", "systemd", "systemd-boot", "systemd-sysv", "udev"]
# What nobody needs to start and run the machine: less to write and to hash.
UNWANTED = """
etc/apt etc/cron.daily etc/dpkg boot/vmlinuz usr/bin/apt* usr/bin/dpkg* usr/bin/perl* usr/bin/gpgv usr/games usr/include usr/lib/apt
usr/lib/dpkg usr/lib/udev/hwdb.* usr/lib/x86_64-linux-gnu/gconv
usr/share/bash-completion usr/share/bug usr/share/common-licenses usr/share/doc usr/share/doc-base usr/share/i18n usr/share/info
usr/lib/x86_64-linux-gnu/libapt* usr/lib/x86_64-linux-gnu/libperl* usr/lib/x86_64-linux-gnu/perl usr/lib/x86_64-linux-gnu/perl-base usr/share/perl
usr/share/lintian usr/share/locale usr/share/man usr/share/perl5 usr/share/polkit-1 usr/share/zoneinfo/right usr/share/zsh var/cache
var/lib/apt var/lib/dpkg var/lib/systemd/catalog var/log
""".split()
MODULES = """
drivers/block/loop drivers/md drivers/net/net_failover drivers/net/virtio_net drivers/virtio drivers/watchdog fs/efivarfs fs/fat fs/nls/nls_ascii
fs/nls/nls_cp437 net/core/failover net/core/selftests drivers/firmware/efi lib
""".split()
# Units of Debian's that a machine without people has no use for; under emulation each costs a second.
MASKED = """
apt-daily-upgrade.timer apt-daily.timer dev-hugepages.mount dev-mqueue.mount dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
fstrim.timer getty.target proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount
sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount systemd-ask-password-console.path systemd-ask-password-wall.path
systemd-initctl.socket systemd-pstore.service systemd-random-seed.service systemd-sysctl.service systemd-tmpfiles-clean.timer
systemd-update-utmp-runlevel.service systemd-update-utmp.service
""".split()
MASKED += [f"modprobe@{module}.service" for module in ("configfs", "dm_mod", "drm", "efi_pstore", "fuse")]
GENERATORS = ["systemd-bless-boot-generator", "systemd-fstab-generator"]
UDEV_RULES = ["50-udev-default.rules", "60-block.rules", "60-persistent-storage.rules", "60-serial.rules", "71-seat.rules",
              "73-seat-late.rules", "80-drivers.rules", "99-systemd.rules"]
# Our own, as an image builder would enable them.
UNITS = ["updated.service", "locksmithd.service", "sluice-cloud-config.service", "test-control.service", "test-network.service"]

# Quicker under emulation, and all that a boot says on the serial line.
COMMAND_LINE = ("ro console=ttyS0 panic=10 net.ifnames=0 mitigations=off nokaslr audit=0 apparmor=0 tsc=reliable no_timer_check "
                "random.trust_cpu=on rcupdate.rcu_expedited=1 nvme_core.io_timeout=300 8250.nr_uarts=2 "
                "systemd.machine_id=0123456789abcdef0123456789abcdef")


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=dict(os.environ, PATH=PATH), **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}")
    return done.stdout


def write(path, text, mode=0o644):
    """Replaces a file; the one that was there may have other names, which keep it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


class Version:
    """A release: what is different in its tree, and what a host is to make of it."""

    def __init__(self, name, files=None, removed=(), kernel=None):
        self.name = name
        self.files = files or {}
        self.removed = removed
        self.directory = None

    @property
    def image(self):
        return os.path.join(self.directory, self.name + ".img")

    @property
    def payload(self):
        return os.path.join(self.directory, self.name + ".payload")

    @property
    def kernel(self):
        return os.path.join(self.directory, "vmlinuz")

    def sha256(self):
        with open(self.image, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


VERSIONS = {version.name: version for version in (
    Version("1.0.0"),
    Version("2.0.0"),
    Version("3.0.0", {"usr/lib/sluice-test/ill": "yes\n"}),
    # A unit that the boot waits for fails.
    Version("3.1.0", {"etc/systemd/system/test-ill.service":
                      "[Unit]\nDescription=Fails\nBefore=boot-complete.target\n[Service]\nType=oneshot\nExecStart=/bin/false\n",
                      "etc/systemd/system/boot-complete.target.requires/test-ill.service": "-> ../test-ill.service"}),
    # Nothing that the kernel could start.
    Version("4.0.0", removed=("usr/sbin/init", "usr/lib/systemd/systemd", "usr/bin/sh", "usr/bin/dash", "usr/bin/bash")),
    # systemd stands still before the boot is complete.
    Version("5.0.0", {"usr/lib/modules-load.d/softdog.conf": "softdog\n",
                      "usr/lib/systemd/system.conf.d/10-watchdog.conf": "= docs/examples/systemd/10-watchdog.conf",
                      "etc/systemd/system/test-hang.service":
                      "[Unit]\nDescription=Stops systemd\nDefaultDependencies=no\nAfter=systemd-modules-load.service\n"
                      "Before=sysinit.target\n[Service]\nType=oneshot\n"
                      "ExecStart=/bin/sh -c 'echo 1 > /sys/fs/cgroup/init.scope/cgroup.freeze; sleep infinity'\n",
                      "etc/systemd/system/sysinit.target.requires/test-hang.service": "-> ../test-hang.service"}),
    Version("6.0.0"),
)}


def digest_of(*paths):
    """Of the names and the content of files and of all files below directories."""
    digest = hashlib.sha256()
    for path in paths:
        for directory, below, names in os.walk(path) if os.path.isdir(path) else [(os.path.dirname(path), [], [os.path.basename(path)])]:
            below.sort()
            for name in sorted(names):
                file = os.path.join(directory, name)
                digest.update(os.path.relpath(file, path).encode() + b"\0")
                if not os.path.islink(file):
                    with open(file, "rb") as data:
                        digest.update(data.read())
    return digest.hexdigest()[:16]


def install_programs():
    """The programs of this source tree as a distribution installs them: prefix /usr. Returns where they are."""
    tree, destination = os.path.join(CACHE, "build"), os.path.join(CACHE, "install")
    if not os.path.exists(os.path.join(tree, "build.ninja")):
        shutil.rmtree(tree, ignore_errors=True)
        run("meson", "setup", tree, SOURCE, "--prefix=/usr", "--sysconfdir=/etc", "-Dtests=none", "-Dman=false",
            "-Dsystemdsystemunitdir=/usr/lib/systemd/system")
    run("ninja", "-C", tree)
    shutil.rmtree(destination, ignore_errors=True)
    run("meson", "install", "-C", tree, "--no-rebuild", "--quiet", "--strip", "--destdir", destination)
    return destination


def linked_packages(directory):
    """The Debian packages of the libraries that the programs below directory link."""
    libraries = set()
    for place, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(place, name)
            if os.access(path, os.X_OK) and not os.path.islink(path):
                found = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
                libraries.update(os.path.realpath(library) for library in re.findall(r"=> (/\S+)", found))
    out = run("dpkg-query", "--search", *sorted("*" + os.path.basename(library) for library in libraries))
    return sorted({line.split(":")[0] for line in out.splitlines() if line.split(": ")[-1] in libraries or
                   os.path.realpath(line.split(": ")[-1]) in libraries})


def make_base(programs):
    """The Debian tree, shared by all releases."""
    packages = sorted({*PACKAGES, *linked_packages(programs)})
    scripts = [os.path.join(HERE, name) for name in ("base.sh", "kernel.sh")]
    key = hashlib.sha256((digest_of(*scripts) + ",".join(packages)).encode()).hexdigest()[:16]
    base = os.path.join(CACHE, "base-" + key)
    if not os.path.exists(base):
        for name in os.listdir(CACHE):
            if name.startswith("base-"):
                shutil.rmtree(os.path.join(CACHE, name))
        print("# making the Debian tree of the virtual machines", flush=True)
        run("bash", os.path.join(HERE, "base.sh"), base + ".new", ",".join(packages))
        os.rename(base + ".new", base)
    return base


def strip_tree(tree):
    for pattern in UNWANTED:
        run("sh", "-c", f"rm -rf {pattern}", cwd=tree)
    modules = os.path.join(tree, "usr/lib/modules")
    modules = os.path.join(modules, os.listdir(modules)[0], "kernel")
    for directory, _, names in os.walk(modules):
        for name in names:
            path = os.path.relpath(os.path.join(directory, name), modules)
            if not path.startswith(tuple(MODULES)):
                os.unlink(os.path.join(modules, path))
    for directory, wanted in (("usr/lib/systemd/system-generators", GENERATORS), ("usr/lib/udev/rules.d", UDEV_RULES)):
        for name in set(os.listdir(os.path.join(tree, directory))) - set(wanted):
            os.unlink(os.path.join(tree, directory, name))
    for name in MASKED:
        path = os.path.join(tree, "etc/systemd/system", name)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink("/dev/null", path)


def make_tree(tree, base, programs, public_key):
    """What all versions have in common."""
    run("cp", "-a", base, tree)
    strip_tree(tree)
    run("cp", "-a", programs + "/.", tree)
    run("cp", "-a", "--no-preserve=ownership", os.path.join(HERE, "guest") + "/.", tree)
    os.makedirs(os.path.join(tree, "usr/share/update_engine"))
    shutil.copy(public_key, os.path.join(tree, "usr/share/update_engine/update-payload-key.pub.pem"))
    for directory in ("etc/coreos", "etc/sluice", "var/log"):
        os.makedirs(os.path.join(tree, directory), exist_ok=True)
    write(os.path.join(tree, "etc/machine-id"), "")
    write(os.path.join(tree, "etc/hostname"), "machine\n")
    write(os.path.join(tree, "usr/share/coreos/update.conf"), "CHECK_FIRST=1s\nCHECK_INTERVAL=2s\nHEALTH_TIMEOUT=60s\n")
    # What the scripts of a package do.
    run("systemd-sysusers", "--root=" + tree)
    run("journalctl", "--update-catalog", "--root=" + tree)
    run("systemctl", "--root=" + tree, "enable", *UNITS)
    modules = os.path.join(tree, "usr/lib/modules")
    run("chroot", tree, "depmod", os.listdir(modules)[0])


def make_version(version, tree, private_key):
    copy = tree + "-" + version.name
    run("cp", "-al", tree, copy)
    with open(os.path.join(copy, "usr/lib/os-release"), encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith(("VERSION", "PRETTY_NAME"))]
    write(os.path.join(copy, "usr/lib/os-release"), "".join(lines) + f'PRETTY_NAME="Test {version.name}"\nVERSION_ID={version.name}\n')
    for name, text in version.files.items():
        path = os.path.join(copy, name)
        if text.startswith("-> "):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(text[3:], path)
        elif text.startswith("= "):
            with open(os.path.join(SOURCE, text[2:]), encoding="utf-8") as file:
                write(path, file.read())
        else:
            write(path, text)
    for name in version.removed:
        os.unlink(os.path.join(copy, name))
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", copy, version.image, f"{IMAGE_SIZE // 1024}k")
    shutil.rmtree(copy)
    run(PAYLOAD, "create", "--image", version.image, "--kernel", version.kernel, "--output", version.payload, "--key", private_key,
        "--version", version.name, "--compression", "zstd", "--level", "3")


def make_releases(directory, base, programs):
    private, public = (os.path.join(directory, "key" + suffix) for suffix in (".pem", ".pub.pem"))
    run("openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private)
    run("openssl", "pkey", "-in", private, "-pubout", "-out", public)
    shutil.copy(os.path.join(base, "boot/vmlinuz"), os.path.join(directory, "vmlinuz"))
    tree = os.path.join(directory, "tree")
    make_tree(tree, base, programs, public)
    for version in VERSIONS.values():
        version.directory = directory
        make_version(version, tree, private)


def prepare():
    """Makes what is missing. Afterwards VERSIONS have their files."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        programs = install_programs()
        base = make_base(programs)
        key = hashlib.sha256(" ".join((base, digest_of(programs, os.path.join(HERE, "guest"), os.path.join(HERE, "image.py"),
                                                       os.path.join(SOURCE, "docs/examples/systemd")))).encode()).hexdigest()[:16]
        directory = os.path.join(CACHE, "releases-" + key)
        if not os.path.exists(directory):
            for name in os.listdir(CACHE):
                if name.startswith("releases-"):
                    shutil.rmtree(os.path.join(CACHE, name))
            print("# making the releases of the virtual machines", flush=True)
            os.makedirs(directory + ".new")
            make_releases(directory + ".new", base, programs)
            os.rename(directory + ".new", directory)
    for version in VERSIONS.values():
        version.directory = directory
    return base


class Disk:
    """A disk image: room for a BIOS boot loader, ESP, USR-A, USR-B, STATE. Version 1.0.0 is installed in A."""

    def __init__(self, path, version, settings, esp, gpt=False):
        """settings: etc/coreos/update.conf; esp: {name on the ESP: bytes or path}; gpt: the boot loader goes by attributes"""
        self.path = path
        self.offsets = {}
        attributes = f', attrs="{ATTRIBUTES_INSTALLED}"' if gpt else ""
        lines = ["label: gpt",
                 f'size={MIB // SECTOR}, type={TYPE_BIOS}, name="BIOS-BOOT"',
                 f'size={ESP_SIZE // SECTOR}, type={TYPE_ESP}, name="EFI-SYSTEM"',
                 f'size={SLOT_SIZE // SECTOR}, type={TYPE_USR}, uuid={UUID_SLOT["A"]}, name="USR-A"{attributes}',
                 f'size={SLOT_SIZE // SECTOR}, type={TYPE_USR}, uuid={UUID_SLOT["B"]}, name="USR-B"',
                 f'size={STATE_SIZE // SECTOR}, type={TYPE_LINUX}, name="STATE"']
        with open(path, "wb") as file:
            file.truncate(4 * MIB + ESP_SIZE + 2 * SLOT_SIZE + STATE_SIZE)
        run("sfdisk", "--quiet", path, input="\n".join(lines) + "\n")
        for line in run("sfdisk", "--dump", path).splitlines():
            found = re.search(r"start= *(\d+).*name=\"([^\"]+)\"", line)
            if found:
                self.offsets[found.group(2)] = int(found.group(1)) * SECTOR
        self._put("USR-A", version.image)
        self._make_esp({**esp, "sluice/vmlinuz-a": version.kernel})
        self._make_state(settings)

    def _put(self, partition, image):
        run("dd", "if=" + image, "of=" + self.path, f"seek={self.offsets[partition]}", "oflag=seek_bytes", "bs=1M", "conv=notrunc,sparse")

    def _make_esp(self, files):
        image = self.path + ".esp"
        run("mkfs.vfat", "-C", "-n", "ESP", image, str(ESP_SIZE // 1024))
        made = set()
        for name, content in sorted(files.items()):
            parts = name.split("/")[:-1]
            for count in range(1, len(parts) + 1):
                directory = "/".join(parts[:count])
                if directory not in made:
                    run("mmd", "-i", image, "::" + directory)
                    made.add(directory)
            if isinstance(content, bytes):
                with open(self.path + ".file", "wb") as file:
                    file.write(content)
                content = self.path + ".file"
            run("mcopy", "-i", image, content, "::" + name)
        self._put("EFI-SYSTEM", image)
        os.unlink(image)

    def _make_state(self, settings):
        tree, image = self.path + ".var", self.path + ".state"
        write(os.path.join(tree, "host/coreos/update.conf"), settings)
        # The administrator's check of a new version: the ill one does not pass it.
        write(os.path.join(tree, "host/sluice/post-boot.d/10-well"), "#!/bin/sh\n! [ -e /usr/lib/sluice-test/ill ]\n", 0o755)
        for name in ("lib", "log/journal", "tmp"):
            os.makedirs(os.path.join(tree, name))
        os.chmod(os.path.join(tree, "tmp"), 0o1777)
        os.symlink("/run", os.path.join(tree, "run"))
        run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E", "root_owner=0:0", "-d", tree, image, f"{STATE_SIZE // 1024}k")
        self._put("STATE", image)
        os.unlink(image)
        shutil.rmtree(tree)

    def slot_sha256(self, slot):
        """Of as much of the slot as an image has."""
        digest, left = hashlib.sha256(), IMAGE_SIZE
        with open(self.path, "rb") as file:
            file.seek(self.offsets["USR-" + slot])
            while left > 0:
                piece = file.read(min(left, MIB))
                digest.update(piece)
                left -= len(piece)
        return digest.hexdigest()

    def esp_list(self):
        """The names of all files on the ESP, as mtools reads it."""
        out = run("mdir", "-/", "-b", "-i", f"{self.path}@@{self.offsets['EFI-SYSTEM']}", "::")
        return sorted(line.removeprefix("::/") for line in out.splitlines() if not line.endswith("/"))


def systemd_boot_files(version):
    """What a host that starts with systemd-boot has on its ESP."""
    entry = (f"title Test\nsort-key test\nversion {version.name}\nlinux /sluice/vmlinuz-a\n"
             f"options root=PARTUUID={UUID_SLOT['A']} {COMMAND_LINE}\n")
    return {"EFI/BOOT/BOOTX64.EFI": "/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
            "loader/loader.conf": b"timeout 0\n",
            "loader/entries/sluice-a.conf": entry.encode()}

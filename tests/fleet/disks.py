"""Releases and disks of the demo: filesystem images made of this machine's files, signed, in GPT slots."""

import hashlib
import os
import shutil
import subprocess

MIB = 1 << 20
SECTOR = 512
IMAGE_SIZE = 48 * MIB
SLOT_SIZE = 64 * MIB
TYPE_ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
TYPE_USR = "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"
TYPE_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
UUID_USR = {"A": "7130C94A-213A-4E5A-8E26-6CCE9662F132", "B": "E03DD35C-7C2D-4A47-B3FE-27F15780A57C"}

# priority 1, successful: how an installer leaves the slot it filled (bits 48-51 and 56)
ATTRIBUTES_INSTALLED = "GUID:48,56"


def run(*command, **options):
    """Runs a tool quietly; its output appears only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"tests/demo: {' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


def sha256(path, offset=0, size=None):
    """The SHA-256 of (a part of) a file, read from the file."""
    digest = hashlib.sha256()
    left = os.path.getsize(path) - offset if size is None else size
    with open(path, "rb") as file:
        file.seek(offset)
        while left > 0:
            piece = file.read(min(left, MIB))
            if not piece:
                raise EOFError(path)
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def copy_real_files(directory, budget):
    """Fills directory with programs of this machine, until budget bytes are used."""
    os.makedirs(directory)
    for name in sorted(os.listdir("/usr/bin")):
        source = os.path.join("/usr/bin", name)
        try:
            size = os.lstat(source).st_size
            if not os.path.isfile(source) or os.path.islink(source) or size > budget // 8:
                continue
            shutil.copyfile(source, os.path.join(directory, name))
        except OSError:
            continue
        budget -= size
        if budget < 0:
            break


class Release:
    """One version of the operating system: its /usr, the filesystem image of it, the signed payload."""

    def __init__(self, directory, version, keys, settings):
        self.version = version
        self.image = os.path.join(directory, f"usr-{version}.img")
        self.payload = os.path.join(directory, f"sluice-demo-{version}.payload")
        self.tree = os.path.join(directory, f"usr-{version}")
        self._fill(keys, settings)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "USR", "-m", "0", "-d", self.tree, self.image,
            str(IMAGE_SIZE // 1024) + "k")
        self.sha256 = sha256(self.image)

    def _fill(self, keys, settings):
        copy_real_files(os.path.join(self.tree, "bin"), 28 * MIB)
        share = os.path.join(self.tree, "share")
        os.makedirs(os.path.join(share, "coreos"))
        os.makedirs(os.path.join(share, "update_engine"))
        shutil.copy(keys.public, os.path.join(share, "update_engine", "update-payload-key.pub.pem"))
        with open(os.path.join(share, "coreos", "release"), "w", encoding="ascii") as file:
            file.write(f"COREOS_RELEASE_VERSION={self.version}\nCOREOS_RELEASE_BOARD=amd64-usr\n"
                       "COREOS_RELEASE_APPID={e96281a6-d1af-4bde-9a0a-97b76e56dc57}\n")
        with open(os.path.join(share, "coreos", "update.conf"), "w", encoding="ascii") as file:
            file.write(settings)

    def make_payload(self, program, keys):
        run(program, "create", "--image", self.image, "--output", self.payload, "--key", keys.private)


class Keys:
    """The key pair that signs the releases."""

    def __init__(self, directory):
        self.private = os.path.join(directory, "release-key.pem")
        self.public = os.path.join(directory, "release-key.pub.pem")
        run("openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
            self.private)
        run("openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public)


class Disk:
    """A disk image with ESP, USR-A, USR-B and state; the first release is installed in slot A."""

    def __init__(self, path, release):
        self.path = path
        self.offsets = {}
        layout = f"""label: gpt
size={8 * MIB // SECTOR}, type={TYPE_ESP}, name="EFI-SYSTEM"
size={SLOT_SIZE // SECTOR}, type={TYPE_USR}, uuid={UUID_USR['A']}, name="USR-A", attrs="{ATTRIBUTES_INSTALLED}"
size={SLOT_SIZE // SECTOR}, type={TYPE_USR}, uuid={UUID_USR['B']}, name="USR-B"
size={8 * MIB // SECTOR}, type={TYPE_LINUX}, name="STATE"
"""
        with open(path, "wb") as file:
            file.truncate(2 * SLOT_SIZE + 32 * MIB)
        run("sfdisk", "--quiet", path, input=layout)
        for line in run("sfdisk", "--dump", path).splitlines():
            for slot in "AB":
                if f'name="USR-{slot}"' in line:
                    self.offsets[slot] = int(line.split("start=")[1].split(",")[0]) * SECTOR
        with open(release.image, "rb") as image, open(path, "r+b") as disk:
            disk.seek(self.offsets["A"])
            shutil.copyfileobj(image, disk, MIB)

    def slot_sha256(self, slot):
        return sha256(self.path, self.offsets[slot], IMAGE_SIZE)

    def partitions(self):
        return [line for line in run("sfdisk", "--dump", self.path).splitlines() if 'name="USR-' in line]

"""What the boot loaders of the virtual machines need on a disk, as an installer would put it there."""

import os
import re
import struct

from image import COMMAND_LINE, SECTOR, SOURCE, UUID_SLOT, run

GRUB = "/usr/lib/grub/i386-pc"
GRUB_MODULES = ["biosdisk", "part_gpt", "fat", "normal", "linux", "loadenv", "test", "configfile", "echo"]


def grub_files(directory):
    """The ESP of a host that starts with GRUB: our fragment as it is shipped, but for the kernel's own arguments."""
    with open(os.path.join(SOURCE, "docs/examples/grub.cfg"), encoding="utf-8") as file:
        text = file.read()
    # This host has its root in the slot and no initrd.
    text, count = re.subn(r'( *linux "\$sluice_kernel" ).*', rf'\g<1>root="$sluice_root" {COMMAND_LINE}', text)
    assert count == 1
    environment = os.path.join(directory, "grubenv")
    run("grub-editenv", environment, "create")
    run("grub-editenv", environment, "set", "sluice_order=A B", "sluice_ok_a=1", "sluice_tries_a=0", "sluice_ok_b=0", "sluice_tries_b=0")
    return {"grub/grub.cfg": text.encode(), "grub/grubenv": environment}


def grub_install(disk, directory):
    """What grub-install does, on an image: the loader in the partition for it, and the first sector that finds it."""
    path = os.path.join(directory, "core.img")
    run("grub-mkimage", "-O", "i386-pc", "-p", "(hd0,gpt2)/grub", "-o", path, *GRUB_MODULES)
    with open(path, "rb") as file:
        core = bytearray(file.read())
    with open(os.path.join(GRUB, "boot.img"), "rb") as file:
        boot = bytearray(file.read())
    first = disk.offsets["BIOS-BOOT"] // SECTOR
    boot[0x5c:0x64] = struct.pack("<Q", first)
    core[SECTOR - 12:SECTOR] = struct.pack("<QHH", first + 1, -(-len(core) // SECTOR) - 1, 0x820)
    with open(disk.path, "r+b") as file:
        file.write(boot[:440])
        file.seek(disk.offsets["BIOS-BOOT"])
        file.write(core)

"""A virtual machine: one QEMU process for each boot, killed by its pid, with a shell in the guest on a serial line."""

import base64
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

BOOT_LIMIT = 180  # seconds; a boot takes about 15 under emulation, more when others use the machine
OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"


class Stalled(Exception):
    """A limit has passed, or the machine has ended where it should not."""


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Machine:
    """One host. A reboot of the guest ends the process; boot() starts the next."""

    retries = 0  # boots of all machines that were begun a second time

    def __init__(self, directory, disk, log, firmware="uefi", memory=512, options=()):
        """directory: for sockets, short; disk: path; log: file that all boots write to"""
        self.directory, self.disk, self.log, self.firmware = directory, disk, log, firmware
        self.memory, self.options = memory, list(options)
        self.variables = os.path.join(directory, "variables.fd")
        self.process = self.control = None
        self.boot_id = None
        self.number = 0
        self.pending = b""
        self.boots = 0
        if firmware == "uefi":
            shutil.copy(OVMF_VARIABLES, self.variables)

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _command(self):
        command = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi,tb-size=128", "-cpu", "Nehalem", "-m", str(self.memory),
                   "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                   "-chardev", f"file,id=log,path={self.log},append=on", "-serial", "chardev:log",
                   "-serial", f"unix:{self._path('control')},server=on,wait=off", "-qmp", f"unix:{self._path('qmp')},server=on,wait=off",
                   "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile=",
                   "-drive", f"file={self.disk},if=none,id=d0,format=raw,cache=unsafe", "-device", "nvme,drive=d0,serial=x,bootindex=0"]
        if self.firmware == "uefi":
            command += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF}",
                        "-drive", f"if=pflash,format=raw,unit=1,file={self.variables}"]
        return command + self.options

    def start(self):
        """Power on; does not wait for anything."""
        assert self.process is None
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"\n===== boot {self.boots + 1} =====\n")
        self.boots += 1
        self.pending = b""
        with open(self.log + ".qemu", "a", encoding="utf-8") as errors:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                            preexec_fn=die_with_parent)
        end = time.monotonic() + 20
        while True:
            self.control = socket.socket(socket.AF_UNIX)
            try:
                self.control.connect(self._path("control"))
                return
            except OSError:
                self.control.close()
                if time.monotonic() > end or self.process.poll() is not None:
                    raise Stalled("QEMU did not start, see " + self.log + ".qemu") from None
                time.sleep(0.05)

    def _line(self, seconds):
        """The next line from the control shell; None when the machine has ended."""
        end = time.monotonic() + seconds
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            if left <= 0:
                raise Stalled(f"no answer in {seconds:.0f} s")
            if select.select([self.control], [], [], min(left, 1))[0]:
                data = self.control.recv(65536)
                if not data:
                    return None
                self.pending += data
            elif self.process.poll() is not None:
                return None
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode("ascii", "replace").strip()

    def wait_shell(self, seconds=BOOT_LIMIT):
        """Until the guest's shell is there."""
        end = time.monotonic() + seconds
        while True:
            line = self._line(max(0, end - time.monotonic()))
            if line is None:
                raise Stalled("the machine ended before its shell came up")
            found = re.search(r"ready ([0-9a-f-]{36})$", line)
            if found:
                self.boot_id = found.group(1)
                return

    def boot(self, seconds=BOOT_LIMIT):
        """Power on, and wait for the shell. A boot that stalls is begun once more, on the disk as it was before."""
        saved = self._path("saved")
        for path in (self.disk, self.variables):
            if os.path.exists(path):
                subprocess.run(["cp", "--sparse=always", path, saved + os.path.basename(path)], check=True)
        self.start()
        try:
            self.wait_shell(seconds)
        except Stalled as problem:
            Machine.retries += 1
            print(f"# boot {self.boots} stalled ({problem}); once more\n" + self.tail(), flush=True)
            self.power_cut()
            for path in (self.disk, self.variables):
                if os.path.exists(path):
                    os.replace(saved + os.path.basename(path), path)
            self.start()
            self.wait_shell(seconds)

    def run(self, command, seconds=60):
        """Runs a command of bash as root in the guest. Returns (output with errors, exit status)."""
        self.number += 1
        line = f"{self.number} {base64.b64encode(command.encode()).decode()}\n"
        self.control.sendall(line.encode())
        end = time.monotonic() + seconds
        while True:
            answer = self._line(max(0, end - time.monotonic()))
            if answer is None:
                raise Stalled(f"the machine ended while it ran: {command}")
            found = re.fullmatch(rf"{self.number} (\d+) ?(\S*)", answer)
            if found:
                return base64.b64decode(found.group(2)).decode("utf-8", "replace"), int(found.group(1))

    def output(self, command, seconds=60):
        """The output of a command that has to succeed."""
        out, status = self.run(command, seconds)
        if status != 0:
            raise RuntimeError(f"{command}: {status}: {out}")
        return out.strip()

    def wait(self, command, seconds=60):
        """Until a command succeeds in the guest."""
        end = time.monotonic() + seconds
        while True:
            out, status = self.run(command, seconds)
            if status == 0:
                return out.strip()
            if time.monotonic() > end:
                raise Stalled(f"waited {seconds} s for: {command}: {out}")
            time.sleep(0.2)

    def wait_end(self, seconds=120):
        """Until the machine resets itself or powers off."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Stalled(f"the machine did not reboot in {seconds} s") from None
        self._ended()

    def power_cut(self):
        """What the guest has not handed to its disk is lost."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self._ended()

    def _ended(self):
        self.process = None
        self.control.close()

    def qmp(self, command, **arguments):
        """One command of QEMU's machine protocol; returns its answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._path("qmp"))
            stream = connection.makefile("rw", encoding="utf-8")
            stream.readline()
            for execute, given in (("qmp_capabilities", {}), (command, arguments)):
                stream.write(json.dumps({"execute": execute, "arguments": given}) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            return answer["return"]

    def tail(self, lines=40):
        """The end of the serial log, as TAP diagnostics."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "\n".join("#   " + line.rstrip() for line in file.readlines()[-lines:])

    def console(self):
        """What this boot has written to the serial line so far."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read().rsplit("===== boot ", 1)[1]

#!/usr/bin/env python3
"""The examples of the man pages, run as they are written: each block of each page has to do what it says."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
SOURCE, BUILD = os.environ["SLUICE_SOURCE"], os.environ["SLUICE_BUILD"]
sys.path.insert(0, os.path.join(SOURCE, "tests/integration"))

from lock_etcd import Etcd  # noqa: E402

DIRECTORIES = ("payload", "updated", "locksmith", "cloud-config")
# What can not be as on the page: other people's directories and addresses.
ELSEWHERE = (("/srv/updates", "site"), ("0.0.0.0:8080", "127.0.0.1:0"), ("https://example.com/update.gz", "file://$PWD/update.gz"))
MACHINE = "69d27b356a94476da859461d3a3bc6fd"
PREPARE = {
    "payload.1": """
        head -c 4096000 /dev/urandom >usr.img && cp usr.img slot.img && head -c 100000 /dev/urandom >vmlinuz
        openssl genrsa -out release.pem 2048 && openssl rsa -in release.pem -pubout -out release.pub.pem
        cp release.pem key.pem""",
    "update-serve.1": """
        head -c 4096 /dev/urandom >image && openssl genrsa -out key.pem 2048
        payload create --image image --key key.pem --output update.payload""",
    "locksmithctl.1": f"locksmithctl lock {MACHINE}",
    "cloud-config.8": "printf '#cloud-config\\ncoreos:\\n  update:\\n    reboot-strategy: etcd_lock\\n' >user-data",
}


class Shell:
    def __init__(self, directory, **more):
        path = ":".join(os.path.join(BUILD, part) for part in DIRECTORIES) + ":" + os.environ["PATH"]
        self.directory = directory
        self.environment = dict(os.environ, PATH=path, **more)
        self.processes = []

    def run(self, text):
        return subprocess.run(["bash", "-ec", text], cwd=self.directory, env=self.environment, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def begin(self, text):
        """What goes on until Ctrl-C."""
        process = subprocess.Popen(["bash", "-c", "exec " + text], cwd=self.directory, env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.processes.append((process, text))

    def ended(self):
        """Of what should go on: what did not."""
        return [text for process, text in self.processes if process.poll() is not None]

    def stop(self):
        for process, _ in self.processes:
            process.terminate()
            process.wait()


def blocks(page):
    with open(os.path.join(SOURCE, "docs/man", page + ".scd"), encoding="utf-8") as file:
        section = file.read().partition("\n# EXAMPLES\n")[2].partition("\n# SEE ALSO\n")[0]
    return re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def block_findings(shell, block):
    """Why this block does not do what it says."""
    for old, new in ELSEWHERE:
        block = block.replace(old, new)
    together = []
    for line in [*block.splitlines(), ""]:
        goes_on = line.endswith((" &", "--follow"))
        if not goes_on and line:
            together.append(line)
            continue
        done = shell.run("\n".join(together))
        together = []
        if done.returncode != 0:
            yield f"exit {done.returncode}"
            yield from done.stdout.splitlines()
        if goes_on:
            shell.begin(line.removesuffix(" &"))
    yield from (f"{text}: ended" for text in shell.ended())


def transcript_findings(shell, block):
    """A block with prompts: the first command says on the page what it prints; the others have to be understood."""
    commands = re.findall(r"^[$#] (.*)\n((?:[^$#].*\n)*)", block, re.MULTILINE)
    for command, wanted in commands:
        done = shell.run(command.replace("apply", "apply --root .", 1))
        if wanted:
            said = re.sub(r":\d+:\d+:", ":", done.stdout)
            for line in re.sub(r":\d+:\d+:", ":", wanted).splitlines():
                if line.lstrip(" |=0123456789") and line.lstrip(" |=0123456789") not in said:
                    yield f"{command}: does not say {line!r}"
        elif done.returncode == 2:
            yield f"{command}: {done.stdout}"


def main():
    if not shutil.which("etcd"):
        print("1..0 # SKIP etcd-server is needed")
        return
    count = 0
    for page, prepare in PREPARE.items():
        with tempfile.TemporaryDirectory(prefix="sluice-test.") as directory:
            etcd = Etcd(os.path.join(directory, "etcd")) if page == "locksmithctl.1" else None
            if etcd:
                etcd.start()
            shell = Shell(directory, **({"LOCKSMITHCTL_ENDPOINT": etcd.url} if etcd else {}))
            try:
                ready = shell.run(prepare)
                for block in blocks(page):
                    count += 1
                    kind = transcript_findings if re.match(r"[$#] ", block) else block_findings
                    findings = list(kind(shell, block)) if ready.returncode == 0 else [ready.stdout]
                    print("not ok" if findings else "ok", count, "-", f"{page}: {block.splitlines()[0]}")
                    for finding in findings:
                        print("#", finding)
            finally:
                shell.stop()
                if etcd:
                    etcd.stop()
    print(f"1..{count}")


main()

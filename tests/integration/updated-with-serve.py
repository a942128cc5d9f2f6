#!/usr/bin/env python3
"""updated against our own update-serve: publish, update, reboot, and what the server's log knows of it."""

import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import BUILD, IMAGE_SIZE, run, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

SERVE = os.path.join(BUILD, "updated/update-serve")


def serve_start(lab, site):
    """The server on a free port. Returns its base URL."""
    server = subprocess.Popen([SERVE, "--directory", site, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    lab.at_end(server.wait)
    lab.at_end(server.terminate)
    for line in server.stdout:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line) or re.search(r"127\.0\.0\.1:([1-9]\d*)", line)
        if found:
            return f"http://127.0.0.1:{found.group(1)}/"
    raise RuntimeError("update-serve did not say where it listens")


def test_packages(lab, site, host):
    """B runs 2.0.0. The same names of packages in two versions, and one package more in the second."""
    tap, images = lab.tap, {}
    for version, names in (("3.0.0", ("oem-qemu",)), ("4.0.0", ("oem-qemu", "flatcar-podman"))):
        system = lab.release_make("os-" + version)
        images[version] = {name: lab.release_make(f"{name}-{version}", size=65536) for name in names}
        packages = [part for name, image in images[version].items() for part in ("--package", f"{name}.gz={image.payload}")]
        out = run(SERVE, "--directory", site, "publish", "--version", version, "--channel", "beta", *packages, system.payload)
        tap.ok(all(f"with {name}.gz" in out for name in names), f"{version}: publish says what is beside it", out)
    host.write("etc/oem-release", "ID=qemu\n")
    host.write("etc/flatcar/enabled-sysext.conf", "podman\n")
    code, _, error = host.update()
    there = {name: os.path.exists(host.path(path)) and open(host.path(path), "rb").read() for name, path in
             (("oem-qemu", "etc/flatcar/oem-sysext/oem-qemu-4.0.0.raw"), ("flatcar-podman", "etc/flatcar/sysext/flatcar-podman-4.0.0.raw"))}
    tap.ok(code == 0 and all(data == images["4.0.0"][name].image_bytes for name, data in there.items()),
           "the packages of the channel's version are on the host", error, host.read("updated.log"))
    again = subprocess.run([SERVE, "--directory", site, "publish", "--version", "4.0.0", "--channel", "beta",
                            "--package", f"oem-qemu.gz={images['3.0.0']['oem-qemu'].payload}"], text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tap.ok(again.returncode == 1 and "has another one of this name already" in again.stderr,
           "another file under the same name is refused", again.stderr)
    shown = run(SERVE, "--directory", site, "channels")
    tap.ok("with oem-qemu.gz" in shown and "with flatcar-podman.gz" in shown, "channels shows them", shown)


def main():
    with Lab() as lab:
        tap, site = lab.tap, os.path.join(lab.directory, "site")
        os.mkdir(site)
        release = lab.release_make("two")
        host = lab.host_make(server=serve_start(lab, site) + "v1/update/")
        host.start()
        publish = (SERVE, "--directory", site, "publish", "--version", "2.0.0", release.payload, "--channel")
        run(*publish, "alpha")
        code, _, error = host.update()
        tap.ok(code == 1 and "check SERVER and GROUP" in error, "a channel that the server does not know is an error", error)
        run(*publish, "beta")
        code, _, error = host.update()
        tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == release.image_bytes, "what is published gets installed", error,
               host.read("updated.log"))
        tap.same(host.status()["new_version"], "2.0.0", "its version is known")
        host.stop_daemon()
        host.boot("B", "2.0.0")
        host.start()
        tap.same(host.update()[0], 0, "after the reboot there is no update")
        test_packages(lab, site, host)
        wait_until(lambda: "1.0.0" in run(SERVE, "--directory", site, "log"), what="the log")
        log = run(SERVE, "--directory", site, "log", "--json")
        tap.ok("2.0.0" in log and "1.0.0" in log, "the server's log knows both versions", log)


main()

#!/usr/bin/env python3
"""How updated's worker takes bad networks: broken transfers are taken up where they broke, never spliced, and end."""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import IMAGE_SIZE  # noqa: E402
from lab import Lab  # noqa: E402
from omaha import Server  # noqa: E402


def updated_to(host, release):
    return host.status()["current_operation"] == "UPDATE_STATUS_UPDATED_NEED_REBOOT" and \
        host.slot("B", IMAGE_SIZE) == release.image_bytes


def succeed(tap, host, release, name):
    code, _, error = host.update()
    tap.ok(code == 0 and updated_to(host, release), name, error, host.read("updated.log"))
    host.client("reset-status")


def test_cut(tap, host, server, release):
    size = len(release.bytes)
    server.offer(release.bytes, cut_after=size // 3 + 1)
    succeed(tap, host, release, "a connection that breaks twice")
    tap.same(server.downloads, [None, f"bytes={size // 3 + 1}-", f"bytes={2 * (size // 3 + 1)}-"],
             "each time only the rest is asked for")


def test_no_range(tap, host, server, release):
    """A server that answers every request with the file from its beginning."""
    server.offer(release.bytes, cut_after=len(release.bytes) // 2, ignore_range=True)
    code, _, error = host.update()
    tap.ok(code == 1 and "(code 9)" in error, "a server without ranges that always breaks fails in the end", error)
    tap.ok(len(server.downloads) <= 20, "after a bounded number of tries", server.downloads)
    tap.same(host.attributes("B"), (0, 0, False), "and the target can not be booted")


def test_changed_file(tap, host, server, release):
    """The ETag differs when the rest is asked for: everything is fetched again."""
    server.offer(release.bytes, cut_after=len(release.bytes) // 2, etags=['"one"', '"two"'])
    code, _, error = host.update()
    tap.ok(code == 0 and updated_to(host, release), "a file that changed meanwhile", error)
    tap.ok(server.downloads.count(None) == 2, "is fetched again from its first byte", server.downloads)
    host.client("reset-status")


def test_truncated(tap, host, server, release):
    server.offer(release.bytes, cut_after=0)
    begin = time.monotonic()
    code, _, error = host.update()
    tap.ok(code == 1 and "(code 9)" in error, "a server that never sends a byte", error)
    tap.ok(time.monotonic() - begin < 30 and len(server.downloads) == 4, "is given up soon", server.downloads)


def test_addresses(tap, host, server, release):
    bad, refused = server.base + "nothing/", "http://127.0.0.1:1/"
    server.offer(release.bytes, urls=[bad, refused, server.base + "files"])
    succeed(tap, host, release, "the third address is good, and has no slash at its end")
    server.offer(release.bytes, urls=["ftp://127.0.0.1/", "file:///etc/", bad])
    code, _, error = host.update()
    tap.ok(code == 1 and "(code 9)" in error and "404" in error, "no good address at all", error)
    server.offer(release.bytes, urls=["file:///etc/"])
    code, _, error = host.update()
    tap.ok(code == 1 and "(code 34)" in error, "no address that may be used", error)
    server.offer(release.bytes, download_status=503)
    code, _, error = host.update()
    tap.ok(code == 1 and "503" in error and len(server.downloads) == 4, "a busy server is asked again, but not for ever", error)


def test_bad_mirror(tap, host, server, release, damaged):
    """One mirror has a damaged file, the next a good one."""
    mirror = Server()
    mirror.offer(damaged)
    server.offer(release.bytes, urls=[mirror.base + "files/", server.base + "files/"])
    succeed(tap, host, release, "a mirror with a damaged file is passed over")
    mirror.shutdown()


def main():
    with Lab() as lab:
        release = lab.release_make("two")
        damaged = bytearray(release.bytes)
        damaged[len(damaged) // 2] ^= 1
        host = lab.host_make()
        host.start()
        parts = lab.tap, host, lab.server, release
        test_cut(*parts)
        test_no_range(*parts)
        test_changed_file(*parts)
        test_truncated(*parts)
        test_addresses(*parts)
        test_bad_mirror(*parts, bytes(damaged))


main()

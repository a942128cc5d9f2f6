#!/usr/bin/env python3
"""TLS, proxies, passwords and the rate limit of update.conf, against real TLS servers and a real proxy."""

import base64
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import IMAGE_SIZE, wait_until  # noqa: E402
from lab import Lab  # noqa: E402
from omaha import Server  # noqa: E402
from tls import Authority, context, pin  # noqa: E402


def configure(host, server, *lines):
    host.write("etc/coreos/update.conf", "\n".join((f"SERVER={server.url}", "CHECK_INTERVAL=1s", *lines, "")))


def install_certificate(host, name, *paths):
    for path, suffix in zip(paths, (".pem", ".key")):
        os.makedirs(os.path.dirname(host.path(f"etc/tls/{name}")), exist_ok=True)
        shutil.copy(path, host.path(f"etc/tls/{name}{suffix}"))


def accepted(tap, host, release, name):
    code, _, error = host.update()
    tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == release.image_bytes, name, error, host.read("updated.log"))
    wait_until(lambda: not os.listdir(host.path("var/lib/updated/events")), what="the events")
    host.client("reset-status")


def refused(tap, host, server, name, *texts):
    code, _, error = host.update()
    tap.ok(code == 1 and any(text in error for text in texts), f"{name} is refused", f"exit {code}", error)
    tap.same(server.requests, [], f"{name}: not a byte of the request was told")


def test_bad_certificates(tap, host, directory, authority, release):
    stranger = Authority(directory, "stranger")
    cases = [
        ("an expired certificate", authority.issue("expired", days=-1), {}, "expired"),
        ("a certificate of another host", authority.issue("wrong", "DNS:updates.example.com"), {}, "no alternative certificate"),
        ("a certificate of nobody we trust", stranger.issue("server"), {}, "certificate"),
        ("a self-signed certificate", (stranger.certificate, stranger.key), {}, "self-signed", "self signed"),
        ("TLS 1.1", authority.issue("old"), {"newest": ssl.TLSVersion.TLSv1_1}, "SSL", "TLS", "alert"),
    ]
    for name, (certificate, key), options, *texts in cases:
        server = Server(context(certificate, key, **options))
        server.offer(release.bytes)
        configure(host, server, "CA_FILE=/etc/tls/ca.pem")
        refused(tap, host, server, name, *texts)
        server.shutdown()


def test_own_authority(tap, host, server, release):
    server.offer(release.bytes)
    configure(host, server, "CA_FILE=/etc/tls/ca.pem")
    accepted(tap, host, release, "CA_FILE names whom to trust, for the question and the download")
    server.offer(release.bytes)
    configure(host, server)
    refused(tap, host, server, "a private authority without CA_FILE", "certificate")
    configure(host, server, "CA_FILE=/etc/tls/missing.pem")
    refused(tap, host, server, "a CA_FILE that is not there", "CA_FILE /etc/tls/missing.pem of update.conf can not be read")
    host.write("etc/tls/junk.pem", "no certificate\n")
    configure(host, server, "CA_FILE=/etc/tls/junk.pem")
    refused(tap, host, server, "a CA_FILE without a certificate", "certificate")


def test_authority_directory(tap, host, server, directory, authority, release):
    """Of two authorities in a directory one is the server's; of a directory without it none is."""
    stranger = Authority(directory, "another")
    install_certificate(host, "cas/stranger", stranger.certificate)
    server.offer(release.bytes)
    configure(host, server, "CA_DIRECTORY=/etc/tls/cas")
    refused(tap, host, server, "an authority that is not in CA_DIRECTORY", "certificate")
    install_certificate(host, "cas/ours", authority.certificate)
    accepted(tap, host, release, "CA_DIRECTORY holds whom to trust, for the question and the download")
    server.offer(release.bytes)
    configure(host, server, "CA_DIRECTORY=/etc/tls/missing")
    refused(tap, host, server, "a CA_DIRECTORY that is not there", "CA_DIRECTORY /etc/tls/missing of update.conf can not be read")
    os.mkdir(host.path("etc/tls/empty"))
    configure(host, server, "CA_DIRECTORY=/etc/tls/empty")
    refused(tap, host, server, "a CA_DIRECTORY without certificates", "CA_DIRECTORY /etc/tls/empty")


def test_pin(tap, host, server, certificate, directory, authority, release):
    other = pin(authority.issue("other")[0], directory)
    server.offer(release.bytes)
    configure(host, server, "CA_FILE=/etc/tls/ca.pem", f"PINNED_PUBLIC_KEY={pin(certificate, directory)}")
    accepted(tap, host, release, "the pinned key")
    configure(host, server, "CA_FILE=/etc/tls/ca.pem", f"PINNED_PUBLIC_KEY={other};{pin(certificate, directory)}")
    accepted(tap, host, release, "one of two pinned keys")
    server.offer(release.bytes)
    configure(host, server, "CA_FILE=/etc/tls/ca.pem", f"PINNED_PUBLIC_KEY={other}")
    refused(tap, host, server, "a good certificate with another key than the pinned one", "pinned")


def test_client_certificate(tap, host, authority, release):
    server = Server(context(*authority.issue("strict"), clients_of=authority))
    install_certificate(host, "client", *authority.issue("client", "DNS:host.example.com"))
    os.chmod(host.path("etc/tls/client.key"), 0o600)
    server.offer(release.bytes)
    configure(host, server, "CA_FILE=/etc/tls/ca.pem")
    refused(tap, host, server, "a host without client certificate", "gives no answer")
    configure(host, server, "CA_FILE=/etc/tls/ca.pem", "CLIENT_CERTIFICATE=/etc/tls/client.pem")
    refused(tap, host, server, "half of a client certificate", "only one of CLIENT_CERTIFICATE and CLIENT_KEY")
    configure(host, server, "CA_FILE=/etc/tls/ca.pem", "CLIENT_CERTIFICATE=/etc/tls/client.pem", "CLIENT_KEY=/etc/tls/client.key")
    accepted(tap, host, release, "with a client certificate, whose key only root may read")
    server.shutdown()


def test_redirects(tap, host, server, release):
    plain = Server()
    plain.offer(release.bytes)
    server.offer(release.bytes, redirect=plain.base + "files/update.payload")
    configure(host, server, "CA_FILE=/etc/tls/ca.pem")
    code, _, error = host.update()
    tap.ok(code == 1 and "(code 9)" in error, "https is not led to http", error)
    tap.same(plain.downloads, [], "not a single request goes there")
    server.offer(release.bytes)
    plain.offer(release.bytes, redirect=server.base + "files/update.payload")
    configure(host, plain, "CA_FILE=/etc/tls/ca.pem", "DOWNLOAD_USER=me", "DOWNLOAD_PASSWORD=secret")
    accepted(tap, host, release, "http is led to https")
    tap.same(server.authorizations + plain.authorizations, [None, None], "without the password, which is for https from the start")
    plain.shutdown()


def test_password(tap, host, server, release):
    server.offer(release.bytes)
    configure(host, server, "CA_FILE=/etc/tls/ca.pem", "DOWNLOAD_USER=me", 'DOWNLOAD_PASSWORD="pass=word #1"')
    accepted(tap, host, release, "a download with a password")
    wanted = "Basic " + base64.b64encode(b"me:pass=word #1").decode()
    tap.same(server.authorizations, [wanted], "it is sent")
    tap.ok("pass=word" not in host.read("updated.log"), "and not logged")
    elsewhere = Server(server.tls)
    elsewhere.offer(release.bytes)
    server.offer(release.bytes, redirect=elsewhere.base.replace("127.0.0.1", "localhost") + "files/update.payload")
    accepted(tap, host, release, "a redirect to another host")
    tap.ok(wanted in server.authorizations and wanted not in elsewhere.authorizations, "and not told to another host",
           elsewhere.authorizations)
    elsewhere.shutdown()


def proxy_start(directory):
    """(process, port, path of the log)"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log, config = os.path.join(directory, "proxy.log"), os.path.join(directory, "proxy.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f'Port {port}\nListen 127.0.0.1\nLogFile "{log}"\nLogLevel Connect\nTimeout 20\nMaxClients 10\n'
                   f'StatFile "/nonexistent"\nDefaultErrorFile "/nonexistent"\n')
    proxy = subprocess.Popen(["tinyproxy", "-d", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, what="tinyproxy")
    return proxy, port, log


def connects(log):
    with open(log, encoding="utf-8") as file:
        return file.read().count("CONNECT 127.0.0.1")


def restart(host, **environment):
    host.stop_daemon()
    host.environment = {name: value for name, value in host.environment.items() if not name.lower().endswith("_proxy")}
    host.environment.update(environment)
    host.start()


def test_proxy(tap, directory, host, server, release):
    if not shutil.which("tinyproxy"):
        tap.ok(True, "proxies # SKIP there is no tinyproxy (package tinyproxy-bin)")
        return
    plain = Server()
    proxy, port, log = proxy_start(directory)
    address = f"http://127.0.0.1:{port}"
    try:
        plain.offer(release.bytes)
        configure(host, plain, f"PROXY={address}")
        accepted(tap, host, release, "PROXY, for http")
        wait_until(lambda: len(plain.via) >= 5, what="the events")
        tap.ok(all("tinyproxy" in (via or "") for via in plain.via), "question, events and download go through it", plain.via)

        server.offer(release.bytes)
        configure(host, server, "CA_FILE=/etc/tls/ca.pem", f"PROXY={address}")
        before = connects(log)
        accepted(tap, host, release, "PROXY, for https")
        tap.ok(connects(log) >= before + 2, "question and download go through a tunnel", connects(log))

        plain.offer(release.bytes)
        configure(host, plain, f"PROXY={address}", "NO_PROXY=localhost,127.0.0.1")
        accepted(tap, host, release, "NO_PROXY")
        tap.ok(not any(plain.via), "goes around it", plain.via)

        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            restart(host, **{variable: address})
            plain.offer(release.bytes)
            configure(host, plain)
            accepted(tap, host, release, f"{variable} of the environment")
            tap.ok(plain.via and all(plain.via), f"{variable} counts for daemon and worker", plain.via)
        restart(host, HTTP_PROXY=address, NO_PROXY="127.0.0.1")
        plain.offer(release.bytes)
        accepted(tap, host, release, "NO_PROXY of the environment")
        tap.ok(not any(plain.via), "goes around it, too", plain.via)
        restart(host, HTTP_PROXY="http://127.0.0.1:1")
        plain.offer(release.bytes)
        configure(host, plain, "PROXY=")
        accepted(tap, host, release, "an empty PROXY goes before the environment")
        restart(host)
    finally:
        proxy.terminate()
        proxy.wait()
        plain.shutdown()


def test_rate(tap, host, release):
    plain = Server()
    plain.offer(release.bytes)
    configure(host, plain, f"DOWNLOAD_RATE_MAX={len(release.bytes) // 3}")
    begin = time.monotonic()
    accepted(tap, host, release, "DOWNLOAD_RATE_MAX")
    tap.ok(time.monotonic() - begin > 1.5, "makes the download slower", time.monotonic() - begin)
    plain.shutdown()


def main():
    with Lab() as lab:
        tap, release = lab.tap, lab.release_make("two")
        authority = Authority(lab.directory, "authority")
        certificate, key = authority.issue("good", "IP:127.0.0.1,DNS:localhost")
        server = lab.server_make(Server, context(certificate, key))
        host = lab.host_make(server=server.url)
        install_certificate(host, "ca", authority.certificate)
        host.start()
        test_own_authority(tap, host, server, release)
        test_authority_directory(tap, host, server, lab.directory, authority, release)
        test_bad_certificates(tap, host, lab.directory, authority, release)
        test_pin(tap, host, server, certificate, lab.directory, authority, release)
        test_client_certificate(tap, host, authority, release)
        test_redirects(tap, host, server, release)
        test_password(tap, host, server, release)
        test_proxy(tap, lab.directory, host, server, release)
        test_rate(tap, host, release)


main()

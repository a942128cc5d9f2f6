"""Certificates for the tests of updated, made by openssl: authorities, good servers and every kind of bad one."""

import base64
import hashlib
import os
import ssl

from host import run

GOOD_NAME = "IP:127.0.0.1"


class Authority:
    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.key, self.certificate = self.path("ca.key"), self.path("ca.pem")
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", self.key, "-out", self.certificate)

    def path(self, suffix):
        return os.path.join(self.directory, f"{self.name}.{suffix}")

    def issue(self, name, subject=GOOD_NAME, days=2):
        """(certificate, key); days may be negative."""
        key, request, certificate, extensions = (self.path(f"{name}.{suffix}") for suffix in ("key", "csr", "pem", "ext"))
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={subject}\n")
        run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        validity = ["-days", str(days)]
        if days < 0:  # "x509 -days" takes none below 1: sign it in the past
            validity = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"]
            return self._issue_in_the_past(request, certificate, extensions, validity), key
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
            "-extfile", extensions, "-out", certificate, *validity)
        return certificate, key

    def _issue_in_the_past(self, request, certificate, extensions, validity):
        index, serial, config = self.path("index"), self.path("serial"), self.path("cnf")
        for path, text in ((index, ""), (serial, "01\n"),
                           (config, f"[ca]\ndefault_ca=d\n[d]\ndatabase={index}\nserial={serial}\nnew_certs_dir={self.directory}\n"
                                    "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        run("openssl", "ca", "-batch", "-config", config, "-cert", self.certificate, "-keyfile", self.key, "-in", request,
            "-extfile", extensions, "-out", certificate, "-notext", *validity)
        return certificate


def pin(certificate, directory):
    """What PINNED_PUBLIC_KEY wants."""
    public = run("openssl", "x509", "-in", certificate, "-noout", "-pubkey")
    path = os.path.join(directory, "pin.der")
    run("openssl", "pkey", "-pubin", "-outform", "DER", "-out", path, input=public)
    with open(path, "rb") as file:
        return "sha256//" + base64.b64encode(hashlib.sha256(file.read()).digest()).decode()


def context(certificate, key, clients_of=None, newest=None):
    """A server's TLS; clients_of: an Authority whose certificate a client must have."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    if clients_of:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(clients_of.certificate)
    if newest:
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1, newest
    return made

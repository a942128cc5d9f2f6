#!/usr/bin/env python3
"""The include table of docs/architecture.md: who may use whom, and where third-party headers may appear."""

import re

from tap import Tap, read, sources

INCLUDE = re.compile(r'^#include ([<"])([^>"]+)[>"]', re.MULTILINE)

# A directory, and what its files may include with quotes: own files are always allowed.
ALLOWED = {
    "updated/base": ("base/", "version.h"),
    "payload": ("base/", "version.h"),
    "updated": ("base/", "version.h", "payload/payload.h"),
    "locksmith": ("base/", "version.h", "updated/client.h", "client.h"),
    "cloud-config": ("base/", "version.h", "locksmith/window.h"),
    "tests": ("",),
}

# A third-party header stays in the modules that wrap it (paths that begin so).
WRAPPED = {
    r"archive\.h|bzlib\.h|lzma\.h|zstd\.h": ("payload/compress", "payload/decompress"),
    r"curl/": ("updated/base/http", "cloud-config/source-url.", "cloud-config/url."),
    r"expat\.h": ("updated/omaha-response.", "updated/serve-request."),
    r"gnutls/": ("updated/base/http-serve.",),
    r"libfdisk/|blkid/": ("updated/slots", "updated/gpt", "updated/slot-mount.", "payload/target."),
    r"microhttpd\.h": ("updated/base/http-reply.", "updated/base/http-serve.", "updated/serve-", "locksmith/fleetlock-serve."),
    r"openssl/": ("locksmith/host-id.", "payload/digest.", "payload/key-engine.", "payload/keys.", "updated/digest", "updated/serve-store.", "updated/base/base64."),
    r"yaml\.h": ("cloud-config/yaml-tree.",),
}


def directory_of(path):
    return next(part for part in ALLOWED if path.startswith(part + "/"))


def is_own(part, name, files):
    return f"{part}/{name}" in files or name.startswith(part + "/") or "/" not in name


def main():
    tap = Tap()
    files = set(sources(".c", ".h"))
    forbidden, escaped = [], []
    for path in sorted(files):
        part = directory_of(path)
        for mark, name in INCLUDE.findall(read(path)):
            if mark == '"' and not is_own(part, name, files) and not name.startswith(ALLOWED[part]):
                forbidden.append(f"{path} includes {name}")
            if part == "tests":
                continue
            for pattern, wrappers in WRAPPED.items():
                if mark == "<" and re.match(pattern, name) and not path.startswith(wrappers):
                    escaped.append(f"{path} includes <{name}>, which is for {', '.join(wrappers)}")
    tap.case("the arrows between the directories are one-way", forbidden)
    tap.case("third-party headers stay in the modules that wrap them", escaped)
    tap.done()


main()

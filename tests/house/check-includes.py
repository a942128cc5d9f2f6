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

# A third-party header stays in the modules that wrap it.
WRAPPED = {
    r"curl/": ("updated/base/http.c", "cloud-config/url.c"),
    r"expat\.h": ("updated/omaha-response.c", "updated/serve-request.c"),
    r"yaml\.h": ("cloud-config/yaml-tree.c",),
    r"libfdisk/|blkid/": ("updated/slots.c", "updated/slots-gpt.c", "updated/slots-find.c", "updated/gpt.c", "payload/target.c"),
    r"microhttpd\.h": ("updated/serve-http.c", "updated/serve-payload.c", "updated/serve-file.c"),
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
                if re.match(pattern, name) and path not in wrappers:
                    escaped.append(f"{path} includes <{name}>, which is for {', '.join(wrappers)}")
    tap.case("the arrows between the directories are one-way", forbidden)
    tap.case("third-party headers stay in the modules that wrap them", escaped)
    tap.done()


main()

#!/usr/bin/env python3
"""tests/packages against what the programs really link: a library without its package in the list is a finding."""

import glob
import os
import re
import shutil
import subprocess

from tap import BUILD, Tap, read

# What a development package is called where it is not the library's package plus -dev.
ALWAYS_THERE = {"libc6", "libgcc-s1", "linux-libc-dev"}


def linked_libraries():
    """The shared objects that our programs name themselves (not those that these need in turn)."""
    names = set()
    for program in glob.glob(os.path.join(BUILD, "*/*")):
        if not os.path.isfile(program) or not os.access(program, os.X_OK):
            continue
        done = subprocess.run(["readelf", "-d", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False)
        names.update(re.findall(r"\(NEEDED\).*\[(.+?)\]", done.stdout))
    return names


def development_package(library):
    """The package that holds the link name libx.so of a shared object libx.so.N."""
    stem = library.split(".so")[0] + ".so"
    done = subprocess.run(["dpkg-query", "--search", f"*/{stem}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False)
    for line in done.stdout.split("\n"):
        package, _, path = line.partition(": ")
        if path.endswith("/" + stem) and "-dev" in package:
            return package.split(":")[0]
    return None


def main():
    tap = Tap()
    name = "every library that is linked has its package in tests/packages"
    if not shutil.which("dpkg-query") or not shutil.which("readelf"):
        tap.skip(name, "this is no Debian system")
        tap.done()
        return
    listed = {line for line in read("tests/packages").split("\n") if line and not line.startswith("#")}
    findings = []
    for library in sorted(linked_libraries()):
        package = development_package(library)
        if package and package not in listed and package.removesuffix("-dev") not in ALWAYS_THERE | {"libc6"}:
            findings.append(f"{library} comes from {package}")
    tap.case(name, findings)
    tap.done()


main()

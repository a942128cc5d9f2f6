"""TAP for the house checks: each rule is one case, findings are its diagnostics."""

import os
import sys

# Run by hand, it is this tree and its usual build directory.
SOURCE = os.environ.get("SLUICE_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SLUICE_BUILD") or os.path.join(SOURCE, "build")
PARTS = ("payload", "updated", "locksmith", "cloud-config", "tests")


class Tap:
    def __init__(self):
        self.count = 0

    def case(self, name, findings):
        self.count += 1
        print(("not ok" if findings else "ok"), self.count, "-", name)
        for finding in findings:
            print("#", finding)

    def skip(self, name, reason):
        self.count += 1
        print("ok", self.count, "-", name, "# SKIP", reason)

    def done(self):
        print(f"1..{self.count}")
        sys.stdout.flush()


def sources(*suffixes):
    """Paths of the project's own files with these suffixes, relative to the source directory."""
    for part in PARTS:
        for directory, below, names in os.walk(os.path.join(SOURCE, part)):
            below[:] = sorted(name for name in below if name != "__pycache__")
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(directory, name), SOURCE)


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()

"""What every test of updated begins with: a directory, a key, an update server, hosts, TAP. All of it ends with the test."""

import atexit
import contextlib
import tempfile

from host import Host, Release, key_make
from omaha import Server


class Tap:
    def __init__(self):
        self.count, self.skipped = 0, ""

    def ok(self, good, name, *details):
        self.count += 1
        print("ok" if good else "not ok", self.count, "-", name)
        if not good:
            for detail in details:
                for line in str(detail).splitlines():
                    print("#", line)

    def same(self, got, wanted, name, *details):
        self.ok(got == wanted, name, f"got {got!r}", f"wanted {wanted!r}", *details)

    def skip(self, reason):
        """Instead of all cases."""
        self.skipped = f" # SKIP {reason}"

    def done(self):
        """A test without a case is none: it gets no plan, and fails."""
        if self.count or self.skipped:
            print(f"1..{self.count}{self.skipped}")


class Lab:
    """Use it by "with": what at_end() was told to do is done at its end, the last first; then the plan is printed."""

    def __init__(self):
        self.ends = contextlib.ExitStack()
        atexit.register(self.ends.close)  # when a constructor fails
        self.tap = Tap()
        self.directory = self.ends.enter_context(tempfile.TemporaryDirectory(prefix="sluice-test.", ignore_cleanup_errors=True))
        self.private, self.public = key_make(self.directory, "key")
        self.server = self.server_make()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.ends.close()
        if kind is None:
            self.tap.done()

    def at_end(self, function, *arguments):
        self.ends.callback(function, *arguments)

    def server_make(self, kind=Server, *arguments):
        server = kind(*arguments)
        self.at_end(server.shutdown)
        return server

    def host_make(self, **settings):
        """A host of the server that trusts the key, if the settings for Host do not say otherwise. It is not started."""
        host = Host(self.directory, **{"server": self.server.url, "public_key": self.public, **settings})
        self.at_end(host.stop)
        return host

    def release_make(self, name, **settings):
        """A release signed with the key, if the settings for Release do not say otherwise."""
        return Release(self.directory, name, **{"key": self.private, **settings})

#!/usr/bin/env python3
"""What an operator may tell updated: install, rollback, cancel, pause, resume, set-channel; and the history of it all."""

import json
import os
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SLUICE_SOURCE"], "tests/integration/lab"))

from host import BUILD, CLIENT, IMAGE_SIZE, key_make, wait_until  # noqa: E402
from lab import Lab  # noqa: E402

CLOUD_CONFIG = os.path.join(BUILD, "cloud-config/cloud-config")

NEED_REBOOT = "UPDATE_STATUS_UPDATED_NEED_REBOOT"


def history(host):
    return [(entry["outcome"], entry["version"], entry["code"], entry["count"])
            for entry in json.loads(host.client("history", "--json")[1])]


def property_of(host, name):
    return subprocess.run(["dbus-send", "--system", "--print-reply=literal", "--dest=com.coreos.update1",
                           "/com/coreos/update1", "org.freedesktop.DBus.Properties.Get",
                           "string:com.coreos.update1.Manager2", "string:" + name], env=host.environment,
                          stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]


def refused(tap, host, name, text, *command):
    before = host.slot("B")
    code, _, error = host.client(*command)
    tap.ok(code == 1 and text in error, f"{name}: refused, and says why", f"exit {code}", error, host.read("updated.log"))
    tap.ok(host.attributes("A") == (1, 0, True), f"{name}: the running slot still boots", host.attributes("A"))
    return host.slot("B") == before


def test_install_file(tap, host, server, release):
    server.offer(None)
    code, _, error = host.client("install", release.payload)
    tap.ok(code == 0 and "reboot needed" in error, "install of a file ends with 0", error, host.read("updated.log"))
    tap.ok(host.slot("B", IMAGE_SIZE) == release.image_bytes, "the image is in the target")
    tap.same((host.attributes("A"), host.attributes("B")), ((1, 0, True), (2, 1, False)), "which boots next, on trial")
    tap.same(host.status()["new_version"], "7.0.0", "its version is the one that is signed")
    tap.same(server.requests, [], "no server was asked or told")
    code, _, error = host.client("install", release.payload)
    tap.ok(code == 1 and "waits for its reboot" in error, "a second one has to wait", error)
    tap.same(history(host)[-1], ("staged", "7.0.0", 0, 1), "the history knows it")
    host.client("reset-status")


def test_install_url(tap, host, server, release):
    server.offer(release.bytes, cut_after=len(release.bytes) // 2 + 1)
    code, _, error = host.client("install", server.base + "files/any")
    tap.ok(code == 0 and host.slot("B", IMAGE_SIZE) == release.image_bytes, "install of an URL, over a connection that breaks",
           error, host.read("updated.log"))
    tap.same(server.downloads, [None, f"bytes={len(release.bytes) // 2 + 1}-"], "only the rest is fetched again")
    host.client("reset-status")
    server.offer(None)
    server.download_status = 404
    tap.ok(refused(tap, host, "an URL with nothing behind it", "404", "install", server.base + "files/any"), "not a byte was written")


def test_install_refusals(tap, host, directory, releases):
    damaged = bytearray(releases["good"].bytes)
    damaged[len(damaged) // 2] ^= 1
    paths = {name: os.path.join(directory, name) for name in ("damaged", "cut", "empty", "text")}
    for name, data in (("damaged", damaged), ("cut", releases["good"].bytes[:-1]), ("empty", b""), ("text", b"<html>" * 100)):
        with open(paths[name], "wb") as file:
            file.write(data)
    refused(tap, host, "a damaged file", "(code 29)", "install", paths["damaged"])
    refused(tap, host, "a file without its end", "(code 11)", "install", paths["cut"])
    refused(tap, host, "a file signed by a stranger", "(code 18)", "install", releases["stranger"].payload)
    refused(tap, host, "an unsigned file", "(code 17)", "install", releases["unsigned"].payload)
    before = host.client("slots")[1]
    tap.ok(refused(tap, host, "a file that is no payload", "nothing was changed", "install", paths["text"]), "not a byte was written for text")
    tap.same(host.client("slots")[1], before, "and it is still there to go back to")
    tap.ok(refused(tap, host, "an empty file", "empty", "install", paths["empty"]), "not a byte was written for it")
    tap.ok(refused(tap, host, "a directory", "regular file", "install", directory), "nor for a directory")
    tap.ok(refused(tap, host, "no file", "No such file", "install", "/does/not/exist"), "nor for none")
    tap.ok(refused(tap, host, "another kind of URL", "http://", "install", "ftp://127.0.0.1/x"), "nor for ftp")
    tap.same(host.attributes("B"), (0, 0, False), "what was half written can not be booted")


def test_cancel(tap, host, server, release):
    tap.same(host.client("cancel")[0], 1, "cancel has nothing to do")
    server.offer(release.bytes, version="8.0.0", stall=threading.Event())
    host.client("check")
    wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_DOWNLOADING", what="the download")
    tap.same(property_of(host, "BytesTotal"), str(len(release.bytes)), "BytesTotal tells the size")
    tap.ok(int(property_of(host, "BytesDone")) > 0, "BytesDone tells how much is there")
    tap.same(host.client("cancel")[0], 0, "cancel stops a download")
    wait_until(lambda: host.status()["current_operation"] == "UPDATE_STATUS_IDLE", what="the end")
    server.stall.set()
    tap.ok("cancelled" in host.status()["error"], "the status says so", host.status())
    tap.same(host.attributes("B"), (0, 0, False), "the target can not be booted")
    tap.same(property_of(host, "BytesDone"), "0", "BytesDone is over")
    tap.same(history(host)[-1], ("cancelled", "8.0.0", 48, 1), "the history knows it")
    wait_until(lambda: ("3", "0", str(48 | 1 << 28), None) in server.events(), what="the event")


def test_channel(tap, host, server):
    host.write("etc/coreos/update.conf", f"# mine\nSERVER={server.url}\nGROUP=beta\n")
    tap.same(host.client("set-channel", "a b")[0], 1, "a channel is one word")
    tap.same(host.client("set-channel", "alpha")[0], 0, "set-channel")
    tap.same(host.read("etc/coreos/update.conf"), f"# mine\nSERVER={server.url}\nGROUP=alpha\n", "changes one line of update.conf")
    tap.same(host.status()["channel"], "alpha", "and is shown")
    server.offer(None)
    host.update()
    tap.ok('track="alpha"' in server.requests[0], "and sent", server.requests)


def test_channel_and_cloud_config(tap, host, server):
    """Both change update.conf, at the same time, again and again: no change is lost, no line is torn."""
    host.write("etc/coreos/update.conf", f"# mine\nSERVER={server.url}\nGROUP=beta\n")
    document = host.path("document")
    errors = []

    def cloud_config():
        for number in range(20):
            with open(document, "w", encoding="utf-8") as file:
                file.write(f"#cloud-config\ncoreos:\n  update:\n    reboot-strategy: {('reboot', 'best-effort')[number % 2]}\n")
            done = subprocess.run([CLOUD_CONFIG, "apply", "--root", host.root, document], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                errors.append(done.stderr)

    thread = threading.Thread(target=cloud_config)
    thread.start()
    set_last = busy = 0
    for number in range(1000):
        code, _, error = host.client("set-channel", f"channel-{number}")
        if code == 0:
            set_last = number
        elif "another program is changing update.conf" in error:
            busy += 1
        else:
            errors.append(error)
        if not thread.is_alive():
            break
    thread.join()
    tap.same(errors, [], "set-channel and cloud-config at the same time: each is done, or says that the other is at it")
    lines = host.read("etc/coreos/update.conf").splitlines()
    tap.same(sorted(lines), sorted(["# mine", f"SERVER={server.url}", f"GROUP=channel-{set_last}", "REBOOT_STRATEGY=best-effort"]),
             "set-channel and cloud-config at the same time: no change is lost")
    print(f"# {number + 1} times set-channel, {busy} of them refused as busy")


def test_nobody_answers(lab):
    """No bus, a bus without daemon, a daemon that hangs: the client says which, and where to look."""
    host = lab.host_make()
    verbs = (("status",), ("slots",), ("history",), ("check",), ("update",), ("watch",), ("rollback",), ("set-channel", "x"), ("-status",))

    def nobody(who, unit):
        for verb in verbs:
            code, out, error = host.client(*verb)
            lab.tap.ok((code, out) == (1, "") and error.count("\n") == 1 and f'"systemctl status {unit}" tells' in error,
                       f"{verb[0]} without {who} says so", error)

    nobody("a bus", "dbus")
    host.start()
    host.stop_daemon()
    nobody("the daemon", "updated")
    host.stop()


def test_pause(lab):
    tap, server = lab.tap, lab.server
    server.offer(None)
    with lab.host_make(settings="CHECK_FIRST=1s\nCHECK_INTERVAL=1s\n") as host:
        host.write_state('STATE=1\nPAUSED="1"\n')
        host.start()
        tap.ok(host.status()["paused"], "a pause outlives the daemon")
        wait_until(lambda: host.read("updated.log").count("checks are paused") > 2, what="a few checks that are due")
        tap.same(server.requests, [], "while it lasts nobody is asked")
        tap.same(host.update()[0], 0, "on demand somebody is")
        count = len(server.requests)
        host.write("root/.dev_mode")
        tap.same(host.client("resume")[0], 0, "resume")
        wait_until(lambda: "there is /root/.dev_mode" in host.read("updated.log"), what="a check that is due")
        tap.same(len(server.requests), count, "/root/.dev_mode pauses as well")
        os.unlink(host.path("root/.dev_mode"))
        wait_until(lambda: len(server.requests) > count, what="the schedule")
        tap.same(host.client("pause")[0], 0, "pause")


def test_rollback(tap, host, server, release):
    refused(tap, host, "rollback without a good slot", "no version to go back to", "rollback")
    server.offer(release.bytes, version="8.0.0")
    tap.same(host.update()[0], 0, "an update")
    tap.same(host.client("rollback")[0], 1, "rollback is refused while it waits for its reboot")
    host.stop_daemon()
    host.boot("B", "8.0.0")
    host.set_attributes("B", 49)
    host.start()
    tap.same(history(host)[-1], ("good", "8.0.0", 0, 1), "the history knows that it is good")
    code, _, error = host.client("rollback")
    tap.ok(code == 0 and "reboot needed" in error, "rollback", error, host.read("updated.log"))
    tap.same((host.attributes("A"), host.attributes("B")), ((2, 1, False), (1, 0, True)),
             "the version before boots next, on trial, and the running one is its way back")
    tap.same((host.status()["current_operation"], host.status()["new_version"]), (NEED_REBOOT, "1.0.0"),
             "a reboot is asked for")
    host.stop_daemon()
    host.boot("A", "1.0.0")
    host.set_attributes("A", 49)
    host.start()
    tap.same(host.attributes("A"), (2, 0, True), "it runs and is good again")
    tap.same(host.status()["error"], "", "that is no error")
    server.offer(release.bytes, version="8.0.0")
    tap.same((host.update()[0], server.downloads), (0, []), "what was rolled back is not installed again by itself")
    tap.ok(("3", "2", None, "8.0.0") in server.events(), "the server is told", server.events())
    server.offer(release.bytes, version="9.0.0")
    tap.same((host.update()[0], host.status()["current_operation"]), (0, NEED_REBOOT), "another version is")


def test_policy(lab):
    """The policy that is installed: everybody may read, root may act."""
    tap, server = lab.tap, lab.server
    try:
        subprocess.run([CLIENT, "--version"], user="nobody", stdout=subprocess.DEVNULL, check=True)
    except PermissionError as error:
        tap.ok(True, f"the policy of the bus # SKIP nobody can not run the client here: {error.strerror}")
        return
    with lab.host_make() as host:
        host.strict = True
        os.chmod(lab.directory, 0o755)
        os.chmod(host.root, 0o755)
        server.offer(None)
        host.start()
        for command in ("status", "slots", "history"):
            code, _, error = host.client(command, user="nobody")
            tap.ok(code == 0, f"nobody may ask for {command}", error)
        for command in (("check",), ("update",), ("reset-status",), ("rollback",), ("cancel",), ("pause",), ("resume",), ("mark-good",),
                        ("set-channel", "alpha"), ("install", "http://127.0.0.1:1/")):
            code, _, error = host.client(*command, user="nobody")
            tap.ok(code == 1 and "only root may do that" in error, f"nobody may not {command[0]}", code, error)
        tap.same((host.status()["channel"], host.status()["paused"], server.requests), ("beta", False, []), "and nothing happens")
        tap.same(host.client("pause")[0], 0, "root may")


def test_signals(tap, host):
    """Every property of Manager2 announces its changes."""
    done = subprocess.run(["dbus-send", "--system", "--print-reply=literal", "--dest=com.coreos.update1", "/com/coreos/update1",
                           "org.freedesktop.DBus.Introspectable.Introspect"], env=host.environment, stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    tap.ok('name="Install"' in done and 'name="GetHistory"' in done, "the methods are introspectable")
    tap.ok("EmitsChangedSignal" not in done, "every property emits PropertiesChanged, which is D-Bus's default", done)


def main():
    with Lab() as lab:
        stranger, _ = key_make(lab.directory, "stranger")
        releases = {"good": lab.release_make("good"), "stranger": lab.release_make("stranger", key=stranger),
                    "unsigned": lab.release_make("unsigned", key=None),
                    "named": lab.release_make("named", version="7.0.0", options=("--format", "v2"))}
        host = lab.host_make()
        host.start()
        parts = lab.tap, host, lab.server
        test_signals(lab.tap, host)
        test_install_file(*parts, releases["named"])
        test_install_url(*parts, releases["good"])
        test_install_refusals(lab.tap, host, lab.directory, releases)
        test_cancel(*parts, releases["good"])
        test_channel(*parts)
        test_channel_and_cloud_config(*parts)
        test_nobody_answers(lab)
        test_rollback(*parts, releases["good"])
        host.stop()
        test_pause(lab)
        test_policy(lab)


main()

"""What the Python tests of the lock share: a real etcd on free ports, and TAP."""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

KEY = b"coreos.com/updateengine/rebootlock/semaphore"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Etcd:
    def __init__(self, directory, name="m"):
        self.name, self.directory, self.process = name, directory, None
        self.port, self.peer = free_port(), free_port()
        self.url, self.peer_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.peer}"
        self.cluster = f"{name}={self.peer_url}"

    def launch(self):
        self.process = subprocess.Popen(
            ["etcd", "--name", self.name, "--data-dir", self.directory, "--unsafe-no-fsync", "--logger", "zap",
             "--log-level", "error", "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
             "--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url,
             "--initial-cluster", self.cluster],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.launch()
        self.wait()

    def wait(self):
        for _ in range(200):
            try:
                self.post("/v3/kv/range", {"key": base64.b64encode(KEY).decode()})
                return
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                time.sleep(0.05)
        raise SystemExit("Bail out! etcd did not start")

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", path, json.dumps(body))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        answer["header"]  # an error has none
        return answer

    def history(self):
        """Every value the key ever had, in order."""
        last = int(self.post("/v3/kv/range", {"key": base64.b64encode(KEY).decode()})["kvs"][0]["mod_revision"])
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/v3/watch", json.dumps(
            {"create_request": {"key": base64.b64encode(KEY).decode(), "start_revision": "1"}}))
        stream, seen = connection.getresponse(), 0
        while seen < last:
            for event in json.loads(stream.readline())["result"].get("events", []):
                seen = int(event["kv"]["mod_revision"])
                yield json.loads(base64.b64decode(event["kv"]["value"]))
        connection.close()


def cluster_start(directory, names):
    members = [Etcd(os.path.join(directory, name), name) for name in names]
    everybody = ",".join(member.cluster for member in members)
    for member in members:
        member.cluster = everybody
        member.launch()
    for member in members:
        member.wait()
    return members


class Tap:
    def __init__(self):
        self.n = 0

    def case(self, what, problem):
        self.n += 1
        print(("ok" if not problem else "not ok"), self.n, "-", what, "" if not problem else f"\n# {problem}", flush=True)


def with_etcd(body):
    """Runs body(tap, etcd) against a fresh etcd, and prints the plan. Returns the exit status."""
    if not shutil.which("etcd"):
        print("1..0 # SKIP etcd-server is needed")
        return 0
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="sluice-test.") as directory:
        etcd = Etcd(directory)
        etcd.start()
        try:
            body(tap, etcd)
        finally:
            etcd.stop()
    print(f"1..{tap.n}")
    return 0

"""A file server that says on the wire exactly what a test wants, byte by byte."""

import socket
import struct
import threading


class Request:
    """One GET, and the connection it came on."""

    def __init__(self, connection, head, number):
        self.connection, self.number = connection, number
        lines = head.decode("latin-1").split("\r\n")
        self.path = lines[0].split(" ")[1]
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        range_header = self.headers.get("range")
        self.start = int(range_header.removeprefix("bytes=").rstrip("-")) if range_header else 0

    def send(self, data):
        self.connection.sendall(data)

    def head(self, status, *headers):
        self.send("\r\n".join((f"HTTP/1.1 {status} X", *headers, "", "")).encode())

    def rest_of(self, data, total=None, etag='"one"', first=None):
        """The right answer, or with total, etag and first a wrong one."""
        start = self.start
        extra = [f"ETag: {etag}"]
        if start:
            extra.append(f"Content-Range: bytes {start if first is None else first}-{len(data) - 1}/{total or len(data)}")
        self.head(206 if start else 200, f"Content-Length: {len(data) - start}", *extra)
        return data[start:]

    def closed(self, seconds=30):
        """Waits until the client has closed the connection: True, or False after so long."""
        self.connection.settimeout(seconds)
        try:
            return self.connection.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def reset(self):
        """RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class HostileServer:
    def __init__(self, address="127.0.0.1", port=0):
        self.listener = socket.create_server((address, port))
        self.port = self.listener.getsockname()[1]
        self.base = f"http://{address}:{self.port}/files/"
        self.behave(None)
        threading.Thread(target=self._accept, daemon=True).start()

    def behave(self, behaviour):
        """behaviour(request) for each one that comes from now on."""
        self.behaviour, self.requests = behaviour, []

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        head = b""
        try:
            with connection:
                while b"\r\n\r\n" not in head:
                    data = connection.recv(65536)
                    if not data:
                        return
                    head += data
                request = Request(connection, head.split(b"\r\n\r\n")[0], len(self.requests))
                self.requests.append(request)
                self.behaviour(request)
        except OSError:
            pass  # the client had enough

    def shutdown(self):
        self.listener.close()

"""An update server for the tests of updated that does to its clients whatever a test wants."""

import base64
import hashlib
import threading
import xml.etree.ElementTree
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<response protocol="3.0" server="test"><daystart elapsed_seconds="0"/>
<app appid="e96281a6-d1af-4bde-9a0a-97b76e56dc57" status="ok"><ping status="ok"/>
<updatecheck status="ok"><urls>{urls}</urls>
<manifest version="{version}"><packages><package name="update.payload" size="{size}" required="true"/>{packages}</packages>
<actions><action event="postinstall" sha256="{sha256}" {postinstall}/></actions></manifest>
</updatecheck></app></response>"""

NO_UPDATE = """<?xml version="1.0" encoding="UTF-8"?>
<response protocol="3.0" server="test"><app appid="e96281a6-d1af-4bde-9a0a-97b76e56dc57" status="ok">
<updatecheck status="noupdate"/></app></response>"""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.tls = tls  # an ssl.SSLContext
        self.base = f"http{'s' if tls else ''}://127.0.0.1:{self.server_address[1]}/"
        self.forget()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def forget(self):
        """Back to a server that works and has nothing to offer."""
        self.requests = []     # bodies of what was posted, in order
        self.downloads = []    # Range headers of the downloads, in order
        self.authorizations = [] # what came with them
        self.via = []            # the proxies of all requests
        self.redirect = None     # where downloads are sent instead
        self.payload = None    # bytes that are served
        self.packages = {}     # more of them: name → bytes
        self.package_attributes = {} # name → what is announced besides its name and size
        self.package_status = {}     # name → status instead of the package
        self.package_stall = {}      # name → an Event that its download waits for
        self.paths = []        # of the downloads, in order
        self.version = "2.0.0"
        self.announced_sha256 = self.announced_size = None
        self.postinstall = 'DisablePayloadBackoff="true"'
        self.answer = None     # a whole answer instead of a good one
        self.status = 200      # of everything that is posted
        self.event_status = 200
        self.event_answer = None # what events get instead of an acknowledgement
        self.turned_away = 0     # events that got it
        self.urls = [self.base + "files/"]
        self.cut_after = None  # bytes of each download before the connection is cut
        self.ignore_range = False
        self.download_status = None
        self.etags = ['"one"'] # of one download after the other; the last one stays
        self.stall = None      # an Event: downloads wait for it after the first bytes

    def offer(self, payload, **settings):
        self.forget()
        self.payload = payload
        for name, value in settings.items():
            setattr(self, name, value)

    def handle_error(self, *_):
        """A client that was killed in the middle of a download is no news."""

    @property
    def url(self):
        return self.base + "v1/update/"

    def events(self):
        """[(type, result, errorcode, previousversion)] of everything posted, in order."""
        found = []
        with self.lock:
            bodies = list(self.requests)
        for body in bodies:
            for event in xml.etree.ElementTree.fromstring(body).iter("event"):
                found.append((event.get("eventtype"), event.get("eventresult"), event.get("errorcode"),
                              event.get("previousversion")))
        return found

    def answer_to(self, body):
        if "<updatecheck" not in body and self.event_answer is not None:
            return self.event_answer
        if "<updatecheck" not in body:
            return NO_UPDATE.replace('<updatecheck status="noupdate"/>', '<event status="ok"/>')
        if self.answer is not None:
            return self.answer
        if self.payload is None:
            return NO_UPDATE
        sha256 = self.announced_sha256 or base64.b64encode(hashlib.sha256(self.payload).digest()).decode()
        packages = "".join(f'<package name="{name}" size="{len(data)}" {self.announce(name, data)}/>'
                           for name, data in self.packages.items())
        return ANSWER.format(packages=packages, urls="".join(f'<url codebase="{url}"/>' for url in self.urls), version=self.version,
                             size=self.announced_size or len(self.payload), sha256=sha256, postinstall=self.postinstall)

    def announce(self, name, data):
        return self.package_attributes.get(name, f'required="false" hash_sha256="{hashlib.sha256(data).hexdigest()}"')


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        """The TLS handshake belongs to the connection's own thread."""
        if self.server.tls:
            self.request.settimeout(10)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.lock:
            event = "<event" in body and "<updatecheck" not in body
            status = self.server.event_status if event else self.server.status
            if event and self.server.event_answer is not None:
                self.server.turned_away += 1
            elif status == 200:
                self.server.requests.append(body)
            self.server.via.append(self.headers.get("Via"))
        data = self.server.answer_to(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        server = self.server
        with server.lock:
            server.downloads.append(self.headers.get("Range"))
            server.paths.append(self.path)
            server.authorizations.append(self.headers.get("Authorization"))
            server.via.append(self.headers.get("Via"))
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if server.download_status or not self.path.startswith("/files/"):
            self.send_response(server.download_status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        name = self.path.rsplit("/", 1)[1]
        if name in server.package_status:
            self.send_response(server.package_status[name])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data, start = server.packages.get(name, server.payload), 0
        if self.headers.get("Range") and not server.ignore_range:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", server.etags.pop(0) if len(server.etags) > 1 else server.etags[0])
        self.end_headers()
        data = data[start:]
        stall = server.package_stall.get(name, server.stall)
        if stall:
            self.wfile.write(data[:1000])
            self.wfile.flush()
            stall.wait(30)
            data = data[1000:]
        if server.cut_after is not None:
            self.wfile.write(data[:server.cut_after])
            self.close_connection = True
            return
        self.wfile.write(data)

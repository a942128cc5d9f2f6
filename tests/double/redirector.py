#!/usr/bin/env python3
"""A member as very old etcds had them: sends every request to its leader: redirector.py LISTEN-PORT LEADER-URL."""

import http.server
import sys


class Redirector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def redirect(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(307)
        self.send_header("Location", sys.argv[2] + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_DELETE = redirect

    def log_message(self, *_arguments):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Redirector).serve_forever()

#!/usr/bin/env python3
"""An HTTP/1.1 proxy in front of one etcd that loses answers: lossy-proxy.py LISTEN-PORT ETCD-PORT PLAN.

PLAN is one letter for each transaction (POST /v3/kv/txn), everything behind it passes:
  p  passes
  a  is done, but its answer is lost: the connection is closed
  r  is lost itself: never sent on, the connection is closed
  5  is done, but the answer says 503
"""

import http.client
import http.server
import sys
import threading


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plan = []
    lock = threading.Lock()
    upstream = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fate = "p"
        if self.path == "/v3/kv/txn":
            with Proxy.lock:
                fate = Proxy.plan.pop(0) if Proxy.plan else "p"
        if fate == "r":
            self.close_connection = True
            return
        connection = http.client.HTTPConnection("127.0.0.1", Proxy.upstream, timeout=30)
        connection.request("POST", self.path, body)
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
        if fate == "a":
            self.close_connection = True
            return
        if fate == "5":
            status, text = 503, b'{"error":"etcdserver: request timed out","message":"","code":14}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def main():
    Proxy.upstream = int(sys.argv[2])
    Proxy.plan = list(sys.argv[3])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Proxy).serve_forever()


main()

#!/usr/bin/env python3
"""An HTTP/1.1 proxy in front of one etcd that loses answers: lossy-proxy.py LISTEN-PORT ETCD-PORT PLAN.

PLAN is one letter for each write of the lock (POST /v3/kv/txn, PUT of the semaphore in /v2/keys), everything behind
it passes:
  p  passes
  a  is done, but its answer is lost: the connection is closed
  r  is lost itself: never sent on, the connection is closed
  5  is done, but the answer says 503
  b  is not sent on, and the answer says 429
  s  is done, and its answer takes 5 s
or random:SEED:PERCENT: so many of all requests, watches too, have one of these fates.
"""

import asyncio
import contextlib
import random
import sys

SLOW = 5  # seconds
UNAVAILABLE = b"503 Service Unavailable", b'{"error":"etcdserver: request timed out","message":"","code":14}'
BUSY = b"429 Too Many Requests", b'{"error":"etcdserver: too many requests","message":"","code":8}'
HEAD_MAX = 64 * 1024


class Fates:
    def __init__(self, plan):
        self.plan, self.dice = list(plan), None
        if plan.startswith("random:"):
            _, seed, percent = plan.split(":")
            self.dice, self.percent = random.Random(int(seed)), float(percent)

    def next(self, method, path):
        if self.dice:
            return self.dice.choice("ar5b") if self.dice.uniform(0, 100) < self.percent else "p"
        write = path == b"/v3/kv/txn" or (method == b"PUT" and b"/semaphore?" in path)
        return self.plan.pop(0) if write and self.plan else "p"


async def read_head(reader):
    """Start line's words, headers with names in lower case, and all of it as it came."""
    raw = await reader.readuntil(b"\r\n\r\n")
    start, *lines = raw[:-4].split(b"\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    return start.split(), headers, raw


async def copy_body(reader, headers, write):
    """Hands on a body piece by piece, so that a watch is heard at once."""
    if headers.get(b"transfer-encoding") != b"chunked":
        await write(await reader.readexactly(int(headers.get(b"content-length", 0))))
        return
    size = -1
    while size != 0:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        await write(line + await reader.readexactly(size + 2))


async def refuse(writer, answer):
    status, text = answer
    writer.write(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(text), text))
    await writer.drain()


async def answer_on(etcd, fate, writer):
    """What etcd says, with what fate makes of it. Returns False when the connection is to be closed."""
    async def write(data):
        if fate in "ps":
            writer.write(data)
            await writer.drain()
    _, headers, raw = await read_head(etcd)
    if fate == "s":
        await asyncio.sleep(SLOW)
    await write(raw)
    await copy_body(etcd, headers, write)
    if fate == "5":
        await refuse(writer, UNAVAILABLE)
    return fate != "a"


async def exchange(client, writer, fates, upstream):
    """One request and its answer. A client that hangs up in a watch ends it."""
    (method, path, _), headers, raw = await read_head(client)
    body = await client.readexactly(int(headers.get(b"content-length", 0)))
    fate = fates.next(method, path)
    if fate == "b":
        await refuse(writer, BUSY)
        return True
    if fate == "r" or (path == b"/v3/watch" and fate not in "ps"):
        return False
    reader, etcd = await asyncio.open_connection("127.0.0.1", upstream, limit=HEAD_MAX)
    try:
        etcd.write(raw + body)
        await etcd.drain()
        answer, gone = asyncio.ensure_future(answer_on(reader, fate, writer)), asyncio.ensure_future(client.read(1))
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        over = answer.done()
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        return await answer if over else False
    finally:
        etcd.close()


async def serve(client, writer, fates, upstream):
    with contextlib.suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError, asyncio.CancelledError):
        while await exchange(client, writer, fates, upstream):
            pass
    writer.close()


async def main():
    listen, upstream, fates = int(sys.argv[1]), int(sys.argv[2]), Fates(sys.argv[3])
    server = await asyncio.start_server(lambda client, writer: serve(client, writer, fates, upstream), "127.0.0.1", listen,
                                        limit=HEAD_MAX)
    await server.serve_forever()


asyncio.run(main())

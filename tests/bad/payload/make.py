#!/usr/bin/env python3
"""Makes the payloads of this directory, each wrong in one way, and the table "expected".

The fixtures are committed; run this only to add one. It makes a new key pair, keeps the public half beside
the fixtures (key.pub.pem) and throws the private one away, so every file changes.
"""
import bz2, hashlib, lzma, os, struct, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK = 512
HOLE = 2**64 - 1


def packed(data):
    return bz2.compress(data, 1)  # small blocks: the decoder needs less memory, and the tests less time


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def text(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def sha(data):
    return hashlib.sha256(data).digest()


def extent(start, n):
    return number(1, start) + number(2, n)


def operation(kind=0, offset=0, data=b"", target=((0, 2),), source=(), digest=None, length=None,
              source_length=None, target_length=None, source_digest=None):
    out = number(1, kind)
    length = len(data) if length is None else length
    if length:
        out += number(2, offset) + number(3, length)
    for e in source:
        out += text(4, extent(*e))
    if source_length is not None:
        out += number(5, source_length)
    for e in target:
        out += text(6, extent(*e))
    if target_length is not None:
        out += number(7, target_length)
    if length and digest != b"":
        out += text(8, digest or sha(data))
    if source_digest:
        out += text(9, source_digest)
    return out


def info(size, digest):
    return number(1, size) + text(2, digest)


def key_make():
    global private
    private = tempfile.NamedTemporaryFile(suffix=".pem")
    run = lambda *a: subprocess.run(a, check=True, capture_output=True)
    run("openssl", "genrsa", "-out", private.name, "2048")
    run("openssl", "pkey", "-in", private.name, "-pubout", "-out", HERE + "/key.pub.pem")


def key_id():
    return sha(subprocess.run(["openssl", "pkey", "-in", private.name, "-pubout", "-outform", "DER"], check=True,
                              capture_output=True).stdout)


def sign(digest):
    return subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", private.name, "-pkeyopt", "digest:sha256",
                           "-pkeyopt", "rsa_padding_mode:pkcs1"], input=digest, check=True, capture_output=True).stdout


def signatures(digest):
    return text(1, number(1, 2) + text(2, sign(digest)))


IMAGE = bytes(range(256)) * 4  # two blocks


def manifest(operations=None, new=info(len(IMAGE), sha(IMAGE)), old=None, block=BLOCK, procedures=(), data=None,
             offset=None, size=None, half=False):
    """The message without the signature operation, which this engine ignores."""
    out = b""
    for o in [operation(data=IMAGE)] if operations is None else operations:
        out += text(1, o)
    out += number(3, block)
    if offset is not None:
        out += number(4, offset)
        if not half:
            out += number(5, size)
    if old:
        out += text(8, old)
    if new:
        out += text(9, new)
    for p in procedures:
        out += text(10, p)
    return out


def payload(data=IMAGE, version=1, msize=None, signed=True, message=None, offset=None, size=264, tail=b"",
            half=False, raw=None, **kw):
    m = raw if raw is not None else manifest(offset=(len(data) if offset is None else offset) if signed else None,
                                             size=size, half=half, **kw)
    out = b"CrAU" + struct.pack(">QQ", version, len(m) if msize is None else msize) + m + data
    if signed:
        out += signatures(sha(out)) if message is None else message(sha(out)) if callable(message) else message
    return out + tail


def procedure(kind, data, offset, new=True, target=((0, 2),)):
    return number(1, kind) + text(2, operation(data=data, offset=offset, target=target)) + \
        (text(4, info(len(data), sha(data))) if new else b"")


BASE = b"".join(bytes([c]) * 400 + bytes(range(112)) for c in b"ABCD")  # four blocks, what deltas start from


def signed_number(n):
    return struct.pack("<Q", abs(n) | (2**63 if n < 0 else 0))


def patch(steps, diff=b"", extra=b"", size=None, magic=b"BSDIFF40", control_length=None, diff_length=None, tail=b""):
    """BSDIFF40; steps: (bytes added to old ones, new bytes, move in the old data)."""
    control, diff_z = packed(b"".join(signed_number(n) for step in steps for n in step)), packed(diff)
    size = sum(max(a, 0) + max(b, 0) for a, b, _ in steps) if size is None else size
    return magic + signed_number(len(control) if control_length is None else control_length) + \
        signed_number(len(diff_z) if diff_length is None else diff_length) + signed_number(size) + \
        control + diff_z + packed(extra) + tail


def block_read(image, extents):
    return b"".join(b"\0" * (n * BLOCK) if s == HOLE else bytes(image[s * BLOCK:(s + n) * BLOCK]) for s, n in extents)


def block_write(image, extents, data):
    data += b"\0" * (-len(data) % BLOCK)
    for start, n in extents:
        piece, data = data[:n * BLOCK], data[n * BLOCK:]
        if start != HOLE:
            image[start * BLOCK:start * BLOCK + len(piece)] = piece


def delta_in_place():
    """Operations that see what earlier ones wrote, overwrite their own source, and read and write holes.

    The expected image is made as the format was defined: all on one copy of the base, strictly in order."""
    image, operations, data = bytearray(BASE), [], b""

    def move(source, target):
        operations.append(operation(2, source=source, target=target))
        block_write(image, target, block_read(image, source))

    def bsdiff(source, target, length, shift):
        nonlocal data
        old = block_read(image, source)
        new = bytes((c + 1) % 256 for c in old[shift:length]) + b"the end"
        blob = patch([(0, 0, shift), (length - shift, 7, -5)], b"\1" * (length - shift), b"the end")
        operations.append(operation(3, offset=len(data), data=blob, source=source, target=target,
                                    source_length=length, target_length=len(new)))
        data += blob
        block_write(image, target, new)

    move([(0, 1)], [(1, 1)])                          # B is gone
    move([(1, 1)], [(2, 1)])                          # reads what was just written
    move([(1, 1), (0, 1)], [(0, 1), (1, 1)])          # overwrites its own source, half of it written before
    bsdiff([(2, 1), (HOLE, 1), (3, 1)], [(1, 1), (HOLE, 1), (2, 1)], 3 * BLOCK - 10, 3)
    bsdiff([(2, 1)], [(2, 1)], BLOCK - 100, 0)        # patches itself in place
    new = bytes(image)
    assert new[3 * BLOCK:] == BASE[3 * BLOCK:]        # which no operation wrote
    return payload(operations=operations, data=data, old=info(len(BASE), sha(BASE)), new=info(len(new), sha(new)))


def delta_that_rewrites():
    """A block at the front is written again after enough has been written that reading back could have begun.

    The base is 128 blocks of 64 KiB, each full of its own number; payload-damage.sh makes it again."""
    block = 65536
    numbers = list(range(128))
    numbers[:64] = numbers[64:]
    numbers[0] = 127
    base, new = (b"".join(struct.pack(">I", i) * (block // 4) for i in order) for order in (range(128), numbers))
    return payload(operations=[operation(2, source=((64, 64),), target=((0, 64),)),
                               operation(2, source=((127, 1),), target=((0, 1),))], data=b"", block=block,
                   old=info(len(base), sha(base)), new=info(len(new), sha(new)))


def partition(name=b"usr", operations=None, new=info(len(IMAGE), sha(IMAGE)), old=None):
    out = text(1, name) if name is not None else b""
    if old:
        out += text(6, old)
    out += text(7, new)
    for o in [operation(data=IMAGE)] if operations is None else operations:
        out += text(8, o)
    return out


def payload2(partitions=None, data=IMAGE, metadata_message=None, metadata_size=None, message=None, more=b"", size=262,
             metadata_signed=True, key_id=None):
    """Format version 2: the metadata has signatures of its own, which are not part of what is signed at the end."""
    def signed(digest):
        return text(1, text(2, sign(digest)) + (text(1000, key_id) if key_id else b""))
    m = number(3, BLOCK) + number(4, len(data)) + number(5, size) + number(12, 0)
    for p in [partition()] if partitions is None else partitions:
        m += text(13, p)
    m += more
    head = b"CrAU" + struct.pack(">QQI", 2, len(m), metadata_size if metadata_size is not None else
                                 size if metadata_signed else 0) + m
    first = b"" if not metadata_signed else metadata_message or signed(sha(head))
    return head + first + data + (message or signed(sha(head + data)))


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, check=True, capture_output=True).stdout


def all_operations():
    """One operation of each kind that version 2 has, over a base."""
    new, operations, data, block = b"", [], b"", 0

    def add(kind, blob, content, source=(), **kw):
        nonlocal new, data, block
        assert len(content) % BLOCK == 0
        n = len(content) // BLOCK
        if source:
            kw["source_digest"] = sha(block_read(BASE, source))
        operations.append(operation(kind, offset=len(data), data=blob, target=((block, n),), source=source, **kw))
        new, data, block = new + content, data + blob, block + n

    one, two = IMAGE[:BLOCK], IMAGE[::-1]
    add(0, one, one)
    add(1, packed(two), two)
    add(4, b"", BASE[3 * BLOCK:] + BASE[:BLOCK], [(3, 1), (0, 1)])
    old = block_read(BASE, [(1, 2)])
    add(5, patch([(1024, 0, 0)], b"\2" * 1024), bytes((c + 2) % 256 for c in old), [(1, 2)])
    add(6, b"", bytes(BLOCK))
    add(7, b"", bytes(2 * BLOCK))
    add(8, lzma.compress(two, check=lzma.CHECK_CRC32), two)
    brotli_hello = bytes([0x0b, 0x02, 0x80]) + b"hello" + bytes([0x03])
    control = b"".join(map(signed_number, (BLOCK - 5, 5, 0)))
    diff = packed(bytes(BLOCK - 5))
    add(10, b"BSDF2\0\1\2" + signed_number(len(control)) + signed_number(len(diff)) + signed_number(BLOCK) + control +
        diff + brotli_hello, BASE[:BLOCK - 5] + b"hello", [(0, 1)])
    add(14, zstd(two), two)
    return payload2([partition(operations=operations, new=info(len(new), sha(new)), old=info(len(BASE), sha(BASE))),
                     partition(b"vendor", [operation(data=IMAGE, offset=len(data))])], data + IMAGE, size=297,
                    key_id=key_id())


def all_of_version_2():
    old = info(len(BASE), sha(BASE))

    def one(name, pattern, o, blob=b"", **kw):
        bad(name, "usr: operation 0: .*" + pattern, payload2([partition(operations=[o], old=kw.pop("old", None))], blob, **kw))

    bad("v2-metadata-unsigned", "the metadata of the payload is not signed", payload2(metadata_signed=False))
    bad("v2-metadata-signature", "metadata: none of its 1 signatures", payload2(metadata_message=text(1, text(2, b"x" * 256))))
    bad("v2-key-id-other", "metadata: none of its 1 signatures", payload2(size=297, key_id=sha(b"another key")))
    bad("v2-key-id-short", "metadata: signature 0 is .* has a bad key id", payload2(size=296, key_id=b"x" * 31))
    bad("v2-signature-more", "metadata: signature 0 is .* or more", payload2(size=265, metadata_message=text(1, text(2, b"x" * 256) + number(77, 1))))
    bad("v2-metadata-garbage", "metadata: the signatures are no valid protobuf", payload2(metadata_message=b"\xff" * 262))
    bad("v2-metadata-too-large", "signatures of the metadata of 65537 bytes", payload2(metadata_size=65537))
    bad("v2-signature", "[^a]: none of its 1 signatures", payload2(message=text(1, text(2, b"x" * 256))))
    bad("v2-no-partitions", "0 partitions; 1 to 64", payload2([]))
    bad("v2-partitions", "65 partitions; 1 to 64", payload2([partition(b"p%d" % i) for i in range(65)]))
    bad("v2-name-none", "name of partition 0 is not allowed", payload2([partition(None)]))
    bad("v2-name-path", "name of partition 0 is not allowed", payload2([partition(b"../usr")]))
    bad("v2-name-dot", "name of partition 0 is not allowed", payload2([partition(b".hidden")]))
    bad("v2-version-long", "usr: its version is no plain text", payload2([partition() + text(17, b"1" * 65)]))
    bad("v2-version-control", "usr: its version is no plain text", payload2([partition() + text(17, b"1\n2")]))
    bad("v2-name-long", "name of partition 0 is not allowed", payload2([partition(b"x" * 65)]))
    bad("v2-name-twice", "two parts are for the usr", payload2([partition(), partition()]))
    bad("v2-no-slot", 'no partition of the payload is called "usr"',
        payload2([partition(b"a"), partition(b"b", [operation(data=IMAGE, offset=1024)])], IMAGE * 2))
    bad("v2-other-hash-wrong", "vendor: operation 0: its data has the wrong SHA-256",
        payload2([partition(), partition(b"vendor", [operation(data=IMAGE, offset=1024)])], IMAGE + IMAGE[::-1]))
    bad("v2-feature", 'needs an updater with the feature "group-diff"', payload2(more=text(1000, b"group-diff")))
    bad("v2-engine", "needs updater 99.0 or newer", payload2(more=text(1002, b"99.0")))
    bad("v2-engine-garbage", "the version of the updater is no plain text", payload2(more=text(1002, b"\x1b[2J")))
    for number_, name in (9, "PUFFDIFF"), (11, "ZUCCHINI"), (12, "LZ4DIFF_BSDIFF"), (13, "LZ4DIFF_PUFFDIFF"):
        one("v2-type-" + name.lower(), name + " is not supported by this updater", operation(number_, data=IMAGE), IMAGE)
    one("v2-type-100", "type 100 is not known, it needs a newer updater", operation(100, data=IMAGE), IMAGE)
    one("v2-move", "MOVE is not for payloads of version 2", operation(2, source=((0, 2),)), old=old)
    one("v2-source-outside", "source blocks 3 . 2 are outside", operation(4, source=((3, 2),)), old=old)
    one("v2-source-hash", "the blocks of the base that it needs are not the right ones",
        operation(4, source=((0, 2),), source_digest=sha(b"")), old=old)
    one("v2-copy-unequal", "SOURCE_COPY of unequal", operation(4, source=((0, 1),)), old=old)
    one("v2-copy-without-base", "names no old image", operation(4, source=((0, 2),)))
    bad("v2-gap", "usr: block 1 is written by no operation",
        payload2([partition(operations=[operation(4, source=((0, 1),), target=((0, 1),))], old=old)], b""))
    bad("v2-overlap", "usr: block 0 is written twice",
        payload2([partition(operations=[operation(6), operation(6, target=((0, 1),))])], b""))
    bad("v1-zero", "ZERO is not for payloads of version 1", payload(operations=[operation(6)], data=b""))
    one("v2-zero-with-data", "ZERO with data", operation(6, data=IMAGE), IMAGE)
    one("v2-zero-outside", "target blocks 1 . 2 are outside", operation(6, target=((0, 1), (1, 2))))
    one("v2-replace-short", "its data makes 1023 bytes, less than its place", operation(data=IMAGE[:-1]), IMAGE[:-1])
    for kind, name, good in (8, "xz", lzma.compress(IMAGE)), (14, "zstd", zstd(IMAGE)):
        tests = {
            "garbage": (good[:8] + b"x" * 60, "not one whole compressed stream"),
            "truncated": (good[:-1], "not one whole compressed stream"),
            "trailing": (good + b"\0\0\0\0", "not one whole compressed stream"),
            "two-streams": (good + good, "not one whole compressed stream"),
            "one-byte-more": (lzma.compress(IMAGE + b"x") if kind == 8 else zstd(IMAGE + b"x"), "larger than its place"),
            "bomb": (lzma.compress(bytes(2**24)) if kind == 8 else zstd(bytes(2**24)), "larger than its place"),
        }
        for what, (blob, pattern) in tests.items():
            one(f"{name}-{what}", pattern, operation(kind, data=blob), blob)
    blob = lzma.compress(IMAGE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**27}])
    one("xz-dictionary", "not one whole compressed stream", operation(8, data=blob), blob)
    blob = b"\x28\xb5\x2f\xfd\x00\xa8\x01\0\0"  # a window of 2 GiB, one empty last block
    one("zstd-window", "not one whole compressed stream", operation(14, data=blob), blob)
    blob = struct.pack("<II", 0x184D2A50, 4) + b"skip" + zstd(IMAGE)
    one("zstd-skippable", "not one whole compressed stream", operation(14, data=blob), blob)
    blob = b"BSDF2\3\1\1" + patch([(1024, 0, 0)], bytes(1024))[8:]
    one("bsdf2-codec", "its patch has a compression that is not known",
        operation(10, data=blob, source=((0, 4),)), blob, old=old)
    one("bsdf2-in-bsdiff", "its patch does not begin with", operation(5, data=blob, source=((0, 4),)), blob, old=old)


fixtures = {}


def bad(name, pattern, content):
    fixtures[name] = (pattern, content)


def all_of_them():
    whole = payload()
    image_z = packed(IMAGE)
    half = operation(data=IMAGE[:BLOCK], target=((0, 1),))
    half2 = lambda **kw: operation(data=IMAGE[BLOCK:], offset=BLOCK, target=((1, 1),), **kw)
    old = info(len(IMAGE), sha(IMAGE))

    bad("empty", "ends after 0 bytes, in the middle of its header", b"")
    bad("magic", "not an update payload", b"CrAV" + whole[4:])
    bad("html", "not an update payload", b"<html><body>Please log in</body></html>")
    bad("version-0", "format version 0 needs", payload(version=0))
    bad("version-huge", "needs a newer updater", payload(version=2**64 - 1))
    bad("manifest-empty", "the manifest is empty", payload(msize=0))
    bad("manifest-too-large", "manifest has 16777217 bytes", payload(msize=2**24 + 1))
    bad("manifest-size-overflow", "manifest has 18446744073709551615 bytes", payload(msize=2**64 - 1))
    bad("manifest-garbage", "no valid protobuf", payload(raw=b"\xff" * 40))
    bad("manifest-no-type", "no valid protobuf", payload(raw=text(1, number(2, 0))))
    bad("truncated-header", "in the middle of its header", whole[:19])
    bad("truncated-manifest", "in the middle of its manifest", whole[:60])
    bad("truncated-data", "in the middle of its data", whole[:-264 - 100])
    bad("truncated-signatures", "in the middle of its signatures", whole[:-1])
    bad("trailing", "goes on behind its end", payload(tail=b"x"))

    for size in 0, 256, 3000, 131072:
        bad(f"block-size-{size}", f"block size {size};", payload(block=size))
    bad("image-unknown", "no size and SHA-256 of the new image", payload(new=None))
    bad("image-hash-short", "without its size or SHA-256", payload(new=info(1024, b"x" * 31)))
    bad("image-size-0", "an image of 0 bytes", payload(new=info(0, sha(b""))))
    bad("image-too-large", "an image of [0-9]+ bytes; 1 to", payload(new=info(2**40 + 1, sha(IMAGE))))
    bad("no-operations", "block 0 is written by no operation", payload(operations=[], data=b""))
    bad("type-unknown", "type 77 is not known, it needs a newer updater", payload(operations=[operation(77, data=IMAGE)]))
    bad("replace-without-data", "REPLACE without data", payload(operations=[operation()], data=b""))
    bad("replace-with-source", "REPLACE with source extents", payload(operations=[operation(data=IMAGE, source=((0, 2),))]))
    bad("replace-without-target", "REPLACE without target extents", payload(operations=[operation(data=IMAGE, target=())]))
    bad("move-with-data", "MOVE with data", payload(operations=[operation(2, data=IMAGE, source=((0, 2),))], old=old))
    bad("move-without-base", "names no old image", payload(operations=[operation(2, source=((0, 2),))], data=b""))
    bad("move-unequal", "MOVE of unequal source and target",
        payload(operations=[operation(2, source=((0, 1),))], data=b"", old=old))
    bad("move-source-outside", "source blocks 1 . 2 are outside",
        payload(operations=[operation(2, source=((1, 2),))], data=b"", old=old))
    bad("move-huge", "outside the partition",
        payload(operations=[operation(2, source=((0, 2**55),), target=((0, 2**55),))], data=b"", old=old))
    bad("bsdiff-without-lengths", "without the lengths", payload(operations=[operation(3, data=IMAGE, source=((0, 2),))], old=old))
    bad("source-length", "source length 1025, but its extents hold 1024",
        payload(operations=[operation(3, data=IMAGE, source=((0, 2),), source_length=1025, target_length=1024)], old=old))
    bad("target-length", "target length 1025, but its extents hold 1024",
        payload(operations=[operation(data=IMAGE, target_length=1025)]))
    bad("hash-missing", "its data has no SHA-256", payload(operations=[operation(data=IMAGE, digest=b"")]))
    bad("hash-short", "a data hash has 31 bytes", payload(operations=[operation(data=IMAGE, digest=b"x" * 31)]))
    bad("hash-wrong", "its data has the wrong SHA-256", payload(operations=[operation(data=IMAGE, digest=sha(b""))]))
    bad("data-gap", "its data is at byte 1, 0 was expected", payload(operations=[operation(data=IMAGE, offset=1)]))
    bad("data-shared", "operation 1: its data is at byte 0, 512 was expected",
        payload(operations=[half, operation(data=IMAGE[:BLOCK], target=((1, 1),))]))
    bad("data-too-large", "its data has 67108865 bytes, the most is",
        payload(operations=[operation(data=IMAGE, length=2**26 + 1)]))
    bad("extent-empty", "a target extent of 0 blocks", payload(operations=[operation(data=IMAGE, target=((0, 2), (1, 0)))]))
    bad("extent-outside", "target blocks 2 . 1 are outside", payload(operations=[operation(data=IMAGE, target=((0, 2), (2, 1)))]))
    bad("extent-overflow", "target blocks 18446744073709551614 . 3 are outside",
        payload(operations=[operation(data=IMAGE, target=((2**64 - 2, 3),))]))
    bad("extent-byte-overflow", "are outside the partition",
        payload(operations=[operation(data=IMAGE, target=((2**55, 1),))]))
    bad("extent-endless", "larger than 64 bits can count",
        payload(operations=[operation(data=IMAGE, target=((0, 2), (HOLE, 2**63)))]))
    bad("overlap-inside", "block 0 is written twice", payload(operations=[operation(data=IMAGE, target=((0, 2), (0, 1)))]))
    bad("overlap-between", "block 1 is written twice",
        payload(operations=[operation(data=IMAGE[:BLOCK]), half2()]))
    bad("gap", "block 1 is written by no operation", payload(operations=[half], data=IMAGE[:BLOCK]))
    bad("kernel-twice", "two parts are for the kernel",
        payload(procedures=[procedure(0, IMAGE, 1024), procedure(0, IMAGE, 2048)], data=IMAGE * 3))
    bad("kernel-unknown-image", "kernel: no size and SHA-256", payload(procedures=[procedure(0, IMAGE, 1024, False)], data=IMAGE * 2))
    bad("kernel-outside", "kernel: operation 0: target blocks 3 . 1 are outside",
        payload(procedures=[procedure(0, IMAGE, 1024, target=((0, 2), (3, 1)))], data=IMAGE * 2))
    bad("kernel-hash-wrong", "kernel: operation 0: its data has the wrong SHA-256",
        payload(procedures=[procedure(0, IMAGE, 1024)], data=IMAGE + IMAGE[::-1]))

    bad("unsigned", "the payload is not signed", payload(signed=False))
    bad("signatures-half", "the place of the signatures is given by half", payload(half=True))
    bad("signatures-place", "the signatures are at byte 1023, the data ends at 1024", payload(offset=1023))
    bad("signatures-too-large", "signatures of 65537 bytes", payload(size=65537))
    bad("signatures-garbage", "the signatures are no valid protobuf", payload(message=b"\xff" * 264))
    bad("signatures-none", "0 signatures; 1 to 16 are possible", payload(message=text(9, b"x" * 261), size=264))
    bad("signatures-many", "17 signatures; 1 to 16", payload(message=text(1, number(1, 2) + text(2, b"x")) * 17, size=17 * 7))
    bad("signature-empty", "signature 0 is empty, too large, badly padded", payload(message=text(1, number(1, 2) + text(2, b"")), size=6))
    bad("signature-large", "signature 0 is empty, too large, badly padded",
        payload(message=text(1, number(1, 2) + text(2, b"x" * 2049)), size=2057))
    bad("signature-version", "signature 0 is not numbered as version 2",
        payload(message=lambda d: text(1, number(1, 1) + text(2, sign(d)))))
    bad("signature-other", "none of its 1 signatures is by a trusted key", payload(message=lambda d: signatures(sha(d))))
    bad("signature-zero", "none of its 1 signatures", payload(message=text(1, number(1, 2) + text(2, b"\0" * 256))))

    def packed_bad(name, pattern, data, **kw):
        bad(name, pattern, payload(operations=[operation(1, data=data, **kw)], data=data))
    packed_bad("bzip2-garbage", "not one whole compressed stream", b"BZh9" + b"x" * 60)
    packed_bad("bzip2-truncated", "not one whole compressed stream", image_z[:-5])
    packed_bad("bzip2-trailing", "not one whole compressed stream", image_z + b"\0")
    packed_bad("bzip2-two-streams", "not one whole compressed stream", packed(IMAGE[:512]) + packed(IMAGE[512:]))
    packed_bad("bzip2-bomb", "its data is larger than its place", packed(b"\0" * 2**26))
    packed_bad("bzip2-one-byte-more", "its data is larger than its place", packed(IMAGE + b"\0"))
    packed_bad("bzip2-length", "its data makes 1024 bytes, 1000 were announced", image_z, target_length=1000)
    def delta_bad(name, pattern, blob, length=1024, source_length=len(BASE)):
        bad("bsdiff-" + name, "operation 0: .*" + pattern, payload(
            operations=[operation(3, data=blob, source=((0, 4),), target=((0, 2),), source_length=source_length,
                                  target_length=length)], data=blob, old=info(len(BASE), sha(BASE))))
    fine = [(1024, 0, 0)], bytes(1024)
    delta_bad("magic", "its patch does not begin with", patch(*fine, magic=b"BSDIFF41"))
    delta_bad("short", "its patch is too short", b"BSDIFF40" + bytes(23))
    delta_bad("size", "another size of the new data", patch(*fine, size=1023))
    delta_bad("size-negative", "another size of the new data", patch(*fine, size=-1024))
    delta_bad("control-length", "streams that are longer than itself", patch(*fine, control_length=4000))
    delta_bad("control-negative", "streams that are longer than itself", patch(*fine, control_length=-1))
    delta_bad("diff-length", "streams that are longer than itself", patch(*fine, diff_length=2**62))
    delta_bad("garbage", "its patch has a damaged stream", patch(*fine)[:32] + b"x" * 150)
    delta_bad("control-ends", "its patch has a damaged stream", patch([(512, 0, 0)], bytes(512), size=1024))
    delta_bad("diff-ends", "its patch has a damaged stream", patch([(1024, 0, 0)], bytes(1023)))
    delta_bad("diff-rest", "more than its new data needs", patch([(1024, 0, 0)], bytes(1025)))
    delta_bad("control-rest", "more than its new data needs", patch([(1024, 0, 0), (0, 0, 0)], bytes(1024)))
    delta_bad("tail", "more than its new data needs", patch(*fine, tail=b"x"))
    delta_bad("diff-too-long", "makes more than its new data", patch([(1025, 0, 0)], bytes(1025), size=1024))
    delta_bad("extra-too-long", "makes more than its new data", patch([(0, 1025, 0)], b"", bytes(1025), size=1024))
    delta_bad("diff-negative", "makes more than its new data", patch([(-1, 0, 0), (1024, 0, 0)], bytes(1024), size=1024))
    delta_bad("extra-negative", "makes more than its new data", patch([(0, -2**62, 0)], size=1024))
    delta_bad("seek", "moves out of all bounds",
              patch([(1, 0, 2**63 - 1), (1, 0, 2**63 - 1), (1022, 0, 0)], bytes(1024), size=1024))
    delta_bad("idle", "too many steps without data", patch([(0, 0, 1)] * 65537, size=1024))
    bad("delta-other-base", "usr: the base is not the one", payload(
        operations=[operation(2, source=((0, 2),))], data=b"", old=info(len(BASE), sha(b""))))
    bad("delta-larger-base", "usr: the base has 2048 bytes, the delta is for one of 2049", payload(
        operations=[operation(2, source=((0, 2),))], data=b"", old=info(len(BASE) + 1, sha(BASE))))
    bad("delta-too-large", "a delta of more than 134217728 blocks", payload(
        operations=[operation(2, source=((0, 2),))], data=b"", new=info(2**37, sha(b"")), old=old))
    bad("delta-hash-wrong", "usr: what was written does not have", payload(
        operations=[operation(2, source=((1, 2),))], data=b"", old=info(len(BASE), sha(BASE))))

    bad("replace-too-large", "its data is larger than its place",
        payload(operations=[operation(data=IMAGE + b"\0")], data=IMAGE + b"\0"))
    bad("image-hash-wrong", "usr: what was written does not have the SHA-256", payload(new=info(1024, sha(b""))))


def main():
    key_make()
    all_of_them()
    all_of_version_2()
    for old in os.listdir(HERE):
        if old.endswith(".payload"):
            os.unlink(os.path.join(HERE, old))
    with open(HERE + "/expected", "w") as table:
        table.write("# FIXTURE and what payload(1) says when it refuses it (an extended regular expression)\n")
        for name, (pattern, content) in sorted(fixtures.items()):
            table.write(f"{name}\t{pattern}\n")
            with open(f"{HERE}/{name}.payload", "wb") as f:
                f.write(content)
    with open(HERE + "/good.payload", "wb") as f:
        f.write(payload())
    with open(HERE + "/good-v2.payload", "wb") as f:
        f.write(all_operations())
    with open(HERE + "/good-rewrite.payload", "wb") as f:
        f.write(delta_that_rewrites())
    with open(HERE + "/dated.payload", "wb") as f:
        f.write(payload2(more=number(14, 1000) + number(1001, 2000)))
    with open(HERE + "/good-delta.payload", "wb") as f:
        f.write(delta_in_place())
    with open(HERE + "/base.img", "wb") as f:
        f.write(BASE)
    print(len(fixtures), "fixtures")


main()

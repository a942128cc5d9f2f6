#!/bin/bash
# Small payloads with flipped bytes (the unit test of apply flips and cuts at every place, here it is every seventh)
# and every fixture of tests/bad/payload. All refused, and no target ever appears.
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
payload=$(program payload/payload)
bad=$SLUICE_SOURCE/tests/bad/payload
cd "$scratch" || exit 1

works "the whole payload is fine" "$payload" apply --key "$bad/key.pub.pem" --target target "$bad/good.payload"
works "the whole delta is fine, in place as it was made" "$payload" apply --key "$bad/key.pub.pem" --base "$bad/base.img" --target target "$bad/good-delta.payload"
works "a delta over its own base gives the same" bash -c "cp '$bad/base.img' base && '$payload' apply --key '$bad/key.pub.pem' --base base --target base '$bad/good-delta.payload' && cmp base target"
rm -f target base
refuses "a delta wants a base" 1 "usr: the payload is a delta, and there is no base for it" "$payload" apply --key "$bad/key.pub.pem" --target target "$bad/good-delta.payload"

python3 -c 'import struct, sys; sys.stdout.buffer.write(b"".join(struct.pack(">I", i) * 16384 for i in range(128)))' >numbered
works "a delta that writes a block twice is read back at the end" "$payload" apply --cached --jobs 4 --key "$bad/key.pub.pem" --base numbered --target target "$bad/good-rewrite.payload"
works "one with every operation of version 2 is fine" "$payload" apply --key "$bad/key.pub.pem" --base "$bad/base.img" --target target "$bad/good-v2.payload"
rm -f target

cat >damage.py <<'PYTHON'
import os, subprocess, sys
program, key, base, good = sys.argv[1:]
whole = open(good, "rb").read()
accepted = []
for i in range(0, len(whole), 7):
    data = whole[:i] + bytes([whole[i] ^ (1 << i % 8)]) + whole[i + 1:]
    done = subprocess.run([program, "apply", "--key", key, "--base", base, "--target", "target", "-"], input=data, capture_output=True)
    lines = done.stderr.decode().splitlines()
    if done.returncode != 1 or os.path.exists("target") or not lines[:1] or not lines[0].startswith("payload: -: "):
        accepted.append((i, done.returncode, lines))
print(len(whole), accepted)
sys.exit(bool(accepted))
PYTHON
for good in good good-delta good-v2; do
    works "flipped bytes of $good are refused" python3 damage.py "$payload" "$bad/key.pub.pem" "$bad/base.img" "$bad/$good.payload"
done
same "no target and no part of one is left" "$(compgen -G 'target*')" ""

while IFS=$'\t' read -r name pattern; do
    case $name in '#'*) continue ;; esac
    refuses "$name" 1 "$pattern" bash -c "'$payload' apply --key '$bad/key.pub.pem' --base '$bad/base.img' --target target - <'$bad/$name.payload'"
    [ ! -e target ] || { fail "$name left a target"; rm -f target; }
done <"$bad/expected"
same "every fixture is in the table" "$(find "$bad" -name '*.payload' ! -name 'good*' ! -name 'dated*' | wc -l)" "$(grep -vc '^#' "$bad/expected")"
done_testing

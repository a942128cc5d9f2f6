#!/bin/bash
# Payloads that the original generator made, and ours against them.
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
payload=$(program payload/payload)
vectors=${SLUICE_VECTORS:-$SLUICE_SOURCE/../shared/vectors}/payload-v1
[ -d "$vectors" ] || skip_all "the vectors are not there: $vectors"
cd "$scratch" || exit 1
key=$vectors/test-rsa2048.pub.pem

sum() { sha256sum <"$1" | cut -d' ' -f1; }
wanted() { awk -v name="$1" '$2 == name { print $1 }' "$vectors/SHA256SUMS"; }

works "verify a full payload" "$payload" verify --key "$key" "$vectors/oem-test.gz"
works "apply it" "$payload" apply --key "$key" --target oem "$vectors/oem-test.gz"
same "its image is right" "$(sum oem)" "$(wanted oem-test.raw)"
zstd -qdc "$vectors/usr64-old.img.zst" >usr-old && zstd -qdc "$vectors/vmlinuz-old.zst" >vmlinuz-old
same "the base is right" "$(sum usr-old) $(sum vmlinuz-old)" "$(wanted usr64-old.img) $(wanted vmlinuz-old)"
works "apply a delta of image and kernel" "$payload" apply --key "$key" --base usr-old --kernel-base vmlinuz-old --target usr-new --kernel-target vmlinuz-new "$vectors/delta64-kernel-signed.bin"
same "its image and kernel are right" "$(sum usr-new) $(sum vmlinuz-new)" "$(wanted usr64-new.img) $(wanted vmlinuz-new)"
works "apply it through a pipe" bash -c "'$payload' apply --key '$key' --base usr-old --target usr-piped - <'$vectors/delta64-kernel-signed.bin'"
works "with the same result" cmp usr-new usr-piped
refuses "another base" 1 "usr: the base is not the one" "$payload" apply --key "$key" --base usr-new --target x "$vectors/delta64-kernel-signed.bin"
refuses "another kernel base" 1 "kernel: the base" "$payload" apply --key "$key" --base usr-old --kernel-base usr-new --target x --kernel-target y "$vectors/delta64-kernel-signed.bin"
works "verify a delta" "$payload" verify --key "$key" "$vectors/delta64-kernel-signed.bin"

# The same image made into a payload by us: only the 256 bytes of the signature may differ.
openssl genrsa -out key.pem 2048 2>/dev/null
works "make the same payload" "$payload" create --format v1 --image oem --compression none --key key.pem --output ours
head -c -256 ours >ours.head
head -c -256 "$vectors/oem-test.gz" >theirs.head
works "it is the same, byte for byte, up to the signature" cmp ours.head theirs.head
works "sign theirs anew" "$payload" sign "$vectors/oem-test.gz" --key key.pem --output resigned
works "which changes the signature only" cmp ours resigned
done_testing

#!/bin/bash
# payload(1) as its users run it: make, sign, verify, apply; through files and pipes; with the wrong key and without one.
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
payload=$(program payload/payload)
cd "$scratch" || exit 1

for key in a b; do
    openssl genrsa -out $key.pem 2048 2>/dev/null && openssl pkey -in $key.pem -pubout -out $key.pub.pem
done
openssl genrsa -out weak.pem 1024 2>/dev/null && openssl pkey -in weak.pem -pubout -out weak.pub.pem
# 3 MiB and 5 blocks: packable, not packable and zero pieces
{ yes "all work and no play" | head -c 1048576; head -c 1048576 /dev/urandom; head -c 1069056 /dev/zero; } >image
head -c 1500001 "$payload" >kernel

# Everything once for each format: the variable format is in all descriptions.
for format in v1 v2; do
    rm -f signed* unsigned one digest* signature* new*
    works "$format: create makes an unsigned payload" "$payload" create --format $format --image image --kernel kernel --output unsigned
    works "$format: create with a key makes a signed one" "$payload" create --format $format --image image --kernel kernel --key a.pem --output signed
    works "$format: one thread" "$payload" create --format $format --image image --kernel kernel --key a.pem --output one --jobs 1
    works "$format: the number of threads does not change a byte" cmp signed one
    works "$format: sign" "$payload" sign unsigned --key a.pem --output signed-later
    works "$format: signing later gives the same bytes as signing at once" cmp signed signed-later
    works "$format: digest" "$payload" digest unsigned --output digest --metadata-output digest-metadata
    elsewhere=()
    for part in '' -metadata; do
        [ -e digest$part ] || continue
        openssl pkeyutl -sign -inkey a.pem -in digest$part -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pkcs1 -out signature$part
        elsewhere+=("-${part:+-${part#-}}-signature" "signature$part")
    done
    works "$format: sign with signatures made by openssl" "$payload" sign unsigned "${elsewhere[@]}" --output signed-elsewhere
    if [ $format = v1 ]; then
        works "$format: which gives the same bytes again" cmp signed signed-elsewhere
    else
        works "$format: which is as good, without a key id" "$payload" verify --key a.pub.pem signed-elsewhere
    fi

    works "$format: verify" "$payload" verify --key a.pub.pem signed
    prints "$format: verify names the key" "signed by [0-9a-f]{16} \(a.pub.pem\)" "$payload" verify --key b.pub.pem --key a.pub.pem signed
    works "$format: apply a file" "$payload" apply --key a.pub.pem --target new --kernel-target new-kernel signed
    works "$format: the image is right" cmp image new
    works "$format: the kernel is right" cmp kernel new-kernel
    rm -f new new-kernel
    works "$format: apply a pipe" bash -c "cat signed | '$payload' apply --key a.pub.pem --target new -"
    works "$format: the image from the pipe is right" cmp image new
    works "$format: apply through a pipe that trickles" bash -c "dd if=signed bs=1000 2>/dev/null | '$payload' apply --key a.pub.pem --target new -"
    works "$format: the image from the slow pipe is right" cmp image new
done

for compression in zstd xz bzip2 none; do
    works "v2 with $compression" "$payload" create --image image --compression $compression --key a.pem --output packed
    works "applies" "$payload" apply --key a.pub.pem --target new packed
    works "to the same image" cmp image new
done
openssl genpkey -algorithm ed25519 -out ed25519.pem 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem 2>/dev/null
for key in ed25519 p256 p384; do openssl pkey -in $key.pem -pubout -out $key.pub.pem; done
works "v2 signed with three kinds of keys" "$payload" create --image image --key ed25519.pem --key p256.pem --key a.pem --output kinds
for key in ed25519 p256 a; do works "$key is enough" "$payload" verify --key $key.pub.pem kinds; done
ids=$(for key in ed25519 p256 a; do openssl pkey -pubin -in $key.pub.pem -outform DER | sha256sum | cut -c-64; done)
same "info shows the ids of all three" "$("$payload" info --json kinds | jq -r '.signatures[].key_id, .metadata_signatures[].key_id')" "$ids"$'\n'"$ids"
prints "info shows the short form" "^signature +64 bytes by key $(head -c 16 <<<"$ids")$" "$payload" info kinds
prints "info says which key made which signature" "^signature .* by key $(tail -n 1 <<<"$ids" | head -c 16), made by [0-9a-f]{16} \\(a.pub.pem\\)$" "$payload" info --key a.pub.pem kinds
same "and which were made by none" "$("$payload" info --json --key a.pub.pem --key p256.pub.pem kinds | jq -c '[.signatures[].signer != null]')" "[false,true,true]"
python3 - kinds moved <<'PYTHON'
import hashlib, subprocess, sys
data = bytearray(open(sys.argv[1], "rb").read())
der = subprocess.run(["openssl", "pkey", "-pubin", "-in", "a.pub.pem", "-outform", "DER"], check=True, capture_output=True).stdout
place = data.rindex(hashlib.sha256(der).digest())
data[place + 31] ^= 1
open(sys.argv[2], "wb").write(data)
PYTHON
refuses "is no signature" 1 "moved: none of its 3 signatures is by a trusted key" "$payload" verify --key a.pub.pem moved
works "all three can be wanted" "$payload" verify --key ed25519.pub.pem --key p256.pub.pem --key a.pub.pem --signatures 3 kinds
refuses "another curve" 1 "only RSA of 2048" "$payload" verify --key p384.pub.pem kinds
refuses "v1 has RSA only" 1 "format v1 can only be signed with RSA" "$payload" create --format v1 --image image --key ed25519.pem --output x
refuses "and no zstd" 2 "v1 has bzip2 and none" "$payload" create --format v1 --compression zstd --image image --output x
works "what v2 can say about itself" "$payload" create --image image --version 4000.1.0 --timestamp 1790000000 --expires 1800000000 --min-engine 0.1.0 --key a.pem --output said
same "info shows it" "$("$payload" info --json said | jq -r '.timestamp, .expires, .minimum_engine, .partitions[0].version' | tr '\n' ' ')" "1790000000 1800000000 0.1.0 4000.1.0 "
works "for a newer updater" "$payload" create --image image --min-engine 99 --key a.pem --output future
refuses "is refused" 1 "the payload needs updater 99 or newer" "$payload" verify --key a.pub.pem future
works "one that has expired" "$payload" create --image image --expires 1000000000 --key a.pem --output expired
refuses "is refused too" 1 "the payload has expired" "$payload" verify --key a.pub.pem expired

# Large enough that reading back follows the writing, with threads and without.
seq 1 6500000 | head -c 49999872 >large
works "a larger image" "$payload" create --image large --level 1 --key a.pem --output large.payload
for how in '--jobs 1' '--jobs 2' '--jobs 7' '--cached' '--cached --jobs 1'; do
    # shellcheck disable=SC2086 # several words
    works "applies with $how" "$payload" apply --key a.pub.pem --target new $how large.payload
    works "to the same image" cmp large new
done
python3 - <<'PYTHON'
data = bytearray(open("large.payload", "rb").read())
data[len(data) // 2] ^= 1
open("large.flipped", "wb").write(data)
PYTHON
rm -f new
refuses "a flipped bit in the middle is found, whatever is in flight" 1 "usr: operation [0-9]+: its data has the wrong SHA-256" bash -c "'$payload' apply --jobs 7 --key a.pub.pem --target new - <large.flipped"
works "and nothing appears" test ! -e new

# From here on version 1, where nothing is said.
create=("$payload" create --format v1)
works "signed" "${create[@]}" --image image --kernel kernel --key a.pem --output signed
works "unsigned" "${create[@]}" --image image --output unsigned

head -c 4097 image >odd
works "an image that is no multiple of a block" "${create[@]}" --image odd --key a.pem --output odd.payload
same "says that it is padded" "$(grep -c "padded with zeros" err)" 1
works "and can be applied" "$payload" apply --key a.pub.pem --target new odd.payload
same "to two whole blocks" "$(stat -c %s new)" 8192
works "which begin with the image" cmp -n 4097 odd new

works "two keys sign" "${create[@]}" --image odd --key a.pem --key b.pem --output two
works "either is enough" "$payload" verify --key b.pub.pem two
works "both can be wanted" "$payload" verify --key b.pub.pem --key a.pub.pem --signatures 2 two
works "a private key by its URI" "$payload" create --format v1 --image image --kernel kernel --key "file:$scratch/a.pem" --output by-uri
works "signs the same" cmp signed by-uri
works "a public key by its URI" "$payload" verify --key "file:$scratch/a.pub.pem" signed
refuses "a URI without a public key" 1 "there is no public key in it" "$payload" verify --key "file:$scratch/image" signed
refuses "a URI that no provider knows" 1 "OpenSSL has no provider or engine for it" "$payload" verify --key "pkcs99:object=a" signed
cp a.pub.pem pkcs11:a
works "a file that looks like a URI is a file" "$payload" verify --key pkcs11:a signed
mkdir keys.d && cp a.pub.pem b.pub.pem keys.d
works "keys from a directory" "$payload" verify --key keys.d --signatures 2 two
refuses "one key given twice is one" 1 "signed by 1 trusted keys, 2 are wanted" "$payload" verify --key b.pub.pem --key b.pub.pem --signatures 2 two
refuses "two signatures wanted, one there" 1 "signed by 1 trusted keys, 2 are wanted" "$payload" verify --key keys.d --signatures 2 signed

refuse_untouched() { # WHAT TEXT ARGUMENTS...: refused, and what is at the target stays
    local what=$1 text=$2; shift 2
    echo precious >precious
    refuses "$what" 1 "$text" "$payload" apply --target precious "$@"
    same "$what: the target is untouched" "$(cat precious)" precious
    same "$what: nothing is left beside it" "$(compgen -G '*.partial')" ""
}
refuse_untouched "the wrong key" "none of its 1 signatures is by a trusted key" --key b.pub.pem signed
refuse_untouched "unsigned" "is not signed" --key a.pub.pem unsigned
refuse_untouched "no payload" "not an update payload" --key a.pub.pem image
refuse_untouched "a weak key" "only RSA of 2048" --key weak.pub.pem signed
refuse_untouched "a private key as a public one" "there is no public key in it; of a private one it is made with: openssl pkey" --key a.pem signed
refuse_untouched "no such key" "none.pem: No such file" --key none.pem signed
refuse_untouched "no such payload" "none: No such file" --key a.pub.pem none
mkdir empty.d
refuse_untouched "a key directory without keys" "there is no \*.pem in it" --key empty.d signed
refuses "a directory as target" 1 "Is a directory" "$payload" apply --key a.pub.pem --target . signed
refuses "a character device as target" 1 "neither a regular file nor a block device" "$payload" apply --key a.pub.pem --target /dev/null signed
refuses "a public key as a private one" 1 "a.pub.pem: there is no private key in it" "$payload" sign signed --key a.pub.pem --output x
refuses "a directory that is not there" 1 "none/new: the directory for it is not there" "$payload" apply --key a.pub.pem --target none/new signed
works "one without a kernel" "${create[@]}" --image image --key a.pem --output kernelless
refuses "a target for a kernel that is not in it" 1 "no partition of the payload is called \"kernel\"" "$payload" apply --key a.pub.pem --target nothing --kernel-target nothing-too kernelless
same "which leaves nothing behind" "$(compgen -G 'nothing*')" ""
cp signed itself
refuses "the payload as its own target" 1 "itself: it can not be payload and target at once" "$payload" apply --key a.pub.pem --target new --kernel-target ./itself itself
refuses "the payload as target, by another name" 1 "it can not be payload and target at once" "$payload" apply --key a.pub.pem --target ./itself itself
refuses "one target for image and kernel" 1 "same: --target and --kernel-target are the same" "$payload" apply --key a.pub.pem --target same --kernel-target same itself
works "the payload is still there" cmp signed itself
refuses "the image as output" 1 "it can not be image and output at once" "${create[@]}" --image image --output ./image
works "signing in place" "$payload" sign itself --key a.pem --output itself
works "gives the same" cmp signed itself
head -c 40000 signed >short && { cat signed; echo; } >long
for what in short:verify short:info long:verify long:info; do
    [ "${what#*:}" = info ] && key=() || key=(--key a.pub.pem)
    refuses "${what/:/ file: }" 1 "${what%:*}: it has $(stat -c %s "${what%:*}") bytes, by its manifest $(stat -c %s signed) are wanted" "$payload" "${what#*:}" "${key[@]}" "${what%:*}"
done
refuses "an empty image" 1 "it is empty" "${create[@]}" --image /dev/null --output x
refuses "no key" 2 "key is missing" "$payload" verify signed
refuses "no target" 2 "target is missing" "$payload" apply --key a.pub.pem signed
refuses "no image" 2 "image is missing" "${create[@]}" --output x
refuses "a compression that does not exist" 2 "is not known" "${create[@]}" --image image --output x --compression lzw

echo old >file && chmod 600 file && ln -s file link
works "apply to a symbolic link" "$payload" apply --key a.pub.pem --target link signed
works "the file behind it has the image" cmp image file
same "and the link and the permissions stay" "$(readlink link) $(stat -c %a file)" "file 600"

prints "info" "^block size +4096 bytes" "$payload" info signed
prints "info shows operations" "0: REPLACE_BZ, data 0\+[0-9]+, to 0\+256" "$payload" info --operations signed
same "info as JSON" "$("$payload" info --json signed | jq -r '.format, (.partitions | map(.name) | join(",")), (.signatures | length)' | tr '\n' ' ')" "1 usr,kernel 1 "
same "verify as JSON" "$("$payload" verify --json --key a.pub.pem signed | jq -r .image_sha256)" "$(sha256sum <image | cut -d' ' -f1)"

# What old clients go by: each piece of a procedure, and the signatures, once more as a REPLACE into a hole.
noops_are_right() {
    local size=$((16#$(od -An -tx1 -j12 -N8 signed | tr -d ' ')))
    tail -c +21 signed | head -c "$size" | protoc -I "$SLUICE_SOURCE/payload" update_metadata.proto \
        --decode=chromeos_update_engine.DeltaArchiveManifest >manifest || return
    python3 - manifest <<'END'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
def found(pattern, name): return re.search(rf"^ *{name}: (.*)$", pattern, re.M)
def blob(operation): return tuple(found(operation, name)[1] for name in ("data_offset", "data_length", "data_sha256_hash"))
noops = re.findall(r"^noop_operations \{\n(.*?)^\}", text, re.M | re.S)
procedures = "".join(re.findall(r"^procedures \{\n(.*?)^\}", text, re.M | re.S))
pieces = [piece for piece in re.findall(r"^  operations \{\n(.*?)^  \}", procedures, re.M | re.S) if found(piece, "data_length")]
*copies, last = noops
assert pieces and [blob(copy) for copy in copies] == [blob(piece) for piece in pieces], "procedures"
assert found(last, "data_offset")[1] == found(text, "signatures_offset")[1] and not found(last, "data_sha256_hash"), "signatures"
for noop in noops:
    blocks = -(-int(found(noop, "data_length")[1]) // 4096)
    assert found(noop, "type")[1] == "REPLACE" and len(re.findall("dst_extents", noop)) == 1, noop
    assert found(noop, "start_block")[1] == str(2**64 - 1) and found(noop, "num_blocks")[1] == str(blocks), noop
END
}
works "v1 with the noop operations that old clients want" noops_are_right
done_testing

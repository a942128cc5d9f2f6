#!/bin/bash
# payload(1) as its users run it: make, sign, verify, apply; through files and pipes; with the wrong key and without one.
. "$SLUICE_SOURCE/tests/integration/lib.sh"
payload=$(program payload/payload)
cd "$scratch" || exit 1

for key in a b; do
    openssl genrsa -out $key.pem 2048 2>/dev/null && openssl pkey -in $key.pem -pubout -out $key.pub.pem
done
openssl genrsa -out weak.pem 1024 2>/dev/null && openssl pkey -in weak.pem -pubout -out weak.pub.pem
# 3 MiB and 5 blocks: packable, not packable and zero pieces
{ yes "all work and no play" | head -c 1048576; head -c 1048576 /dev/urandom; head -c 1069056 /dev/zero; } >image
head -c 1500001 "$payload" >kernel

works "create makes an unsigned payload" "$payload" create --image image --kernel kernel --output unsigned
works "create with a key makes a signed one" "$payload" create --image image --kernel kernel --key a.pem --output signed
works "one thread" "$payload" create --image image --kernel kernel --key a.pem --output one --jobs 1
works "the number of threads does not change a byte" cmp signed one
works "sign" "$payload" sign unsigned --key a.pem --output signed-later
works "signing later gives the same bytes as signing at once" cmp signed signed-later
works "digest" "$payload" digest unsigned --output digest
openssl pkeyutl -sign -inkey a.pem -in digest -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pkcs1 -out signature
works "sign with a signature made by openssl" "$payload" sign unsigned --signature signature --output signed-elsewhere
works "which gives the same bytes again" cmp signed signed-elsewhere

works "verify" "$payload" verify --key a.pub.pem signed
prints "verify names the key" "signed by [0-9a-f]{16} \(a.pub.pem\)" "$payload" verify --key b.pub.pem --key a.pub.pem signed
works "apply a file" "$payload" apply --key a.pub.pem --target new --kernel-target new-kernel signed
works "the image is right" cmp image new
works "the kernel is right" cmp kernel new-kernel
rm -f new new-kernel
works "apply a pipe" bash -c "cat signed | '$payload' apply --key a.pub.pem --target new -"
works "the image from the pipe is right" cmp image new
works "apply through a pipe that trickles" bash -c "dd if=signed bs=1000 2>/dev/null | '$payload' apply --key a.pub.pem --target new -"
works "the image from the slow pipe is right" cmp image new

head -c 4097 image >odd
works "an image that is no multiple of a block" "$payload" create --image odd --key a.pem --output odd.payload
same "says that it is padded" "$(grep -c "padded with zeros" err)" 1
works "and can be applied" "$payload" apply --key a.pub.pem --target new odd.payload
same "to two whole blocks" "$(stat -c %s new)" 8192
works "which begin with the image" cmp -n 4097 odd new

works "two keys sign" "$payload" create --image odd --key a.pem --key b.pem --output two
works "either is enough" "$payload" verify --key b.pub.pem two
works "both can be wanted" "$payload" verify --key b.pub.pem --key a.pub.pem --signatures 2 two
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
refuse_untouched "a weak key" "only RSA keys of 2048" --key weak.pub.pem signed
refuse_untouched "a private key as a public one" "no key of the wanted kind" --key a.pem signed
refuse_untouched "no such key" "none.pem: No such file" --key none.pem signed
refuse_untouched "no such payload" "none: No such file" --key a.pub.pem none
mkdir empty.d
refuse_untouched "a key directory without keys" "there is no \*.pem in it" --key empty.d signed
refuses "a directory as target" 1 "Is a directory" "$payload" apply --key a.pub.pem --target . signed
refuses "a character device as target" 1 "neither a regular file nor a block device" "$payload" apply --key a.pub.pem --target /dev/null signed
refuses "an empty image" 1 "it is empty" "$payload" create --image /dev/null --output x
refuses "no key" 2 "key is missing" "$payload" verify signed
refuses "no target" 2 "target is missing" "$payload" apply --key a.pub.pem signed
refuses "no image" 2 "image is missing" "$payload" create --output x
refuses "a compression that does not exist" 2 "is not known" "$payload" create --image image --output x --compression lzw

echo old >file && chmod 600 file && ln -s file link
works "apply to a symbolic link" "$payload" apply --key a.pub.pem --target link signed
works "the file behind it has the image" cmp image file
same "and the link and the permissions stay" "$(readlink link) $(stat -c %a file)" "file 600"

prints "info" "^block size +4096 bytes" "$payload" info signed
prints "info shows operations" "0: REPLACE_BZ, data 0\+[0-9]+, to 0\+256" "$payload" info --operations signed
same "info as JSON" "$("$payload" info --json signed | jq -r '.format, (.partitions | map(.name) | join(",")), (.signatures | length)' | tr '\n' ' ')" "1 usr,kernel 1 "
same "verify as JSON" "$("$payload" verify --json --key a.pub.pem signed | jq -r .image_sha256)" "$(sha256sum <image | cut -d' ' -f1)"
done_testing

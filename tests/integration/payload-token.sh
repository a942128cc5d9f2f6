#!/bin/bash
# Keys in a PKCS #11 token: signing with them, and trusting them. The token is SoftHSM's, in the scratch directory.
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
payload=$(program payload/payload)
cd "$scratch" || exit 1
module=/usr/lib/softhsm/libsofthsm2.so
for program in softhsm2-util pkcs11-tool; do
    command -v "$program" >/dev/null || skip_all "$program is not installed"
done
openssl engine -t pkcs11 2>/dev/null | grep -q '\[ available \]' || skip_all "libengine-pkcs11-openssl is not installed"
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 # the engine keeps its tables for public keys
export SOFTHSM2_CONF=$scratch/softhsm.conf PKCS11_MODULE_PATH=$module
mkdir tokens
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$scratch/tokens" >softhsm.conf

token() { pkcs11-tool --module "$module" --token-label release "$@" >/dev/null 2>&1; }
works "a token" softhsm2-util --init-token --free --label release --pin 1234 --so-pin 5678
works "an RSA key in it" token --login --pin 1234 --keypairgen --key-type rsa:2048 --label rsa --id 01
works "an ECDSA key in it" token --login --pin 1234 --keypairgen --key-type EC:prime256v1 --label ec --id 02
for key in rsa ec; do
    token --read-object --type pubkey --label $key --output-file $key.der
    openssl pkey -pubin -inform DER -in $key.der -out $key.pub.pem
done
head -c 1000000 /dev/urandom >image
works "an unsigned payload" "$payload" create --image image --output unsigned
uri() { printf 'pkcs11:token=release;object=%s;type=%s%s' "$1" "$2" "${3+?pin-value=$3}"; }

for key in rsa ec; do
    works "$key: the token signs" "$payload" sign unsigned --key "$(uri $key private 1234)" --output signed
    prints "$key: and the public half verifies" "signed by [0-9a-f]{16} \($key.pub.pem\)" "$payload" verify --key $key.pub.pem signed
    prints "$key: so it does from the token" "signed by [0-9a-f]{16} \(pkcs11:.*\)" "$payload" verify --key "$(uri $key public)" signed
    same "$key: its id is known" "$("$payload" info --json signed | jq -r '.signatures[].key_id')" "$(sha256sum <$key.der | cut -c-64)"
    works "$key: both at once" "$payload" create --image image --key "$(uri $key private 1234)" --output signed
    works "$key: which applies" "$payload" apply --key $key.pub.pem --target new signed
done
works "version 1, too" "$payload" create --format v1 --image image --key "$(uri rsa private 1234)" --output signed
works "verifies" "$payload" verify --key rsa.pub.pem signed
refuses "another key of the token" 1 "is by a trusted key" "$payload" verify --key "$(uri ec public)" --key ec.pub.pem signed

printf 1234 >pin
works "the PIN in a file" "$payload" sign unsigned --key "$(uri rsa private)?pin-source=file:$scratch/pin" --output signed
refuses "a wrong PIN" 1 "there is no private key in it that can be read" "$payload" sign unsigned --key "$(uri rsa private 9999)" --output other
refuses "no such key" 1 "there is no private key in it that can be read" "$payload" sign unsigned --key "$(uri none private 1234)" --output other
refuses "no such token" 1 "there is no private key in it that can be read" "$payload" sign unsigned --key "pkcs11:token=none;object=rsa?pin-value=1234" --output other
refuses "no engine" 1 "OpenSSL has no provider or engine for it: install libengine-pkcs11-openssl, or sign elsewhere" env OPENSSL_ENGINES="$scratch" "$payload" sign unsigned --key "$(uri rsa private 1234)" --output other
works "nothing was written" test ! -e other
done_testing

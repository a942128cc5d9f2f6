#!/bin/bash
# The lock behind TLS, client certificates and user accounts, on real etcds.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl openssl >/dev/null || skip_all "etcd-server, etcd-client and openssl are needed"

# key_make NAME SUBJECT: a key and a certificate signed by our CA
key_make() {
    openssl req -newkey rsa:2048 -nodes -keyout "$scratch/$1.key" -subj "$2" -out "$scratch/$1.csr" 2>/dev/null
    openssl x509 -req -in "$scratch/$1.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
        -extfile <(echo "subjectAltName=IP:127.0.0.1") -out "$scratch/$1.pem" 2>/dev/null
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$scratch/ca.key" -subj /O=test -days 2 -out "$scratch/ca.pem" 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$scratch/foreign.key" -subj /O=foreign -days 2 -out "$scratch/foreign.pem" 2>/dev/null
key_make server /O=server
key_make nameless /O=host
key_make named /O=host/CN=host
tls=(--cert-file "$scratch/server.pem" --key-file "$scratch/server.key")

# CA only
etcd_options=("${tls[@]}") etcd_scheme=https
etcd_start plain
works "a CA alone is enough" "$ctl" --endpoint "$etcd_plain" --etcd-cafile "$scratch/ca.pem" lock x
refuses "without the CA nobody is believed" 1 "certificate.*look at the TLS settings" "$ctl" --endpoint "$etcd_plain" status
refuses "another CA is no CA" 1 "look at the TLS settings" \
    "$ctl" --endpoint "$etcd_plain" --etcd-cafile "$scratch/foreign.pem" status
refuses "a CA file that is not there" 1 "look at the TLS settings" \
    "$ctl" --endpoint "$etcd_plain" --etcd-cafile "$scratch/nothing.pem" status
refuses "http to a TLS port" 1 "does this endpoint want https|HTTP" "$ctl" --endpoint "${etcd_plain/https/http}" status
refuses "a certificate without its key" 1 "go together" \
    "$ctl" --endpoint "$etcd_plain" --etcd-certfile "$scratch/nameless.pem" status

# Client certificates, and user accounts
etcd_options=("${tls[@]}" --client-cert-auth --trusted-ca-file "$scratch/ca.pem")
etcd_start strict
client() { "$ctl" --endpoint "$etcd_strict" --etcd-cafile "$scratch/ca.pem" --etcd-certfile "$scratch/$1.pem" --etcd-keyfile "$scratch/$1.key" "${@:2}"; }
works "a client certificate" client nameless lock x
refuses "no client certificate" 1 "look at the TLS settings" \
    "$ctl" --endpoint "$etcd_strict" --etcd-cafile "$scratch/ca.pem" status
refuses "a foreign client certificate" 1 "look at the TLS settings" client foreign status
works "one with a CN, as long as there are no accounts" client named status

strict_admin() { ETCDCTL_API=3 etcdctl --endpoints "$etcd_strict" --cacert "$scratch/ca.pem" --cert "$scratch/nameless.pem" --key "$scratch/nameless.key" "$@" >/dev/null; }
strict_admin user add root:secret; strict_admin user grant-role root root
strict_admin role add lock; strict_admin role grant-permission lock --prefix=true readwrite coreos.com/updateengine/rebootlock/
strict_admin user add locksmith:password; strict_admin user grant-role locksmith lock
strict_admin user add stranger:password
strict_admin auth enable
export LOCKSMITHCTL_ETCD_USERNAME=locksmith LOCKSMITHCTL_ETCD_PASSWORD=password
works "user and password" client nameless unlock x
works "user and password, group" client nameless --group web lock x
LOCKSMITHCTL_ETCD_PASSWORD=wrong refuses "a wrong password" 1 "authentication failed" client nameless status
LOCKSMITHCTL_ETCD_USERNAME=stranger refuses "a user without rights" 1 "permission denied" client nameless status
LOCKSMITHCTL_ETCD_USERNAME='' refuses "no user" 1 "user name is empty" client nameless status
refuses "the trap: a certificate with a CN" 1 "refuses client certificates that have a CN" client named status

# A token that ends while locksmithd waits: it gets a new one
client nameless lock somebody
bus_start a
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
mkdir -p "$scratch/a$scratch"; cp "$scratch"/*.pem "$scratch"/*.key "$scratch/a$scratch"
mkdir -p "$scratch/a/etc/coreos"
cat >"$scratch/a/etc/coreos/update.conf" <<EOF
LOCKSMITHD_ETCD_CAFILE=$scratch/ca.pem
LOCKSMITHD_ETCD_CERTFILE=$scratch/nameless.pem
LOCKSMITHD_ETCD_KEYFILE=$scratch/nameless.key
EOF
start env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus" LOCKSMITHD_ENDPOINT="$etcd_strict" REBOOT_STRATEGY=etcd-lock \
    LOCKSMITHD_ETCD_USERNAME=locksmith LOCKSMITHD_ETCD_PASSWORD=password \
    "$daemon" --root "$scratch/a" 2>"$scratch/a.log"
becomes "locksmithd waits behind TLS and accounts, its files below --root" 10 reason_is a "semaphore is at 0"
strict_admin --user root:secret user passwd locksmith --interactive=false <<<"password" # ends all its tokens
etcd_stop strict
etcd_start strict
wait_for 20 client nameless unlock somebody # it may have no leader yet
becomes "a token that ended is replaced" 40 called a 1
grep -q password "$scratch"/*.log "$scratch"/a/run/update-engine/coordinator.conf && fail "no log tells the password" || pass "no log tells the password"

# Tokens that end by their own time, unused for 2 s: for a daemon that waits, and for a server between two questions
etcd_options=(--auth-token-ttl 2) etcd_scheme=http
etcd_start main
account() { ETCDCTL_API=3 etcdctl --endpoints "$etcd_main" "$@" >/dev/null; }
account user add root:secret; account user grant-role root root
account role add lock; account role grant-permission lock --prefix=true readwrite coreos.com/updateengine/rebootlock/
account user add locksmith:password; account user grant-role locksmith lock
account auth enable
export LOCKSMITHCTL_ENDPOINT=$etcd_main
"$ctl" lock somebody
bus_start b
peers b "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start b REBOOT_STRATEGY=etcd-lock LOCKSMITHD_ETCD_USERNAME=locksmith LOCKSMITHD_ETCD_PASSWORD=password
becomes "locksmithd waits behind an account" 15 reason_is b "semaphore is at 0"
mkdir -p "$scratch/c/etc"; echo c >"$scratch/c/etc/machine-id"
start "$ctl" --root "$scratch/c" serve-fleetlock --listen 127.0.0.1:0 --groups web >"$scratch/serve.out" 2>"$scratch/serve.log"
wait_for 10 grep -q "^Serving" "$scratch/serve.out"
ask() {
    curl -sS -o "$scratch/answer" -w '%{http_code}' -H 'fleet-lock-protocol: true' \
        -d '{"client_params":{"id":"c","group":"web"}}' "$(sed -n 's/^Serving FleetLock on //p' "$scratch/serve.out")$1"
}
same "a server takes a slot behind an account" "$(ask v1/pre-reboot)" 200
token=$(curl -sS -d '{"name":"locksmith","password":"password"}' "$etcd_main/v3/auth/authenticate" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
sleep 5 # what ends a token is time without use: nothing else can be waited for
same "a token of the same age has ended" \
    "$(curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: $token" -d '{"key":"Y29yZW9z"}' "$etcd_main/v3/kv/range")" 401
same "the server gets a new one" "$(ask v1/steady-state)" 200
"$ctl" unlock somebody
becomes "and so does locksmithd" 30 called b 1
done_testing

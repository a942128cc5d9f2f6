#!/bin/bash
# FleetLock: our server on a real etcd, asked by curl as Zincati asks, by locksmithctl and by locksmithd; mixed with
# hosts that hold the same lock in etcd.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl curl openssl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client, curl, openssl and dbus are needed"
etcd_start main
export LOCKSMITHCTL_ENDPOINT=$etcd_main
root=$scratch/host
mkdir -p "$root/etc"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
run_ctl() { "$ctl" --root "$root" "$@"; }

# server_start NAME OPTION...: its URL in $url, its pid in $started
server_start() {
    local name=$1; shift
    start "$ctl" --root "$root" serve-fleetlock --listen 127.0.0.1:0 "$@" >"$scratch/$name.out" 2>"$scratch/$name.err"
    wait_for 10 grep -q "^Serving FleetLock on" "$scratch/$name.out"
    url=$(sed -n 's/^Serving FleetLock on //p' "$scratch/$name.out")
}
# ask PATH ID GROUP [CURL-OPTION...]: status in $code, body in $scratch/answer
ask() {
    code=$(curl -sS -o "$scratch/answer" -w '%{http_code}' -H 'fleet-lock-protocol: true' "${@:4}" \
        -d "{ \"client_params\": {
  \"id\": \"$2\", \"group\": \"$3\" } }" "$url$1" 2>>"$scratch/curl.err")
}
# answers DESCRIPTION CODE BODY PATH ID GROUP [CURL-OPTION...]
answers() {
    ask "${@:4}"
    if [ "$code" = "$2" ] && grep -Eq -- "$3" <(cat "$scratch/answer"; echo); then pass "$1"
    else fail "$1: $code, wanted $2 and \"$3\"" "$scratch/answer"; fi
}

server_start server --groups default,web.9
server=$started
answers "a slot is given" 200 '^$' v1/pre-reboot aaa default
same "in the lock of locksmith" "$(etcd_get "$etcd_main" $key)" '{"semaphore":0,"max":1,"holders":["aaa"]}'
answers "once more: the same" 200 '^$' v1/pre-reboot aaa default
prints "its address is told, and that it is expected back" "127.0.0.1 .*update" run_ctl status --details
answers "nobody else gets one" 500 '^\{"kind":"failed_lock","value":"semaphore is at 0"\}$' v1/pre-reboot bbb default
refuses "nor does locksmithctl" 1 "semaphore is at 0" run_ctl lock ours
answers "it is given back" 200 '^$' v1/steady-state aaa default
answers "once more: fine, too" 200 '^$' v1/steady-state aaa default
works "now locksmithctl gets it" run_ctl lock ours
answers "and Zincati does not" 500 failed_lock v1/pre-reboot bbb default
answers "nor can it give back what it does not hold" 200 '^$' v1/steady-state bbb default
prints "the slot of ours stays" "^ours$" run_ctl status
run_ctl unlock ours
answers "another group has its own lock" 200 '^$' v1/pre-reboot aaa web.9
prints "that of locksmith's group" "^aaa$" run_ctl --group web.9 status
answers "a group that is not served" 400 unknown_group v1/pre-reboot aaa db
run_ctl pause >/dev/null
answers "a paused fleet" 500 failed_lock v1/pre-reboot aaa default
run_ctl resume >/dev/null

# What is no question
code=$(curl -sS -o "$scratch/answer" -w '%{http_code}' -d '{"client_params":{"id":"x","group":"default"}}' "${url}v1/pre-reboot")
same "without the header" "$code$(cat "$scratch/answer")" '400{"kind":"invalid_client_identity","value":"the header fleet-lock-protocol: true is missing"}'
code=$(curl -sS -o "$scratch/answer" -w '%{http_code}' -H 'fleet-lock-protocol: yes' -d '{"client_params":{"id":"x","group":"default"}}' "${url}v1/pre-reboot")
same "the header says something else" "$code" 400
answers "another path" 404 unknown_path v1/reboot x default
answers "another method" 405 unknown_method v1/pre-reboot x default -X PUT
for file in "$SLUICE_SOURCE"/tests/bad/locksmith/fleetlock-request/*; do
    code=$(curl -sS -o "$scratch/answer" -w '%{http_code}' -H 'fleet-lock-protocol: true' --data-binary "@$file" "${url}v1/pre-reboot")
    same "a request that is none: ${file##*/}" "$code$(grep -o invalid_client_identity "$scratch/answer")" 400invalid_client_identity
done
head -c 9000 /dev/zero | tr '\0' ' ' >"$scratch/large"
code=$(curl -sS -o "$scratch/answer" -w '%{http_code}' -H 'fleet-lock-protocol: true' --data-binary "@$scratch/large" "${url}v1/pre-reboot")
same "a body of 9 kB" "$code" 413
code=$(curl -sS -o "$scratch/answer" -w '%{http_code}' -H 'fleet-lock-protocol: true' -H 'Transfer-Encoding: chunked' --data-binary "@$scratch/large" "${url}v1/pre-reboot")
same "in pieces, without saying how many" "$code" 413
same "none of them touched the lock" "$(run_ctl status | sed -n 1p)" "Available: 1"

# 50 hosts at once for 3 slots, again and again: never more than 3
run_ctl set-max 3 >/dev/null
cat >"$scratch/crowd.py" <<'EOF'
import http.client, json, sys, threading, time
host, port = sys.argv[1].split("//")[1].strip("/").split(":")
inside, most, done, guard, failed = set(), 0, set(), threading.Lock(), []
def ask(connection, path, name):
    connection.request("POST", path, json.dumps({"client_params": {"id": name, "group": "default"}}), {"fleet-lock-protocol": "true"})
    answer = connection.getresponse()
    return answer.status, answer.read()
def client(name):
    global most
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    end = time.monotonic() + 90
    while time.monotonic() < end:
        status, body = ask(connection, "/v1/pre-reboot", name)
        if status == 200:
            break
        if json.loads(body)["kind"] != "failed_lock":
            failed.append(body)
        time.sleep(0.02)
    else:
        return
    with guard:
        inside.add(name)
        most = max(most, len(inside))
    time.sleep(0.005)
    with guard:
        inside.discard(name)
    if ask(connection, "/v1/steady-state", name)[0] == 200:
        done.add(name)
threads = [threading.Thread(target=client, args=(f"host-{i}",)) for i in range(50)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(done), most, failed[:1])
EOF
read -r served most failed <<<"$(timeout 100 python3 "$scratch/crowd.py" "$url")"
same "50 hosts at once: each gets in" "$served $failed" "50 []"
[ "$most" -le 3 ] && pass "never more than 3 at a time ($most)" || fail "never more than 3 at a time: $most"
peak=$(python3 - "$SLUICE_SOURCE" "$etcd_main_port" <<'EOF'
import sys
sys.path.insert(0, sys.argv[1] + "/tests/integration")
import lock_etcd
etcd = lock_etcd.Etcd.__new__(lock_etcd.Etcd)
etcd.port = int(sys.argv[2])
print(max(len(value["holders"] or []) for value in etcd.history()))
EOF
)
[ "$peak" -le 3 ] && pass "nor in the history of etcd ($peak)" || fail "nor in the history of etcd: $peak"
same "nothing is left behind" "$(run_ctl status | paste -sd' ')" "Available: 3 Max: 3"
run_ctl set-max 1 >/dev/null

# Our client against our server
export LOCKSMITHCTL_LOCK_BACKEND=fleetlock LOCKSMITHCTL_FLEETLOCK_URL=${url%/}
works "locksmithctl as a client" run_ctl lock
unset LOCKSMITHCTL_LOCK_BACKEND
prints "by the id that Zincati would use" "^583627a932274834a8ebd99f4ed41c0d$" run_ctl status
export LOCKSMITHCTL_LOCK_BACKEND=fleetlock
if command -v systemd-id128 >/dev/null && [ -s /etc/machine-id ]; then
    mkdir -p "$scratch/this/etc"; cp /etc/machine-id "$scratch/this/etc"
    "$ctl" --root "$scratch/this" check >"$scratch/out"
    grep -q "machine-id $(systemd-id128 machine-id --app-specific=de35106b6ec24688b63afddaa156679b)\$" "$scratch/out" &&
        pass "systemd derives the same from a machine-id" || fail "systemd derives the same from a machine-id" "$scratch/out"
fi
refuses "another host has to wait" 1 "Error locking: semaphore is at 0" run_ctl lock other
works "the holder may ask again" run_ctl lock
works "and give it back" run_ctl unlock
works "twice" run_ctl unlock
refuses "what can not be known is said" 1 "tells nobody who holds its lock" run_ctl status
refuses "nor can its max be set" 1 "nor lets its max be set" run_ctl set-max 3
REBOOT_STRATEGY=etcd-lock prints "explain says so, too" "lock +unknown +a FleetLock server tells nobody" run_ctl explain
REBOOT_STRATEGY=etcd-lock prints "the quorum is not ours" "quorum +open +the lock is not in etcd" run_ctl explain
prints "check names the server" "FleetLock server $url: not asked" run_ctl check
refuses "a server that is not there" 1 "Error locking: http://127.0.0.1:1/.*onnect" env LOCKSMITHCTL_FLEETLOCK_URL=http://127.0.0.1:1 "$ctl" --root "$root" lock
refuses "a URL that is none" 1 'FLEETLOCK_URL "nothing"' env LOCKSMITHCTL_FLEETLOCK_URL=nothing "$ctl" --root "$root" lock
refuses "no server there" 1 "HTTP status 404.*is FLEETLOCK_URL its base" env LOCKSMITHCTL_FLEETLOCK_URL="$etcd_main" "$ctl" --root "$root" lock
refuses "a group that FleetLock can not have" 1 'group "a/b": FleetLock takes' run_ctl --group a/b lock
refuses "a group that is not served: its kind is told" 1 "unknown_group: this server does not serve" run_ctl --group db lock
refuses "a backend that there is not" 1 'LOCK_BACKEND: unknown "zookeeper"' env LOCKSMITHCTL_LOCK_BACKEND=zookeeper "$ctl" --root "$root" lock
refuses "a server that would ask itself" 1 "needs the lock in etcd" run_ctl serve-fleetlock
unset LOCKSMITHCTL_LOCK_BACKEND LOCKSMITHCTL_FLEETLOCK_URL

# locksmithd as a client, between holders of the other kind
run_ctl lock ours
bus_start a
echo 0123456789abcdef0123456789abcdef >"$scratch/a/etc/machine-id"
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start a REBOOT_STRATEGY=etcd-lock LOCK_BACKEND=fleetlock FLEETLOCK_URL="$url"
a=$started
becomes "locksmithd waits for the server" 15 reason_is a "semaphore is at 0"
run_ctl unlock ours
becomes "it asks again, and reboots with the slot" 30 called a 1
becomes "that is in the lock" 5 holders_are '"583627a932274834a8ebd99f4ed41c0d"'
host_stop $a
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock LOCK_BACKEND=fleetlock FLEETLOCK_URL="$url"
becomes "after the boot it gives it back" 15 holders_are ""

# The end: what was asked is answered, nothing new is taken
kill -STOP "$etcd_main_pid"
ask v1/pre-reboot last default & asking=$!
# its question to etcd lies there unread
wait_for 10 bash -c "ss -Htn state established sport = :$etcd_main_port | awk '\$1 > 0' | grep -q ."
kill "$server"
wait_for 5 bash -c "! curl -s -m 1 '$url' >/dev/null" && pass "after SIGTERM it takes no new connections" || fail "after SIGTERM it takes no new connections"
kill -CONT "$etcd_main_pid"
wait "$server"; same "and ends well" $? 0
wait "$asking"
same "having answered" "$(wc -c <"$scratch/answer") $(run_ctl status | tail -1)" "0 last"
run_ctl unlock last

# Who got a slot from the server and does not come back: etcd's lease tells it, the server counts it
side=coreos.com/updateengine/rebootlock/sluice
status_of() { run_ctl --json status | python3 -c "import json, sys; s = json.load(sys.stdin); print($1)"; }
overdue() { [ "$(status_of '[(r["id"], r["down"], r["overdue"]) for r in s["records"]]')" = "$1" ]; }
failed() { [ "$(status_of '[f["id"] for f in s["policy"]["failures"]], bool(s["policy"]["stopped"])')" = "$1" ]; }
REBOOT_RETURN_TIME=3s REBOOT_FAILURE_BUDGET=2 server_start late
late=$started
run_ctl set-max 5 >/dev/null
answers "a slot for a host that will be back late" 200 '^$' v1/pre-reboot zoe default
overdue "[('zoe', True, False)]" && pass "it is down and expected back" || fail "it is down and expected back: $(status_of 's["records"]')"
same "by a lease" "$(etcd_get "$etcd_main" $side/away/zoe)" "{}"
becomes "then it is overdue" 10 overdue "[('zoe', True, True)]"
answers "it asks again: it had not gone yet" 200 '^$' v1/pre-reboot zoe default
overdue "[('zoe', True, False)]" && pass "so its time begins anew" || fail "so its time begins anew: $(status_of 's["records"]')"
becomes "and ends again" 10 overdue "[('zoe', True, True)]"
answers "others still get a slot: that is one failure of two that may" 200 '^$' v1/pre-reboot yan default
failed "['zoe'] False" && pass "it is counted" || fail "it is counted: $(status_of 's["policy"]')"
answers "it comes back" 200 '^$' v1/steady-state zoe default
failed "[] False" && pass "and counts no more" || fail "and counts no more: $(status_of 's["policy"]')"
same "nothing is left of it" "$(etcd_get "$etcd_main" --prefix $side/away/zoe)$(etcd_get "$etcd_main" --prefix $side/holders/zoe)" ""
answers "another" 200 '^$' v1/pre-reboot zoe default
becomes "two that do not come back" 10 overdue "[('yan', True, True), ('zoe', True, True)]"
answers "stop the fleet: nobody gets a slot, although three are free" 500 'failed_lock.*the fleet has stopped: 2 hosts have failed' v1/pre-reboot xia default
refuses "nor does a host of locksmith" 1 "the fleet has stopped: 2 hosts have failed" run_ctl lock ours
answers "who holds one may ask all the same" 200 '^$' v1/pre-reboot yan default
answers "and give it back" 200 '^$' v1/steady-state yan default
answers "both" 200 '^$' v1/steady-state zoe default
answers "which starts nothing: somebody has to look" 500 'the fleet has stopped' v1/pre-reboot xia default
run_ctl resume --reason "a switch was broken" >/dev/null
answers "resumed" 200 '^$' v1/pre-reboot xia default
kill "$late"; wait "$late"
REBOOT_RETURN_TIME=2s REBOOT_FREE_GONE=3s REBOOT_FAILURE_BUDGET=0 server_start gone
late=$started
answers "a slot for one that is gone for good" 200 '^$' v1/pre-reboot xia default
run_ctl set-max 1 >/dev/null
gone() { ask v1/pre-reboot wim default; [ "$code" = 200 ]; }
becomes "with REBOOT_FREE_GONE its slot is freed for the next that asks" 15 gone
same "and only that" "$(status_of 's["holders"]')" "['wim']"
same "which is in the log" "$(run_ctl --json log | grep -c 'freed the slot of xia')" 1
kill "$late"; wait "$late"
run_ctl resume --reason "xia is scrapped" >/dev/null
REBOOT_RETURN_TIME=0 server_start never
answers "a server with REBOOT_RETURN_TIME=0 tells nothing" 200 '^$' v1/pre-reboot wim default
answers "wim is back" 200 '^$' v1/steady-state wim default
answers "and away" 200 '^$' v1/pre-reboot wim default
overdue "[('wim', False, False)]" && pass "so it is never overdue" || fail "so it is never overdue: $(status_of 's["records"]')"
answers "as before" 200 '^$' v1/steady-state wim default
kill "$started"; wait "$started"

# etcd is away
server_start second
etcd_stop main
answers "without etcd: no slot, and why" 503 'failed_sem_init.*onnect' v1/pre-reboot aaa default
etcd_start main

# TLS, for servers and for clients
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$scratch/ca.key" -subj /O=test -days 2 -out "$scratch/ca.pem" 2>/dev/null
mkdir -p "$root$scratch"
for name in server client; do
    openssl req -newkey rsa:2048 -nodes -keyout "$scratch/$name.key" -subj /O=$name -out "$scratch/$name.csr" 2>/dev/null
    openssl x509 -req -in "$scratch/$name.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
        -extfile <(echo "subjectAltName=IP:127.0.0.1") -out "$scratch/$name.pem" 2>/dev/null
done
cp "$scratch"/*.pem "$scratch"/*.key "$root$scratch"
refuses "a certificate without its key" 2 "go together" run_ctl serve-fleetlock --tls-cert "$scratch/server.pem"
refuses "a certificate that is not there" 1 "nothing.pem: No such file" run_ctl serve-fleetlock --tls-cert "$scratch/nothing.pem" --tls-key "$scratch/server.key"
server_start tls --tls-cert "$scratch/server.pem" --tls-key "$scratch/server.key" --tls-client-ca "$scratch/ca.pem"
same "it says https" "${url%%:*}" https
answers "TLS with a client certificate" 200 '^$' v1/pre-reboot aaa default --cacert "$scratch/ca.pem" --cert "$scratch/client.pem" --key "$scratch/client.key"
ask v1/pre-reboot bbb default --cacert "$scratch/ca.pem"
same "none without" "$code" 000
export LOCKSMITHCTL_LOCK_BACKEND=fleetlock LOCKSMITHCTL_FLEETLOCK_URL=$url
run_tls() { "$ctl" --root "$root" --etcd-cafile "$scratch/ca.pem" "$@"; }
refuses "our client, too, needs one" 1 "Error locking" run_tls lock
refuses "and the CA" 1 "look at the TLS settings" run_ctl lock
run_tls --etcd-certfile "$scratch/client.pem" --etcd-keyfile "$scratch/client.key" lock 2>"$scratch/err"
grep -q "semaphore is at 0" "$scratch/err" && pass "with both it is heard" || fail "with both it is heard" "$scratch/err"
done_testing

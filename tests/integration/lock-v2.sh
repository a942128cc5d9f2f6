#!/bin/bash
# The lock in etcd's v2 keys API, which old locksmiths use, and the choice between the two APIs.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl curl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client, curl and dbus are needed"
etcd_options=(--enable-v2)
etcd_start main
root=$scratch/host
mkdir -p "$root/etc"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
export LOCKSMITHCTL_ENDPOINT=$etcd_main LOCKSMITHCTL_ETCD_API=v2
run_ctl() { "$ctl" --root "$root" "$@"; }

# As an old locksmith sees and writes the key (spec: create, read, swap by prevIndex)
v2=$etcd_main/v2/keys
v2_get() { curl -sS "$v2/$1" | python3 -c 'import json, sys; print(json.load(sys.stdin).get("node", {}).get("value", "absent"))'; }
v2_index() { curl -sS "$v2/$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["node"]["modifiedIndex"])'; }
v2_put() { curl -sS -o /dev/null -X PUT "$v2/$1" --data-urlencode "value=$2"; }
v2_delete() { curl -sS -o /dev/null -X DELETE "$v2/$1"; }
value_is() { same "$1" "$(v2_get "$key")" "$2"; }

prints "status of an absent key" "^Available: 1" run_ctl status
value_is "status does not create it" absent
works "lock" run_ctl lock
value_is "the document is locksmith's" '{"semaphore":0,"max":1,"holders":["0123456789abcdef0123456789abcdef"]}'
same "nothing of it is in v3" "$(etcd_get "$etcd_main" --prefix coreos | wc -l)" 0
refuses "nobody else gets in" 1 "semaphore is at 0" run_ctl lock other
works "the holder may lock again" run_ctl lock
prints "its record is beside it" "locksmithctl lock" run_ctl status --details
works "unlock" run_ctl unlock
value_is "after the last holder" '{"semaphore":1,"max":1,"holders":[]}'
same "the record goes with the lock" "$(v2_get coreos.com/updateengine/rebootlock/sluice/holders/0123456789abcdef0123456789abcdef)" absent
prints "set-max" "^Max: 2" run_ctl set-max 2
curl -sS -o /dev/null -X PUT "$v2/$key?prevIndex=$(v2_index $key)" --data-urlencode 'value={"semaphore":1,"max":2,"holders":["old"]}'
prints "a holder that an old client put there" "^old$" run_ctl status
works "goes when it is unlocked" run_ctl unlock old
works "a group has the key of old clients" run_ctl --group 'prod/database x+y%é' lock x
same "escaped once in the key, once more in the URL" \
    "$(v2_get coreos.com/updateengine/rebootlock/groups/prod%252Fdatabase+x%252By%2525%25C3%25A9/semaphore)" \
    '{"semaphore":0,"max":1,"holders":["x"]}'
works "a holder whose record could have no key" run_ctl lock ..
works "goes, too" run_ctl unlock ..
prints "pause" "^paused; max was 2" run_ctl pause "the data centre moves"
REBOOT_STRATEGY=etcd-lock prints "explain says why" "pause +closed .*the data centre moves" run_ctl explain
prints "resume" "^resumed; max is 2" run_ctl resume
for file in "$SLUICE_SOURCE"/tests/bad/locksmith/semaphore/*; do
    case $file in */empty|*/nul-byte|*/not-utf8) continue ;; esac # no text of JSON can be this
    v2_put $key "$(cat "$file")"
    refuses "the key holds ${file##*/}" 1 "the key holds no semaphore: ." run_ctl lock x
done
v2_delete $key
prints "check speaks v2" "etcd \\(v2 API\\), cluster [0-9a-f]+, 1 member, has a leader" run_ctl check
works "lock before a directory is in the way" run_ctl --group dir lock x
v2_delete coreos.com/updateengine/rebootlock/groups/dir/semaphore
v2_put coreos.com/updateengine/rebootlock/groups/dir/semaphore/inner x
refuses "a directory is no lock" 1 "is a directory" run_ctl --group dir lock x

# Races: 24 at once for 5 slots
run_ctl set-max 5 >/dev/null
racers=()
for i in $(seq 24); do run_ctl lock "racer-$i" 2>/dev/null & racers+=($!); done
won=0
for pid in "${racers[@]}"; do wait "$pid" && won=$((won + 1)); done
same "of 24 at once, 5 get in" "$won" 5
same "and the document has 5" "$(run_ctl status | grep -c ^racer)" 5
racers=()
for id in $(run_ctl status | grep ^racer); do run_ctl unlock "$id" & racers+=($!); done
lost=0
for pid in "${racers[@]}"; do wait "$pid" || lost=$((lost + 1)); done
same "5 unlock at once, and none fails" "$lost" 0
run_ctl set-max 1 >/dev/null

# Answers that get lost
for plan in a r 5 aa rr5; do
    port=$(free_port)
    start python3 "$SLUICE_SOURCE/tests/double/lossy-proxy.py" "$port" "$etcd_main_port" $plan
    proxy=$started
    wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
    works "lock, with the fates \"$plan\"" run_ctl --endpoint "http://127.0.0.1:$port" lock lost
    value_is "holds it once" '{"semaphore":0,"max":1,"holders":["lost"]}'
    works "unlock through the same" run_ctl --endpoint "http://127.0.0.1:$port" unlock lost
    value_is "holds it no more" '{"semaphore":1,"max":1,"holders":[]}'
    kill "$proxy"
done

# Redirects to the leader keep method and body
port=$(free_port)
start python3 "$SLUICE_SOURCE/tests/double/redirector.py" "$port" "$etcd_main"
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
works "lock through a redirect" run_ctl --endpoint "http://127.0.0.1:$port" lock over
value_is "it is done" '{"semaphore":0,"max":1,"holders":["over"]}'
works "unlock through a redirect" run_ctl --endpoint "http://127.0.0.1:$port" unlock over
works "a dead endpoint is passed over" run_ctl --endpoint "http://127.0.0.1:1,$etcd_main" lock over
works "for each call" run_ctl --endpoint "http://127.0.0.1:1,$etcd_main" unlock over

# The queue: two daemons behind somebody, in the order in which they came
run_ctl lock somebody
# More changes than etcd's history holds: who waits can not wait from where the lock changed last
python3 - "$etcd_main_port" <<'EOF'
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for i in range(1200):
    connection.request("PUT", "/v2/keys/noise", f"value={i}", {"Content-Type": "application/x-www-form-urlencoded"})
    connection.getresponse().read()
EOF
for host in a b; do
    bus_start $host
    peers $host "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
    host_start $host REBOOT_STRATEGY=etcd-lock LOCKSMITHD_ETCD_API=v2
    becomes "host $host waits" 15 state_is $host reboot-planned
    becomes "and has a place in the queue" 15 bash -c "'$ctl' status --details | grep -q ^host-$host"
done
prints "a is before b" "host-a.host-b" bash -c "'$ctl' status --details | sed -n 's/^\\(host-.\\).*/\\1/p' | paste -sd."
run_ctl unlock somebody
becomes "the first in the queue reboots, though the history was gone" 15 called a 1
becomes "and holds the lock" 5 holders_are '"host-a"'
same "the second does not" "$(wc -l <"$scratch/b.calls")" 0
run_ctl unlock host-a
becomes "until it is its turn" 15 called b 1
becomes "no ticket is left" 10 bash -c "! '$ctl' --json status | tr -d ' \\n' | grep -q '\"queue\":.{'"
run_ctl unlock host-b

# A host that goes while it waits: its ticket ends
run_ctl lock somebody
bus_start c
peers c "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start c REBOOT_STRATEGY=etcd-lock LOCKSMITHD_ETCD_API=v2
c=$started
becomes "host c waits" 15 bash -c "'$ctl' status --details | grep -q ^host-c"
seconds=$(curl -sS "$v2/coreos.com/updateengine/rebootlock/sluice/queue/host-c" | sed 's/.*"ttl":\([0-9]*\).*/\1/')
[ "$seconds" -gt 0 ] && [ "$seconds" -le 60 ] && pass "its ticket has a time to live" || fail "its ticket has a time to live: $seconds"
host_stop $c
becomes "SIGTERM takes it out of the queue" 10 bash -c "! '$ctl' status --details | grep -q ^host-c"
run_ctl unlock somebody

# The choice between the two
unset LOCKSMITHCTL_ETCD_API
auto() { "$ctl" --root "$root" --etcd-api auto "$@"; }
refuses "an API that there is not" 1 'ETCD_API: unknown "v4"' run_ctl --etcd-api v4 status
v2_delete $key
auto lock new; value_is "a new lock is made in v3" absent
prints "and found there" "^new$" run_ctl status
run_ctl --etcd-api v2 lock elsewhere
refuses "both in use, with different holders: refused" 1 "different holders.*locksmithctl migrate" auto lock x
refuses "even to look" 1 "different holders" auto status
run_ctl unlock new; run_ctl --etcd-api v2 unlock elsewhere
works "both without holders: v3 counts" auto lock x
prints "in v3" "^x$" run_ctl status
run_ctl unlock x
ETCDCTL_API=3 etcdctl --endpoints "$etcd_main" del $key >/dev/null
works "what is in v2 alone stays there" auto lock there
value_is "in v2" '{"semaphore":0,"max":1,"holders":["there"]}'
bus_start d
peers d "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start d REBOOT_STRATEGY=etcd-lock ETCD_API=auto
becomes "locksmithd finds it there, too" 15 reason_is d "semaphore is at 0"
auto unlock there
becomes "and takes it there" 15 called d 1
value_is "in v2, once more" '{"semaphore":0,"max":1,"holders":["host-d"]}'
v2_put $key nonsense
refuses "what is no semaphore is no reason to choose" 1 "no semaphore" auto status

etcd_options=()
etcd_start plain
LOCKSMITHCTL_ENDPOINT=$etcd_plain works "auto with an etcd without v2" auto lock x
LOCKSMITHCTL_ENDPOINT=$etcd_plain refuses "v2 with an etcd without v2" 1 "no such API of etcd.*ETCD_API" run_ctl --etcd-api v2 status
LOCKSMITHCTL_ENDPOINT=http://127.0.0.1:1 refuses "nobody answers: nothing is chosen" 1 "127.0.0.1:1: .*onnect" auto status

# Accounts of v2
etcd_options=(--enable-v2)
etcd_start strict
admin() { ETCDCTL_API=2 etcdctl --endpoints "$etcd_strict" --username root:secret "$@" >/dev/null; }
ETCDCTL_API=2 etcdctl --endpoints "$etcd_strict" user add root:secret >/dev/null
admin user add locksmith:password
admin role add lock
admin role grant lock --path '/coreos.com/updateengine/rebootlock/*' --readwrite
admin user grant locksmith --roles lock
admin auth enable
admin role revoke guest --path '/*' --readwrite
export LOCKSMITHCTL_ENDPOINT=$etcd_strict LOCKSMITHCTL_ETCD_API=v2
works "user and password" env LOCKSMITHCTL_ETCD_USERNAME=locksmith LOCKSMITHCTL_ETCD_PASSWORD=password "$ctl" --root "$root" lock x
refuses "a wrong password" 1 "requires user authentication" env LOCKSMITHCTL_ETCD_USERNAME=locksmith LOCKSMITHCTL_ETCD_PASSWORD=wrong "$ctl" --root "$root" status
refuses "no user" 1 "requires user authentication" "$ctl" --root "$root" unlock x
etcd_stop strict
refuses "etcd is down" 1 "onnect" "$ctl" --root "$root" status
done_testing

#!/bin/bash
# The hosts of a group that are known: listing them, forgetting one that is no more, and the log of what was done by hand.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client and dbus are needed"
etcd_options=(--enable-v2)
etcd_start main
side=coreos.com/updateengine/rebootlock/sluice
run_ctl() { "$ctl" --endpoint "$etcd_main" "$@"; }
known() { etcd_put "$etcd_main" "$side/hosts/$1" "{\"host\":\"$2\",\"from_version\":\"1.0.$1\",\"since\":$(date +%s),\"held\":61}"; }
hosts_are() { same "$1" "$(run_ctl --json hosts | python3 -c 'import json, sys; print(*(h["id"] for h in json.load(sys.stdin)))')" "$2"; }
max_is() { same "$1" "$(run_ctl status | sed -n 's/^Max: //p')" "$2"; }
key_is() { same "$1" "$(etcd_get "$etcd_main" "$2")" "$3"; }

prints "no host is known: no line" "^$" sh -c "\"$ctl\" --endpoint $etcd_main hosts | wc -l | sed 's/^0\$//'"
for i in $(seq 10 49); do known "$i" "web-$i"; done
prints "a share of 40 hosts" "^Max: 8$" run_ctl set-max 20%
prints "they are listed, with what they tell" "^10  +[0-9]+ s +web-10  1.0.10$" run_ctl hosts
same "each on its line, below a heading" "$(wc -l <"$scratch/out")" 41
prints "status --details counts them" "^Known hosts: 40$" run_ctl status --details
run_ctl lock 10
etcd_put "$etcd_main" $side/queue/11 '{"host":"web-11"}'
prints "who holds the lock is marked" "^10 .*HOLDS web-10" run_ctl hosts
prints "and who waits" "^11 .*WAITS web-11" run_ctl hosts
prints "as JSON" '"holds": true' run_ctl --json hosts
same "with all that is known" "$(run_ctl --json hosts | python3 -c 'import json, sys; h = json.load(sys.stdin)[2]; print(h["id"], h["host"], h["version"], h["held"], h["holds"], h["waits"], h["since"] > 0)')" \
    "12 web-12 1.0.12 61 False False True"

# Forgetting
refuses "forget whom?" 2 "forget: HOST... is missing" run_ctl forget
refuses "a holder is not forgotten, and it is said what to do" 1 "web-10 holds the lock.*locksmithctl unlock 10" run_ctl forget web-10
refuses "nor one that waits" 1 "web-11 waits for the lock, so it is alive" run_ctl forget 11
ETCDCTL_API=3 etcdctl --endpoints "$etcd_main" del $side/queue/11 >/dev/null
refuses "nor one that is not known" 1 'no host "web-99" is known: see locksmithctl hosts' run_ctl forget web-99
refuses "one wrong name, and nobody is forgotten" 1 'no host "nosuch"' run_ctl forget web-12 nosuch
same "they are all there" "$(run_ctl --json hosts | grep -c '"id"')" 40
prints "by name" "^forgot web-12; max is 7$" run_ctl forget web-12
max_is "the share is of those that are left: 20% of 39" 7
prints "several, by id and by name" "^forgot web-14; max is 7$" run_ctl forget 13 web-14
prints "as JSON" '"15"' run_ctl --json forget 15
max_is "20% of 36" 7
prints "down to 35 and further" "^forgot web-17; max is 6$" run_ctl forget web-16 web-17
refuses "what was forgotten is not known" 1 'no host "web-12"' run_ctl forget web-12
etcd_put "$etcd_main" $side/hosts/other '{"host":"web-18"}'
refuses "a name that two have is nobody's" 1 "2 known hosts have the name web-18: say which one by its id" run_ctl forget web-18
works "by its id" run_ctl forget other
etcd_put "$etcd_main" $side/hosts/web-19 '{"host":"liar"}'
prints "an id is stronger than a name" "^forgot liar; max is 6$" run_ctl forget web-19
prints "and the host of that name is known still" "web-19  1.0.19" run_ctl hosts
run_ctl pause "new racks" >/dev/null 2>&1
prints "while the lock is paused its max stays 0" "max is 0" run_ctl forget 20
run_ctl resume >/dev/null
run_ctl set-max 3 >/dev/null
prints "without a share the max stays" "max is 3" run_ctl forget 21

# A holder that takes the lock between looking and writing is seen: old clients know nothing of hosts
run_ctl unlock 10
works "behind its unlock it can be forgotten" run_ctl forget web-10
run_ctl set-max 20% >/dev/null
before=$(run_ctl --json hosts | grep -c '"id"')
at_once=()
for i in $(seq 22 31); do run_ctl forget "$i" >/dev/null & at_once+=($!); done
for i in $(seq 1 10); do run_ctl forget 32 >/dev/null 2>&1 & at_once+=($!); done
wait "${at_once[@]}"
same "many at once: each is counted" "$(run_ctl --json hosts | grep -c '"id"')" $((before - 11))
max_is "and the max is that of those who are left" $(((before - 11) / 5))

# Answers that get lost
for fate in a r 5 b; do
    known 50 web-50
    port=$(free_port)
    start python3 "$SLUICE_SOURCE/tests/double/lossy-proxy.py" "$port" "${etcd_main##*:}" $fate
    proxy=$started
    wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
    run "$ctl" --endpoint "http://127.0.0.1:$port" forget 50
    case $fate in b) want="1 1" ;; *) want="0 0" ;; esac # 429: nothing was done, and that is said
    same "forget, with the fate $fate: what it says is true" "$status $(run_ctl --json hosts | grep -c '"id": "50"')" "$want"
    kill "$proxy"; wait "$proxy" 2>/dev/null
done

# The log
same "what was done stands in the log: who, and what" "$(run_ctl --json log | python3 -c '
import json, sys
log = json.load(sys.stdin)
print(len(log), "forget 22 (web-22)" in [e["what"] for e in log], {"on" in e["who"].split() for e in log}, min(e["time"] for e in log) > 1700000000)')" \
    "20 True {True} True"
run_ctl lock x; run_ctl unlock x; run_ctl set-max --global 9 >/dev/null; run_ctl set-max --global none >/dev/null; run_ctl pause why >/dev/null 2>&1; run_ctl resume >/dev/null
same "all verbs" "$(run_ctl --json log | python3 -c 'import json, sys; print([e["what"] for e in json.load(sys.stdin)][-6:])')" \
    "['lock x', 'unlock x', 'set-max --global 9', 'set-max --global none', 'pause: why', 'resume: max is 4 again']"
prints "for people" "UTC  .* on .*: pause: why$" env TZ=UTC "$ctl" --endpoint "$etcd_main" log

# What can not be read stays, whoever writes beside it
etcd_put "$etcd_main" $side/+policy/policy nonsense
for command in "set-max --global 5" "set-max --global none" "lock y" "unlock y" "pause" "resume" "forget 33"; do
    run_ctl $command >/dev/null 2>&1
    key_is "a policy that can not be read stays: $command" $side/+policy/policy nonsense
done
bus_start a
mkdir -p "$scratch/a/proc/sys/kernel/random"
echo boot-1 >"$scratch/a/proc/sys/kernel/random/boot_id"
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
registered() { run_ctl --json hosts | grep -q '"id": "host-a"'; }
becomes "a host makes itself known" 10 registered
key_is "and leaves it" $side/+policy/policy nonsense
works "until somebody resumes" run_ctl resume --reason "cleared"

# Known again
works "a host that lives can be forgotten" run_ctl forget host-a
host_stop "$a"
host_start a REBOOT_STRATEGY=etcd-lock
becomes "it makes itself known at its next start" 10 registered
host_stop "$started"

# Two machines that were made from one image: each boot is written down, so who is up sees another one
mkdir -p "$scratch/b/etc" "$scratch/b/proc/sys/kernel/random"
boot_is() { [ "$(etcd_get "$etcd_main" $side/hosts/host-a | sed 's/.*"boot_id":"\([^"]*\)".*/\1/')" = "$1" ]; }
etcd_put "$etcd_main" $side/hosts/host-a '{"host":"web-a","boot_id":"boot-0","since":7,"held":61}'
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "a boot is written down" 10 boot_is boot-1
same "and when it held the lock stays" "$(run_ctl --json hosts | python3 -c 'import json, sys; print(*[(h["since"], h["held"]) for h in json.load(sys.stdin) if h["id"] == "host-a"])')" "(7, 61)"
bus_start b
echo host-a >"$scratch/b/etc/machine-id"
echo boot-2 >"$scratch/b/proc/sys/kernel/random/boot_id"
echo web-twin >"$scratch/b/etc/hostname"
peers b "silent UPDATE_STATUS_IDLE"
host_start b REBOOT_STRATEGY=etcd-lock
b=$started
becomes "its twin comes" 10 boot_is boot-2
run_ctl set-max 5 >/dev/null
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "the first one does not reboot, and says why" 10 reason_is a "another machine has the machine-id of this one, its name is web-twin: give one of them a new /etc/machine-id"
logged a "kept back: another machine" && pass "also in the journal" || fail "also in the journal" "$scratch/a.log"
called a 1 && fail "nobody asked for a reboot" "$scratch/a.calls" || pass "nobody asked for a reboot"
peers b "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "the other one does, by itself" 10 called b 1
kill -9 "$b"; wait "$b" 2>/dev/null
echo host-b >"$scratch/b/etc/machine-id"
run_ctl unlock host-a
peers b "silent UPDATE_STATUS_IDLE"
host_stop "$a"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
host_start b REBOOT_STRATEGY=etcd-lock
becomes "with a new id, and restarted, it reboots" 20 called a 1
kill -9 "$a"; wait "$a" 2>/dev/null
host_stop "$started"
run_ctl unlock host-a

# Where there are no hosts
for verb in hosts "forget x" log; do
    refuses "v2 has none, and says so: $verb" 1 "etcd v3" run_ctl --etcd-api v2 $verb
    refuses "nor has a FleetLock server: $verb" 1 "etcd v3|FleetLock server tells nobody" \
        env LOCKSMITHCTL_LOCK_BACKEND=fleetlock LOCKSMITHCTL_FLEETLOCK_URL=http://127.0.0.1:1/ "$ctl" $verb
done
done_testing

#!/bin/bash
# locksmithctl against a real etcd: words and exit codes of the classic tool, and what it got wrong.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl >/dev/null || skip_all "etcd-server and etcd-client are needed"
etcd_start main
root=$scratch/host
mkdir -p "$root/etc"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
export LOCKSMITHCTL_ENDPOINT=$etcd_main
run_ctl() { "$ctl" --root "$root" "$@"; }

# output_is DESCRIPTION TEXT COMMAND...: exit 0 and exactly this on stdout, nothing on stderr
output_is() {
    local what=$1 wanted=$2; shift 2
    run "$@"
    if [ "$status" = 0 ] && [ "$(cat "$scratch/out")" = "$wanted" ] && [ ! -s "$scratch/err" ]; then
        pass "$what"
    else
        fail "$what: exit $status" "$scratch/out" "$scratch/err"
    fi
}
value_is() { same "$1" "$(etcd_get "$etcd_main" "$key")" "$2"; }

# Words and exit codes
output_is "status of an absent key" $'Available: 1\nMax: 1' run_ctl status
value_is "status does not create the key" ""
output_is "lock is silent" "" run_ctl lock
value_is "the document is locksmith's" '{"semaphore":0,"max":1,"holders":["0123456789abcdef0123456789abcdef"]}'
output_is "status lists the holders" $'Available: 0\nMax: 1\n\nMACHINE ID\n0123456789abcdef0123456789abcdef' run_ctl status
output_is "the holder may lock again" "" run_ctl lock
refuses "nobody else may" 1 "Error locking: semaphore is at 0" run_ctl lock other
refuses "who holds nothing can not unlock" 1 "Error unlocking: holder does not exist" run_ctl unlock other
output_is "unlock is silent" "" run_ctl unlock
value_is "after the last holder" '{"semaphore":1,"max":1,"holders":[]}'
output_is "set-max tells both" $'Old-Max: 1\nMax: 3' run_ctl set-max 3
for id in c a b; do run_ctl lock $id; done
value_is "holders are sorted" '{"semaphore":0,"max":3,"holders":["a","b","c"]}'
prints "set-max below the holders says so" "^Max: 1" run_ctl set-max 1
grep -q "3 hosts hold the lock" "$scratch/err" && pass "on stderr" || fail "on stderr" "$scratch/err"
value_is "and throws nobody out" '{"semaphore":-2,"max":1,"holders":["a","b","c"]}'
refuses "nobody new gets in" 1 "semaphore is at -2" run_ctl lock d
refuses "set-max without a number" 1 "New maximum value must be set." run_ctl set-max
refuses "set-max of a fraction" 1 "Invalid maximum value: 1.5" run_ctl set-max 1.5
refuses "set-max of a negative number" 1 "Invalid maximum value: -5" run_ctl set-max -- -5
prints "set-max 0 pauses" "^Max: 0" run_ctl set-max 0
for id in c a b; do run_ctl unlock $id; done
refuses "then nobody gets in" 1 "semaphore is at 0" run_ctl lock d
run_ctl set-max 1 >/dev/null
refuses "an unknown command" 2 'unknown command "stauts", did you mean "status"' run_ctl stauts
works "no command shows the help" run_ctl
prints "help of one command" "^Usage: locksmithctl set-max .*N" run_ctl help set-max
refuses "an option of another command" 2 "lock has no option --watch, status has" run_ctl lock --watch
refuses "an option in front of its command" 2 '\-\-watch is an option of "status"' run_ctl --watch status
refuses "a --root that is not there" 1 "\-\-root /nonexistent/x: No such file" "$ctl" --root /nonexistent/x status

# A host with a bad window does not reboot, but its operator can free the lock.
mkdir -p "$root/etc/coreos"
printf 'REBOOT_WINDOW_START=25:00\nREBOOT_WINDOW_LENGTH=1h\n' >"$root/etc/coreos/update.conf"
works "a bad window keeps nobody from taking the lock" run_ctl lock x
works "or from freeing it" run_ctl unlock x
for verb in check explain simulate; do
    refuses "$verb refuses a bad window" 1 'reboot window: start "25:00".*\(/etc/coreos/update.conf:1\)' run_ctl "$verb"
done
rm "$root/etc/coreos/update.conf"

# JSON, whatever happens
output_is "a command without words says in JSON that it is done" '{"done":true}' run_ctl --json lock x
refuses "what is refused" 1 "semaphore is at 0" run_ctl --json lock y
same "is said in JSON as well" "$(jq -r .error "$scratch/out")" "Error locking: semaphore is at 0"
refuses "so is wrong usage of a command" 2 "is needed" run_ctl --json migrate
same "with done: false" "$(jq .done "$scratch/out")" false
run_ctl unlock x
refuses "help for an unknown command" 1 "Unrecognized command: nosuch" run_ctl help nosuch
works "one dash is as good as two" "$ctl" -endpoint "$etcd_main" -root "$root" status
rm "$root/etc/machine-id"
refuses "without a machine-id" 1 "Cannot read machine-id.*systemd-machine-id-setup" run_ctl lock
works "an id given needs none" run_ctl lock x
prints "JSON" '"holders": \[' run_ctl --json status
run_ctl unlock x

# Groups
works "a group has a lock of its own" run_ctl --group 'prod/database x+y%é' lock x
same "under locksmith's name for it" \
    "$(etcd_get "$etcd_main" coreos.com/updateengine/rebootlock/groups/prod%2Fdatabase+x%2By%25%C3%A9/semaphore)" \
    '{"semaphore":0,"max":1,"holders":["x"]}'
refuses "group .. is refused" 1 "can not be names of groups" run_ctl --group .. status
mkdir -p "$root/etc/coreos"
echo 'LOCKSMITHD_GROUP="prod/database x+y%é"' >"$root/etc/coreos/update.conf"
prints "the group of locksmithd is the default" "^x$" run_ctl status
rm "$root/etc/coreos/update.conf"

# What other writers left in the key
for file in "$SLUICE_SOURCE"/tests/bad/locksmith/semaphore/*; do
    case $file in */empty|*/nul-byte|*/not-utf8|*/deep) continue ;; esac # etcdctl can not write these
    etcd_put "$etcd_main" $key "$(cat "$file")"
    refuses "the key holds ${file##*/}: status" 1 "the key holds no semaphore: ." run_ctl status
    refuses "the key holds ${file##*/}: lock" 1 "the key holds no semaphore: ." run_ctl lock x
    value_is "and it stays" "$(cat "$file")"
done
etcd_put "$etcd_main" $key '{"MAX":2,"semaphore":9,"holders":["z","a"],"owner":"ops"}'
prints "a wrong count is recomputed" "^Available: 0" run_ctl status
grep -q "stored number of free slots, 9, is wrong" "$scratch/err" && pass "and told" || fail "and told" "$scratch/err"
works "unsorted holders are found" run_ctl unlock a
value_is "and put right; foreign fields are gone, as with old clients" '{"semaphore":1,"max":2,"holders":["z"]}'
etcd_put "$etcd_main" $key '{"semaphore":0,"max":1,"holders":["\u001b[2Jx"]}'
prints "an id can not act on the terminal" '^\?\[2Jx' run_ctl status
etcd_put "$etcd_main" $key '{"semaphore":1,"max":1,"holders":[]}'

# What hosts tell about themselves
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
echo web-7 >"$root/etc/hostname"
printf 'NAME=x\nVERSION_ID=4000.1.0\n' >"$root/etc/os-release"
run_ctl lock
prints "a holder tells host and version" "web-7  4000.1.0  locksmithctl lock" run_ctl status --details
prints "also in JSON" '"host": "web-7"' run_ctl --json status
output_is "status without details stays as it was" \
    $'Available: 0\nMax: 1\n\nMACHINE ID\n0123456789abcdef0123456789abcdef' run_ctl status
run_ctl unlock
same "the record goes with the lock" "$(etcd_get "$etcd_main" --prefix coreos.com/updateengine/rebootlock/sluice/holders | grep -c web-7)" 0
run_ctl set-max 2 >/dev/null
run_ctl lock y; run_ctl lock z
etcd_put "$etcd_main" coreos.com/updateengine/rebootlock/sluice/holders/y '{"host":"\u001b[2J"}'
etcd_put "$etcd_main" coreos.com/updateengine/rebootlock/sluice/holders/z 'nonsense'
prints "a record that is none harms nobody" "^z .*\?" run_ctl status --details
grep -q $'\e' "$scratch/out" && fail "no record acts on the terminal" "$scratch/out" || pass "no record acts on the terminal"
run_ctl unlock y; run_ctl unlock z

# Pause and resume
prints "pause" "^paused; max was 2" run_ctl pause "the data centre moves"
refuses "paused: nobody gets the lock" 1 "semaphore is at 0" run_ctl lock
refuses "paused twice" 1 "paused already" run_ctl pause
REBOOT_STRATEGY=etcd-lock prints "explain says who and why" "pause +closed +paused on web-7: the data centre moves" run_ctl explain
prints "resume" "^resumed; max is 2" run_ctl resume
refuses "resumed twice" 1 "not paused" run_ctl resume
run_ctl set-max 0 >/dev/null
refuses "a max of 0 that was set by hand has nothing to go back to" 1 "use set-max" run_ctl resume
run_ctl set-max 1 >/dev/null

# Explain, simulate, check
REBOOT_STRATEGY=etcd-lock prints "explain shows a free lock" "^lock +open +0 of 1 slots are held" run_ctl explain
run_ctl lock other
REBOOT_STRATEGY=etcd-lock prints "explain shows a taken lock" "^lock +closed +1 of 1 slots are held" run_ctl explain
REBOOT_STRATEGY=etcd-lock prints "explain says why etcd can not be asked" "^lock +unknown +http://127.0.0.1:1: .*onnect" \
    run_ctl --endpoint http://127.0.0.1:1 explain
REBOOT_STRATEGY=off prints "explain says where a setting is from" "^strategy +closed +off \\(REBOOT_STRATEGY in the environment\\)" \
    run_ctl explain
prints "explain in JSON" '"gate": "window"' run_ctl --json explain
run_ctl unlock other
export REBOOT_WINDOW_START=02:30 REBOOT_WINDOW_LENGTH=1h TZ=Europe/Berlin
output_is "simulate knows the missing hour" \
    "Sun 2026-03-29 03:30 CEST  to  Sun 2026-03-29 04:30 CEST  (1 h 0 min)" run_ctl simulate --from "2026-03-29 00:00" --to 2026-03-30
refuses "simulate wants times" 2 '"tomorrow" is no time' run_ctl simulate --from tomorrow
refuses "in order" 2 "before --from" run_ctl simulate --from 2026-03-29 --to 2026-03-28
unset REBOOT_WINDOW_START REBOOT_WINDOW_LENGTH TZ
export REBOOT_WINDOWS="Mon..Fri 02:00 1h; Sat 22:00 4h" REBOOT_BLACKOUT=2026-10-27..2026-10-29 REBOOT_TIME_ZONE=Europe/Berlin
output_is "simulate knows all windows, days without, the zone, and the hour that comes twice" \
    "Sat 2026-10-24 22:00 CEST  to  Sun 2026-10-25 02:00 CEST  (4 h 0 min)
Mon 2026-10-26 02:00 CET  to  Mon 2026-10-26 03:00 CET  (1 h 0 min)
Fri 2026-10-30 02:00 CET  to  Fri 2026-10-30 03:00 CET  (1 h 0 min)" run_ctl simulate --from "2026-10-24 00:00" --to "2026-10-31 12:00"
prints "explain shows them" "^window +[a-z]+ +Mon..Fri 02:00 1h; Sat 22:00 4h without 2026-10-27..2026-10-29 .*; changes .* CES?T" run_ctl explain
prints "check shows them" "^windows Mon..Fri 02:00 1h; Sat 22:00 4h" run_ctl check
REBOOT_WINDOWS="Monday 2 o'clock" refuses "windows that are none are refused" 1 'REBOOT_WINDOWS "Monday 2' run_ctl simulate
REBOOT_BLACKOUT=christmas refuses "days that are none are refused" 1 'REBOOT_BLACKOUT "christmas"' run_ctl simulate
REBOOT_TIME_ZONE=Europe/Atlantis refuses "a zone that is none is refused" 1 'REBOOT_TIME_ZONE "Europe/Atlantis": there is none' run_ctl simulate
REBOOT_TIME_ZONE=../etc/passwd refuses "a zone that is a path is refused" 1 'there is none' run_ctl simulate
unset REBOOT_WINDOWS REBOOT_BLACKOUT REBOOT_TIME_ZONE
prints "check: all is well" "^all is well" run_ctl check
grep -q "a cluster of one member" "$scratch/err" && pass "one member is warned of" || fail "one member is warned of" "$scratch/err"
prints "check as JSON" '"well": true' run_ctl --json check
python3 -c 'import json, sys; c = json.load(open(sys.argv[1])); assert c["endpoints"][0]["members"] == 1 and c["endpoints"][0]["problem"] is None' "$scratch/out" \
    && pass "all of it" || fail "all of it" "$scratch/out"
run run_ctl --json --endpoint http://127.0.0.1:1 check
[ "$status" = 1 ] && grep -q '"well": false' "$scratch/out" && pass "also when all is not well" || fail "also when all is not well" "$scratch/out" "$scratch/err"
prints "simulate as JSON" '"opens": ' env REBOOT_WINDOWS="Mon..Sun 02:00 1h" "$ctl" --root "$root" --json simulate
refuses "check: an endpoint that does not answer" 1 "http://127.0.0.1:1: " run_ctl --endpoint "http://127.0.0.1:1,$etcd_main" check
etcd_start second
refuses "check: two clusters in one list" 1 "another cluster than the first" run_ctl --endpoint "$etcd_main,$etcd_second" check
etcd_stop second

# Answers that get lost
proxy_start() {
    port=$(free_port)
    start python3 "$SLUICE_SOURCE/tests/double/lossy-proxy.py" "$port" "$etcd_main_port" "$1"
    wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}
for plan in a r 5 s aa rr5; do
    proxy_start $plan
    works "lock, with the fates \"$plan\"" run_ctl --endpoint "http://127.0.0.1:$port" lock lost
    value_is "holds it once" '{"semaphore":0,"max":1,"holders":["lost"]}'
    proxy_start $plan
    works "unlock, with the fates \"$plan\"" run_ctl --endpoint "http://127.0.0.1:$port" unlock lost
    value_is "holds it no more" '{"semaphore":1,"max":1,"holders":[]}'
done
proxy_start b
refuses "too many requests: told, nothing is done" 1 "Error locking: .*too many requests" \
    run_ctl --endpoint "http://127.0.0.1:$port" lock lost
value_is "nobody holds it" '{"semaphore":1,"max":1,"holders":[]}'
proxy_start rrrrrrrr
refuses "an etcd that never answers a write is told" 1 "Error locking: .*may have been done" \
    run_ctl --endpoint "http://127.0.0.1:$port" lock lost

# An etcd that is full: nothing can be written, but what is there can be read
etcd_options=(--quota-backend-bytes 100000)
etcd_start full
run_ctl --endpoint "$etcd_full" lock early
head -c 30000 /dev/zero | tr '\0' x >"$scratch/large"
for i in 1 2 3 4 5; do ETCDCTL_API=3 etcdctl --endpoints "$etcd_full" put "large$i" <"$scratch/large" >/dev/null 2>&1; done
wait_for 10 bash -c "ETCDCTL_API=3 etcdctl --endpoints $etcd_full alarm list | grep -q NOSPACE"
for command in "--group late lock late" "unlock early" "set-max 3"; do
    refuses "a full etcd: $command is refused, and it is said what to do" 1 "database space exceeded \(etcd is full: compact and defragment it, then etcdctl alarm disarm\)" \
        run_ctl --endpoint "$etcd_full" $command
done
prints "status works all the same" "^early$" run_ctl --endpoint "$etcd_full" status
etcd_stop full
etcd_options=()

# Endpoints
works "a dead endpoint is passed over" run_ctl --endpoint http://127.0.0.1:1 --endpoint "$etcd_main" lock over
works "also in a list" run_ctl --endpoint "http://127.0.0.1:1, $etcd_main" unlock over
refuses "none answers: all are told" 1 "http://127.0.0.1:1: .*onnect.*; http://127.0.0.1:2: .*onnect" \
    run_ctl --endpoint http://127.0.0.1:1,http://127.0.0.1:2 status
kill -STOP "$etcd_main_pid"
begin=$SECONDS
refuses "a frozen etcd is given up" 1 "timed out" run_ctl status
[ $((SECONDS - begin)) -le 10 ] && pass "within 10 s" || fail "within 10 s: $((SECONDS - begin)) s"
kill -CONT "$etcd_main_pid"
etcd_stop main
refuses "etcd is down" 1 "$etcd_main: .*onnect" run_ctl lock x
if python3 -c 'import socket; [socket.create_server(("127.0.0.1", port)).close() for port in (2379, 4001)]' 2>/dev/null; then
    refuses "nobody has said where etcd is: a hint" 1 "where etcd is was not said: see --endpoint" \
        env -u LOCKSMITHCTL_ENDPOINT "$ctl" --root "$root" status
fi
done_testing

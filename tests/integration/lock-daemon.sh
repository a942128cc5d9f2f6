#!/bin/bash
# locksmithd on a private bus, with a real etcd: when it reboots, when it does not, and what becomes of the lock.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client and dbus are needed"
etcd_start main
hour=$(date -d "2 hours" +%H)

# Settings
root=$scratch/plain
mkdir -p "$root/etc/coreos"
echo plain >"$root/etc/machine-id"
refuses "an unknown strategy is refused at start" 1 'unknown strategy "sometimes"' \
    env REBOOT_STRATEGY=sometimes "$daemon" --root "$root"
echo "REBOOT_STRATEGY=never" >"$root/etc/coreos/update.conf"
refuses "also when update.conf has it" 1 'unknown strategy "never"' "$daemon" --root "$root"
refuses "a window that is none is refused at start" 1 'reboot window: start "25:00"' \
    env REBOOT_STRATEGY=reboot REBOOT_WINDOW_START=25:00 REBOOT_WINDOW_LENGTH=1h "$daemon" --root "$root"
refuses "half a window is refused at start" 1 'reboot window' \
    env REBOOT_STRATEGY=reboot REBOOT_WINDOW_START=Thu\ 14:00 "$daemon" --root "$root"
refuses "an endpoint that is no URL is refused at start" 1 'etcd endpoint "http://"' \
    env REBOOT_STRATEGY=etcd-lock LOCKSMITHD_ENDPOINT=http:// "$daemon" --root "$root"
works "the environment is stronger than update.conf; off ends at once and well" env REBOOT_STRATEGY=off "$daemon" --root "$root"

# A reboot with the lock
bus_start a
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "the daemon runs and waits" 10 state_is a running
refuses "a second coordinator on the same host is refused" 1 "file already locked" \
    env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus" REBOOT_STRATEGY=reboot "$daemon" --root "$scratch/a"
peers a "refuse an operator is at work"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "on NEED_REBOOT the reboot is asked for" 10 called a 1
becomes "a refusal gives the lock back" 10 holders_are ""
becomes "and the log says why" 1 logged a "refused: an operator is at work"
peers a accept
becomes "it is asked for again later" 25 called a 2
becomes "the host holds the lock while it reboots" 5 holders_are '"host-a"'
becomes "coordinator.conf says so" 5 state_is a rebooting
host_stop $a
holders_are '"host-a"' && pass "SIGTERM in a reboot keeps the lock" || fail "SIGTERM in a reboot keeps the lock"

# Back again
peers a "good no"
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "a slot that is not good yet keeps the lock" 10 logged a "until the running slot is marked good"
holders_are '"host-a"' && pass "and it is kept" || fail "and it is kept"
peers a "good yes"
becomes "a good slot releases it" 10 holders_are ""

# Waiting for the lock
"$ctl" --endpoint "$etcd_main" lock somebody
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "with the lock taken, the daemon waits and says why" 10 reason_is a "semaphore is at 0"
etcd_stop main
becomes "when etcd dies meanwhile, the reason is that" 20 reason_is a "[Cc]onnect"
called a 3 && fail "no reboot without etcd" "$scratch/a.calls" || pass "no reboot without etcd"
etcd_start main
"$ctl" --endpoint "$etcd_main" unlock somebody
becomes "when etcd is back and the lock free, it reboots" 30 called a 3
kill -9 $a; wait $a 2>/dev/null

# Killed while it held the lock and still not rebooted: the lock is its own
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "a restarted daemon that holds the lock goes on with the reboot" 10 called a 4
kill -9 $a; wait $a 2>/dev/null
host_start a REBOOT_STRATEGY=etcd-lock REBOOT_WINDOW_START="$hour:00" REBOOT_WINDOW_LENGTH=30m
a=$started
becomes "restarted with a closed window it gives the lock back" 10 holders_are ""
becomes "and waits for the window" 5 logged a "waiting for the reboot window"
host_stop $a
called a 5 && fail "no reboot outside of the window" "$scratch/a.calls" || pass "no reboot outside of the window"

# SIGTERM between lock and reboot: a refused reboot of a second host is the only long state that holds nothing, so
# hold the daemon where it wants the lock
"$ctl" --endpoint "$etcd_main" lock somebody
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "it waits for the lock" 10 reason_is a "semaphore is at 0"
kill -STOP $a
"$ctl" --endpoint "$etcd_main" unlock somebody
"$ctl" --endpoint "$etcd_main" lock host-a # as if its own answer had been lost
kill $a; kill -CONT $a; wait $a
becomes "SIGTERM gives back what was taken for a reboot that has not been asked for" 5 holders_are ""

# Strategies without the lock
peers a "status UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=reboot LOCKSMITHD_ENDPOINT=http://127.0.0.1:1
a=$started
n=$(wc -l <"$scratch/a.calls")
becomes "strategy reboot waits for the update" 10 state_is a running
env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus" "$ctl" send-need-reboot
becomes "locksmithctl send-need-reboot makes it reboot, without any etcd" 10 called a $((n + 1))
host_stop $a
host_start a REBOOT_STRATEGY=best-effort LOCKSMITHD_ENDPOINT=http://127.0.0.1:1
a=$started
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "best-effort on a host that once had an etcd waits for it" 10 reason_is a "127.0.0.1:1"
host_stop $a
same "and does not reboot" "$(wc -l <"$scratch/a.calls")" $((n + 1))
bus_start b
peers b "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
kill -STOP "$etcd_main_pid"
host_start b REBOOT_STRATEGY=best-effort
b=$started
becomes "best-effort with an etcd that hangs waits for it, also on a host that never had one" 30 logged b "an etcd that does not answer as it should"
becomes "the reason is told" 10 reason_is b "$etcd_main"
host_stop $b
kill -CONT "$etcd_main_pid"
port=$(free_port)
start python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1
wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
host_start b REBOOT_STRATEGY=best-effort LOCKSMITHD_ENDPOINT="http://127.0.0.1:$port"
b=$started
becomes "so it does when something answers that is none" 10 reason_is b "501"
host_stop $b
same "and does not reboot" "$(wc -l <"$scratch/b.calls")" 0
test -e "$scratch/b/var/lib/updated/etcd-seen" && fail "nor is that taken for an etcd for ever" || pass "nor is that taken for an etcd for ever"
host_start b REBOOT_STRATEGY=best-effort LOCKSMITHD_ENDPOINT=http://127.0.0.1:1
b=$started
becomes "best-effort on a host that never had an etcd reboots" 10 called b 1
host_stop $b
host_start b REBOOT_STRATEGY=best-effort
b=$started
becomes "best-effort with an etcd takes the lock" 10 holders_are '"host-b"'
becomes "and leaves its mark" 5 test -e "$scratch/b/var/lib/updated/etcd-seen"
host_stop $b
"$ctl" --endpoint "$etcd_main" unlock host-b

# A lock that somebody took by hand
mkdir -p "$scratch/b/proc/sys/kernel/random"
echo first-boot >"$scratch/b/proc/sys/kernel/random/boot_id"
peers b "status UPDATE_STATUS_IDLE"
"$ctl" --endpoint "$etcd_main" --root "$scratch/b" lock
host_start b REBOOT_STRATEGY=etcd-lock
b=$started
becomes "a lock that was taken by hand in this boot is seen" 10 logged b "taken by hand in this boot"
holders_are '"host-b"' && pass "and stays" || fail "and stays" "$scratch/b.log"
host_stop $b
echo second-boot >"$scratch/b/proc/sys/kernel/random/boot_id"
host_start b REBOOT_STRATEGY=etcd-lock
b=$started
becomes "after a reboot it is given back" 10 holders_are ""
host_stop $b

# Off: a lock from before the boot would stay for ever
mkdir -p "$scratch/c/etc" "$scratch/c/proc/sys/kernel/random"
echo host-c >"$scratch/c/etc/machine-id"
echo first-boot >"$scratch/c/proc/sys/kernel/random/boot_id"
off() { env REBOOT_STRATEGY=off LOCKSMITHD_ENDPOINT="$etcd_main" "$@" "$daemon" --root "$scratch/c"; }
"$ctl" --endpoint "$etcd_main" --root "$scratch/c" lock
works "off, on a host that never had an etcd: nobody is asked" off LOCKSMITHD_ENDPOINT=http://127.0.0.1:1
mkdir -p "$scratch/c/var/lib/updated"; cp "$scratch/b/var/lib/updated/etcd-seen" "$scratch/c/var/lib/updated"
works "off, in the boot in which somebody has taken the lock by hand" off
holders_are '"host-c"' && pass "it stays" || fail "it stays" "$scratch/err"
echo second-boot >"$scratch/c/proc/sys/kernel/random/boot_id"
works "off, and etcd does not answer: it ends all the same" off LOCKSMITHD_ENDPOINT=http://127.0.0.1:1
grep -q "asking whether this host holds the lock: .*onnect" "$scratch/err" && pass "that is told" || fail "that is told" "$scratch/err"
works "off, in the next boot" off
holders_are "" && pass "it is given back" || fail "it is given back" "$scratch/err"
works "off, holding nothing" off
[ "$(wc -l <"$scratch/err")" = 1 ] && pass "there is nothing more to tell" || fail "there is nothing more to tell" "$scratch/err"

# Settling: the host has to be up for a while
for text in "now" "-1s" "25h"; do
    refuses "a time to settle that is none is refused at start: $text" 1 "REBOOT_SETTLE_TIME \"$text\"" env REBOOT_STRATEGY=etcd-lock REBOOT_SETTLE_TIME="$text" "$daemon" --root "$root"
done
refuses "nor can the host be overdue before" 1 'REBOOT_SETTLE_TIME "1h": the host would be overdue' env REBOOT_STRATEGY=etcd-lock REBOOT_SETTLE_TIME=1h "$daemon" --root "$root"
"$ctl" --endpoint "$etcd_main" --root "$scratch/b" lock
echo third-boot >"$scratch/b/proc/sys/kernel/random/boot_id"
echo "10.33 17.20" >"$scratch/b/proc/uptime"
host_start b REBOOT_STRATEGY=etcd-lock REBOOT_SETTLE_TIME=30m
b=$started
becomes "a host that has just come up keeps the lock" 10 reason_is b "what runs has to prove itself for another 29 min 50 s"
holders_are '"host-b"' && pass "and nobody else gets it" || fail "and nobody else gets it"
host_stop $b
holders_are '"host-b"' && pass "also when locksmithd stops" || fail "also when locksmithd stops"
echo "1798.01 17.20" >"$scratch/b/proc/uptime"
host_start b REBOOT_STRATEGY=etcd-lock REBOOT_SETTLE_TIME=30m
b=$started
becomes "a restart does not begin it anew: 2 s are left" 10 reason_is b "for another 2.0 s"
becomes "then the lock goes back" 10 holders_are ""
host_stop $b
rm "$scratch/b/proc/uptime"

# The queue
queue_is() { [ "$("$ctl" --endpoint "$etcd_main" --json status | python3 -c 'import json, sys; print(*[w["id"] for w in json.load(sys.stdin)["queue"]])')" = "$1" ]; }
"$ctl" --endpoint "$etcd_main" lock somebody
peers b "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start b REBOOT_STRATEGY=etcd-lock
b=$started
becomes "a waiter is in the queue" 10 queue_is "host-b"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "the second one is behind it" 10 queue_is "host-b host-a"
becomes "and says so" 5 reason_is a "others are before this host in the queue"
REBOOT_STRATEGY=etcd-lock DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus" prints "explain knows the place" \
    "^lock +closed +1 of 1 slots are held, 1 before this host" "$ctl" --endpoint "$etcd_main" --root "$scratch/a" explain
grep -Eq "^update +open +version 2.0.0 waits" "$scratch/out" && grep -Eq "^coordinator +open +locksmithd: reboot-planned" "$scratch/out" \
    && pass "and what the daemons say" || fail "and what the daemons say" "$scratch/out"
host_stop $b
becomes "who is stopped leaves the queue at once" 5 queue_is "host-a"
# an old client knows no queue: it takes what is free at that moment, here in one step with the release
etcd_put "$etcd_main" $key '{"semaphore":0,"max":1,"holders":["of-an-old-client"]}'
queue_is "host-a" && holders_are '"of-an-old-client"' && pass "an old client that is faster gets in" || fail "an old client that is faster gets in"
etcd_put "$etcd_main" $key '{"semaphore":-1,"max":1,"holders":["of-an-old-client","somebody"]}'
etcd_put "$etcd_main" $key '{"semaphore":0,"max":1,"holders":["somebody"]}'
becomes "and who waits goes on waiting" 5 reason_is a "semaphore is at 0"
# as when etcd was without a quorum, or the host asleep, for longer than a minute
ticket() { ETCDCTL_API=3 etcdctl --endpoints "$etcd_main" get -w json coreos.com/updateengine/rebootlock/sluice/queue/host-a | grep -o "\"$1\":[0-9]*" | cut -d: -f2; }
lease=$(ticket lease) place=$(ticket create_revision)
ETCDCTL_API=3 etcdctl --endpoints "$etcd_main" lease revoke "$(printf %x "$lease")" >/dev/null
new_place() { [ "$(ticket create_revision)" -gt "$place" ]; }
becomes "who has lost its ticket queues again, at the end" 30 new_place
n=$(wc -l <"$scratch/a.calls")
"$ctl" --endpoint "$etcd_main" unlock somebody
becomes "then the next one has its turn" 10 called a $((n + 1))
becomes "and its record tells who it is" 5 bash -c "'$ctl' --endpoint $etcd_main --json status | grep -q '\"to_version\": \"2.0.0\"'"
kill -9 $a; wait $a 2>/dev/null
"$ctl" --endpoint "$etcd_main" unlock host-a

# locksmithctl reboot
if [ "$(id -u)" = 0 ]; then
    export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus"
    peers a "refuse not now"
    REBOOT_STRATEGY=etcd-lock refuses "locksmithctl reboot that is refused" 1 "refused: not now; giving the lock back" \
        "$ctl" --endpoint "$etcd_main" --root "$scratch/a" reboot
    holders_are "" && pass "gives the lock back" || fail "gives the lock back"
    peers a accept
    REBOOT_STRATEGY=etcd-lock works "locksmithctl reboot" "$ctl" --endpoint "$etcd_main" --root "$scratch/a" reboot
    holders_are '"host-a"' && pass "holds the lock" || fail "holds the lock"
    REBOOT_STRATEGY=etcd-lock works "once more, holding it already" "$ctl" --endpoint "$etcd_main" --root "$scratch/a" reboot
    REBOOT_STRATEGY=reboot works "without the lock it needs no etcd" "$ctl" --endpoint http://127.0.0.1:1 --root "$scratch/a" reboot
    unset DBUS_SYSTEM_BUS_ADDRESS
    "$ctl" --endpoint "$etcd_main" unlock host-a
else
    skip "locksmithctl reboot" "it is for root"
fi

# The update daemon is away, and comes
peers b leave
peers b "silent UPDATE_STATUS_IDLE"
host_start b REBOOT_STRATEGY=etcd-lock
b=$started
becomes "without the update daemon it waits" 10 state_is b starting
peers b return
becomes "and sees it coming" 5 state_is b running
host_stop $b
done_testing

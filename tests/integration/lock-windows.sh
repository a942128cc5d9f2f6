#!/bin/bash
# locksmithd and the time of day: the clock is set, the zone changes, the window closes, too little of it is left. The
# clock is a double (tests/double/clock.c): that of the machine is left alone.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client and dbus are needed"
unset TZ
etcd_start main
bus_start a
mkdir -p "$scratch/a/etc/sluice/drain.d" "$scratch/a/proc/sys/kernel/random" "$scratch/a/var/lib/updated"
echo first-boot >"$scratch/a/proc/sys/kernel/random/boot_id"
ln -s /usr/share/zoneinfo/UTC "$scratch/a/etc/localtime"
times=$scratch/a/var/lib/updated/reboot-times

# clock_set "YYYY-MM-DD HH:MM:SS": in UTC, for all that is started with $clock, and what runs of it
clock_set() { echo $(($(date -u -d "$1" +%s) - $(date +%s))) >"$scratch/clock.new" && mv "$scratch/clock.new" "$scratch/clock"; }
zone_set() { ln -s "/usr/share/zoneinfo/$1" "$scratch/a/etc/new" && mv -T "$scratch/a/etc/new" "$scratch/a/etc/localtime"; }
clock=(LD_PRELOAD="$SLUICE_BUILD/tests/double/clock.so" SLUICE_CLOCK="$scratch/clock")
settled() { [ "$("$ctl" --endpoint "$etcd_main" --json status | python3 -c 'import json, sys; s = json.load(sys.stdin); print(len(s["holders"]) + len(s["queue"]))')" = 0 ]; }
explain() {
    env "${clock[@]}" REBOOT_STRATEGY=etcd-lock DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus" "$@" \
        "$ctl" --endpoint "$etcd_main" --root "$scratch/a" explain
}
n=0 # reboots so far
start_a() { host_start a "${clock[@]}" REBOOT_STRATEGY=etcd-lock "$@"; a=$started; }
stop_a() { host_stop $a; "$ctl" --endpoint "$etcd_main" unlock host-a 2>/dev/null; rm -f "$times"; }
kill_a() { kill -9 $a; wait $a 2>/dev/null; "$ctl" --endpoint "$etcd_main" unlock host-a; rm -f "$times"; }
quiet() { called a $((n + 1)) && fail "$1" "$scratch/a.calls" "$scratch/a.log" || pass "$1"; }

# The clock
clock_set "2026-06-01 12:00:00"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
start_a REBOOT_WINDOWS="02:00 1h"
becomes "outside of the window nothing happens" 10 logged a "waiting for the reboot window"
clock_set "2026-06-02 02:10:00"
becomes "when the clock is set into the window, the host reboots" 10 called a 1
logged a "the clock was set" && pass "and the log says that it was set" || fail "and the log says that it was set" "$scratch/a.log"
kill_a; n=1
"$ctl" --endpoint "$etcd_main" lock somebody
start_a REBOOT_WINDOWS="02:00 1h"
becomes "in the window the host waits for the lock" 10 reason_is a "semaphore is at 0"
clock_set "2026-06-02 01:30:00"
becomes "when the clock is set back, it leaves the queue" 10 state_is a running
"$ctl" --endpoint "$etcd_main" unlock somebody
becomes "nobody holds the lock or waits for it" 10 settled
quiet "and it does not reboot"
clock_set "2026-06-02 01:59:58"
becomes "it does when the window opens by itself" 10 called a 2
kill_a; n=2

# The zone
clock_set "2026-06-01 12:00:00"
start_a REBOOT_WINDOWS="14:00 1h"
becomes "at 12:00 UTC a window at 14:00 is closed" 10 state_is a running
zone_set Europe/Berlin
becomes "when the zone of the host becomes one where it is 14:00, the host reboots" 10 called a 3
logged a "the time zone of the host has changed" && pass "and the log says why" || fail "and the log says why" "$scratch/a.log"
kill_a; n=3
start_a REBOOT_WINDOWS="14:00 1h" REBOOT_TIME_ZONE=UTC
becomes "with a zone of its own the host's does not matter" 10 state_is a running
zone_set UTC
becomes "nor does its change" 10 logged a "the time zone of the host has changed"
quiet "so there is no reboot"
stop_a

# The window closes
clock_set "2026-06-01 02:59:55"
"$ctl" --endpoint "$etcd_main" lock somebody
start_a REBOOT_WINDOWS="02:00 1h"
becomes "shortly before the end of the window the host waits for the lock" 5 reason_is a "semaphore is at 0"
becomes "at the end it waits for the next window" 15 state_is a running
"$ctl" --endpoint "$etcd_main" unlock somebody
becomes "and is in nobody's way" 5 settled
quiet "it has not rebooted"
stop_a
cat >"$scratch/a/etc/sluice/drain.d/50-slow" <<END
#!/bin/sh
echo \$\$ >"$scratch/draining"
exec sleep 600
END
chmod +x "$scratch/a/etc/sluice/drain.d/50-slow"
clock_set "2026-06-01 02:30:00"
start_a REBOOT_WINDOWS="02:00 1h"
becomes "the host drains, with the lock in hand" 10 test -s "$scratch/draining"
clock_set "2026-06-01 03:00:01"
becomes "when the window closes meanwhile, the lock goes back" 10 settled
kill -0 "$(cat "$scratch/draining")" 2>/dev/null && fail "and the hook has ended" || pass "and the hook has ended"
quiet "it has not rebooted"
stop_a
cat >"$scratch/a/etc/sluice/drain.d/50-slow" <<END
#!/bin/sh
echo $(($(date -u -d "2026-06-01 03:00:01" +%s) - $(date +%s))) >"$scratch/clock"
END
clock_set "2026-06-01 02:30:00"
start_a REBOOT_WINDOWS="02:00 1h"
becomes "the window is looked at again between drain and reboot" 10 logged a "the clock was set"
becomes "and the lock given back" 10 settled
quiet "no reboot out of the window"
stop_a
rm "$scratch/a/etc/sluice/drain.d/50-slow"

# What is left of it
clock_set "2026-06-01 02:30:00"
start_a REBOOT_WINDOWS="02:00 1h" REBOOT_DURATION=40m
becomes "30 min are left, and a reboot takes 40" 10 reason_is a "what is left of it is less than a reboot takes \(40 min"
settled && pass "the lock is not even asked for" || fail "the lock is not even asked for"
prints "explain shows it, and when there is room" "^window +closed +02:00 1h .*a reboot takes 40 min 0 s; changes Tue 2026-06-02 02:00" \
    explain REBOOT_WINDOWS="02:00 1h" REBOOT_DURATION=40m
clock_set "2026-06-02 02:10:00"
becomes "with 50 min it reboots" 10 called a $((n + 1))
kill_a; n=$((n + 1))
refuses "a duration that fits into no window is refused at start" 1 'REBOOT_DURATION "2h": no reboot window is as long as that' \
    env REBOOT_WINDOWS="02:00 1h" REBOOT_DURATION=2h "$daemon" --root "$scratch/a"
refuses "one that is none, too" 1 'REBOOT_DURATION "long"' env REBOOT_DURATION=long "$daemon" --root "$scratch/a"

# What is learned
clock_set "2026-06-02 02:00:00"
start_a REBOOT_WINDOWS="02:00 1h"
becomes "the host asks for a reboot" 10 called a $((n + 1))
kill -9 $a; wait $a 2>/dev/null; n=$((n + 1))
grep -Eq "^asked [0-9]+ first-boot$" "$times" && pass "and notes when" || fail "and notes when" "$times"
clock_set "2026-06-02 02:20:30"
peers a "silent UPDATE_STATUS_IDLE"
start_a REBOOT_WINDOWS="02:00 1h"
becomes "a daemon that is only restarted has not rebooted" 10 holders_are ""
host_stop $a
grep -q "^took" "$times" && fail "and learns nothing" "$times" || pass "and learns nothing"
echo second-boot >"$scratch/a/proc/sys/kernel/random/boot_id"
start_a REBOOT_WINDOWS="02:00 1h"
becomes "in the next boot it knows how long that took" 10 logged a "the reboot took 20 min"
becomes "it keeps it" 5 grep -Eq "^took 12[0-9][0-9]$" "$times"
clock_set "2026-06-02 02:45:00"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "15 min are too few then" 10 reason_is a "less than a reboot takes \(20 min"
host_stop $a
start_a REBOOT_WINDOWS="02:40 30m"
becomes "of a window of 30 min at most half is wanted" 10 called a $((n + 1))
n=$((n + 1))
kill -9 $a; wait $a 2>/dev/null
echo "asked yesterday" >"$times"
peers a "silent UPDATE_STATUS_IDLE"
start_a
becomes "a damaged file does no harm" 10 holders_are ""
peers a "refuse not today"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "a reboot that is refused" 10 called a $((n + 1))
becomes "is not waited for" 10 logged a "refused: not today"
grep -q "^asked" "$times" && fail "its time is forgotten" "$times" || pass "its time is forgotten"
stop_a
done_testing

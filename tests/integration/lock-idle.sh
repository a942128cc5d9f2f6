#!/bin/bash
# locksmithd at rest: the small program that waits, what it wakes up for, and that nothing is lost on the way there and back.
# shellcheck source=tests/integration/lib.sh
. "$SLUICE_SOURCE/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client and dbus are needed"
etcd_start main
idle=$(program locksmith/locksmithd-idle)
bus_of() { printf 'unix:path=%s' "$scratch/$1.bus"; }

# What it is linked with
readelf -d "$idle" | grep NEEDED | grep -Ev 'lib(c|systemd|asan|ubsan|m|gcc_s)\.so' >"$scratch/needed"
[ -s "$scratch/needed" ] && fail "the small program needs libsystemd and libc only" "$scratch/needed" || pass "the small program needs libsystemd and libc only"
refuses "it is for locksmithd only" 2 "coordinator: wrong or missing" "$idle" --root "$scratch"
refuses "what it is told must be true" 1 "was not handed over as it should be" "$idle" --root "$scratch" coordinator=0 strategy=reboot
refuses "locksmithd itself has no arguments" 2 "now: wrong or missing" "$daemon" --root "$scratch" now

# Going to rest
bus_start a
host_start a REBOOT_STRATEGY=etcd-lock REBOOT_METRICS_FILE=/metrics/reboot.prom
a=$started
becomes "with nothing to do it becomes the small program" 20 is_idle $a
grep -E 'libcurl|libjansson|libssl|libcrypto' /proc/$a/maps >"$scratch/maps"
[ -s "$scratch/maps" ] && fail "and has none of the libraries that the work needs" "$scratch/maps" || pass "and has none of the libraries that the work needs"
# files_of PID: one line for each descriptor
files_of() {
    local file
    for file in "/proc/$1/fd/"*; do readlink "$file"; done | sed 's/:\[[0-9]*\]//; s|.*/run/update-engine/|/run/update-engine/|' | sort
}
# What it has from its parent, by one that has just that.
start env bash -c 'for file in /proc/$$/fd/*; do readlink "$file" >>"$0"; done' "$scratch/inherited" 2>>"$scratch/a.log"
wait "$started"
{ sed 's/:\[[0-9]*\]//' "$scratch/inherited"; printf '%s\n' 'anon_inode:[eventpoll]' 'anon_inode:[signalfd]' 'anon_inode:[timerfd]' socket /run/update-engine/coordinator.conf; } |
    sort >"$scratch/files"
files_are() { files_of "$1" >"$scratch/files.log" && cmp -s "$scratch/files.log" "$scratch/files"; }
becomes "it has its event loop, the bus and the lock of coordinator.conf open, and nothing else" 10 files_are $a
if grep -aq -e __asan_init -e __tsan_init "$daemon"; then
    skip "it takes at most 6 MiB" "a sanitizer needs more"
else
    rss=$(awk '/^VmRSS/ { print $2 }' /proc/$a/status)
    [ "$rss" -le 6144 ] && pass "it takes at most 6 MiB" || fail "it takes at most 6 MiB: $rss KiB"
fi
state_is a running && reason_is a "waiting for an update" && pass "coordinator.conf says what it said" || fail "coordinator.conf says what it said"
refuses "a second coordinator is refused meanwhile" 1 "file already locked" \
    env DBUS_SYSTEM_BUS_ADDRESS="$(bus_of a)" REBOOT_STRATEGY=reboot "$daemon" --root "$scratch/a"

# An update: awake, refused, withdrawn, asleep
peers a "refuse not now"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "an update wakes it: the lock is taken and the reboot asked for" 20 called a 1
is_awake $a && pass "by the same process" || fail "by the same process" "/proc/$a/status"
becomes "a refusal gives the lock back" 10 holders_are ""
peers a "status UPDATE_STATUS_IDLE"
becomes "an update that is taken back lets it go to rest again" 30 is_idle $a
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "the next one wakes it again" 20 called a 2
becomes "and it has not forgotten what it counts" 10 grep -qx 'sluice_reboot_requests_total{answer="refused"} 2' "$scratch/a/metrics/reboot.prom"
peers a "status UPDATE_STATUS_IDLE"
becomes "and it rests again" 30 is_idle $a
same "it looked at the running slot at the start only" "$(grep -c "until the running slot is marked good" "$scratch/a.log")" 1
same "and was told of each update once" "$(grep -c "version 2.0.0 waits for a reboot" "$scratch/a.log")" 2
becomes "no descriptor has been left over" 10 files_are $a

# The lock, by hand and not
"$ctl" --endpoint "$etcd_main" lock host-a
peers a "inhibitor somebody"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "awake it does not give back a lock that was taken by hand meanwhile" 20 reason_is a "inhibitor blocks it"
peers a "status UPDATE_STATUS_IDLE"
becomes "nor at rest" 20 is_idle $a
holders_are '"host-a"' && pass "the lock is still there" || fail "the lock is still there"
"$ctl" --endpoint "$etcd_main" unlock host-a
peers a "inhibitor"
"$ctl" --endpoint "$etcd_main" lock somebody
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "with the lock taken it waits for it, awake" 20 reason_is a "semaphore is at 0"
peers a "status UPDATE_STATUS_IDLE"
becomes "an update that is taken back ends that, too" 20 is_idle $a
"$ctl" --endpoint "$etcd_main" unlock somebody

# A signal by hand, which the update daemon knows nothing of
n=$(wc -l <"$scratch/a.calls")
env DBUS_SYSTEM_BUS_ADDRESS="$(bus_of a)" "$ctl" send-need-reboot
becomes "locksmithctl send-need-reboot wakes it, whatever the update daemon says" 20 called a $((n + 1))
becomes "its refusal is no end" 25 called a $((n + 2))
peers a "status UPDATE_STATUS_IDLE"
becomes "a word of the update daemon is" 30 is_idle $a

# The update daemon goes and comes
peers a leave
peers a return
is_idle $a && pass "an update daemon that is started again leaves it at rest" || fail "an update daemon that is started again leaves it at rest"
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
n=$(wc -l <"$scratch/a.calls")
peers a leave
peers a return
becomes "it is asked then: what it says counts" 20 called a $((n + 1))
peers a "status UPDATE_STATUS_IDLE"
becomes "at rest once more" 30 is_idle $a

# The bus goes and comes
kill "$bus_pid"; wait "$bus_pid" 2>/dev/null
becomes "without the bus it waits for it" 10 state_is a starting
becomes "and says so" 10 grep -q 'state="starting"' "$scratch/a/metrics/reboot.prom"
is_idle $a && pass "at rest" || fail "at rest"
rm -f "$scratch/a.bus"
bus_start a
becomes "and sees it coming" 40 state_is a running
n=$(wc -l <"$scratch/a.calls")
peers a accept
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "and the next update on it" 20 called a $((n + 1))
peers a "status UPDATE_STATUS_IDLE"
kill -9 $a; wait $a 2>/dev/null
"$ctl" --endpoint "$etcd_main" unlock host-a

# Its end
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "it is at rest" 20 is_idle $a
host_stop $a
same "SIGTERM ends it well" $? 0
mkdir -p "$scratch/a/etc/coreos"
printf 'REBOOT_STRATEGY=etcd-lock\n' >"$scratch/a/etc/coreos/update.conf"
host_start a
a=$started
becomes "settings may come from update.conf" 20 is_idle $a
looked() { grep -c "until the running slot is marked good" "$scratch/a.log"; }
n=$(looked)
printf 'REBOOT_STRATEGY=etcd-lock\nLOCKSMITHD_GROUP=web\n' >"$scratch/a/etc/coreos/update.conf"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
web_holders_are() { "$ctl" --endpoint "$etcd_main" --group web --json status | tr -d ' \n' | grep -q "\"holders\":\[$1\]"; }
becomes "they are read again when it wakes up: another group has another lock" 20 web_holders_are '"host-a"'
same "of which nothing is known yet" "$(looked)" $((n + 1))
kill -9 $a; wait $a 2>/dev/null
"$ctl" --endpoint "$etcd_main" --group web unlock host-a
peers a "status UPDATE_STATUS_IDLE"
printf 'REBOOT_STRATEGY=reboot\n' >"$scratch/a/etc/coreos/update.conf"
host_start a
a=$started
becomes "without the lock it rests, too" 20 is_idle $a
printf 'REBOOT_STRATEGY=off\n' >"$scratch/a/etc/coreos/update.conf"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
wait $a
same "a strategy that is off now ends it, and well" $? 0
logged a "REBOOT_STRATEGY is off" && pass "and it says why" || fail "and it says why" "$scratch/a.log"
rm "$scratch/a/etc/coreos/update.conf"
peers a "status UPDATE_STATUS_IDLE"

# Copies of both programs: what is beside a program is what it becomes
mkdir "$scratch/bin"
cp "$daemon" "$scratch/bin/locksmithd"
printf '\0' >"$scratch/none"
chmod 755 "$scratch/none"
cp "$scratch/none" "$scratch/bin/locksmithd-idle"
daemon=$scratch/bin/locksmithd
host_start a REBOOT_STRATEGY=reboot
a=$started
becomes "when the small program can not be started the log says so" 20 logged a "locksmithd-idle can not be started"
n=$(wc -l <"$scratch/a.calls")
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "and all goes on without it" 20 called a $((n + 1))
same "it was tried once" "$(grep -c "can not be started" "$scratch/a.log")" 1
kill -9 $a; wait $a 2>/dev/null
peers a "status UPDATE_STATUS_IDLE"

cp "$idle" "$scratch/bin/locksmithd-idle"
host_start a REBOOT_STRATEGY=reboot
a=$started
becomes "both are there" 20 is_idle $a
mv "$scratch/bin/locksmithd" "$scratch/kept"
cp "$scratch/none" "$scratch/bin/locksmithd"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
wait $a
same "when locksmithd can not be started the end is an error, for systemd to start it anew" $? 1
logged a "an update is ready, but $scratch/bin/locksmithd can not be started" && pass "and the log says so" || fail "and the log says so" "$scratch/a.log"
mv "$scratch/kept" "$scratch/bin/locksmithd"
peers a "status UPDATE_STATUS_IDLE"

# The moment between the two programs, which a script in the place of the small one makes as long as it takes
client=$(program updated/update-engine-client)
status_is() { DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus" "$client" -status 2>&1 | grep -qx "CURRENT_OP=$1"; }
say() { peers a "$1 $2" && until status_is "$2"; do sleep 0.05; done; } # and it has been heard
export -f status_is peers say
export scratch client
rm "$scratch/bin/locksmithd-idle"
cat >"$scratch/bin/locksmithd-idle" <<'END'
#!/bin/bash
case $BETWEEN in
    signal) say status UPDATE_STATUS_UPDATED_NEED_REBOOT && say silent UPDATE_STATUS_IDLE ;;
    silent) say silent UPDATE_STATUS_UPDATED_NEED_REBOOT ;;
    end) kill -TERM $$ ;;
esac
exec "$IDLE" "$@"
END
chmod 755 "$scratch/bin/locksmithd-idle"
export IDLE=$idle
due() { grep -c "version 2.0.0 waits for a reboot" "$scratch/a.log"; }
n=$(due)
more_due() { [ "$(due)" -gt "$n" ]; }
host_start a REBOOT_STRATEGY=reboot BETWEEN=signal
a=$started
becomes "a signal between the two is not lost, although the update daemon takes it back at once" 30 more_due
kill -9 $a; wait $a 2>/dev/null
n=$(wc -l <"$scratch/a.calls")
host_start a REBOOT_STRATEGY=reboot BETWEEN=silent
a=$started
becomes "nor is what the update daemon says without one" 30 called a $((n + 1))
kill -9 $a; wait $a 2>/dev/null
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=reboot BETWEEN=end
wait "$started"
same "SIGTERM between the two ends it well" $? 0
done_testing

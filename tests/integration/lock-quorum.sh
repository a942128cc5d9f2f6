#!/bin/bash
# A host that is a member of etcd: it never goes down when that would cost the quorum, and it keeps the lock until its
# member is well again. Members are on 127.0.0.1, .2 and .3, so that each is a host of its own.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client and dbus are needed"

declare -A client peer pid
for m in 1 2 3; do client[$m]=http://127.0.0.$m:$(free_port) peer[$m]=http://127.0.0.$m:$(free_port); done

# members_start N...: of a cluster that has these; again: the same data
members_start() {
    local m
    for m in "$@"; do
        start etcd --name "m$m" --data-dir "$scratch/etcd-$m" --unsafe-no-fsync --logger zap --log-level error \
            --listen-client-urls "${client[$m]}" --advertise-client-urls "${client[$m]}" \
            --listen-peer-urls "${peer[$m]}" --initial-advertise-peer-urls "${peer[$m]}" \
            --initial-cluster "$cluster" --enable-v2 >"$scratch/etcd-$m.log" 2>&1
        pid[$m]=$started
    done
}
member_stop() { kill -9 "${pid[$1]}"; wait "${pid[$1]}" 2>/dev/null; }
healthy() { ETCDCTL_API=3 etcdctl --endpoints "$1" --command-timeout 2s endpoint health; }

cluster=m1=${peer[1]},m2=${peer[2]},m3=${peer[3]}
members_start 1 2 3
etcd_main=${client[1]},${client[2]},${client[3]}
for m in 1 2 3; do wait_for 20 healthy "${client[$m]}" || { fail "etcd $m starts" "$scratch/etcd-$m.log"; exit 1; }; done
explain() { REBOOT_STRATEGY=etcd-lock DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus" "$ctl" --endpoint "$1" --root "$scratch/a" explain; }
quorum_is() { explain "$1" | grep -Eq "^quorum +$2"; }

# All are well
bus_start a
mkdir -p "$scratch/a/proc/sys/kernel/random"
echo first-boot >"$scratch/a/proc/sys/kernel/random/boot_id"
prints "explain counts without this host" "^quorum +open +without this host etcd has 2 healthy voters of 3, and needs 2" explain "$etcd_main"
prints "a host that only uses etcd is no member" "^quorum +open +this host is no member of etcd" explain "${client[2]},${client[3]}"
LOCKSMITHCTL_ETCD_API=v2 prints "also over the v2 API" "^quorum +open +without this host etcd has 2 healthy voters of 3, and needs 2" explain "$etcd_main"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "a member reboots while the others are well" 20 called a 1
same "and remembers that it is one" "$(wc -l <"$scratch/a/var/lib/updated/etcd-member")" 1
kill -9 $a; wait $a 2>/dev/null

# The boot: its member is not up at first
member_stop 1
echo second-boot >"$scratch/a/proc/sys/kernel/random/boot_id"
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "a host that is back keeps the lock while its member is not" 20 reason_is a "etcd member m1 \([0-9]+\) of this host: it does not answer"
becomes "it is kept" 10 holders_are '"host-a"' # a new leader may be found first
members_start 1
becomes "with the member back it is given back" 40 holders_are ""
host_stop $a

# One of the others is down
member_stop 3
becomes "explain says that one more must not go" 20 quorum_is "$etcd_main" "closed +without this host etcd has 1 healthy voters of 3, and needs 2"
LOCKSMITHCTL_ETCD_API=v2 prints "also over the v2 API: no" "^quorum +closed +without this host etcd has 1 healthy voters of 3, and needs 2" explain "$etcd_main"
n=$(wc -l <"$scratch/a.calls")
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "in a degraded cluster the guard keeps the reboot back" 20 reason_is a "without this host etcd has 1 healthy voters of 3"
logged a "has 1 healthy voters of 3" && pass "the log says why" || fail "the log says why" "$scratch/a.log"
holders_are "" && pass "the lock is not taken" || fail "the lock is not taken"
same "no reboot was asked for" "$(wc -l <"$scratch/a.calls")" "$n"
if [ "$(id -u)" = 0 ]; then
    REBOOT_STRATEGY=etcd-lock DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/a.bus" refuses "locksmithctl reboot is refused as well" 1 \
        "needs 2" "$ctl" --endpoint "$etcd_main" --root "$scratch/a" reboot
else
    skip "locksmithctl reboot" "it is for root"
fi
members_start 3
becomes "when the third is back, this host has its turn" 60 called a $((n + 1))
kill -9 $a; wait $a 2>/dev/null
member_stop 2; member_stop 3
says_no_leader() { "$ctl" --endpoint "${client[1]}" status 2>&1 | grep -q "no leader"; } # else: "request timed out", behind 7 s
becomes "without a quorum the member says so, instead of keeping everybody waiting" 30 says_no_leader
LOCKSMITHCTL_ETCD_API=v2 becomes "the last of three is not well, whatever its v2 API says of its leader" 20 \
    quorum_is "${client[1]}" "closed +without this host etcd has 0 healthy voters of 3"
REBOOT_STRATEGY=etcd-lock refuses "nor does check believe it" 1 "has no leader" "$ctl" --endpoint "${client[1]}" --etcd-api v2 --root "$scratch/a" check
member_stop 1
rm -rf "$scratch"/etcd-[123] "$scratch/a/var/lib/updated/etcd-member"

# Two members bear no loss at all
cluster=m1=${peer[1]},m2=${peer[2]}
members_start 1 2
for m in 1 2; do wait_for 20 healthy "${client[$m]}"; done
becomes "of two members none may go" 10 quorum_is "${client[1]}" "closed +without this host etcd has 1 healthy voters of 2, and needs 2; etcd has an even number of voters"
"$ctl" --endpoint "${client[1]}" --root "$scratch/a" check >"$scratch/out" 2>&1
grep -q "an even number of members" "$scratch/out" && pass "check warns of it" || fail "check warns of it" "$scratch/out"
for m in 1 2; do member_stop $m; done
rm -rf "$scratch"/etcd-[12]

# One list of endpoints, two clusters
etcd_stranger=''
etcd_start stranger
cluster=m1=${peer[1]},m2=${peer[2]},m3=${peer[3]}
rm -rf "$scratch"/etcd-[123]
members_start 1 2 3
for m in 1 2 3; do wait_for 20 healthy "${client[$m]}"; done
becomes "an endpoint of another cluster keeps the reboot back" 10 quorum_is "${client[1]},${client[2]},$etcd_stranger" "closed +endpoint $etcd_stranger is of another etcd cluster"
becomes "endpoints of one cluster do not" 10 quorum_is "${client[1]},${client[2]},${client[3]}" "open"
for m in 1 2 3; do member_stop $m; done
etcd_stop stranger
rm -rf "$scratch"/etcd-[123]

# One member: nothing can be kept, and it must be updated all the same; its peer URL is of a host that is not this one
peer[1]=http://192.0.2.1:2380
cluster=m1=${peer[1]}
start etcd --name m1 --data-dir "$scratch/etcd-1" --unsafe-no-fsync --logger zap --log-level error \
    --listen-client-urls "${client[1]}" --advertise-client-urls "${client[1]}" --listen-peer-urls http://127.0.0.1:"$(free_port)" \
    --initial-advertise-peer-urls "${peer[1]}" --initial-cluster "$cluster" >"$scratch/etcd-1.log" 2>&1
etcd_main=${client[1]}
wait_for 20 healthy "$etcd_main"
prints "an only member may go, with a word" "^quorum +open +etcd has one member, on this host: it is away during the reboot; etcd has one member only: if each host has its own, they share no lock" explain "$etcd_main"
"$ctl" --endpoint "$etcd_main" lock host-a
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "a member whose peer URL is of another address keeps the lock" 20 reason_is a "its peer URLs are no addresses of this host"
holders_are '"host-a"' && pass "it is kept" || fail "it is kept"
host_stop $a
"$ctl" --endpoint "$etcd_main" unlock host-a
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start a REBOOT_STRATEGY=etcd-lock
becomes "a lone member is warned of in the journal" 20 logged a "etcd has one member only"
kill -9 $started; wait $started 2>/dev/null
done_testing

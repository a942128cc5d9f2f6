#!/bin/bash
# What decides besides free slots, in a real etcd: a share in percent, a limit on all groups, failures that stop the
# fleet, hosts that are gone, the estimated wait, and the live view of all that.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client and dbus are needed"
etcd_start main
side=coreos.com/updateengine/rebootlock/sluice
run_ctl() { "$ctl" --endpoint "$etcd_main" "$@"; }
status_of() { run_ctl --json status | python3 -c "import json, sys; s = json.load(sys.stdin); print($1)"; }
value_is() { same "$1" "$(etcd_get "$etcd_main" "$key")" "$2"; }

# A share of the hosts
refuses "a share of hosts of which none is known" 1 "no host of this group is known yet: say how many there are with --of" run_ctl set-max 10%
for share in 0% 101% % x% -5% 1.5%; do
    refuses "a share of $share" 1 "Invalid maximum value: $share" run_ctl set-max -- "$share"
done
refuses "a share of no hosts" 1 "Invalid number of hosts: 0" run_ctl set-max --of 0 10%
refuses "--of goes with a share" 2 "goes with a percentage" run_ctl set-max --of 40 3
prints "10% of 49 hosts are 4" "^Max: 4$" run_ctl set-max --of 49 10%
value_is "old clients read a whole number" '{"semaphore":4,"max":4,"holders":null}'
prints "status shows the share" "^Share: 10% of 49 hosts" run_ctl status
same "also as JSON" "$(status_of 's["policy"]["percent"], s["policy"]["of"]')" "10 49"
prints "10% of 3 hosts are 1: never nobody" "^Max: 1$" run_ctl set-max --of 3 10%
prints "a number ends the share" "^Max: 2$" run_ctl set-max 2
run_ctl status | grep -q Share && fail "it is gone" || pass "it is gone"

# Hosts make themselves known, and the number follows
for i in $(seq 1 39); do etcd_put "$etcd_main" $side/hosts/known-"$i" '{}'; done
prints "10% of 39 known hosts are 3" "^Max: 3$" run_ctl set-max 10%
bus_start a
mkdir -p "$scratch/a/proc/sys/kernel/random"
echo web-a >"$scratch/a/etc/hostname"
boot() { echo "$2" >"$scratch/$1/proc/sys/kernel/random/boot_id"; printf 'VERSION_ID=%s\n' "$3" >"$scratch/$1/etc/os-release"; }
boot a first-boot 1.0.0
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
max_is() { [ "$(status_of 's["max"]')" = "$1" ]; }
becomes "the 40th host makes itself known, and the number is 4 by itself" 10 max_is 4
host_stop $a
same "40 hosts are known" "$(status_of 's["known_hosts"]')" 40
run_ctl set-max 1 >/dev/null
etcd_put "$etcd_main" $side/+policy/policy nonsense
refuses "a policy that can not be read: nobody gets the lock" 1 "the policy of the group can not be read: see locksmithctl resume" run_ctl lock x
prints "status shows it" "^Stopped: the policy of the group can not be read" run_ctl status
works "resume writes it anew" run_ctl resume --reason "somebody had fun"
works "then it can be taken" run_ctl lock x
run_ctl unlock x

# A limit on all groups
for group in red green blue; do run_ctl --group $group set-max 5 >/dev/null; done
prints "a limit on all groups" "^Global-Max: 3" run_ctl set-max --global 3
refuses "not of nobody: there is pause" 1 "1 or more" run_ctl set-max --global 0
for i in 1 2; do run_ctl --group red lock red-$i; done
works "the third, in another group" run_ctl --group green lock green-1
refuses "the fourth in no group" 1 "Error locking: 3 of 3 slots of all groups together are held" run_ctl --group blue lock blue-1
works "who holds it may again" run_ctl --group red lock red-1
prints "status shows both" "^Global: 3 of 3 held in all groups" run_ctl --group blue status
grep -qx "Max: 5" "$scratch/out" && pass "the group's own as well" || fail "the group's own as well" "$scratch/out"
prints "explain shows it" "^all groups +closed +3 of 3 slots" env REBOOT_STRATEGY=etcd-lock "$ctl" --root "$scratch/a" --endpoint "$etcd_main" --group blue explain
etcd_put "$etcd_main" coreos.com/updateengine/rebootlock/groups/old/semaphore '{"semaphore":0,"max":1,"holders":["of-an-old-client"]}'
run_ctl --group red unlock red-1
refuses "holders of old clients count" 1 "3 of 3" run_ctl --group blue lock blue-1
etcd_put "$etcd_main" coreos.com/updateengine/rebootlock/groups/old/semaphore 'nonsense'
refuses "a lock that can not be read is not guessed at" 1 "the lock of another group can not be read" run_ctl --group blue lock blue-1
etcd_put "$etcd_main" coreos.com/updateengine/rebootlock/groups/old/semaphore '{"semaphore":1,"max":1,"holders":[]}'
bus_start b
peers b "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
run_ctl --group green lock green-2
host_start b REBOOT_STRATEGY=etcd-lock LOCKSMITHD_GROUP=blue
b=$started
becomes "a daemon waits for a slot of another group" 10 reason_is b "3 of 3 slots of all groups together are held"
run_ctl --group red unlock red-2
becomes "and is woken when one is free" 10 called b 1
kill -9 $b; wait $b 2>/dev/null
run_ctl --group blue unlock host-b
prints "the limit can be taken away" "^Global-Max: none" run_ctl set-max --global none
for i in 1 2 3 4 5; do run_ctl --group red lock red-$i; done
same "then each group has its own again" "$(run_ctl --group red status | head -1)" "Available: 0"

# A host that came back with its old version has failed, and that stops the fleet
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "a host goes down for an update" 10 called a 1
kill -9 $a; wait $a 2>/dev/null
same "its record says so, and from where to where" \
    "$(status_of '(lambda r: (r["down"], r["from_version"], r["to_version"], r["boot_id"]))(s["records"][0])')" "(True, '1.0.0', '2.0.0', 'first-boot')"
same "it is expected back" "$(etcd_get "$etcd_main" $side/away/host-a)" "{}"
boot a second-boot 1.0.0
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "it is back on the old version: that is told" 10 logged a "the reboot has failed: it came back with version 1.0.0 instead of 2.0.0"
becomes "the slot is given back, and the failure counted with it" 10 holders_are ""
same "the key of its return goes with it" "$(etcd_get "$etcd_main" $side/away/host-a)" ""
same "it stops the fleet" "$(status_of 's["policy"]["stopped"]["reason"]')" \
    "1 host has failed, and the budget is 1; last host-a (web-a): it came back with version 1.0.0 instead of 2.0.0"
host_stop $a
refuses "nobody gets the lock" 1 "Error locking: the fleet has stopped: 1 host has failed" run_ctl lock x
prints "status says why" "^Stopped: the fleet has stopped: 1 host" run_ctl status
prints "details list who" "^host-a +.* web-a: it came back" run_ctl status --details
refuses "resume wants a reason" 1 "say what was done about it with --reason" run_ctl resume
peers b "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start b REBOOT_STRATEGY=etcd-lock
b=$started
becomes "a daemon says why it waits" 10 reason_is b "the fleet has stopped: 1 host has failed"
prints "resume, with a reason" "^resumed; max is 1" run_ctl --root "$scratch/a" resume --reason "web-a has a new disk"
becomes "the fleet goes on" 20 called b 2
kill -9 $b; wait $b 2>/dev/null
run_ctl unlock host-b
same "who has resumed it, and why, stays in etcd" "$(status_of 's["policy"]["resumed"]["who"].split(" on ")[1], s["policy"]["resumed"]["reason"]')" "web-a web-a has a new disk"
refuses "there is nothing more to resume" 1 "not paused" run_ctl resume --reason again

# A budget of two
boot a third-boot 1.0.0
run_ctl lock host-a
etcd_put "$etcd_main" $side/holders/host-a '{"host":"web-a","boot_id":"other","reason":"update","from_version":"1.0.0","to_version":"2.0.0","departed":5,"since":5}'
host_start a REBOOT_STRATEGY=etcd-lock REBOOT_FAILURE_BUDGET=2
a=$started
becomes "one failure of two that may" 10 holders_are ""
host_stop $a
prints "is shown" "^Failed: 1" run_ctl status
works "and stops nobody" run_ctl lock x
run_ctl unlock x
refuses "a budget that is none" 1 'REBOOT_FAILURE_BUDGET "many"' env REBOOT_FAILURE_BUDGET=many "$daemon" --root "$scratch/a"
run_ctl set-max 3 >/dev/null

# Who never comes back, by the leases of etcd and by nobody's clock
peers b "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
n=$(wc -l <"$scratch/b.calls")
host_start b REBOOT_STRATEGY=etcd-lock REBOOT_RETURN_TIME=3s REBOOT_FREE_GONE=5s REBOOT_FAILURE_BUDGET=3
b=$started
becomes "a second host goes down, for 3 s" 10 called b $((n + 1))
kill -9 $b; wait $b 2>/dev/null
etcd_put "$etcd_main" $side/holders/host-b "$(etcd_get "$etcd_main" $side/holders/host-b | sed 's/"since":[0-9]*/"since":4000000000/; s/"departed":[0-9]*/"departed":4000000000/')"
overdue() { [ "$(status_of '[r.get("overdue") for r in s["records"] if r["id"] == "host-b"]')" = "[$1]" ]; }
overdue False && pass "it is down, not overdue" || fail "it is down, not overdue"
becomes "after that it is overdue, although its clock is a century ahead" 10 overdue True
run_ctl status --details | grep -Eq "^host-b .*(OVERDUE|GONE)" && pass "status marks it" || fail "status marks it"
n=$(wc -l <"$scratch/a.calls")
host_start a REBOOT_STRATEGY=etcd-lock REBOOT_FAILURE_BUDGET=2
a=$started
becomes "the next look of any host counts it, and the second of two stops the fleet" 20 reason_is a "2 hosts have failed, and the budget is 2; last host-b"
same "nothing is freed silently" "$(status_of '"host-b" in s["holders"]')" True
host_stop $a
run_ctl resume --reason "let us see" >/dev/null
gone() { run_ctl status --details | grep -q "^host-b .*GONE"; }
becomes "2 s later it is gone for good" 20 gone
host_start a REBOOT_STRATEGY=etcd-lock REBOOT_FAILURE_BUDGET=1 REBOOT_RETURN_TIME=1m REBOOT_FREE_GONE=1h
a=$started
becomes "resumed, the others go on, and with the policy the slot of a gone host is freed" 20 called a $((n + 1))
same "the gone host holds nothing" "$(status_of '"host-b" in s["holders"]')" False
logged a "freed the slot of host-b" && pass "that is logged" || fail "that is logged" "$scratch/a.log"
etcd_get "$etcd_main" $side/freed/host-b | grep -q '"host":"web-a".*was not back within 5.0 s' && pass "and written down: who, and why" || fail "and written down"
kill -9 $a; wait $a 2>/dev/null
run_ctl unlock host-a
refuses "gone before it is overdue is refused" 1 "a host is not gone before it is overdue" env REBOOT_FREE_GONE=5m "$daemon" --root "$scratch/a"

# Coming back late but well
run_ctl lock host-a
etcd_put "$etcd_main" $side/holders/host-a "{\"host\":\"web-a\",\"boot_id\":\"other\",\"reason\":\"update\",\"from_version\":\"0.9\",\"to_version\":\"1.0.0\",\"departed\":5,\"return_within\":60,\"since\":$(($(date +%s) - 100))}"
peers b "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start b REBOOT_STRATEGY=etcd-lock REBOOT_FAILURE_BUDGET=5
b=$started
failed() { [ "$(status_of '[f["id"] for f in s["policy"]["failures"] if not f["excused"]]')" = "$1" ]; }
becomes "a late host is counted" 10 failed "['host-a']"
kill -9 $b; wait $b 2>/dev/null
run_ctl unlock host-b
peers a "silent UPDATE_STATUS_IDLE"
host_start a REBOOT_STRATEGY=etcd-lock
becomes "when it comes back well, it counts no more" 10 failed "[]"
becomes "and holds nothing" 5 holders_are ""
host_stop $started

# The estimated wait is made of the times that hosts have held the lock
held=$(etcd_get "$etcd_main" $side/hosts/host-a | sed 's/.*"held":\([0-9]*\).*/\1/')
[ "$held" -ge 100 ] && [ "$held" -le 200 ] && pass "how long it held the lock is kept" || fail "how long it held the lock is kept: $held"
run_ctl set-max 1 >/dev/null
run_ctl lock somebody
etcd_put "$etcd_main" $side/queue/first '{"host":"web-1"}'
etcd_put "$etcd_main" $side/queue/second '{"host":"web-2"}'
same "place and estimate" "$(status_of "[(w['id'], w['position'], w['estimated_wait'] // $held) for w in s['queue']]")" "[('first', 1, 1), ('second', 2, 2)]"
prints "also for people" "place 2, estimated wait: [34567] min" run_ctl status --details
prints "explain knows it, and when" "^lock +closed +1 of 1 slots are held, 2 before this host in the queue, estimated wait: .* min.*; changes " \
    env REBOOT_STRATEGY=etcd-lock "$ctl" --root "$scratch/a" --endpoint "$etcd_main" explain
run_ctl --group old lock somebody
prints "without any time it is not known" "^lock +closed .*estimated wait: unknown$" \
    env REBOOT_STRATEGY=etcd-lock "$ctl" --root "$scratch/a" --endpoint "$etcd_main" --group old explain

# The live view
start "$ctl" --endpoint "$etcd_main" status --watch >"$scratch/watch"
watch=$started
lines_are() { [ "$(wc -l <"$scratch/watch")" = "$1" ]; }
becomes "the live view shows what there is, as a line of JSON where it is no terminal" 5 lines_are 1
etcd_put "$etcd_main" $side/queue/third '{"host":"web-3"}'
becomes "and a line for each change" 5 lines_are 2
run_ctl unlock somebody
becomes "of the lock, too" 5 lines_are 3
run_ctl --group red unlock red-1
run_ctl lock x
becomes "but not for what changes nothing of this group" 5 lines_are 4
same "the last line is true" "$(tail -1 "$scratch/watch" | python3 -c 'import json, sys; s = json.load(sys.stdin); print(s["holders"], len(s["queue"]))')" "['x'] 3"
etcd_stop main
becomes "it waits while etcd is away" 10 grep -q . "$scratch/watch"
etcd_start main
run_ctl unlock x
becomes "and goes on when it is back" 20 lines_are 5
kill -INT $watch
wait $watch; same "Ctrl-C ends it" $? 130
done_testing

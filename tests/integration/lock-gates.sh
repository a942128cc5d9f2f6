#!/bin/bash
# Who has a say in a reboot besides the lock: inhibitors, users, the administrator's hooks. Nobody's no is waited for
# with the lock in hand.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl dbus-daemon >/dev/null || skip_all "etcd-server, etcd-client and dbus are needed"
etcd_start main

# wall(1) of this test writes down what users would read
mkdir "$scratch/bin"
printf '#!/bin/sh\necho "$1" >>%s\n' "$scratch/wall" >"$scratch/bin/wall"
chmod +x "$scratch/bin/wall"
export PATH=$scratch/bin:$PATH
touch "$scratch/wall"

# hook HOST DIRECTORY NAME: the program on stdin
hook() {
    mkdir -p "$scratch/$1/etc/sluice/$2"
    cat >"$scratch/$1/etc/sluice/$2/$3"
    chmod +x "$scratch/$1/etc/sluice/$2/$3"
}
explain() { REBOOT_STRATEGY=etcd-lock DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/$1.bus" "$ctl" --endpoint "$etcd_main" --root "$scratch/$1" explain; }
settled() { [ "$("$ctl" --endpoint "$etcd_main" --json status | python3 -c 'import json, sys; s = json.load(sys.stdin); print(len(s["holders"]) + len(s["queue"]))')" = 0 ]; }
# revision of the lock's key: it is another one when somebody has held the lock in between
revision() { ETCDCTL_API=3 etcdctl --endpoints "$etcd_main" get -w json "$key" | grep -o '"mod_revision":[0-9]*'; }

refuses "a grace that is none is refused at start" 1 'REBOOT_LOGIN_GRACE "soon"' \
    env REBOOT_LOGIN_GRACE=soon "$daemon" --root "$scratch"
refuses "so is a time for hooks of more than a day" 1 'REBOOT_HOOK_TIME "25h": it is more than a day' \
    env REBOOT_HOOK_TIME=25h "$daemon" --root "$scratch"

# Inhibitors
"$ctl" --endpoint "$etcd_main" lock first && "$ctl" --endpoint "$etcd_main" unlock first
bus_start a
peers a "inhibitor backup of the disk"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
etcd_put "$etcd_main" coreos.com/updateengine/rebootlock/sluice/hosts/host-a '{}' # else it makes itself known, with a write
before=$(revision)
host_start a REBOOT_STRATEGY=etcd-lock REBOOT_LOGIN_GRACE=3s REBOOT_HOOK_TIME=3s
a=$started
becomes "an inhibitor keeps the reboot back, and the reason is told" 10 reason_is a "an inhibitor blocks it: backup of the disk: it is not done yet"
prints "explain shows it" "^inhibitors +closed +1 block a shutdown: backup of the disk" explain a
same "the lock was not even taken for it" "$(revision)" "$before"
settled && pass "and nobody is in the queue" || fail "and nobody is in the queue"

# Checks
hook a pre-reboot.d 20-fails <<'EOF'
#!/bin/sh
echo "the disk $SLUICE_TO_VERSION is full"
exit 3
EOF
hook a pre-reboot.d 10-first <<'EOF'
#!/bin/sh
printf 'checking\nwith \033[1mcolours\n'
[ -z "${LOCKSMITHD_ENDPOINT-}" ]
EOF
hook a pre-reboot.d 15-backup~ <<'EOF'
#!/bin/sh
exit 1
EOF
prints "explain counts the checks, and does not run them" "^pre-reboot +unknown +2 programs in /etc/sluice/pre-reboot.d" explain a
peers a inhibitor
becomes "a check that fails keeps the reboot back, with its last words" 20 \
    reason_is a "/etc/sluice/pre-reboot.d/20-fails: exit status 3: the disk 2.0.0 is full"
becomes "what hooks print is logged by line, and obeyed by no terminal" 5 logged a "10-first: with \?\[1mcolours$"
same "the lock was not even taken for it" "$(revision)" "$before"
hook a pre-reboot.d 20-fails <<'EOF'
#!/bin/sh
sleep 60 & sleep 60
EOF
becomes "a check that takes too long is ended" 30 reason_is a "20-fails: it took longer than 3.0 s"
called a 1 && fail "so far nobody asked for a reboot" "$scratch/a.calls" || pass "so far nobody asked for a reboot"
host_stop $a
rm "$scratch/a/etc/sluice/pre-reboot.d/20-fails"

# Users
peers a "user core"
host_start a REBOOT_STRATEGY=etcd-lock REBOOT_LOGIN_GRACE=3s REBOOT_HOOK_TIME=3s
a=$started
becomes "users who are logged in are waited for" 10 reason_is a "users are logged in \(core\), who have 3.0 s left"
settled && pass "without the lock" || fail "without the lock"
REBOOT_LOGIN_GRACE=3s prints "explain shows them" "^users +closed +1 sessions \(core\): they are warned 3.0 s before" explain a
becomes "for that time only" 10 called a 1
same "and they were told" "$(cat "$scratch/wall")" $'This host reboots in 3.0 s into version 2.0.0.\nThis host reboots now into version 2.0.0.'
kill -9 $a; wait $a 2>/dev/null
: >"$scratch/wall"
peers a user
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "with nobody logged in there is no waiting" 10 called a 2
[ -s "$scratch/wall" ] && fail "and nobody is told" "$scratch/wall" || pass "and nobody is told"
kill -9 $a; wait $a 2>/dev/null
peers a "user core"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "in the 5 minutes that are usual" 10 reason_is a "who have 5 min"
peers a "status UPDATE_STATUS_IDLE"
becomes "an update that is taken back ends the waiting" 10 state_is a running
becomes "and the lock is not ours" 5 settled
host_stop $a
: >"$scratch/wall"
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
for grace in "5m2s 5 min 2 s 5 min 0 s" "62s 1 min 2 s 1 min 0 s"; do
    read -r grace more <<<"$grace"
    host_start a REBOOT_STRATEGY=etcd-lock REBOOT_LOGIN_GRACE="$grace"
    becomes "of a grace of $grace users hear at once, and again at ${more#* s }" 10 \
        grep -q "^This host reboots in ${more#* s } into version 2.0.0.$" "$scratch/wall"
    host_stop "$started"
done
same "and of nothing else" "$(cat "$scratch/wall")" "$(printf 'This host reboots in %s into version 2.0.0.\n' "5 min 2 s" "5 min 0 s" "1 min 2 s" "1 min 0 s")"
called a 3 && fail "nobody asked for a reboot" "$scratch/a.calls" || pass "nobody asked for a reboot"
peers a user
: >"$scratch/wall"

# Sessions that are nobody's
n=2
for session in "gdm greeter" "core lock-screen" "core background" "core manager" "core user closing"; do
    peers a "user $session"
    REBOOT_LOGIN_GRACE=3s prints "a session of \"$session\" is no user to explain" "^users +open +nobody is logged in" explain a
    peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
    host_start a REBOOT_STRATEGY=etcd-lock REBOOT_LOGIN_GRACE=1h
    a=$started
    n=$((n + 1))
    becomes "nor to the daemon" 10 called a $n
    kill -9 $a; wait $a 2>/dev/null
    "$ctl" --endpoint "$etcd_main" unlock host-a
done
[ -s "$scratch/wall" ] && fail "nobody is told" "$scratch/wall" || pass "nobody is told"

# Paused
peers a "user core"
"$ctl" --endpoint "$etcd_main" pause "the data centre moves" >/dev/null
host_start a REBOOT_STRATEGY=etcd-lock REBOOT_LOGIN_GRACE=4s
a=$started
becomes "a pause keeps the reboot back, with its reason" 10 reason_is a "paused on .*: the data centre moves; see locksmithctl resume"
[ -s "$scratch/wall" ] && fail "before any user is warned" "$scratch/wall" || pass "before any user is warned"
"$ctl" --endpoint "$etcd_main" resume >/dev/null
becomes "resumed, users are warned" 20 grep -q "reboots in 4.0 s" "$scratch/wall"
"$ctl" --endpoint "$etcd_main" pause "not now" >/dev/null
becomes "a pause while they are warned calls it off" 20 reason_is a "paused on .*: not now"
grep -q "now" "$scratch/wall" && fail "they do not hear the last word" "$scratch/wall" || pass "they do not hear the last word"
same "and nobody asked for a reboot" "$(wc -l <"$scratch/a.calls")" "$n"
host_stop $a
"$ctl" --endpoint "$etcd_main" resume >/dev/null
peers a user

# An inhibitor that comes while the host waits for the lock
"$ctl" --endpoint "$etcd_main" lock somebody
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "the host waits for the lock" 10 reason_is a "semaphore is at 0"
peers a "inhibitor backup of the disk"
"$ctl" --endpoint "$etcd_main" unlock somebody
becomes "with the lock in hand, everybody is asked again" 10 reason_is a "an inhibitor blocks it"
becomes "and it is not kept" 5 settled
same "nobody asked for a reboot" "$(wc -l <"$scratch/a.calls")" "$n"
host_stop $a
peers a inhibitor

# Draining
hook a drain.d 50-move <<EOF
#!/bin/sh
"$ctl" --endpoint "$etcd_main" status >"$scratch/while-draining"
exit \$(cat "$scratch/drain-status")
EOF
echo 1 >"$scratch/drain-status"
peers a "silent UPDATE_STATUS_UPDATED_NEED_REBOOT"
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "drain.d that fails keeps the reboot back" 10 reason_is a "/etc/sluice/drain.d/50-move: exit status 1"
grep -qx host-a "$scratch/while-draining" && pass "it ran with the lock in hand" || fail "it ran with the lock in hand" "$scratch/while-draining"
becomes "and gives the lock back" 5 settled
called a $((n + 1)) && fail "nobody asked for a reboot" "$scratch/a.calls" || pass "nobody asked for a reboot"
prints "explain shows the hooks" "^drain +unknown +1 programs in /etc/sluice/drain.d" explain a
echo 0 >"$scratch/drain-status"
becomes "when it works the reboot is asked for" 20 called a $((n + 1))
kill -9 $a; wait $a 2>/dev/null
"$ctl" --endpoint "$etcd_main" unlock host-a

# A host that went down and did not come back stops all others, even with slots left
records=coreos.com/updateengine/rebootlock/sluice/holders
"$ctl" --endpoint "$etcd_main" set-max 3 >/dev/null
"$ctl" --endpoint "$etcd_main" lock dead
"$ctl" --endpoint "$etcd_main" lock busy
etcd_put "$etcd_main" $records/dead '{"host":"web-7","since":1000,"reason":"update","departed":1000,"return_within":60}'
etcd_put "$etcd_main" $records/busy '{"host":"web-8","since":1000,"reason":"the disk is changed"}'
etcd_put "$etcd_main" $records/gone '{"host":"web-9","since":1000,"reason":"update","departed":1000,"return_within":60}' # holds nothing
n=$(wc -l <"$scratch/a.calls")
hook a notify.d 10-note <<EOF
#!/bin/sh
echo "\$SLUICE_EVENT \$SLUICE_REASON" >>"$scratch/notes"
EOF
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "a holder that is overdue keeps the others back" 20 reason_is a "the fleet has stopped: 1 host has failed, and the budget is 1; last dead \(web-7\): it went down and was not back within 1 min"
[ "$("$ctl" --endpoint "$etcd_main" status | grep -c host-a)" = 0 ] && pass "the lock is not taken" || fail "the lock is not taken"
becomes "notify.d hears of it" 10 grep -q "^late .*web-7" "$scratch/notes"
logged a "a host has not come back: " && pass "so does the journal" || fail "so does the journal" "$scratch/a.log"
prints "explain shows it, and what ends it" "^fleet +closed +the fleet has stopped: 1 host .*web-7.*; changes with locksmithctl resume" explain a
prints "status marks it" "^dead .* OVERDUE web-7" "$ctl" --endpoint "$etcd_main" status --details
grep -Eq "OVERDUE (web-8|web-9)" "$scratch/out" && fail "and nobody else" "$scratch/out" || pass "and nobody else"
"$ctl" --endpoint "$etcd_main" --json status | grep -q '"overdue": true' && pass "also as JSON" || fail "also as JSON"
"$ctl" --endpoint "$etcd_main" unlock dead
prints "freeing its slot alone does not let the others go on" "^fleet +closed" explain a
"$ctl" --endpoint "$etcd_main" resume --reason "web-7 is scrapped" >/dev/null
becomes "when an operator has said so, they do" 30 called a $((n + 1))
kill -9 $a; wait $a 2>/dev/null
"$ctl" --endpoint "$etcd_main" unlock host-a
"$ctl" --endpoint "$etcd_main" unlock busy
n=$((n + 1))

# The window closes while the host drains
hook a drain.d 50-move <<EOF
#!/bin/sh
echo \$\$ >"$scratch/draining"
sleep 60
EOF
host_start a REBOOT_STRATEGY=etcd-lock
a=$started
becomes "the host drains" 10 test -e "$scratch/draining"
peers a "status UPDATE_STATUS_IDLE"
becomes "when there is no reboot any more, the lock goes back at once" 5 settled
kill -0 "$(cat "$scratch/draining")" 2>/dev/null && fail "and the hook has ended" || pass "and the hook has ended"
rm "$scratch/draining"
peers a "status UPDATE_STATUS_UPDATED_NEED_REBOOT"
becomes "it drains again" 10 test -e "$scratch/draining"
host_stop $a
becomes "SIGTERM while it drains gives the lock back" 5 settled
same "nobody asked for a reboot" "$(wc -l <"$scratch/a.calls")" "$n"
done_testing

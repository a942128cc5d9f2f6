#!/bin/bash
# Moving the lock between etcd's v2 and v3 keys and back, broken off at every write and gone on with.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
# shellcheck source=tests/integration/lock-lib.sh
. "$SLUICE_SOURCE/tests/integration/lock-lib.sh"

command -v etcd etcdctl curl >/dev/null || skip_all "etcd-server, etcd-client and curl are needed"
etcd_options=(--enable-v2)
etcd_start main
root=$scratch/host
mkdir -p "$root/etc"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
echo web-7 >"$root/etc/hostname"
export LOCKSMITHCTL_ENDPOINT=$etcd_main
run_ctl() { "$ctl" --root "$root" "$@"; }
v2() { run_ctl --etcd-api v2 "$@"; }
v3() { run_ctl --etcd-api v3 "$@"; }
migrate() { run_ctl migrate --from "$1" --to "$2" "${@:3}"; }
# forget: both sides are empty again
forget() {
    curl -sS -o /dev/null -X DELETE "$etcd_main/v2/keys/coreos.com?recursive=true"
    ETCDCTL_API=3 etcdctl --endpoints "$etcd_main" del --prefix coreos.com >/dev/null
}
# state API: "MAX HOLDER..." in one line
state() { run_ctl --etcd-api "$1" status | sed -n 's/^Max: //p; t; /^[a-z0-9][a-z0-9]*$/p' | paste -sd' '; }

refuses "both sides must be named" 2 "is needed" migrate v2 v2
refuses "and be one API each" 2 "is needed" migrate auto v3
refuses "nothing to move" 1 "v2 has no lock of this group" migrate v2 v3
v2 set-max 3 >/dev/null
v2 lock; v2 lock b
prints "a dry run tells the next step" "^next: pausing the lock in v2" migrate v2 v3 --dry-run
same "and does nothing" "$(state v2)" "3 0123456789abcdef0123456789abcdef b"
prints "v2 to v3" "the lock is in v3: max 3, 2 hosts hold it; v2 stays paused" migrate v2 v3
same "everything is in v3" "$(state v3)" "3 0123456789abcdef0123456789abcdef b"
same "v2 is paused" "$(v2 status | sed -n 's/^Max: //p')" 0
prints "what the hosts told went with it" "web-7 .*locksmithctl lock" v3 status --details
refuses "old hosts get nothing there" 1 "semaphore is at -2" v2 lock c
refuses "nor does resume open it" 1 "has moved this lock to the other API" v2 resume
works "new ones do" v3 lock c
prints "auto knows where it is" "^c$" run_ctl --etcd-api auto status
prints "once more: nothing to do" "the lock is in v3: max 3, 3 hosts" migrate v2 v3
prints "JSON" '"done": true' run_ctl --json migrate --from v2 --to v3
v3 unlock b
prints "and back" "the lock is in v2: max 3, 2 hosts hold it; v3 stays paused" migrate v3 v2
same "with those who hold it now" "$(state v2)" "3 0123456789abcdef0123456789abcdef c"
prints "auto follows" "^Max: 3" run_ctl --etcd-api auto status
works "it takes there" run_ctl --etcd-api auto lock d
same "in v2" "$(state v2)" "3 0123456789abcdef0123456789abcdef c d"

# What would be lost is refused
forget
v2 lock a; v3 lock b
refuses "both sides are in use" 1 "b holds the lock in v3, and not on the other side" migrate v2 v3
same "nothing was done in v2" "$(state v2)" "1 a"
same "nor in v3" "$(state v3)" "1 b"
v3 unlock b
works "when it has left, it goes" migrate v2 v3
forget

# An operator's pause goes with it
v2 set-max 2 >/dev/null; v2 lock a; v2 pause tea >/dev/null
works "a paused fleet" migrate v2 v3
same "stays paused" "$(state v3)" "0 a"
prints "and can be resumed there" "^resumed; max is 2" v3 resume
forget

# What v2 can not keep is told
v3 set-max 50% >/dev/null 2>&1 || etcd_put "$etcd_main" coreos.com/updateengine/rebootlock/sluice/+limit '{}'
v3 lock a
migrate v3 v2 >"$scratch/out" 2>"$scratch/err"
grep -q "do not count in v2" "$scratch/err" && pass "v2 has no shares" || fail "v2 has no shares" "$scratch/err"
forget

# A group of its own
run_ctl --etcd-api v2 --group web lock a
works "another group" run_ctl --group web migrate --from v2 --to v3
prints "went alone" "^a$" run_ctl --etcd-api v3 --group web status
forget

# Broken off at every write: before it, behind it; meanwhile hosts give the lock back on either side
for direction in "v2 v3" "v3 v2"; do
    read -r from to <<<"$direction"
    for passed in "" p pp ppp; do # there are four writes
        for fate in r a; do
            for leaver in nobody "$([ "$fate" = r ] && echo "$from" || echo "$to")"; do
                forget
                run_ctl --etcd-api "$from" set-max 3 >/dev/null
                run_ctl --etcd-api "$from" lock a; run_ctl --etcd-api "$from" lock b
                port=$(free_port)
                start python3 "$SLUICE_SOURCE/tests/double/lossy-proxy.py" "$port" "$etcd_main_port" "$passed$fate"
                proxy=$started
                wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
                run_ctl --endpoint "http://127.0.0.1:$port" migrate --from "$from" --to "$to" >"$scratch/out" 2>"$scratch/err"
                broken=$?
                kill "$proxy"
                left="a b"
                case "$(state "$from")" in 0*) ;; *)
                    case "$(state "$to")" in 0*) ;; *) [ -n "$(state "$to" | grep b)" ] && fail "two locks can be taken" ;; esac ;;
                esac
                [ "$leaver" = nobody ] || { run_ctl --etcd-api "$leaver" unlock b 2>/dev/null && left=a; }
                if [ "$leaver" = "$from" ] && [ "$broken" = 0 ]; then left="a b"; fi # it had left already: v3 counts
                migrate "$from" "$to" >"$scratch/out" 2>"$scratch/err"
                again=$?
                if [ "$again" = 0 ] && [ "$(state "$to")" = "3 $left" ] && [ "$(state "$from" | cut -c1)" = 0 ]; then
                    pass "$from to $to, fate \"$passed$fate\" (exit $broken), $leaver leaves: complete"
                else
                    fail "$from to $to, fate \"$passed$fate\" (exit $broken), $leaver leaves: exit $again, \"$(state "$to")\", wanted \"3 $left\"" "$scratch/err"
                fi
            done
        done
    done
done
done_testing

#!/bin/bash
# No space, nobody who reads, Ctrl-C: what every tool says then, with which exit status, and that nothing half is left.
# shellcheck source=tests/integration/lib.sh
. "$SLUICE_SOURCE/tests/integration/lib.sh"
own=(unshare --user --map-root-user --mount)
if [ -z "${FULL_DISK:-}" ]; then
    "${own[@]}" true 2>/dev/null || skip_all "users can not have namespaces here"
    cleanup # the one below has a directory of its own
    trap - EXIT
    FULL_DISK=1 exec "${own[@]}" "$0"
fi
cd "$scratch" || exit 1
payload=$(program payload/payload)
serve=$(program updated/update-serve)
cloud=$(program cloud-config/cloud-config)
ctl=$(program locksmith/locksmithctl)

head -c 4096000 /dev/urandom >image
openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub.pem
"$payload" create --image image --key key.pem --output update
printf '#cloud-config\ncoreos:\n  update:\n    group: beta\n' >user-data
mkdir small && mount -t tmpfs -o size=6m tmpfs small
trap 'cd /; umount "$scratch/small"; cleanup' EXIT
mkdir -p small/host/etc/coreos && echo GROUP=alpha >small/host/etc/coreos/update.conf
head -c 3000000 /dev/zero >small/fill

# left WHAT: nothing but what was there before
left() { same "$1: nothing is left of it" "$(find small -type f | sort | tr '\n' ' ')" "small/fill small/host/etc/coreos/update.conf "; }
full="No space left on device"

refuses "create" 1 "writing small/new: $full" "$payload" create --image image --key key.pem --output small/new
left create
refuses "sign" 1 "writing small/new: $full" "$payload" sign update --key key.pem --output small/new
left sign
refuses "apply" 1 "writing the target: $full" "$payload" apply --key key.pub.pem --target small/new update
left apply
refuses "publish" 1 "copying it into small/site: $full" "$serve" -d small/site publish --channel beta --version 1 update
left publish

head -c 9000000 /dev/zero >>small/fill 2>/dev/null
refuses "cloud-config apply" 1 "writing /var/lib/updated/cloud-config.state: $full" "$cloud" apply --root small/host user-data
same "it does not claim to have written" "$(cat out)" ""
left "cloud-config apply"
same "the settings are as they were" "$(cat small/host/etc/coreos/update.conf)" GROUP=alpha
refuses "in JSON" 1 "$full" "$cloud" apply --json --root small/host user-data
same "the reason is in it" "$(jq -r .problem out)" "writing /var/lib/updated/cloud-config.state: $full"
same "and no file" "$(jq -c .files out)" "[]"

# What is printed into a full disk is lost, and that is an error; so it is when nobody reads.
lost() { # WHAT COMMAND...
    local what=$1; shift
    status=0; "$@" >/dev/full 2>err || status=$?
    same "$what: lost output" "$status $(grep -c 'writing to standard output: '"$full" err)" "1 1"
    status=0; "$@" >&- 2>err || status=$?
    same "$what: no standard output" "$status $(grep -c 'writing to standard output: Bad file descriptor' err)" "1 1"
}
mkdir site && "$serve" -d site publish --channel beta --version 1 update >/dev/null
lost "payload info" "$payload" info update
lost "payload info --json" "$payload" info --json update
lost "payload verify" "$payload" verify --key key.pub.pem update
lost "channels" "$serve" -d site channels
lost "cloud-config show" "$cloud" show --root small/host user-data
lost "cloud-config show --json" "$cloud" show --json --root small/host user-data
lost "simulate" "$ctl" --root small/host simulate
"$payload" create --image image --key key.pem --output new >&-
works "without standard output a file does not get its number" "$payload" verify --key key.pub.pem new

# Ctrl-C
# It writes a file beside the output, or one without a name.
begun() { find work "/proc/$1/fd" \( -type f -o -lname '*(deleted)' \) | grep -q .; }
mkdir work && head -c 100000000 /dev/urandom >large
set -m # else a process in the background ignores SIGINT
"$payload" create --image large --compression xz --jobs 1 --output work/new 2>err &
pid=$!
wait_for 10 begun "$pid" || fail "create begins" err
kill -INT "$pid"
wait "$pid"
same "Ctrl-C in create" $? 130
set +m
same "nothing is left of it" "$(ls -A work)" ""
done_testing

#!/bin/bash
# The hooks of docs/examples: valid for the shell, and they do what they say with the tools that they call replaced.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"

examples=$SLUICE_SOURCE/docs/examples
mkdir "$scratch/bin"
tool() { printf '#!/bin/sh\necho "%s $*" >>%s\n%s\n' "$1" "$scratch/calls" "$2" >"$scratch/bin/$1"; chmod +x "$scratch/bin/$1"; }
export PATH=$scratch/bin:$PATH

for hook in "$examples"/*.d/*; do
    [ -x "$hook" ] && pass "${hook##*/} is executable" || fail "${hook##*/} is executable"
    works "${hook##*/} is a shell script" sh -n "$hook"
    grep -qF "${hook#"$examples"/}" "$examples/README.md" && pass "and README.md names it" || fail "and README.md names it"
done

tool kubectl ""
works "kubernetes: the node is drained" "$examples/drain.d/60-kubernetes"
grep -q "^kubectl cordon $(cat /etc/hostname)$" "$scratch/calls" && grep -q "^kubectl drain" "$scratch/calls" \
    && pass "behind a cordon" || fail "behind a cordon" "$scratch/calls"
tool kubectl '[ "$1" != drain ] || { echo "a pod does not go" >&2; exit 1; }'
refuses "a node that can not be drained fails the hook" 1 "a pod does not go" "$examples/drain.d/60-kubernetes"

tool sleep ""
tool getent 'grep -q "^sleep" "$SCRATCH/calls"'
: >"$scratch/calls"
SCRATCH=$scratch works "network: it waits until the name is known" "$examples/post-boot.d/20-network"
grep -q "^sleep 5$" "$scratch/calls" && pass "and not only once" || fail "and not only once" "$scratch/calls"

tool kubectl ""
: >"$scratch/calls"
works "kubernetes: a node that goes down" env SLUICE_EVENT=start "$examples/notify.d/60-kubernetes"
[ -s "$scratch/calls" ] && fail "is not let in again" "$scratch/calls" || pass "is not let in again"
works "kubernetes: one that is back" env SLUICE_EVENT=back "$examples/notify.d/60-kubernetes"
same "takes pods again" "$(cat "$scratch/calls")" "kubectl uncordon $(cat /etc/hostname)"

# with directories of the host replaced
own="unshare --user --map-root-user --mount"
if $own true 2>/dev/null; then
    tool docker '[ "$1" != ps ] || printf "c1\nc2\n"'
    tool podman ""
    tool systemd-run ""
    : >"$scratch/calls"
    works "containers: all are stopped" $own sh -c 'mount -t tmpfs none /run &&
        python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"/run/docker.sock\")" && exec "$0"' "$examples/drain.d/50-containers"
    same "docker's and podman's" "$(cat "$scratch/calls")" \
        $'docker ps --quiet\ndocker stop --time 60 c1 c2\nsystemd-run --quiet --wait --pipe --collect podman stop --all --time 60'
    tool docker '[ "$1" != stop ] || { echo "c1 does not stop" >&2; exit 1; }; echo c1'
    refuses "containers: one that does not stop fails the hook" 1 "c1 does not stop" $own sh -c 'mount -t tmpfs none /run &&
        python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"/run/docker.sock\")" && exec "$0"' "$examples/drain.d/50-containers"
    tool systemctl ""
    : >"$scratch/calls"
    works "units: those that are listed" $own sh -c 'mount -t tmpfs none /etc && mkdir /etc/sluice &&
        printf "# first\nsidekick.service\n\nweb.service\n" >/etc/sluice/drain-units && exec "$0"' "$examples/drain.d/40-units"
    same "are stopped in this order" "$(cat "$scratch/calls")" $'systemctl stop sidekick.service\nsystemctl stop web.service'
    tool curl "cat >$scratch/posted"
    : >"$scratch/calls"
    works "webhook: told" $own env SLUICE_EVENT=late SLUICE_GROUP=web SLUICE_TO_VERSION=2.0 SLUICE_REASON='a "b" \ c' \
        sh -c 'mount -t tmpfs none /etc && mkdir /etc/sluice && echo web-7 >/etc/hostname &&
        echo http://127.0.0.1:1/hook >/etc/sluice/notify-url && exec "$0"' "$examples/notify.d/50-webhook"
    same "as JSON" "$(python3 -c 'import json, sys; print(*json.load(sys.stdin).values(), sep="|")' <"$scratch/posted")" \
        'late|web-7|web|2.0|a "b" \ c'
else
    skip "hooks that look at the host" "a mount namespace is needed"
fi

tool systemctl "echo 'a.service loaded failed failed A'"
run "$examples/pre-reboot.d/20-failed-units"
same "and fails the check" "$status: $(cat "$scratch/out")" "1: failed units: a.service "
tool systemctl ""
works "without one the check is fine" "$examples/pre-reboot.d/20-failed-units"
done_testing

#!/bin/bash
# The hooks of docs/examples: valid for the shell, and they do what they say with the tools that they call replaced.
# shellcheck source=tests/integration/lib.sh
. "$SLUICE_SOURCE/tests/integration/lib.sh"

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

tool systemctl "echo 'a.service loaded failed failed A'"
run "$examples/pre-reboot.d/20-failed-units"
same "and fails the check" "$status: $(cat "$scratch/out")" "1: failed units: a.service "
tool systemctl ""
works "without one the check is fine" "$examples/pre-reboot.d/20-failed-units"
done_testing

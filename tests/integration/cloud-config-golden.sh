#!/bin/bash
# What validate says about each document of tests/bad/cloud-config, to the letter: FILE and FILE.expected.
# SLUICE_GOLDEN=write writes the expectations anew; read the difference before you commit it.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

cloud_config=$(program cloud-config/cloud-config)
unset COREOS_PRIVATE_IPV4 COREOS_PUBLIC_IPV4 COREOS_PRIVATE_IPV6 COREOS_PUBLIC_IPV6
cd "$SLUICE_SOURCE/tests/bad/cloud-config" || exit 1
root=$scratch/root # without /etc/environment
mkdir "$root"

for expected in *.expected; do
    name=${expected%.expected}
    { "$cloud_config" validate --root "$root" "$name" </dev/null; printf 'exit %d\n' $?; } >"$scratch/said" 2>&1
    [ "${SLUICE_GOLDEN:-}" != write ] || cp "$scratch/said" "$expected"
    if diff "$expected" "$scratch/said" >"$scratch/diff"; then pass "$name"; else fail "$name" "$scratch/diff"; fi

    n=$(grep -Ec '^[^ ].*: (error|warning|note): ' "$expected")
    run "$cloud_config" validate --root "$root" --json "$name"
    same "$name: JSON says the same" "$(jq -r '"\(.valid) \(.findings | length)"' "$scratch/out") exit $status" \
        "$([ "$status" = 0 ] && echo true || echo false) $n $(tail -n 1 "$expected")"

    if grep -Eq '^[^ ].*: (error|warning): ' "$expected"; then strict=1; else strict=0; fi
    run "$cloud_config" validate --root "$root" --strict "$name"
    same "$name: --strict" "$status" "$strict"
done

run "$cloud_config" validate --root "$root" --json everything
[ "${SLUICE_GOLDEN:-}" != write ] || cp "$scratch/out" everything.json
same "the JSON of a document with much to say" "$(cat "$scratch/out")" "$(cat everything.json)"
done_testing

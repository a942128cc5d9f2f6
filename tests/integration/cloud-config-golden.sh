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

# What is different each time becomes an ellipsis, here and there.
messages() {
    grep -haE '^[^ ].*: (error|warning|note): ' ./*.expected |
        sed -E 's/^[^:]*(:[0-9]+:[0-9]+)?: (error|warning|note): ((coreos[a-z0-9.-]*): )?//
            s/"[^"]*"/"…"/g; s/(line|part) [0-9]+/\1 …/; s/0x[0-9a-f]{2}/0x…/; s/U\+0007/U+…/
            s/(not supported|not read|is damaged): .*/\1: …/; s/etcd at .*/etcd at …/
            s/\$[a-z0-9_]+ (is not known here): [A-Z0-9_]+/$… \1: …/; s/^(taken from) .*/\1 …: …/; s/under coreos.*/under …/' |
        sort -u
}
messages >"$scratch/messages"
sed -n 's/^| \(.*\) | .* |$/\1/p' "$SLUICE_SOURCE/docs/cloud-config.md" | sort >"$scratch/explained"
same "docs/cloud-config.md explains every message" "$(comm -23 "$scratch/messages" <(sort -u "$scratch/explained"))" ""
same "… once" "$(uniq -d "$scratch/explained" | grep -v '^message$')" ""
done_testing

#!/bin/bash
# How long "cloud-config validate" takes for documents of 1 MiB of several shapes: medians of five runs, the start of the
# program included. A benchmark, not a test: run it on a quiet machine. usage: SLUICE_BUILD=build tests/bench/cloud-config.sh
set -eu
export LC_ALL=C
cloud_config=$(realpath "${SLUICE_BUILD:?the build directory}")/cloud-config/cloud-config
work=$(mktemp -d "${TMPDIR:-/tmp}/cloud-config-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
runs=5
size=$((1 << 20))

# shape NAME HEADER FORMAT: HEADER, then lines of printf's FORMAT with a running number up to 1 MiB
shape() {
    awk -v size="$size" -v header="$2" -v format="$3" 'BEGIN {
        printf "%s", header
        for (n = length(header); (n += length(line = sprintf(format, i++))) <= size; ) printf "%s", line
    }' >"$1"
}

measure() { # NAME: milliseconds of each run
    local start i
    for ((i = 0; i < runs; i++)); do
        start=$(date +%s%N)
        "$cloud_config" validate --root "$work" "$1" >"$work/said" 2>&1 || true
        echo $((($(date +%s%N) - start) / 100000))
    done | sort -n | sed -n "$(((runs + 1) / 2))p"
}

header=$'#cloud-config\n'
printf '%s{}\n' "$header" >empty
shape files "${header}write_files:"$'\n- content: |\n' $'    a line of text that goes into a file: %d\n'
shape comments "$header" $'# a comment, %d\n'
shape base64 "${header}x: !!binary |"$'\n' '  QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJz%.0s\n'
shape keys "$header" $'a-key-of-usual-length-%d: a value of usual length\n'
shape short-keys "$header" $'k%d: v\n'
shape our-keys "${header}coreos:"$'\n  update:\n' $'    k%d: v\n'
shape nearly-our-keys "${header}coreos:"$'\n  update:\n' $'    gro%dp: v\n'
shape list "${header}l:"$'\n' $'- a%.0s\n'
shape flow "${header}l: [" 'a,%.0s'
shape nested "$header" $'k%d: {a: {b: {c: [1, 2]}}}\n'
shape quotes "${header}a: \"" '\\"%.0s'
shape aliases "$header"$'a: &a b\n' $'k%d: *a\n'
shape binary "$header" $'\xff%.0s'

printf '%s processors, load %s\n%-18s %9s %9s   %s\n' "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)" shape bytes ms "what it says"
for name in empty files comments base64 keys short-keys our-keys nearly-our-keys list flow nested quotes aliases binary; do
    tenths=$(measure "$name")
    printf '%-18s %9d %7d.%d   %s\n' "$name" "$(stat -c %s "$name")" $((tenths / 10)) $((tenths % 10)) \
        "$(grep -aEm1 ': (error|warning): |: valid' "$work/said" | cut -d: -f2- | cut -c1-90)"
done

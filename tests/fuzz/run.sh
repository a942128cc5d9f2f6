#!/usr/bin/env bash
# Builds every fuzz target with libFuzzer, ASan and UBSan (clang) and runs each for a while on its corpus.
# Usage: tests/fuzz/run.sh BUILD-DIRECTORY [SECONDS-EACH]
set -u -o pipefail

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
tree=${1:?where to build}
seconds=${2:-60}
failed=0

if [ ! -f "$tree/build.ninja" ]; then
    CC=clang meson setup "$tree" "$source_dir" -Dfuzz=true -Dman=false -Db_lundef=false \
        -Db_sanitize=address,undefined >"$tree.setup" || { cat "$tree.setup"; exit 1; }
fi
ninja -C "$tree" >"$tree.build" || { tail -30 "$tree.build"; exit 1; }

for target in "$tree"/tests/fuzz/fuzz-*; do
    [ -f "$target" ] && [ -x "$target" ] || continue
    name=${target##*/fuzz-}
    found=$tree/found/$name
    mkdir -p "$found"
    printf 'fuzz %-24s ' "$name"
    if "$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$found/" \
        "$found" "$source_dir/tests/fuzz/corpus/$name" >"$found.log" 2>&1; then
        grep -E '^Done|^#[0-9]+.*DONE' "$found.log" | tail -1
    else
        printf 'FOUND SOMETHING, see %s\n' "$found.log"
        failed=1
    fi
done
exit $failed

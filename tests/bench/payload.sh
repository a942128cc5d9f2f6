#!/bin/bash
# How fast payload(1) is, beside what is installed anyway: medians of 5 runs, taken in turns. A benchmark, not a test:
# run it on a quiet machine. usage: SLUICE_BUILD=build tests/bench/payload.sh [DIRECTORY [IMAGE]]
# DIRECTORY is on the medium to be measured (4 GiB free); IMAGE is made of this host's programs when it is not given.
set -eu
payload=$(realpath "${SLUICE_BUILD:?the build directory}")/payload/payload
mkdir -p "${1:-/var/tmp}"
work=$(mktemp -d "${1:-/var/tmp}/payload-bench.XXXXXX")
image=${2:+$(realpath "$2")}
trap 'rm -rf "$work"' EXIT
cd "$work"
runs=5

make_image() { # 512 MiB of ext4 with real files: as many of this host's as fit
    local file size=0
    mkdir tree
    while IFS= read -r -d '' file; do
        size=$((size + $(stat -c %s "$file")))
        [ $size -lt 440000000 ] || break
        cp --parents -t tree "$file"
    done < <(find /usr/bin /usr/lib -xdev -type f -size +100k -print0 | sort -z)
    truncate -s 512M image
    mke2fs -q -t ext4 -O ^has_journal -d tree image
    rm -rf tree
    image=$work/image
}

# measure NAME COMMAND: a run's seconds (wall), appended to NAME.times
measure() {
    local start end
    sync
    start=$(date +%s%N)
    bash -o pipefail -c "$2" >/dev/null
    end=$(date +%s%N)
    echo $(((end - start) / 1000000)) >>"$1.times"
}
median() { sort -n "$1.times" | sed -n "$(((runs + 1) / 2))p"; }

# compare TITLE BASELINE-COMMAND OUR-COMMAND WANTED
compare() {
    rm -f base.times ours.times
    for ((i = 0; i < runs; i++)); do
        measure base "$2"
        measure ours "$3"
    done
    awk -v title="$1" -v base="$(median base)" -v ours="$(median ours)" -v wanted="$4" \
        'BEGIN { printf "%-44s %7.2f s %7.2f s %6.2f   %s\n", title, base / 1000, ours / 1000, ours / base, wanted }'
}

[ -n "$image" ] || make_image
openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub.pem
openssl genrsa -out rsa.pem 2048 2>/dev/null && openssl pkey -in rsa.pem -pubout -out rsa.pub.pem
zstd -q -9 -T0 "$image" -o image.zst
"$payload" create --image "$image" --key key.pem --output zstd.payload
"$payload" create --image "$image" --compression none --key key.pem --output plain.payload
"$payload" create --format v1 --image "$image" --key rsa.pem --output bzip2.payload

printf '%s\n%-44s %9s %9s %6s   %s\n' "$(nproc) processors, $(stat -c %s "$image") bytes, load $(cut -d' ' -f1 /proc/loadavg)" \
    job baseline payload ratio wanted
baseline='zstd -dc image.zst | dd of=target bs=1M conv=fsync status=none'
compare "apply, hashed in the page cache" "$baseline" "$payload apply --cached --key key.pub.pem --target target.ours - <zstd.payload" "<= 0.9"
compare "apply, read back from the medium" "$baseline" "$payload apply --key key.pub.pem --target target.ours - <zstd.payload" "<= 1.4"
compare "apply v1 bzip2, --jobs 1 and all" "$payload apply --jobs 1 --key rsa.pub.pem --target target - <bzip2.payload" "$payload apply --key rsa.pub.pem --target target.ours - <bzip2.payload" "<= 0.56 on 2 processors"
compare "create, zstd -9 -T0" "zstd -q -f -9 -T0 '$image' -o target" "$payload create --image '$image' --key key.pem --output target.ours" "<= 1.1"
compare "verify, openssl dgst -sha256" "openssl dgst -sha256 plain.payload" "$payload verify --key key.pub.pem plain.payload" "<= 1.1"
printf 'peak memory of apply: %s KiB of anonymous memory\n' "$(python3 - "$payload" <<'PYTHON'
import subprocess, sys
run = subprocess.Popen([sys.argv[1], "apply", "--key", "key.pub.pem", "--target", "target.ours", "-"],
                       stdin=open("zstd.payload"), stdout=subprocess.DEVNULL)
peak = 0
while run.poll() is None:
    try:
        with open(f"/proc/{run.pid}/smaps_rollup") as f:
            peak = max(peak, sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:")))
    except (FileNotFoundError, ProcessLookupError):
        pass
print(peak)
PYTHON
)"

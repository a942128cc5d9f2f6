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
vectors=$(realpath -m "${SLUICE_VECTORS:-$(dirname "$0")/../../../shared/vectors}")/payload-v1
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

# measure NAME COMMAND: a run's wall time and CPU time (user and system) in ms, appended to NAME.times and NAME.cpu
measure() {
    local TIMEFORMAT='%R %U %S'
    sync
    { time bash -o pipefail -c "$2" >/dev/null 2>errors; } 2>"$1.time" || { cat errors; exit 1; }
    awk -v name="$1" '{ print $1 * 1000 >>(name ".times"); print ($2 + $3) * 1000 >>(name ".cpu") }' "$1.time"
}
median() { sort -n "$1" | sed -n "$(((runs + 1) / 2))p"; }

# compare TITLE BASELINE-COMMAND OUR-COMMAND WANTED
compare() {
    rm -f base.* ours.*
    for ((i = 0; i < runs; i++)); do
        measure base "$2"
        measure ours "$3"
    done
    awk -v title="$1" -v base="$(median base.times)" -v ours="$(median ours.times)" \
        -v base_cpu="$(median base.cpu)" -v ours_cpu="$(median ours.cpu)" -v wanted="$4" \
        'BEGIN { printf "| %-34s | %.2f s | %.2f s | %.2f | %.2f s | %.2f s | %.2f | %s |\n", title, base / 1000,
            ours / 1000, ours / base, base_cpu / 1000, ours_cpu / 1000, ours_cpu / base_cpu, wanted }'
}

# peak COMMAND...: the most anonymous memory that it had, in KiB; standard input is passed on
peak() {
    python3 -c '
import subprocess, sys
run = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
peak = 0
while run.poll() is None:
    try:
        with open(f"/proc/{run.pid}/smaps_rollup") as f:
            peak = max(peak, sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:")))
    except (FileNotFoundError, ProcessLookupError):
        pass
print(peak)
sys.exit(run.returncode)' "$@"
}

# redone: payload bytes that had been sent when it was killed (less what a pipe holds), and were wanted again
redone() {
    python3 - "$payload" <<'PYTHON'
import os, random, re, subprocess, sys
command = [sys.argv[1], "apply", "--key", "key.pub.pem", "--checkpoint", "checkpoint", "--target", "target.resumed", "-"]
data, chance, most = open("plain.payload", "rb").read(), random.Random(1), 0
for _ in range(10):
    sent, end = 0, chance.randrange(len(data) // 8, len(data))
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while sent < end:
        sent += os.write(run.stdin.fileno(), data[sent:min(end, sent + 65536)])
    run.kill()
    run.wait()
    error = subprocess.run(command, input=data, capture_output=True, check=True).stderr.decode()
    found = re.search(r"going on at byte (\d+)", error)
    most = max(most, sent - 65536 - (int(found[1]) if found else 0))
print(most)
PYTHON
}

[ -n "$image" ] || make_image
openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub.pem
openssl genrsa -out rsa.pem 2048 2>/dev/null && openssl pkey -in rsa.pem -pubout -out rsa.pub.pem
zstd -q -9 -T0 "$image" -o image.zst
"$payload" create --image "$image" --key key.pem --output zstd.payload
"$payload" create --image "$image" --compression none --key key.pem --output plain.payload
"$payload" create --format v1 --image "$image" --key rsa.pem --output bzip2.payload

printf '%s\n\n| job | baseline | ours | ratio | baseline, CPU | ours, CPU | ratio | wanted |\n|---|---|---|---|---|---|---|---|\n' \
    "$(date +%F): $(nproc) processors, $(stat -c %s "$image") bytes, load $(cut -d' ' -f1 /proc/loadavg)"
baseline='zstd -dc image.zst | dd of=target bs=1M conv=fsync status=none'
compare "apply, hashed in the page cache" "$baseline" "$payload apply --cached --key key.pub.pem --target target.ours - <zstd.payload" "<= 0.9"
compare "apply, read back from the medium" "$baseline" "$payload apply --key key.pub.pem --target target.ours - <zstd.payload" "<= 1.4"
compare "apply v1 bzip2, --jobs 1 and all" "$payload apply --jobs 1 --key rsa.pub.pem --target target - <bzip2.payload" "$payload apply --key rsa.pub.pem --target target.ours - <bzip2.payload" "<= 0.56 on 2 processors"
compare "create, zstd -9 -T0" "zstd -q -f -9 -T0 '$image' -o target" "$payload create --image '$image' --key key.pem --output target.ours" "<= 1.1"
compare "verify, openssl dgst -sha256" "openssl dgst -sha256 plain.payload" "$payload verify --key key.pub.pem plain.payload" "<= 1.1"
printf '\npeak of anonymous memory: full %s KiB' "$(peak "$payload" apply --key key.pub.pem --target target.ours - <zstd.payload)"
if [ -d "$vectors" ]; then
    zstd -qdc "$vectors/usr64-old.img.zst" >usr-old
    printf ', delta %s KiB' "$(peak "$payload" apply --key "$vectors/test-rsa2048.pub.pem" --base usr-old --target target.ours - <"$vectors/delta64-kernel-signed.bin")"
fi
printf '\nkill -9 at 10 random places: at most %s bytes done again\n' "$(redone)"

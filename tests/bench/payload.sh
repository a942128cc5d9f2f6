#!/bin/bash
# shellcheck disable=SC2016 # backquotes in titles
# How fast payload(1) is, beside what is installed anyway: medians of 5 runs, taken in turns. A benchmark, not a test:
# run it on a quiet machine, with an optimised build (meson setup -Dbuildtype=release build-release).
# usage: SLUICE_BUILD=build-release tests/bench/payload.sh [-d DIRECTORY] [-i IMAGE] [ROW]...
# ROW: cached medium file bzip2 create verify memory resume (all of them, about eight minutes); inputs: only make what they need.
# DIRECTORY is on the medium to be measured (4 GiB free), and keeps the inputs for the next row; IMAGE is 512 MiB of ext4
# with this host's programs when it is not given.
set -eu
build=$(realpath "${SLUICE_BUILD:?the build directory}")
payload=$build/payload/payload
vectors=$(realpath -m "${SLUICE_VECTORS:-$(dirname "$0")/../../../shared/vectors}")/payload-v1
runs=5 directory='' image=''
while getopts d:i: option; do
    case $option in
        d) mkdir -p "$OPTARG" && directory=$(realpath "$OPTARG") ;;
        i) image=$(realpath "$OPTARG") ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- cached medium file bzip2 create verify memory resume
if [ -z "$directory" ]; then
    directory=$(mktemp -d /var/tmp/payload-bench.XXXXXX)
    trap 'rm -rf "$directory"' EXIT
fi
cd "$directory"

# Inputs: make_NAME makes the file NAME. need NAME...: unless it is there.
need() {
    local name
    for name; do
        [ -e "$name" ] || "make_${name//[.-]/_}"
    done
}
make_image() { # 512 MiB of ext4 with real files: as many of this host's as fit
    local file size=0
    if [ -n "$image" ]; then
        ln -s "$image" image
        return
    fi
    mkdir tree
    while IFS= read -r -d '' file; do
        size=$((size + $(stat -c %s "$file")))
        [ $size -lt 440000000 ] || break
        cp --parents -t tree "$file"
    done < <(find /usr/bin /usr/lib -xdev -type f -size +100k -print0 | sort -z)
    truncate -s 512M image.new
    mke2fs -q -t ext4 -O ^has_journal -d tree image.new
    rm -rf tree
    mv image.new image
}
make_key_pem() { openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub.pem; }
make_rsa_pem() { openssl genrsa -out rsa.pem 2048 2>/dev/null && openssl pkey -in rsa.pem -pubout -out rsa.pub.pem; }
make_image_zst() { need image && zstd -q -9 -T0 image -o image.zst; }
make_zstd_payload() { need image key.pem && "$payload" create --image image --key key.pem --output zstd.payload; }
make_plain_payload() { need image key.pem && "$payload" create --image image --compression none --key key.pem --output plain.payload; }
make_bzip2_payload() { need image rsa.pem && "$payload" create --format v1 --image image --key rsa.pem --output bzip2.payload; }
make_usr_old() { zstd -qdc "$vectors/usr64-old.img.zst" >usr-old; }

# measure NAME COMMAND: a run's wall time and CPU time (user and system) in ms, appended to NAME.times and NAME.cpu
measure() {
    local TIMEFORMAT='%R %U %S'
    sync
    { time bash -o pipefail -c "$2" >/dev/null 2>errors; } 2>"$1.time" || { cat errors; exit 1; }
    awk -v name="$1" '{ print $1 * 1000 >>(name ".times"); print ($2 + $3) * 1000 >>(name ".cpu") }' "$1.time"
}
median() { sort -n "$1" | sed -n "$(((runs + 1) / 2))p"; }
range() { sort -n "$1" | awk 'NR == 1 { least = $1 } END { printf "%.2f–%.2f", least / 1000, $1 / 1000 }'; }

# compare TITLE BASELINE-COMMAND OUR-COMMAND WANTED
compare() {
    rm -f base.* ours.*
    for ((i = 0; i < runs; i++)); do
        measure base "$2"
        measure ours "$3"
    done
    awk -v title="$1" -v base="$(median base.times)" -v ours="$(median ours.times)" \
        -v base_range="$(range base.times)" -v ours_range="$(range ours.times)" \
        -v base_cpu="$(median base.cpu)" -v ours_cpu="$(median ours.cpu)" -v wanted="$4" \
        'BEGIN { printf "| %s | %.2f s (%s) | %.2f s (%s) | %.2f | %s | %.2f s | %.2f s |\n", title, base / 1000,
            base_range, ours / 1000, ours_range, ours / base, wanted, base_cpu / 1000, ours_cpu / 1000 }'
}

# peak COMMAND...: "ANONYMOUS RESIDENT", the most of each that it had, in KiB; standard input is passed on
peak() {
    python3 -c '
import re, subprocess, sys
run = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
anonymous, resident = 0, 0
while run.poll() is None:
    try:
        with open(f"/proc/{run.pid}/status") as f:
            status = f.read()
    except (FileNotFoundError, ProcessLookupError):
        continue
    found = dict(re.findall(r"(RssAnon|VmHWM):\s+(\d+)", status))
    anonymous = max(anonymous, int(found.get("RssAnon", 0)))
    resident = max(resident, int(found.get("VmHWM", 0)))
print(anonymous, resident)
sys.exit(run.returncode)' "$@"
}
# memory TITLE WANTED COMMAND...
memory() {
    local title=$1 wanted=$2
    shift 2
    read -r anonymous resident < <(peak "$@")
    awk -v title="$title" -v wanted="$wanted" -v anonymous="$anonymous" -v resident="$resident" \
        'BEGIN { printf "| %s | %.1f MiB | %.1f MiB | %s |\n", title, anonymous / 1024, resident / 1024, wanted }'
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
print(f"| kill -9 at 10 random places, and again | {most / (1 << 20):.1f} MiB done again | <= 8 MiB |")
PYTHON
}

baseline='zstd -dc image.zst | dd of=target bs=1M conv=fsync status=none'
row_inputs() { need image image.zst zstd.payload plain.payload bzip2.payload; }
row_cached() {
    need image.zst zstd.payload
    compare 'apply `--cached`, beside `zstd -dc \| dd conv=fsync`' "$baseline" "$payload apply --cached --key key.pub.pem --target target.ours - <zstd.payload" "<= 0.9"
}
row_medium() {
    need image.zst zstd.payload
    compare 'apply, read back from the medium, beside the same' "$baseline" "$payload apply --key key.pub.pem --target target.ours - <zstd.payload" "<= 1.4"
}
row_file() {
    need image.zst zstd.payload
    compare 'apply of a file, verified whole first, read back, beside the same' "$baseline" "$payload apply --key key.pub.pem --target target.ours zstd.payload" "-"
}
row_bzip2() {
    need bzip2.payload
    compare 'apply v1 bzip2, beside `--jobs 1`' "$payload apply --jobs 1 --key rsa.pub.pem --target target - <bzip2.payload" "$payload apply --key rsa.pub.pem --target target.ours - <bzip2.payload" "<= 0.56 on 2 processors"
}
row_create() {
    need image key.pem
    compare 'create, beside `zstd -9 -T0`' "zstd -q -f -9 -T0 image -o target" "$payload create --image image --key key.pem --output target.ours" "<= 1.1"
}
row_verify() {
    need plain.payload
    compare "verify of $(($(stat -c %s plain.payload) / 1000000)) MB, beside \`openssl dgst -sha256\`" "openssl dgst -sha256 plain.payload" "$payload verify --key key.pub.pem plain.payload" "<= 1.1"
}
row_memory() {
    need zstd.payload bzip2.payload
    memory "apply, full, zstd" "anonymous <= 16 MiB" "$payload" apply --cached --key key.pub.pem --target target.ours - <zstd.payload
    memory "the same, read back" "anonymous <= 16 MiB" "$payload" apply --key key.pub.pem --target target.ours - <zstd.payload
    memory "apply, full, v1 bzip2" "<= 64 MiB" "$payload" apply --key rsa.pub.pem --target target.ours - <bzip2.payload
    memory "the same with --jobs 64" "<= 64 MiB" "$payload" apply --jobs 64 --key rsa.pub.pem --target target.ours - <bzip2.payload
    [ -d "$vectors" ] || return 0
    need usr-old
    memory "apply, v1 delta" "<= 128 MiB" "$payload" apply --key "$vectors/test-rsa2048.pub.pem" --base usr-old --target target.ours - <"$vectors/delta64-kernel-signed.bin"
}
row_resume() {
    need plain.payload
    redone
}

printf '%s: %s processors, load %s, %s, buildtype %s\n' "$(date +%F)" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)" \
    "$(findmnt -no FSTYPE,SOURCE -T . | tr -s ' ')" \
    "$(python3 -c 'import json, sys; print([o["value"] for o in json.load(open(sys.argv[1])) if o["name"] == "buildtype"][0])' "$build/meson-info/intro-buildoptions.json")"
for row; do
    "row_$row"
done

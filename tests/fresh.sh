#!/usr/bin/env bash
# tests/demo and tests/run in a Debian 12 tree that holds nothing but the packages of tests/packages, so that a missing
# install step can not hide. The tree lies under build/ and goes away at the end.
set -eu -o pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
tree=$source_dir/build/fresh

if [ "$(id -u)" != 0 ]; then
    echo 'tests/run --fresh: needs root, for chroot' >&2
    exit 1
fi
command -v mmdebstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq mmdebstrap >/dev/null

cleanup() {
    local mount
    for mount in dev/pts dev/shm dev sys proc .; do
        if mountpoint -q "$tree/$mount"; then umount "$tree/$mount"; fi
    done
    if ! grep -q " $tree" /proc/mounts; then rm -rf --one-file-system "$tree"; fi
}
trap cleanup EXIT
cleanup

# shellcheck source=tests/debian.sh
. "$source_dir/tests/debian.sh"

mkdir -p "$source_dir/build"
echo "Making a fresh Debian 12 tree in build/fresh"
mmdebstrap --quiet --variant=minbase --include=ca-certificates "${options[@]}" bookworm "$tree" "${sources[@]}"
cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
for file in "${apt[@]}"; do cp "$file" "$tree/etc/apt/apt.conf.d/"; done
# A host's / is a mount point, which namespaces rely on.
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount -t sysfs sysfs "$tree/sys"
mount --bind /dev "$tree/dev"
mount -t devpts devpts "$tree/dev/pts"
mount -t tmpfs tmpfs "$tree/dev/shm"

mkdir -p "$tree/srv/sluice"
git -C "$source_dir" ls-files -z | tar -C "$source_dir" --null -T - -cf - | tar -C "$tree/srv/sluice" -xf -
if [ -d "$source_dir/../shared/vectors" ]; then
    mkdir -p "$tree/srv/shared"
    cp -a "$source_dir/../shared/vectors" "$tree/srv/shared/"
fi

# The demo first: it must do with the packages of [build] and [demo].
for command in demo run; do
    echo "tests/$command in the fresh tree"
    chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" \
        bash "/srv/sluice/tests/$command"
done

#!/bin/bash
# apply to a block device: a loop device, so this wants root; everything else is tested without.
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
payload=$(program payload/payload)
cd "$scratch" || exit 1
[ "$(id -u)" = 0 ] || skip_all "loop devices want root"
truncate -s 8M disk
device=$(losetup --find --show disk 2>/dev/null) || skip_all "there is no loop device"
detach() {
    mountpoint -q "$scratch/mnt" && umount "$scratch/mnt"
    losetup -d "$device"
    cleanup
}
trap detach EXIT

openssl genpkey -algorithm ed25519 -out key.pem 2>/dev/null && openssl pkey -in key.pem -pubout -out key.pub.pem
seq 1 500000 | head -c 3145728 >image
truncate -s 16M large
works "make payloads" "$payload" create --image image --key key.pem --output update
works "and one that is too large" "$payload" create --image large --key key.pem --output too-large

apply=("$payload" apply --key key.pub.pem --target "$device")
works "apply to a device" "${apply[@]}" update
works "the image is on it" cmp -n 3145728 image "$device"
same "and nothing behind it is touched" "$(tail -c +3145729 "$device" | tr -d '\0' | wc -c)" 0

printf x | dd of="$device" bs=1 seek=1000000 conv=notrunc status=none
works "apply again, and write only what is different" "${apply[@]}" --skip-same update
works "the image is on it again" cmp -n 3145728 image "$device"

refuses "an image that does not fit" 1 "the image has 16777216 bytes, the target has room for 8388608" "${apply[@]}" too-large
same "the device is as it was, and nobody is warned" "$(grep -c 'do not use it' err) $(cmp -n 3145728 image "$device" && echo same)" "0 same"
head -c 20000 update >./cut
refuses "a payload that is cut in a file" 1 "it has 20000 bytes, by its manifest [0-9]+ are wanted" "${apply[@]}" cut
same "is found before anything is written" "$(grep -c 'do not use it' err)" 0
refuses "through a pipe it is found too late" 1 "in the middle of its data" bash -c "${apply[*]} - <cut"
same "which is said" "$(grep -c 'do not use it' err)" 1
refuses "base and target at once" 1 "it can not be base and target at once" "${apply[@]}" --base "$device" update

mkfs.ext4 -q -F "$device" && mkdir mnt && mount "$device" mnt || skip_all "the device can not be mounted"
refuses "a mounted device" 1 "it is in use: mounted, or part of another device" "${apply[@]}" update
done_testing

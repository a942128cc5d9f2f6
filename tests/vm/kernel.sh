#!/bin/sh
# kernel.sh TREE: a hook of mmdebstrap that unpacks the cloud kernel in the tree. Its package is not installed: no
# initrd is wanted, and what makes one is half the size of the rest.
set -eu

tree=$1
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
kernel=$(apt-cache depends --important linux-image-cloud-amd64 | sed -n 's/ *Depends: //p')
mkdir "$tree/kernel"
cd "$tree/kernel"
apt-get -qq -o APT::Sandbox::User=root download "$kernel"
dpkg-deb --extract ./*.deb .
mv boot/vmlinuz-* "$tree/boot/vmlinuz"
mv lib/modules "$tree/usr/lib/modules"
cd /
rm -r "$tree/kernel"
chroot "$tree" depmod "$(ls "$tree/usr/lib/modules")"

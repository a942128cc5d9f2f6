#!/usr/bin/env bash
# base.sh TREE PACKAGES: a Debian 12 tree with these packages (separated by commas) and a kernel.
set -eu -o pipefail

tree=$1 packages=$2
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/debian.sh
. "$here/../debian.sh"

mmdebstrap --quiet --variant=minbase --include="$packages" "${options[@]}" --customize-hook="$here/kernel.sh" \
    bookworm "$tree" "${sources[@]}"

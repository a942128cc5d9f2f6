# Sourced by what makes a Debian tree: tests/fresh.sh, tests/vm/base.sh. Sets
#   sources  the files of the machine's own Debian sources: a mirror is theirs to name
#   apt      the files of its apt settings that name a proxy or how to fetch
#   options  the same as options of mmdebstrap
# shellcheck shell=bash disable=SC2034

sources=(/etc/apt/sources.list.d/debian.sources)
[ -f "${sources[0]}" ] || sources=(/etc/apt/sources.list)
apt=() options=()
for file in /etc/apt/apt.conf.d/*; do
    if grep -qiE 'Acquire|Proxy' "$file" && ! grep -q 'DPkg::' "$file"; then
        apt+=("$file")
        options+=("--aptopt=$file")
    fi
done

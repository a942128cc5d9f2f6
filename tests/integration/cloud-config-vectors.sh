#!/bin/bash
# Every vector has the verdict of tests/unit/cloud-config/vectors.table, and the verdict is that of its "ours:" line
# unless the table says why not.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

cloud_config=$(program cloud-config/cloud-config)
vectors=${SLUICE_VECTORS:-$SLUICE_SOURCE/../shared/vectors}/cloud-config
table=$SLUICE_SOURCE/tests/unit/cloud-config/vectors.table
[ -d "$vectors" ] || skip_all "the vectors are not in ../shared/vectors/cloud-config"

unset COREOS_PRIVATE_IPV4 COREOS_PUBLIC_IPV4 COREOS_PRIVATE_IPV6 COREOS_PUBLIC_IPV6

# prepare NAME: a root with what the vector's host had; symbolic links are stored as files that hold their target
prepare() {
    local file target
    rm -rf "$root"
    mkdir "$root"
    [ ! -d "$vectors/$1/seed" ] || cp -r "$vectors/$1/seed/." "$root/"
    chmod -R u+w "$root"
    case $1 in
        217-*) chmod 600 "$root/etc/coreos/update.conf" ;;
        221-*) mkdir -p "$root/etc/coreos"; echo GROUP=stable >"$root/etc/coreos/update.conf" ;;
        227-*) # masked by an earlier "off" of ours
            rm -rf "$root/run"
            "$cloud_config" apply --root "$root" "$vectors/029-rs-off/user-data" >/dev/null ;;
    esac
    for file in etc/coreos/update.conf run/systemd/system/locksmithd.service etc/systemd/system/locksmithd.service; do
        [ -f "$root/$file" ] && [ ! -L "$root/$file" ] || continue
        target=$(tr -d '\0' <"$root/$file")
        case $target in
            /etc/real-update.conf) ln -sf real-update.conf "$root/etc/link"; ln -sf ../real-update.conf "$root/$file" ;;
            /dev/null) ln -sf /dev/null "$root/$file" ;;
        esac
    done
}

# apply NAME: says what it says in $scratch/says, what it does in $scratch/does, exit status in $status
apply() {
    local environment=() arguments=("$vectors/$1/user-data") file
    case $1 in
        197-*) environment=(COREOS_PRIVATE_IPV4=10.1.2.3 COREOS_PUBLIC_IPV4=203.0.113.9) ;;
        199-*) environment=(COREOS_PRIVATE_IPV4=10.1.2.3) ;;
        201-*) environment=("COREOS_PRIVATE_IPV4=x
  update:
    server: https://evil.example/") ;;
        241-*) arguments=("$root") ;;
        243-*) arguments+=(--frobnicate) ;;
    esac
    run env "${environment[@]}" "$cloud_config" apply --root "$root" "${arguments[@]}"
    "$cloud_config" validate --root "$root" "${arguments[@]}" >"$scratch/validate" 2>&1 </dev/null
    cat "$scratch/out" "$scratch/err" "$scratch/validate" >"$scratch/says"
    {
        sed 's/^/do: /' "$scratch/out"
        sed 's/^/conf: /' "$root/etc/coreos/update.conf" 2>/dev/null
        file=$root/run/systemd/system/locksmithd.service.d/20-cloudinit.conf
        sed 's/^/drop-in: /' "$file" 2>/dev/null
        stat -c 'mode: %a %n' "$file" "$root/etc/coreos/update.conf" 2>/dev/null
    } >"$scratch/does"
}

# matches FILE PATTERNS: all of "a && b && !c"; the first that fails in $missing
matches() {
    local file=$1 rest=$2 pattern
    while [ -n "$rest" ]; do
        pattern=${rest%%" && "*}
        [ "$pattern" = "$rest" ] && rest='' || rest=${rest#*" && "}
        missing=$pattern
        case $pattern in
            !*) ! grep -Eaq -- "${pattern#!}" "$file" || return 1 ;;
            *) grep -Eaq -- "$pattern" "$file" || return 1 ;;
        esac
    done
}

# agrees NAME EXIT: the exit status is what the note of the vector wants
agrees() {
    local wanted
    wanted=$(sed -n 's/^ours: *//p' "$vectors/$1/notes")
    case $wanted in
        *"accept or reject"* | *"reject or accept"* | "reject (outside"* | *"refuse or"* | "warn/reject"*) return 0 ;;
        accept* | warn* | "not ours"*) [ "$2" = 0 ] ;;
        reject* | "error naming"* | "exit non-zero"*) [ "$2" = 1 ] ;;
        "files written, exit non-zero"*) [ "$2" = 1 ] ;;
        *) return 0 ;;
    esac
}

trim() { local text=$1; text=${text#"${text%%[! ]*}"}; printf '%s' "${text%"${text##*[! ]}"}"; }

root=$scratch/root
while IFS= read -r line; do
    case $line in '#'* | '') continue ;; esac
    name=$(trim "${line%%" |"*}"); line=${line#*"| "}
    wanted=$(trim "${line%%" |"*}"); line=${line#*"|"}
    says=$(trim "${line%%" |"*}"); line=${line#*" |"}
    does=$(trim "${line%%" |"*}"); reason=$(trim "${line#*" |"}")

    prepare "$name"
    apply "$name"
    cat "$scratch/says" "$scratch/does" >"$scratch/all"
    if [ "$status" != "$wanted" ]; then
        fail "$name: exit $status, wanted $wanted" "$scratch/all"
    elif ! matches "$scratch/says" "$says"; then
        fail "$name: does not say \"$missing\"" "$scratch/all"
    elif ! matches "$scratch/does" "$does"; then
        fail "$name: does not do \"$missing\"" "$scratch/all"
    elif [ -z "$reason" ] && ! agrees "$name" "$status"; then
        fail "$name: exit $status is not what its note wants, and the table gives no reason"
    else
        pass "$name"
    fi
done <"$table"

same "the table has every vector" "$(grep -Ec '^[0-9]' "$table")" "$(find "$vectors" -mindepth 1 -maxdepth 1 -type d | wc -l)"
done_testing

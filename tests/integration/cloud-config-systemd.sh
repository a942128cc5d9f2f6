#!/bin/bash
# systemd itself reads what cloud-config writes: "systemd-analyze verify" loads a unit with its drop-ins as PID 1 does,
# and shows at log level debug what it understood. It needs neither root nor a running systemd.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

cloud_config=$(program cloud-config/cloud-config)
command -v systemd-analyze >/dev/null || skip_all "systemd-analyze is not installed"
root=$scratch/root
units=$scratch/units
drop_in=$root/run/systemd/system/locksmithd.service.d
mkdir -p "$root" "$units" "$scratch/runtime"
printf '[Service]\nExecStart=/bin/true\n' >"$units/locksmithd.service"
for target in basic shutdown sysinit; do printf '[Unit]\nDescription=%s\n' $target >"$units/$target.target"; done
export XDG_RUNTIME_DIR=$scratch/runtime # a manager wants one, also to look only

# loaded: what systemd makes of the unit, one "NAME=value" a line
loaded() {
    ln -sfn "$drop_in" "$units/locksmithd.service.d"
    SYSTEMD_LOG_LEVEL=debug SYSTEMD_UNIT_PATH=$units systemd-analyze --user --man=no verify "$units/locksmithd.service" \
        >"$scratch/loaded" 2>"$scratch/loaded.err" || return
    sed -n 's/^[[:space:]]*Environment: //p' "$scratch/loaded"
}
if ! loaded >/dev/null || ! grep -q 'Unit locksmithd.service' "$scratch/loaded"; then
    skip_all "systemd-analyze verify does not show units here: $(tail -n 1 "$scratch/loaded.err")"
fi

# survives DESCRIPTION VALUE: a password that means something to systemd, YAML (double quotes in JSON) and shells
survives() {
    local json
    json=$(jq -n --arg value "$2" '$value')
    printf '#cloud-config\ncoreos: {locksmith: {endpoint: "https://10.0.0.1:2379", etcd-username: "a b", etcd-password: %s}}\n' \
        "$json" >"$scratch/document"
    run "$cloud_config" apply --root "$root" "$scratch/document"
    [ "$status" = 0 ] || fail "$1: apply" "$scratch/err"
    same "$1" "$(loaded)" "LOCKSMITHD_ENDPOINT=https://10.0.0.1:2379
LOCKSMITHD_ETCD_USERNAME=a b
LOCKSMITHD_ETCD_PASSWORD=$2"
}
# shellcheck disable=SC2016
{
    survives "quotes" '"x" and '"'y'"
    survives "a quote at the end" 'x"'
    survives "backslashes" 'a\b\\c\n\x41\'
    survives "specifiers" '%n %H%%x%'
    survives "what a shell would expand" '$HOME ${HOME} $(id) `id` ~ * ; # & |'
    survives "everything that can be typed" \
        "$(for ((i = 33; i < 127; i++)); do printf '%b' "\\x$(printf %x $i)"; done)"
    survives "letters of the world" 'Grüße ключ 鍵 🔑'
    survives "a comment sign in front" '#x'
    survives "an equals sign" '=a=b='
}

printf '#cloud-config\ncoreos: {locksmith: {window-start: Thu 04:00, window-length: 1h30m}}\n' >"$scratch/document"
works "a window" "$cloud_config" apply --root "$root" "$scratch/document"
same "… arrives" "$(loaded | paste -sd' ')" "REBOOT_WINDOW_START=Thu 04:00 REBOOT_WINDOW_LENGTH=1h30m"
same "nothing else of the unit is touched" "$(sed -n 's/^[[:space:]]*Command Line: //p' "$scratch/loaded")" "/bin/true"

# The mask, as systemd sees it.
printf '#cloud-config\ncoreos: {update: {reboot-strategy: off}}\n' >"$scratch/document"
works "off" "$cloud_config" apply --root "$root" "$scratch/document"
rm "$units/locksmithd.service"
cp -P "$root/run/systemd/system/locksmithd.service" "$units/"
SYSTEMD_UNIT_PATH=$units systemd-analyze --user --man=no verify locksmithd.service >"$scratch/masked" 2>&1
same "… masks the unit" "$(grep -c 'locksmithd.service is masked' "$scratch/masked")" 1
done_testing

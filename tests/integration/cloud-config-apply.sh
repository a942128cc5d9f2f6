#!/bin/bash
# cloud-config apply and show, as a user runs them, below a root of their own.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

cloud_config=$(program cloud-config/cloud-config)
unset COREOS_PRIVATE_IPV4 COREOS_PUBLIC_IPV4 COREOS_PRIVATE_IPV6 COREOS_PUBLIC_IPV6
root=$scratch/root
mkdir -p "$root/etc/coreos"
conf=$root/etc/coreos/update.conf
drop_in=$root/run/systemd/system/locksmithd.service.d/20-cloudinit.conf
drop_in_shown=/run/systemd/system/locksmithd.service.d/20-cloudinit.conf
mask=$root/run/systemd/system/locksmithd.service

document() { { echo '#cloud-config'; cat; } >"$scratch/document"; }
# shellcheck disable=SC2120 # "apply --dry-run" is called through works and prints
apply() { "$cloud_config" apply --root "$root" "$@" "$scratch/document"; }
snapshot() { find "$root" -printf '%p %y %m %l %T@\n' | sort; }

printf '# mine\nGROUP=stable\nOTHER="a b"\n' >"$conf"
chmod 640 "$conf"
document <<'END'
coreos:
  update:
    group: beta
    server: https://update.example.com/v1/update/?a=1%26b
    reboot-strategy: etcd-lock
  locksmith:
    endpoint: https://10.0.0.1:2379
    etcd-cafile: /etc/ssl/ca.pem
    etcd-username: root
    etcd-password: hush-hush
    window-start: Thu 04:00
    window-length: 1h30m
END

before=$(snapshot)
works "a dry run works" apply --dry-run
same "… and changes nothing" "$before" "$(snapshot)"
same "… and shows the difference, the unit actions and no password" "$(cat "$scratch/out")" 'write /etc/coreos/update.conf
--- /etc/coreos/update.conf
-GROUP=stable
+GROUP=beta
+REBOOT_STRATEGY=etcd-lock
+SERVER=https://update.example.com/v1/update/?a=1%26b
write /run/systemd/system/locksmithd.service.d/20-cloudinit.conf
--- /run/systemd/system/locksmithd.service.d/20-cloudinit.conf (new)
+[Service]
+Environment="LOCKSMITHD_ENDPOINT=https://10.0.0.1:2379"
+Environment="LOCKSMITHD_ETCD_CAFILE=/etc/ssl/ca.pem"
+Environment="LOCKSMITHD_ETCD_USERNAME=root"
+(a line with a password)
+Environment="REBOOT_WINDOW_START=Thu 04:00"
+Environment="REBOOT_WINDOW_LENGTH=1h30m"
reload systemd (skipped)
restart locksmithd.service (skipped)
restart updated.service (skipped)'

works "apply works" apply
same "update.conf keeps what is not ours" "$(cat "$conf")" '# mine
GROUP=beta
OTHER="a b"
REBOOT_STRATEGY=etcd-lock
SERVER=https://update.example.com/v1/update/?a=1%26b'
same "… and its mode" "$(stat -c %a "$conf")" 640
same "the drop-in with the password is private" "$(stat -c %a "$drop_in")" 600
same "nothing is left over" "$(find "$root" -name '*.??????' | grep -vE 'conf$|state$')" ""

# The three readers of update.conf: a shell is the strictest.
# shellcheck disable=SC1090
same "a shell reads what was meant" "$(. "$conf" && echo "$GROUP $SERVER $REBOOT_STRATEGY")" \
    "beta https://update.example.com/v1/update/?a=1%26b etcd-lock"

before=$(snapshot)
prints "a second apply has nothing to do" "nothing to change" apply
same "… and touches nothing" "$before" "$(snapshot)"

printf 'coreos: {update: {group: alpha, reboot-strategy: never}}\n' | document
refuses "a document with an error is refused" 1 'nothing was changed: .*is not valid' apply
same "… and touches nothing" "$before" "$(snapshot)"

printf 'coreos: {update: {group: alpha, channel: x}}\n' | document
refuses "--strict refuses warnings" 1 'unknown key "channel"' apply --strict
same "… and touches nothing" "$before" "$(snapshot)"

document <<'END'
coreos: {update: {reboot-strategy: off}}
END
works "off is applied" apply
same "what the document no longer names goes back" "$(cat "$conf")" '# mine
GROUP=stable
OTHER="a b"
REBOOT_STRATEGY=off'
same "the drop-in is gone" "$([ -e "$drop_in" ] || echo gone)" gone
same "locksmithd is masked" "$(readlink "$mask")" /dev/null

run apply --json
same "JSON of a run without changes" "$(jq -c '[.valid, ."cloud-config", .files, .units]' "$scratch/out")" '[true,true,[],[]]'

printf '{}\n' | document
run apply --json
same "JSON says what was done and what was skipped" \
    "$(jq -c '[.files[].path, .files[].action, (.units[] | .action, .unit, .skipped)]' "$scratch/out")" \
    '["/etc/coreos/update.conf","/run/systemd/system/locksmithd.service","write","unmask","reload","systemd",true,"restart","locksmithd.service",true]'
same "an empty cloud-config undoes all" "$(cat "$conf") $(find "$root" ! -type d)" '# mine
GROUP=stable
OTHER="a b" '"$conf"

printf '#!/bin/sh\ntouch %s/run\n' "$scratch" >"$scratch/document"
prints "a script is no cloud-config" "no cloud-config in it" apply
same "… and is not run" "$([ -e "$scratch/run" ] || echo absent)" absent
same "… and undoes nothing" "$(grep -c GROUP=stable "$conf")" 1

# Two at a time: the directory of the state is locked.
mkfifo "$scratch/release"
start flock "$root/var/lib/updated" sh -c 'echo locked >"$1/locked"; read -r _ <"$1/release"' sh "$scratch"
wait_for 10 test -s "$scratch/locked"
printf 'coreos: {update: {group: alpha}}\n' | document
works "a dry run needs no lock" apply --dry-run
refuses "a second run is refused when the first does not end" 1 'nothing was changed: another program is changing update.conf' apply
same "… and touches nothing" "$(grep -c GROUP=stable "$conf")" 1
"$cloud_config" apply --root "$root" "$scratch/document" >"$scratch/waited" 2>&1 & waiting=$!
sleep 0.5
same "a run waits for another" "$(kill -0 $waiting && grep -c GROUP=stable "$conf")" 1
echo >"$scratch/release"
wait $waiting
same "… and goes on when that has ended" "$? $(grep -c GROUP=alpha "$conf")" "0 1"

several=()
for group in a b c d e f g h; do
    printf '#cloud-config\ncoreos: {update: {group: %s, server: "https://%s.example/"}, locksmith: {group: %s}}\n' \
        $group $group $group >"$scratch/several-$group"
    "$cloud_config" apply --root "$root" "$scratch/several-$group" >>"$scratch/several" 2>&1 & several+=($!)
done
wait "${several[@]}"
same "of several at a time one wins, whole" \
    "$(sed -n 's/^GROUP=//p; s,^SERVER=https://\(.\).*,\1,p; s/.*_GROUP=\(.\)"/\1/p' "$conf" "$drop_in" | uniq -c | tr -d ' [a-h]\n')" 3
printf '{}\n' | document
works "… and what was there before all of them comes back" apply
same "… to the letter" "$(cat "$conf")" '# mine
GROUP=stable
OTHER="a b"'

rm -r "$root/etc/coreos"; touch "$root/etc/coreos"
printf 'coreos: {update: {group: alpha}, locksmith: {group: x}}\n' | document
refuses "a file in the place of a directory is named" 1 'nothing was changed: /etc/coreos/update.conf: a directory above it is a file' apply
same "… and nothing else is written" "$([ -e "$drop_in" ] || echo gone)" gone
rm "$root/etc/coreos"

mkdir -p "$root/etc/coreos" "$root/usr/share/coreos"
printf 'SERVER=https://vendor.example/\nLOCKSMITHD_REBOOT_WINDOW_START=Mon 03:00\n' >"$root/usr/share/coreos/update.conf"
printf 'GROUP=beta\nLOCKSMITHD_GROUP=racks\n' >"$conf"
document <<'END'
coreos:
  update: {group: beta}
  locksmith:
    group: lab
    etcd-username: a
    etcd-password: hush-hush
    window-start: Tue 04:00
    window-length: 1h
END
show() { "$cloud_config" show --root "$root" "$@" | sed "s/  */ /g; s,$scratch/,,"; }
show "$scratch/document" >"$scratch/shown"
same "show names value and origin, and what is not in force" "$(cat "$scratch/shown")" \
    'update.group beta (document:3)
update.reboot-strategy reboot (default)
update.server https://vendor.example/ (/usr/share/coreos/update.conf:1)
locksmith.endpoint http://127.0.0.1:2379,http://127.0.0.1:4001 (default)
locksmith.etcd-cafile - (default)
locksmith.etcd-certfile - (default)
locksmith.etcd-keyfile - (default)
locksmith.etcd-username a (document:6)
 not applied: in force is nothing (default)
locksmith.etcd-password (set) (document:7)
 not applied: in force is nothing (default)
locksmith.group lab (document:5)
 not applied: in force is racks (/etc/coreos/update.conf:2)
locksmith.window-start Tue 04:00 (document:8)
 not applied: in force is Mon 03:00 (/usr/share/coreos/update.conf:2)
 without effect, stronger is Mon 03:00 (/usr/share/coreos/update.conf:2)
locksmith.window-length 1h (document:9)
 not applied: in force is nothing (default)'
run "$cloud_config" show --root "$root" --json "$scratch/document"
same "show has JSON" "$(jq -c '.[] | select(.key == "group" or .key == "window-start") |
    [.stanza, .value, ."in-force".value, ."overridden-by".origin]' "$scratch/out" | paste -sd' ')" \
    '["update","beta",null,null] ["locksmith","lab","racks",null] ["locksmith","Tue 04:00","Mon 03:00","/usr/share/coreos/update.conf:2"]'
refuses "apply says what the drop-in can not bring into force" 0 \
    'locksmith.window-start has no effect: LOCKSMITHD_REBOOT_WINDOW_START in /usr/share/coreos/update.conf:2 is stronger' apply
same "… and afterwards everything else is in force" "$(show "$scratch/document" | grep -c 'not applied')" 0
same "without a document show tells what is in force" "$(show | grep -E 'locksmith.(group|window-start|etcd-p)')" \
    "locksmith.etcd-password (set) ($drop_in_shown:3)
locksmith.group lab ($drop_in_shown:4)
locksmith.window-start Mon 03:00 (/usr/share/coreos/update.conf:2)"
same "no password is shown anywhere" "$(grep -l hush "$scratch/shown" "$scratch/out")" ""
done_testing

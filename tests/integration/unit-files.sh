#!/bin/bash
# The unit files as systemd itself judges them: they load, their programs and man pages exist, their sandboxes hold.
# shellcheck source=tests/integration/lib.sh
. "$SLUICE_SOURCE/tests/integration/lib.sh"
command -v systemd-analyze >/dev/null || skip_all "systemd-analyze is not installed"

# Exposed at most so much, of 100.
declare -A most=([updated]=29 [locksmithd]=20 [locksmith-fleetlock]=12 [sluice-cloud-config]=23)

units=$scratch/units
mkdir "$units"
find "$SLUICE_BUILD"/{updated,locksmith,cloud-config} -name '*.service' >"$scratch/found"
while read -r unit; do
    name=$(basename "$unit" .service)
    # Nothing is installed here: the programs are those of the build tree.
    sed -E "s|^(Exec[A-Za-z]*=[-@:+!]*)/[^ ]*/([a-z-]+)|\1$scratch/bin/\2|" "$unit" >"$units/$name.service"
done <"$scratch/found"
mkdir "$scratch/bin"
ln -s "$(program updated/updated)" "$(program locksmith/locksmithd)" "$(program locksmith/locksmithctl)" \
    "$(program cloud-config/cloud-config)" "$scratch/bin"
printf '[Service]\nExecStart=/bin/true\n' >"$scratch/probe.service"
systemd-analyze --man=no verify "$scratch/probe.service" >"$scratch/verify" 2>&1 ||
    skip_all "systemd-analyze does not run here: $(tail -n 1 "$scratch/verify")"
same "all units are judged" "${#most[@]}" "$(find "$units" -name '*.service' | wc -l)"

for name in "${!most[@]}"; do
    unit=$units/$name.service
    # What is ordered against units that are not installed here is no fault of ours.
    SYSTEMD_UNIT_PATH=$units: systemd-analyze --man=no verify "$unit" >"$scratch/verify" 2>&1 && status=0 || status=$?
    if [ "$status" = 0 ] && ! grep -q "$name.service" "$scratch/verify"; then
        pass "$name: systemd has nothing to say about it"
    else
        fail "$name: systemd has nothing to say about it: exit $status" "$scratch/verify"
    fi

    works "$name: at most ${most[$name]} of 100 exposed" \
        systemd-analyze security --offline=true --threshold="${most[$name]}" "$unit"

    missing=
    read -ra pages < <(sed -n 's/^Documentation=//p' "$unit")
    for page in "${pages[@]}"; do
        page=${page#man:}
        [ -f "$SLUICE_SOURCE/docs/man/${page%(*}.$(tr -dc 0-9 <<<"${page#*(}").scd" ] || missing+=" $page"
    done
    same "$name: its man pages exist" "" "$missing"
    same "$name: it names one" 1 "$(grep -c '^Documentation=man:' "$unit")"
done
done_testing

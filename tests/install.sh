# Sourced by tests/demo and tests/run: installs what tests/packages lists and this machine lacks.
# The caller sets source_dir.
# shellcheck shell=bash
: "${source_dir:?}"

# packages_of SECTION...: the names in those sections of tests/packages
packages_of() {
    local section wanted
    for wanted in "$@"; do
        while read -r line; do
            case $line in
            "# [$wanted]") section=$wanted ;;
            "# ["*) section= ;;
            "" | "#"*) ;;
            *) if [ "${section:-}" = "$wanted" ]; then printf '%s\n' "$line"; fi ;;
            esac
        done <"$source_dir/tests/packages"
    done
}

# install_packages SECTION...: apt-get, through sudo when not root
install_packages() {
    local package missing=() as_root=()
    for package in $(packages_of "$@"); do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    printf 'Installing with apt-get: %s\n' "${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            printf '%s: packages are missing and there is no sudo: as root, run\n  apt-get install %s\n' "${0##*/}" "${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || {
        printf '%s: apt-get could not install everything; see its messages above\n' "${0##*/}" >&2
        return 1
    }
}

# Sourced by the tests of the lock, behind lib.sh: a real etcd, hosts with a root and a bus of their own.
# shellcheck shell=bash disable=SC2034,SC2154 # its variables are for the tests, and those of lib.sh for it

ctl=$(program locksmith/locksmithctl)
daemon=$(program locksmith/locksmithd)
etcd_main='' etcd_main_pid='' etcd_main_port='' etcd_second='' etcd_plain='' etcd_strict='' etcd_full='' # of the usual member, see etcd_start
key=coreos.com/updateengine/rebootlock/semaphore

etcd_options=() etcd_scheme=http # of the next etcd_start

# etcd_start NAME: on free ports; its URL in $etcd_NAME, its pid in $etcd_NAME_pid. Again: the same ports and data.
etcd_start() {
    local port="etcd_$1_port" url="etcd_$1" peer="etcd_$1_peer"
    [ -n "${!port:-}" ] || { declare -g "$port=$(free_port)" "$peer=$(free_port)"; }
    declare -g "$url=$etcd_scheme://127.0.0.1:${!port}"
    start etcd --name "$1" --data-dir "$scratch/etcd-$1" --unsafe-no-fsync --logger zap --log-level error \
        --listen-client-urls "${!url}" --advertise-client-urls "${!url}" \
        --listen-peer-urls "http://127.0.0.1:${!peer}" --initial-advertise-peer-urls "http://127.0.0.1:${!peer}" \
        --initial-cluster "$1=http://127.0.0.1:${!peer}" "${etcd_options[@]}" >"$scratch/etcd-$1.log" 2>&1
    declare -g "etcd_$1_pid=$started"
    # its port is open when it serves; TLS and accounts are the tests' business
    wait_for 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/${!port}" || { cat "$scratch/etcd-$1.log" >&2; exit 1; }
}

etcd_stop() {
    local pid="etcd_$1_pid"
    kill -9 "${!pid}"
    wait "${!pid}" 2>/dev/null
}

# etcd_get URL KEY, etcd_put URL KEY VALUE: as another tool sees the key
etcd_get() { ETCDCTL_API=3 etcdctl --endpoints "$1" --dial-timeout 2s get --print-value-only "${@:2}"; }
etcd_put() { ETCDCTL_API=3 etcdctl --endpoints "$1" put "$2" "$3" >/dev/null; }

# bus_start NAME: a bus, and the neighbours of locksmithd on it (tests/double/bus-peers.c), for the host NAME; again: the same
# address. Its pid is in $bus_pid; the neighbours end with it.
bus_start() {
    local name=$1 bus="unix:path=$scratch/$1.bus"
    mkdir -p "$scratch/$name/etc"
    echo "host-$name" >"$scratch/$name/etc/machine-id"
    start dbus-daemon --session --nofork --address="$bus" >"$scratch/$name.dbus" 2>&1
    bus_pid=$started
    wait_for 10 test -S "$scratch/$name.bus"
    [ -p "$scratch/$name.say" ] || mkfifo "$scratch/$name.say"
    # the shell gives /dev/null to what runs in the background, so the redirection happens inside
    start env DBUS_SYSTEM_BUS_ADDRESS="$bus" sh -c 'exec "$0" <>"$1"' "$(program tests/double/bus-peers)" "$scratch/$name.say" \
        >>"$scratch/$name.calls" 2>"$scratch/$name.peers"
}

# peers NAME LINE: see tests/double/bus-peers.c
peers() { timeout 5 sh -c 'echo "$1" >"$2"' sh "$2" "$scratch/$1.say"; }

# host_start NAME VARIABLE=VALUE...: locksmithd of that host; its pid in $started
host_start() {
    local name=$1; shift
    start env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$scratch/$name.bus" LOCKSMITHD_ENDPOINT="$etcd_main" "$@" \
        "$daemon" --root "$scratch/$name" 2>>"$scratch/$name.log"
}

host_stop() { kill "$1"; wait "$1"; }

# These are for wait_for.
holders_are() { [ "$("$ctl" --endpoint "$etcd_main" --json status | tr -d ' \n' | sed 's/.*"holders":\[\([^]]*\)\].*/\1/')" = "$1" ]; }
state_is() { grep -qx "STATE=$2" "$scratch/$1/run/update-engine/coordinator.conf"; }
reason_is() { grep -Eq "^REASON=.*$2" "$scratch/$1/run/update-engine/coordinator.conf"; }
called() { [ "$(wc -l <"$scratch/$1.calls")" -ge "$2" ]; }
is_idle() { [ "$(cat "/proc/$1/comm")" = locksmithd-idle ]; }
is_awake() { [ "$(cat "/proc/$1/comm")" = locksmithd ]; }
logged() { grep -Eq -- "$2" "$scratch/$1.log"; }

# becomes DESCRIPTION SECONDS COMMAND...: within that time
becomes() {
    local what=$1 seconds=$2; shift 2
    if wait_for "$seconds" "$@"; then pass "$what"; else fail "$what: not within $seconds s: $*" "$scratch"/*.log "$scratch"/*/run/update-engine/coordinator.conf; fi
}

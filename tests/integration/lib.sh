# Sourced by the integration tests: TAP, a scratch directory that goes away, processes that are stopped by pid.
# shellcheck shell=bash
set -u
: "${SLUICE_BUILD:?run me through meson test or tests/run}" "${SLUICE_SOURCE:?}"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/sluice-test.XXXXXX")
n_tests=0
pids=()

cleanup() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

program() { printf '%s' "$SLUICE_BUILD/$1"; } # program payload/payload

pass() { n_tests=$((n_tests + 1)); printf 'ok %d - %s\n' "$n_tests" "$1"; }

# fail DESCRIPTION [FILE...]: prints the files as diagnostics
fail() {
    n_tests=$((n_tests + 1))
    printf 'not ok %d - %s\n' "$n_tests" "$1"
    shift
    local file
    for file in "$@"; do sed 's/^/# /' "$file"; done
}

skip() { n_tests=$((n_tests + 1)); printf 'ok %d - %s # SKIP %s\n' "$n_tests" "$1" "$2"; }
skip_all() { printf '1..0 # SKIP %s\n' "$1"; exit 0; }
done_testing() { printf '1..%d\n' "$n_tests"; }

# run COMMAND...: output in $scratch/out and $scratch/err, exit status in $status
run() { status=0; "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?; }

# works DESCRIPTION COMMAND...: exit 0 is wanted
works() {
    local what=$1; shift
    run "$@"
    if [ "$status" = 0 ]; then pass "$what"; else fail "$what: exit $status" "$scratch/out" "$scratch/err"; fi
}

# refuses DESCRIPTION STATUS TEXT COMMAND...: this exit status, and TEXT (an extended regular expression) on stderr
refuses() {
    local what=$1 wanted=$2 text=$3; shift 3
    run "$@"
    if [ "$status" = "$wanted" ] && grep -Eq -- "$text" "$scratch/err"; then
        pass "$what"
    else
        fail "$what: exit $status, wanted $wanted with \"$text\"" "$scratch/out" "$scratch/err"
    fi
}

# prints DESCRIPTION TEXT COMMAND...: exit 0 and TEXT (an extended regular expression) on stdout
prints() {
    local what=$1 text=$2; shift 2
    run "$@"
    if [ "$status" = 0 ] && grep -Eq -- "$text" "$scratch/out"; then
        pass "$what"
    else
        fail "$what: exit $status, wanted \"$text\"" "$scratch/out" "$scratch/err"
    fi
}

# same DESCRIPTION A B: equal texts
same() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: \"$2\" is not \"$3\""; fi
}

# start COMMAND...: in the background, stopped at the end; its pid in $started
start() { "$@" & started=$!; pids+=("$started"); }

# wait_for SECONDS COMMAND...: polls until COMMAND succeeds
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# free_port: a TCP port on 127.0.0.1 that nobody listens on now
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

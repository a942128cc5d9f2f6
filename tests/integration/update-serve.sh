#!/usr/bin/env bash
# update-serve with curl: what is published is offered, fetched whole and in parts, and nothing else gets out.
# shellcheck source=tests/integration/lib.sh
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
for tool in curl jq python3; do
    command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done
unset http_proxy ALL_PROXY all_proxy # everything here is on loopback

serve=$(program updated/update-serve)
dir=$scratch/site
appid='{e96281a6-d1af-4bde-9a0a-97b76e56dc57}'

payload_of() { # NAME BYTES [OPTION...]
    local name=$1; head -c "$2" /dev/urandom >"$scratch/image"; shift 2
    "$(program payload/payload)" create --image "$scratch/image" --compression none --output "$scratch/$name" "$@"
}
openssl genpkey -algorithm ed25519 -out "$scratch/key.pem"
payload_of one 3002368 --key "$scratch/key.pem"
size=$(stat -c %s "$scratch/one")
payload_of two 4096 --key "$scratch/key.pem"
payload_of unsigned 4096
printf 'no payload' >"$scratch/other"
head -c 1000000 "$scratch/one" >"$scratch/half"

# listening [OPTION...]: starts the server on a free port; its URL in $url, its pid in $started
listening() {
    : >"$scratch/serving"
    start "$serve" --directory "$dir" --listen 127.0.0.1:0 "$@" >"$scratch/serving" 2>>"$scratch/server.err"
    wait_for 10 grep -q . "$scratch/serving" || fail "the server starts" "$scratch/server.err"
    url=$(sed -n 's|^Serving .* on \(http://.*\)/v1/update/$|\1|p' "$scratch/serving")
}

# stopped PID: SIGTERM; its exit status
stopped() { kill "$1"; wait "$1"; }

# request VERSION CHANNEL [CHILDREN]
request() {
    printf '<?xml version="1.0" encoding="UTF-8"?>\n<request protocol="3.0" ismachine="1">'
    printf '<os version="Chateau" platform="CoreOS" sp="%s_x86_64"></os>' "$1"
    printf '<app appid="%s" version="%s" track="%s" machineid="0123456789abcdef" board="amd64-usr">' "$appid" "$1" "$2"
    printf '%s</app></request>' "${3:-<ping active=\"1\"></ping><updatecheck></updatecheck>}"
}

# ask VERSION CHANNEL [CHILDREN]: the answer is in $scratch/answer
ask() {
    request "$@" >"$scratch/request"
    curl -sS -H 'Content-Type: text/xml' --data-binary @"$scratch/request" -o "$scratch/answer" "$url/v1/update/"
}

# attribute ELEMENT NAME: of the answer, read by an XML parser that is not ours
attribute() {
    python3 -c 'import sys, xml.etree.ElementTree as e
print(next(e.parse(sys.argv[1]).iter(sys.argv[2])).get(sys.argv[3]))' "$scratch/answer" "$1" "$2"
}

# code CURL-ARGUMENT...: the HTTP status; headers in $scratch/headers, body in $scratch/body
code() { curl -sS -D "$scratch/headers" -o "$scratch/body" -w '%{http_code}' "$@"; }
header() { sed -n "s/^$1: \(.*\)\r$/\1/Ip" "$scratch/headers"; }

# --- publish ---

refuses "a payload is needed the first time" 1 'never published' \
    "$serve" -d "$dir" publish --channel stable --version 1.9.0
refuses "what does not begin with CrAU is refused" 1 'does not begin with "CrAU"' \
    "$serve" -d "$dir" publish --channel stable --version 1.9.0 "$scratch/other"
refuses "half a payload is refused" 1 'half: it has 1000000 bytes, by its manifest [0-9]* are wanted' \
    "$serve" -d "$dir" publish --channel stable --version 1.9.0 "$scratch/half"
same "and nothing is stored" "" "$(ls "$dir")"
refuses "a file that is not there is named" 1 'nowhere: opening it: No such file' \
    "$serve" -d "$dir" publish --channel stable --version 1.9.0 "$scratch/nowhere"
refuses "a version with markup is refused" 2 'is no version' \
    "$serve" -d "$dir" publish --channel stable --version '1"><x' "$scratch/one"
refuses "a channel is needed" 2 'channel is missing' "$serve" -d "$dir" publish --version 1 "$scratch/one"
refuses "a directory is needed" 2 'directory is missing' "$serve" channels
prints "the channels of an empty directory are none" 'Nothing is published' "$serve" -d "$dir" channels

prints "a payload is published" '^beta: 1.9.0, 3.0 MB, sha256' \
    "$serve" -d "$dir" publish --channel beta --version 1.9.0 "$scratch/one"
works "publishing it again changes nothing" "$serve" -d "$dir" publish --channel beta --version 1.9.0 "$scratch/one"
refuses "another payload under the same version is refused" 1 'another payload already' \
    "$serve" -d "$dir" publish --channel beta --version 1.9.0 "$scratch/two"
refuses "an unknown version can not be promoted, and the known ones are named" 1 'known: 1\.9\.0;' \
    "$serve" -d "$dir" publish --channel stable --version 1.9.1
works "a version is promoted" "$serve" -d "$dir" publish --channel stable --version 1.9.0
works "what is not signed is published" "$serve" -d "$scratch/lab" publish --json --channel beta --version 1 "$scratch/unsigned"
same "with a warning" 1 "$(grep -c 'unsigned is not signed: no host takes it' "$scratch/err")"
same "and told as JSON" "beta 1 $(stat -c %s "$scratch/unsigned")" "$(jq -r '[.channel, .version, .size] | join(" ")' "$scratch/out")"
same "one payload is stored once" 1 "$(find "$dir/payloads" -type f | wc -l)"
same "channels --json tells what each leads to" 'beta 1.9.0 stable 1.9.0 ' \
    "$("$serve" -d "$dir" channels --json | jq -r '.[] | "\(.channel) \(.version)"' | tr '\n' ' ')"
prints "channels are shown as a table" '^stable +1\.9\.0 +3\.0 MB' "$serve" -d "$dir" channels

# --- Omaha ---

refuses "a directory that is not there is not served" 1 'No such file' "$serve" -d "$scratch/none" -l 127.0.0.1:0
refuses "an address with a name is refused" 2 'not ADDRESS:PORT' "$serve" -d "$dir" -l localhost:80
refuses "a crawling pace is refused" 2 'too slow' "$serve" -d "$dir" --delay-rate 10
refuses "a URL of another scheme is refused" 2 'no http' "$serve" -d "$dir" --url-base ftp://x/
listening
server=$started

ask 1.8.0 stable
same "an older host is offered the update" ok "$(attribute updatecheck status)"
same "the version is told" 1.9.0 "$(attribute manifest version)"
same "the size is told" "$size" "$(attribute package size)"
same "SHA-1 is told in base64" "$(openssl dgst -sha1 -binary "$scratch/one" | base64)" "$(attribute package hash)"
same "SHA-256 is told in hexadecimal" "$(sha256sum <"$scratch/one" | cut -d' ' -f1)" "$(attribute package hash_sha256)"
same "SHA-256 is told in base64" "$(openssl dgst -sha256 -binary "$scratch/one" | base64)" "$(attribute action sha256)"
same "the codebase is where the client asked" "$url/payloads/" "$(attribute url codebase)"
same "the ping is answered" ok "$(attribute ping status)"
payload=$(attribute url codebase)$(attribute package name)

ask 1.9.0 stable
same "a host of the same version has nothing to do" noupdate "$(attribute updatecheck status)"
ask 1.10.0 stable
same "a host that is ahead is left alone" noupdate "$(attribute updatecheck status)"
ask 1.8.0 nightly
same "an unknown channel is an error of the app" error-unknownApplicationOrGroup "$(attribute app status)"
ask 1.9.0 stable '<event eventtype="3" eventresult="2" previousversion="1.8.0"></event>'
same "an event is acknowledged" ok "$(attribute event status)"
ask 1.9.0 stable '<event eventtype="3" eventresult="0" errorcode="268437956"></event>'
appid='{0}' ask 1.8.0 stable
same "an unknown application is an error" error-unknownApplication "$(attribute app status)"

works "publishing goes on while it serves" \
    "$serve" -d "$dir" publish --channel stable --version 1.10.0 "$scratch/two"
ask 1.9.0 stable
same "the next request sees it, and 1.10 is newer than 1.9" 1.10.0 "$(attribute manifest version)"
cp "$dir/catalogue.json" "$scratch/catalogue"
printf '{' >"$dir/catalogue.json"
same "a broken catalogue is an error of the server" 500 "$(code -d "$(request 1 stable)" "$url/v1/update/")"
cp "$scratch/catalogue" "$dir/catalogue.json"
same "a mended one is read again" 200 "$(code -d "$(request 1 stable)" "$url/v1/update/")"

# --- what is no Omaha request ---

for file in "$SLUICE_SOURCE"/tests/bad/serve-request/*; do
    same "refused: $(basename "$file")" 400 "$(code --data-binary @"$file" "$url/v1/update/")"
done
same "the refusal is one line" 1 "$(wc -l <"$scratch/body")"
head -c 65537 /dev/zero >"$scratch/large"
same "a body above 64 KiB is refused" 413 "$(code --data-binary @"$scratch/large" "$url/v1/update/")"
same "a chunked one too" 413 \
    "$(code -H 'Transfer-Encoding: chunked' --data-binary @"$scratch/large" "$url/v1/update/")"
run timeout 20 sh -c "yes | curl -sS -H 'Transfer-Encoding: chunked' -T - -X POST '$url/v1/update/' -o /dev/null"
if [ "$status" != 0 ] && [ "$status" != 124 ]; then
    pass "a body without end is cut off"
else
    fail "a body without end is cut off: exit $status" "$scratch/err"
fi
same "GET is not allowed there" 405 "$(code "$url/v1/update/")"
same "and it says what is" POST "$(header Allow)"
same "a Host header with markup is refused" 400 \
    "$(code -H 'Host: a"b' -d "$(request 1.8.0 stable)" "$url/v1/update/")"
same "other paths are not found" 404 "$(code "$url/")"

# --- payloads ---

same "the payload is there" 200 "$(code "$payload")"
if cmp "$scratch/body" "$scratch/one"; then pass "it is the one"; else fail "it is the one"; fi
same "its type is plain bytes" application/octet-stream "$(header Content-Type)"
etag=$(header ETag)
same "its tag is its SHA-256" "\"$(sha256sum <"$scratch/one" | cut -d' ' -f1)\"" "$etag"
same "HEAD tells the size" 200 "$(code --head "$payload")"
same "all of it" "$size" "$(header Content-Length)"
same "another method is not allowed" 405 "$(code -X DELETE "$payload")"

# part RANGE OFFSET SIZE: is it answered with exactly these bytes?
part() {
    same "bytes=$1 is answered in part" 206 "$(code -H "Range: bytes=$1" "$payload")"
    same "bytes=$1: Content-Range" "bytes $2-$(($2 + $3 - 1))/$size" "$(header Content-Range)"
    if tail -c +$(($2 + 1)) "$scratch/one" | head -c "$3" | cmp - "$scratch/body"; then
        pass "bytes=$1: the bytes"
    else
        fail "bytes=$1: the bytes"
    fi
}
part 2999000- 2999000 "$((size - 2999000))"
part 10-19 10 10
part -7 "$((size - 7))" 7
for range in $size- 5-4 -0 x 1; do
    same "bytes=$range is refused" 416 "$(code -H "Range: bytes=$range" "$payload")"
done
same "a refused range tells the size" "bytes */$size" "$(header Content-Range)"
same "If-Range with its tag gives the part" 206 "$(code -H 'Range: bytes=5-' -H "If-Range: $etag" "$payload")"
same "If-Range with another tag gives all" 200 "$(code -H 'Range: bytes=5-' -H 'If-Range: "x"' "$payload")"
head -c 1000000 "$scratch/one" >"$scratch/resumed"
works "curl resumes" curl -sS -C - -o "$scratch/resumed" "$payload"
if cmp "$scratch/resumed" "$scratch/one"; then pass "to the same file"; else fail "to the same file"; fi

ln -s /etc/passwd "$dir/payloads/passwd"
for path in ../catalogue.json ..%2fcatalogue.json %2e%2e/catalogue.json ../log.jsonl passwd . '' \
    "$(sha256sum <"$scratch/one" | cut -d' ' -f1)" /etc/passwd ..%00 "$(basename "$payload")/"; do
    same "not given out: \"$path\"" 404 "$(code --path-as-is "$url/payloads/$path")"
done
sha256=$(sha256sum <"$scratch/two" | cut -d' ' -f1)
two=$url/payloads/$("$serve" -d "$dir" channels --json | jq -r '.[] | select(.version == "1.10.0").name')
printf x >>"$dir/payloads/$sha256"
same "a payload that was changed is not served" 500 "$(code "$two")"
works "and the operator is told" grep 'is not what was published' "$scratch/server.err"

# --- the log ---

prints "the log tells offers" 'stable +1\.8\.0 +check: offered 1\.9\.0' "$serve" -d "$dir" log
prints "the log tells events" '1\.9\.0 +running, updated from 1\.8\.0 \(3/2\)' "$serve" -d "$dir" log
prints "the log tells failures" 'update failed \(3/0\), error 268437956' "$serve" -d "$dir" log
same "the log is JSON for scripts" '3 2 0 1.8.0' "$("$serve" -d "$dir" log --json |
    jq -r 'select(.what == "event" and .result == 2) | "\(.type) \(.result) \(.errorcode) \(.previousversion)"')"
start "$serve" -d "$dir" log --follow >"$scratch/followed"
follower=$started
wait_for 10 grep -q 'offered 1.9.0' "$scratch/followed" || fail "--follow shows what is there"
ask 1.5.0 beta
if wait_for 10 grep -Eq 'beta +1\.5\.0 +check: offered 1\.9\.0' "$scratch/followed"; then
    pass "--follow shows what comes"
else
    fail "--follow shows what comes" "$scratch/followed"
fi
stopped "$follower"
same "--follow ends with SIGTERM" 143 $?

# --- load, pace, end ---

seq 40 | xargs -P 20 -I{} curl -sS -o "$scratch/parallel.{}" "$payload"
same "twenty at a time all get it whole" 1 \
    "$(sha256sum "$scratch"/parallel.* "$scratch/one" | cut -d' ' -f1 | sort -u | wc -l)"
stopped "$server"
same "SIGTERM ends the server well" 0 $?

listening --delay-rate 2000000 --url-base https://updates.example/lab/
server=$started
ask 1.8.0 beta
same "--url-base names the way in" https://updates.example/lab/payloads/ "$(attribute url codebase)"
seconds=$(curl -sS -o "$scratch/slow" -w '%{time_total}' "$url/payloads/$(attribute package name)")
if cmp "$scratch/slow" "$scratch/one" && [ "${seconds%.*}" -ge 1 ]; then
    pass "--delay-rate slows a download down and changes nothing else"
else
    fail "--delay-rate slows a download down and changes nothing else: $seconds s"
fi
start curl -sS -o "$scratch/cut" "$url/payloads/$(attribute package name)" 2>"$scratch/cut.err"
wait_for 10 test -s "$scratch/cut" || fail "a slow download starts"
stopped "$server"
same "SIGTERM ends it in the middle of a slow download too" 0 $?
grep -v 'is not what was published\|catalogue.json: line' "$scratch/server.err" >"$scratch/unexpected"
same "nothing else was complained about" '' "$(cat "$scratch/unexpected")"
done_testing

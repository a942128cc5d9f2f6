#!/bin/bash
# Where cloud-config takes documents from: a file, standard input, a web server, and the host's own places.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

cloud_config=$(program cloud-config/cloud-config)
root=$scratch/root
mkdir -p "$root/proc" "$scratch/www"

group_document() { printf '#cloud-config\ncoreos: {update: {group: %s}}\n' "$1"; }
# group_of ARGUMENT...: the group that show finds
group_of() { "$cloud_config" show --root "$root" --json "$@" | jq -r '.[0].value'; }

group_document file >"$scratch/document"
same "a file" "$(group_of "$scratch/document")" file
same "standard input" "$(group_document stdin | group_of -)" stdin
refuses "a file that is not there" 1 'reading /nowhere: No such file' "$cloud_config" validate /nowhere
refuses "a directory" 1 'Is a directory' "$cloud_config" validate "$scratch"
head -c 1048577 /dev/zero >"$scratch/large"
refuses "a file that is too large" 1 'larger than 1 MiB' "$cloud_config" validate "$scratch/large"
refuses "a device without end" 1 'larger than 1 MiB' "$cloud_config" validate /dev/zero

prints "a host without user data" "no user data found" "$cloud_config" apply --root "$root"

# From the last place that is looked at to the first: each hides those before it.
for place in usr/share/coreos/cloud-config.yml usr/share/oem/cloud-config.yml \
    var/lib/flatcar-install/user_data var/lib/coreos-install/user_data \
    media/configvirtfs/openstack/latest/user_data media/configdrive/openstack/latest/user_data; do
    mkdir -p "$root/$(dirname "$place")"
    group=$(tr -c 'a-z\n' - <<<"$place")
    group_document "$group" >"$root/$place"
    same "/$place" "$(group_of)" "$group"
done

port=$(free_port)
cat >"$scratch/server.py" <<'END'
import http.server, sys

tries = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global tries
        tries += 1
        body = b"#cloud-config\ncoreos: {update: {group: web%d}}\n" % tries
        if self.path == "/busy" and tries % 3:
            return self.send_error(503)
        if self.path == "/gone":
            return self.send_error(404)
        if self.path == "/file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            return self.end_headers()
        if self.path == "/large":
            body = b"#" * (2 << 20)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
END
start python3 "$scratch/server.py" "$port"
url=http://127.0.0.1:$port
wait_for 10 curl -s -o /dev/null "$url/gone"

same "a URL, tried again while the server is busy" "$(group_of "$url/busy")" web3
refuses "an answer of 404 is final" 1 "reading $url/gone: the server answered 404" "$cloud_config" validate "$url/gone"
refuses "a document that is too large" 1 'larger than 1 MiB' "$cloud_config" validate "$url/large"
refuses "a redirect to a file is not followed" 1 "reading $url/file: " "$cloud_config" validate "$url/file"
run "$cloud_config" validate "http://me:hush@127.0.0.1:$port/ok?token=hush"
same "no password or query of a URL is shown" "$status $(grep -c hush "$scratch/out" "$scratch/err" | paste -sd' ')" \
    "0 $scratch/out:0 $scratch/err:0"

printf 'quiet cloud-config-url= cloud_config_url=%s/a cloud-config-url=%s/b root=LABEL=x\n' "$url" "$url" >"$root/proc/cmdline"
case $(group_of) in web*) pass "the kernel command line comes first" ;; *) fail "the kernel command line comes first" ;; esac
printf 'quiet\n' >"$root/proc/cmdline"
same "a command line without it" "$(group_of)" media-configdrive-openstack-latest-user-data

mkdir -p "$root/etc"
printf 'COREOS_PRIVATE_IPV4=10.9.8.7\n' >"$root/etc/environment"
# shellcheck disable=SC2016
printf '#cloud-config\ncoreos: {locksmith: {endpoint: "http://$private_ipv4:2379"}}\n' >"$scratch/document"
same "addresses come from /etc/environment" \
    "$("$cloud_config" show --root "$root" --json "$scratch/document" | jq -r '.[3].value')" http://10.9.8.7:2379
same "… and the environment wins" \
    "$(COREOS_PRIVATE_IPV4=10.1.1.1 "$cloud_config" show --root "$root" --json "$scratch/document" | jq -r '.[3].value')" \
    http://10.1.1.1:2379
mkdir -p "$root/media/configdrive/ec2/latest"
printf '{"local-ipv4": "10.5.5.5"}' >"$root/media/configdrive/ec2/latest/meta-data.json"
same "… and a config drive before both" \
    "$(COREOS_PRIVATE_IPV4=10.1.1.1 "$cloud_config" show --root "$root" --json "$scratch/document" | jq -r '.[3].value')" \
    http://10.5.5.5:2379
printf '{' >"$root/media/configdrive/ec2/latest/meta-data.json"
refuses "a damaged config drive is named, and the next source counts" 0 \
    '/media/configdrive/ec2/latest/meta-data.json is damaged: no addresses' "$cloud_config" validate --root "$root" "$scratch/document"
done_testing

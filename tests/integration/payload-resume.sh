#!/bin/bash
# kill -9 at random moments, again and again, until the image is there: it is right, little is done twice, and what
# a damaged checkpoint or another payload costs is a new beginning and one warning. SLUICE_SEED repeats a run.
. "${SLUICE_SOURCE:?run me through meson test or tests/run}/tests/integration/lib.sh"
payload=$(program payload/payload)
seed=${SLUICE_SEED:-$RANDOM}
cd "$scratch" || exit 1
printf '# SLUICE_SEED=%s\n' "$seed"

openssl genrsa -out key.pem 2048 2>/dev/null && openssl pkey -in key.pem -pubout -out key.pub.pem
apply=("$payload" apply --key key.pub.pem --checkpoint state/checkpoint)
{ head -c 30000000 /dev/urandom; seq 1 3000000 | head -c 20000000; head -c 5000000 /dev/zero; } | head -c 54001664 >image
head -c 4096000 /dev/urandom >kernel
cat image >base && printf changed | dd of=base bs=1 seek=1000 conv=notrunc status=none

# Feeds a payload through a pipe, kills the program after a random number of bytes, until it succeeds.
cat >killer.py <<'PYTHON'
import os, random, re, signal, subprocess, sys
seed, most, name, *command = sys.argv[1:]
chance, data = random.Random(int(seed)), open(name, "rb").read()
PIPE = 65536 + 131072  # bytes that the program has not seen, or has not used
reached, kills, resumed, redone = 0, 0, 0, 0
while True:
    end = max(1, min(len(data) - 1, reached + chance.randrange(-4 << 20, 12 << 20))) if kills < int(most) else len(data)
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    sent = 0
    try:
        while sent < end:
            sent += os.write(run.stdin.fileno(), data[sent:min(end, sent + 65536)])
        if end < len(data):
            run.send_signal(signal.SIGKILL)
            kills += 1
    except BrokenPipeError:
        pass
    run.stdin.close()
    error = run.stderr.read().decode()
    status = run.wait()
    found = re.search(r"going on at byte (\d+)", error)
    offset = int(found[1]) if found else 0
    resumed += bool(found)
    redone = max(redone, reached - PIPE - offset)
    if offset > reached:
        sys.exit(f"resumed at {offset}, only {reached} bytes were ever sent")
    if status != -signal.SIGKILL:
        break
    reached = max(reached, end)
print(f"{kills} kills, {resumed} resumed, at most {redone} bytes done again")
if status != 0 or "applied without it" in error:
    sys.exit(f"exit {status}: {error}")
if redone > 8 << 20 or kills < int(most) or resumed == 0:
    sys.exit("that is too much, or nothing was tested")
PYTHON

for format in v1 v2; do
    create=("$payload" create --format "$format" --kernel kernel --key key.pem)
    works "$format: create" "${create[@]}" --image image --output packed
    works "$format: create, not compressed" "${create[@]}" --image image --compression none --output plain
    for how in packed plain; do
        works "$format $how: killed until it is done" python3 killer.py "$seed" 12 $how "${apply[@]}" --target new --kernel-target new-kernel -
        sed 's/^/# /' out
        works "$format $how: the image is right" cmp image new
        works "$format $how: the kernel is right" cmp kernel new-kernel
        same "$format $how: nothing is left" "$(compgen -G '*.partial'; ls state)" ""
        rm -f new new-kernel
    done
    rm -f packed plain
done

# From here on a file, of which what is not wanted is not read. Cut short, so that it stops in the middle.
works "create" "$payload" create --image image --key key.pem --compression none --output whole
interrupt() { rm -rf state new*; head -c 40000000 whole | "${apply[@]}" --target new - >out 2>err; }
interrupt
same "what ended early stays" "$(ls state) $(compgen -G '*.partial')" "checkpoint new.partial"
works "a file goes on where the pipe ended" "${apply[@]}" --target new whole
same "at the right place" "$(grep -Ec 'whole: going on at byte 3[0-9]{7}$' err)" 1
works "with the right image" cmp image new

interrupt && fail "an interrupted run says that it worked"
cp state/checkpoint good
for i in 0 60 200 300 375 cut empty long; do
    case $i in
        cut) head -c 100 good >state/checkpoint ;;
        empty) : >state/checkpoint ;;
        long) cat good good >state/checkpoint ;;
        *) python3 -c "import sys; d = bytearray(open('good', 'rb').read()); d[$i] ^= 4; open('state/checkpoint', 'wb').write(d)" ;;
    esac
    works "a damaged checkpoint ($i): a new beginning" bash -c "cat whole | ${apply[*]} --target new -"
    same "with one line that says so" "$(grep -c . err) $(grep -c 'state/checkpoint: it is damaged; the payload is applied without it' err)" "1 1"
    works "and the right image" cmp image new
    interrupt
done
works "another payload" "$payload" create --image base --key key.pem --compression none --output other
works "begins anew" "${apply[@]}" --target new other
same "and says so" "$(grep -c 'it is of another payload or another target' err)" 1
works "with its own image" cmp base new
interrupt
rm new.partial
works "a lost file begins anew" "${apply[@]}" --target new whole
same "and says so too" "$(grep -c 'it is of another payload or another target' err)" 1
interrupt
dd if=/dev/zero of=new.partial bs=4096 seek=100 count=1 conv=notrunc status=none
refuses "a file that was changed meanwhile" 1 "does not have the SHA-256 of the image" "${apply[@]}" --target new whole
same "is not gone on with" "$(compgen -G '*.partial'; ls state)" ""
works "but begun anew" "${apply[@]}" --target new whole
works "and is right" cmp image new

exec 9>new.partial && flock 9
refuses "two at the same time" 1 "new.partial: another payload is writing it" "${apply[@]}" --target new whole
exec 9>&-
rm -f new.partial
mkdir -p state/checkpoint
refuses "a directory as checkpoint" 1 "removing the old checkpoint: Is a directory" "${apply[@]}" --target new whole
done_testing

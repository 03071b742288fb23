#!/bin/sh
# demo.sh shows amber at work on a real containerd with a container that
# misbehaves: make demo.
#
# The containerd is private to the demo, from binaries that fetch.sh keeps in a
# cache.
set -eu

# shellcheck source=testdata/testbed/show.sh
. "$(dirname -- "$0")/show.sh"

# stands shows what the kernel says of the container's first process.
stands() {
	pid=$(ctr task ls | awk -v c="$AMBER_DEMO_CONTAINER" '$1 == c { print $2 }')
	show ctr task ls
	own=$(awk -F: '$2 == "freezer" { print $3 }' "/proc/$pid/cgroup")
	if [ -n "$own" ]; then
		show cat "/sys/fs/cgroup/freezer$own/freezer.state"
	else
		own=$(awk -F: '$1 == 0 { print $3 }' "/proc/$pid/cgroup")
		show grep frozen "/sys/fs/cgroup$own/cgroup.events"
	fi
	count="/proc/$pid/root/tmp/.cache/count"
	show cat "$count"
	show sleep 1
	show cat "$count"
}

# change adds one to a byte of a file.
change() {
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the byte is the format
	printf "\\$(printf %o $(((byte + 1) % 256)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

prepare demo

say "A containerd of the demo's own, with a container in which an intruder is at work."
testdata/testbed/fetch.sh containerd1 bash
bring_up

say "A key to sign with. Its passphrase is in AMBER_KEY_PASSPHRASE here; otherwise amber asks."
show amber keys new

say "What runs here, and what makes it risky?"
show amber ps

say "What would be done? Nothing is touched by asking."
show amber respond --plan "$AMBER_DEMO_TARGET"

say "Freeze it, collect it, seal it. It stays frozen. Code 3 says that something was not" \
	"to be had, or was noted; the bundle says what."
exits 3 amber respond --yes --reason 'demo' "$AMBER_DEMO_TARGET"
id=$(ls demo/case/evidence)

say "It stands still: containerd says so, the kernel says so, and its counter does."
stands

say "What did the container change against its image?"
show amber evidence diff "$id"

say "What ran in it? Names that are lies are marked."
show amber evidence cat "$id" process/tree.txt

say "Is the evidence as it was sealed, and who sealed it? (--deep hashes every member, too)"
show amber evidence verify --deep "$id"

say "And if one byte of it were changed? (a copy)"
cp -r demo/case demo/forged
# shellcheck disable=SC2012 # the names are digests
change "$(ls -S demo/forged/evidence/*/blobs/sha256/* | head -n 1)" 5000
exits 4 amber evidence verify --case demo/forged "$id"

say "Let it run again, as the journal says it was."
show amber isolate release --yes "$AMBER_DEMO_TARGET"
stands

say "Who did what?"
show amber evidence custody

say "And an intrusion that goes further: a web pod, its cluster, its node, its cloud account. It was" \
	"recorded on the testbed (testdata/incidents/webpod tells how; the cloud's part is synthetic)." \
	"One timeline of the API server's log, the kernel's audit log, CloudTrail and the responders' evidence:"
cp -r testdata/incidents/webpod/case demo/incident
show amber timeline build --case demo/incident testdata/incidents/webpod/logs demo/incident/evidence/* demo/incident/custody.jsonl

say "What do the rules find? Here, what leads from a container to its host."
show amber detect --case demo/incident --technique T1611

say "And what is the story? Each sentence names the rows that it rests on."
show amber timeline story --case demo/incident

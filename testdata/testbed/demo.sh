#!/bin/sh
# demo.sh shows amber at work on a real containerd with a container that
# misbehaves: make demo.
#
# The containerd is private to the demo and lives in a folder of its own, from
# binaries that fetch.sh keeps in a cache. Everything is taken down at the end,
# also after a failure or Ctrl-C. What stays is ./demo: the case, the key, and
# the index of holds, none of which the machine's own amber knows of.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
demo=$root/demo
bed='' # the folder of the testbed

die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# say prints a sentence about what comes next.
say() { printf '\n# %s\n' "$*"; }

# show prints a command and runs it.
show() { printf '\n$ %s\n' "$*"; "$@"; }

# exits CODE COMMAND… is show for a command that ends with that code.
exits() {
	want=$1 got=0
	shift
	printf '\n$ %s\n' "$*"
	"$@" || got=$?
	[ "$got" -eq "$want" ] || die "$* ended with $got where $want was expected"
	printf '(exit code %s)\n' "$got"
}

amber() { HOME=$demo/home "$root/bin/amber" "$@"; }

# take_down ends the testbed in a folder, whatever state it is in.
take_down() {
	[ ! -d "$1" ] || "$demo/up" down "$1"
	rm -rf "$1"
}

# end runs however the demo ends, once, and is not interrupted itself.
end() {
	code=$?
	trap '' INT TERM HUP PIPE
	trap - EXIT
	set +e # nobody may be left to read what is said
	if [ -n "$bed" ]; then
		say "Taking the containerd down. The case stays in ./demo/case."
		take_down "$bed" || code=1
		rm -f "$demo/testbed"
	fi
	exit "$code"
}

check_machine() {
	[ "$(id -u)" -eq 0 ] || die "needs root, to run a containerd of its own and to freeze a container. Try: sudo make demo"
	[ "$(uname -sm)" = 'Linux x86_64' ] || die "needs Linux on amd64; this is $(uname -sm)"
	for tool in go apt-get dpkg awk; do
		command -v "$tool" >/dev/null || die "needs the program $tool (README.md says what must be there)"
	done
}

# sweep removes what an earlier demo left, be it killed half-way.
sweep() {
	if [ -L "$demo/testbed" ] && [ -x "$demo/up" ]; then
		take_down "$(readlink "$demo/testbed")" || die "the testbed of an earlier demo cannot be taken down"
	fi
	rm -rf "$demo"
	mkdir -m 700 "$demo"
}

# bring_up starts containerd and the container. Not below ./demo, for the path
# of a socket has 107 bytes at most; and without interruption, for what has no
# record yet cannot be taken down. The daemons must not hold the demo's lock.
bring_up() {
	testdata/testbed/fetch.sh containerd1 bash
	bed=$(mktemp -d /tmp/amber-demo.XXXXXX)
	ln -s "$bed" "$demo/testbed"
	(trap '' INT TERM HUP && exec "$demo/up" "$bed") >"$demo/environment" 9<&-
	# shellcheck source=/dev/null
	. "$demo/environment"
}

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

exec 9<"$0"
flock -n 9 || die "another demo is at work in this checkout"
check_machine
make -s build
sweep
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP PIPE
go build -buildvcs=false -o "$demo/up" ./testdata/testbed/cmd/up

say "A containerd of the demo's own, with a container in which an intruder is at work."
bring_up
export AMBER_HOLDS="$demo/holds" AMBER_CASE=demo/case AMBER_KEY_PASSPHRASE='only for the demo'

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

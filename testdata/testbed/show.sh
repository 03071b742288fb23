# show.sh is what the demos have in common; demo.sh and quarantine-demo.sh read
# it. One demo at a time works in a checkout, in ./demo. What a demo brings up
# lies in a folder of its own and is taken down at its end, also after a failure
# or Ctrl-C, and by the next demo where this one was killed. What stays is
# ./demo: the case, the key, and the index of holds, none of which the machine's
# own amber knows of.
# shellcheck shell=sh

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
demo=$root/demo
bed='' # the folder of the testbed
link='' # a network link of the demo's own

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
	[ -z "$link" ] || ip link delete "$link"
	if [ -n "$bed" ]; then
		say "Taking it all down. The case stays in ./demo/case."
		take_down "$bed" || code=1
		rm -f "$demo/testbed"
	fi
	exit "$code"
}

check_machine() {
	[ "$(id -u)" -eq 0 ] || die "needs root, to run a containerd of its own and to freeze a container. Try: sudo make $1"
	[ "$(uname -sm)" = 'Linux x86_64' ] || die "needs Linux on amd64; this is $(uname -sm)"
	shift
	for tool in go apt-get dpkg awk "$@"; do
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

# prepare TARGET TOOL… builds amber, and sees to it that the end comes.
prepare() {
	exec 9<testdata/testbed/show.sh
	flock -n 9 || die "another demo is at work in this checkout"
	check_machine "$@"
	make -s build
	sweep
	trap end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP PIPE
	go build -buildvcs=false -o "$demo/up" ./testdata/testbed/cmd/up
	export AMBER_HOLDS="$demo/holds" AMBER_RUN="$demo/run" AMBER_CASE=demo/case AMBER_KEY_PASSPHRASE='only for the demo'
}

# bring_up FLAG… starts what cmd/up starts. Not below ./demo, for the path of a
# socket has 107 bytes at most; and without interruption, for what has no
# record yet cannot be taken down. The daemons must not hold the demo's lock.
bring_up() {
	bed=$(mktemp -d /tmp/amber-demo.XXXXXX)
	ln -s "$bed" "$demo/testbed"
	(trap '' INT TERM HUP && exec "$demo/up" "$@" "$bed") >"$demo/environment" 9<&-
	# shellcheck source=/dev/null
	. "$demo/environment"
}

#!/bin/sh
# fetch.sh [containerd1] [containerd2] [docker] [bash]     (without an argument: all)
#
# Gets real container runtimes into a cache of their own, unpacked and not
# installed: the machine's packages, package lists and services stay as they
# are. Silent where all is cached; safe to run several times at once.
#
#   containerd-1.6.20/bin   containerd, ctr, shim, runc 1.1.5, busybox (Debian 12)
#   containerd-2.1.9/bin    containerd, ctr, shim (built from the Go module), runc, busybox
#   docker-26.1.5/bin       dockerd (Debian 13)
#   bash-5.2/bin            bash, static: a shell that runs under any name (Debian 12)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${AMBER_TESTBED_CACHE:-${HOME:-/root}/.cache/amber-testbed}
mkdir -p "$cache"
cache=$(CDPATH='' cd -- "$cache" && pwd)

say() { printf 'testbed: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# mirror prints the address of the Debian mirror that this machine's apt uses.
mirror() {
	# shellcheck disable=SC2016 # apt's own placeholder
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | awk '/\/debian\/?$/ { print; exit }'
}

# keyring prints the option of a source that names Debian's own key ring.
keyring() {
	for key in /usr/share/keyrings/debian-archive-keyring.pgp /usr/share/keyrings/debian-archive-keyring.gpg; do
		if [ -e "$key" ]; then printf '[signed-by=%s]' "$key"; return; fi
	done
}

# apt SUITE COMMAND… runs apt-get with the lists of that suite alone.
apt() {
	apt_dir=$cache/apt-$1
	shift
	apt-get -qq -o "Dir::Etc::sourcelist=$apt_dir/sources.list" -o Dir::Etc::sourceparts=- \
		-o "Dir::State::Lists=$apt_dir/lists" -o "Dir::Cache=$apt_dir" \
		-o APT::Sandbox::User=root "$@" >&2
}

# unpack SUITE DIR PACKAGE… downloads packages of a suite and unpacks them into DIR.
unpack() {
	suite=$1 dir=$2
	shift 2
	uri=$(mirror)
	[ -n "$uri" ] || die "apt on this machine knows no Debian mirror"
	mkdir -p "$cache/apt-$suite/lists/partial" "$dir/debs"
	printf 'deb %s %s %s main\n' "$(keyring)" "$uri" "$suite" >"$cache/apt-$suite/sources.list"
	apt "$suite" update
	(cd "$dir/debs" && apt "$suite" download "$@")
	for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$dir/root"; done
}

# new_work makes the folder $work, which is gone when the script ends.
new_work() {
	work=$(mktemp -d "$cache/tmp.XXXXXX")
	trap 'rm -rf "$work"' EXIT
}

# wants BINARY VERSION fails unless the binary says that it is that version.
wants() {
	"$1" --version | grep -Fq "$2" || die "$1 is not version $2: $("$1" --version | head -n 1)"
}

# settle WORK NAME puts a finished folder into its place, whole or not at all.
settle() {
	rm -rf "$1/root" "$1/debs"
	chmod 755 "$1"
	mv "$1" "$cache/$2"
}

containerd1() {
	name=containerd-1.6.20
	[ ! -d "$cache/$name" ] || return 0
	say "getting containerd 1.6.20 and runc 1.1.5"
	new_work
	unpack bookworm "$work" containerd runc busybox-static
	mkdir "$work/bin"
	cp "$work/root/usr/bin/containerd" "$work/root/usr/bin/ctr" "$work/root/usr/bin/containerd-shim-runc-v2" \
		"$work/root/usr/sbin/runc" "$work/root/bin/busybox" "$work/bin/"
	wants "$work/bin/containerd" 1.6.20
	wants "$work/bin/runc" 1.1.5
	settle "$work" "$name"
}

containerd2() {
	containerd1
	name=containerd-2.1.9
	[ ! -d "$cache/$name" ] || return 0
	say "building containerd 2.1.9 (about 80 s)"
	new_work
	mkdir "$work/bin"
	module=github.com/containerd/containerd/v2
	(cd "$here/containerd2" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath \
		-ldflags "-s -w -X $module/version.Version=2.1.9" -o "$work/bin/" \
		"$module/cmd/containerd" "$module/cmd/ctr" "$module/cmd/containerd-shim-runc-v2")
	cp "$cache/containerd-1.6.20/bin/runc" "$cache/containerd-1.6.20/bin/busybox" "$work/bin/"
	wants "$work/bin/containerd" 2.1.9
	settle "$work" "$name"
}

docker() {
	name=docker-26.1.5
	[ ! -d "$cache/$name" ] || return 0
	say "getting dockerd 26.1.5"
	new_work
	unpack trixie "$work" docker.io
	mkdir "$work/bin"
	cp "$work/root/usr/sbin/dockerd" "$work/bin/"
	wants "$work/bin/dockerd" 26.1.5
	settle "$work" "$name"
}

bash() {
	name=bash-5.2
	[ ! -d "$cache/$name" ] || return 0
	say "getting a static bash"
	new_work
	unpack bookworm "$work" bash-static
	mkdir "$work/bin"
	cp "$work/root/bin/bash-static" "$work/bin/bash"
	wants "$work/bin/bash" 5.2
	settle "$work" "$name"
}

# cached WHAT… succeeds where all of it is there, and needs no lock.
cached() {
	for what; do
		case $what in
		containerd1) dir=containerd-1.6.20 ;;
		containerd2) dir=containerd-2.1.9 ;;
		docker) dir=docker-26.1.5 ;;
		bash) dir=bash-5.2 ;;
		*) die "unknown: $what (want containerd1, containerd2, docker or bash)" ;;
		esac
		[ -d "$cache/$dir" ] || return 1
	done
}

[ $# -gt 0 ] || set -- containerd1 bash docker containerd2
! cached "$@" || exit 0
exec 9>"$cache/lock"
flock 9
for what; do "$what"; done

#!/bin/sh
# fetch.sh [containerd1] [containerd2] [docker] [bash]     (without an argument: these)
# fetch.sh [kubernetes] [etcd] [cni] [criu] [auditd] [minio] [registry] [tmux] [podman] [softhsm] [swtpm] [nft]
#          [criu-sid] [podman-trixie]
#
# Gets real container runtimes into a cache of their own, unpacked and not
# installed: the machine's packages, package lists and services stay as they
# are. Silent where all is cached; safe to run several times at once.
#
#   containerd-1.6.20/bin   containerd, ctr, shim, runc 1.1.5, busybox (Debian 12)
#   containerd-2.1.9/bin    containerd, ctr, shim (built from the Go module), runc, busybox
#   docker-26.1.5/bin       dockerd (Debian 13)
#   bash-5.2/bin            bash, static: a shell that runs under any name (Debian 12)
#   kubernetes-1.36.3/bin   kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kubectl
#                           (built from the Go module)
#   etcd-3.4.23/bin         etcd (Debian 12)
#   cni-1.1.1/bin           bridge, host-local, loopback and the other plugins (Debian 12)
#   criu-4.1.1/bin          criu, which runs on the libraries beside it (Debian 13)
#   minio-20260212/bin      minio: an S3 server (built from the Go module; AGPL: run by tests, never linked)
#   registry-3.1.2/bin      registry: CNCF distribution's OCI registry (built from the Go module)
#   softhsm-2.6.1/bin, lib  pkcs11-tool, and SoftHSM's PKCS#11 module: a token in software (Debian 12)
#   swtpm-0.7.1/bin         swtpm: a TPM in software, whose libraries are in lib beside it (Debian 12)
#   nft-1.0.6/bin           nft, whose libraries are in lib beside it (Debian 12)
#   tmux-3.3a/bin           tmux, which runs on the libraries beside it (Debian 12)
#   auditd-3.0.9/bin        auditd and auditctl, whose libraries are in lib beside it (Debian 12)
#   podman-4.3.1/bin        podman and conmon, whose libraries are in lib beside it (Debian 12)
#   podman-5.4.2/bin        podman, conmon and netavark, which take the libraries of lib beside it (Debian 13)
#   criu-sid/bin            the CRIU of Debian's sid, 4.2 or later: as criu-4.1.1, and it gets on with newer
#                           kernels' sockets. That suite moves, and no other has one
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

# closure SUITE DIR PACKAGE is unpack for a package and all that it depends on.
closure() {
	suite=$1 dir=$2
	shift 2
	unpack "$suite" "$dir" "$@"
	apt "$suite" -o Dir::State::status=/dev/null -o "Dir::Cache::archives=$dir/debs" -o APT::Install-Recommends=false \
		--download-only --yes install "$@"
	for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$dir/root"; done
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

kubernetes() {
	name=kubernetes-1.36.3
	[ ! -d "$cache/$name" ] || return 0
	say "building Kubernetes 1.36.3 (about 6 minutes)"
	new_work
	mkdir "$work/bin"
	version=k8s.io/component-base/version
	(cd "$here/kubernetes" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X $version.gitVersion=v1.36.3 -X $version.gitMajor=1 -X $version.gitMinor=36" \
		-o "$work/bin/" k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager \
		k8s.io/kubernetes/cmd/kube-scheduler k8s.io/kubernetes/cmd/kubelet k8s.io/kubernetes/cmd/kubectl)
	wants "$work/bin/kubelet" v1.36.3
	wants "$work/bin/kube-apiserver" v1.36.3
	settle "$work" "$name"
}

minio() {
	name=minio-20260212
	[ ! -d "$cache/$name" ] || return 0
	say "building MinIO (about 3 minutes)"
	new_work
	mkdir "$work/bin"
	(cd "$here/minio" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false \
		-ldflags "-s -w" -o "$work/bin/" github.com/minio/minio)
	wants "$work/bin/minio" minio
	settle "$work" "$name"
}

registry() {
	name=registry-3.1.2
	[ ! -d "$cache/$name" ] || return 0
	say "building distribution's registry 3.1.2 (about 2 minutes)"
	new_work
	mkdir "$work/bin"
	(cd "$here/registry" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X github.com/distribution/distribution/v3/version.version=v3.1.2" \
		-o "$work/bin/" github.com/distribution/distribution/v3/cmd/registry)
	wants "$work/bin/registry" 3.1.2
	settle "$work" "$name"
}

etcd() {
	name=etcd-3.4.23
	[ ! -d "$cache/$name" ] || return 0
	say "getting etcd 3.4.23"
	new_work
	unpack bookworm "$work" etcd-server
	mkdir "$work/bin"
	cp "$work/root/usr/bin/etcd" "$work/bin/"
	wants "$work/bin/etcd" 3.4.23
	settle "$work" "$name"
}

cni() {
	name=cni-1.1.1
	[ ! -d "$cache/$name" ] || return 0
	say "getting the CNI plugins 1.1.1"
	new_work
	unpack bookworm "$work" containernetworking-plugins
	mkdir "$work/bin"
	cp "$work"/root/usr/lib/cni/* "$work/bin/"
	settle "$work" "$name"
}

# criu wants a newer libc than Debian 12's: it runs on that of its own suite,
# by the loader beside it.
criu() {
	name=criu-4.1.1
	[ ! -d "$cache/$name" ] || return 0
	say "getting criu 4.1.1"
	new_work
	unpack trixie "$work" criu libbsd0 libc6 libcompel1 libffi8 libgcc-s1 libgmp10 libgnutls30t64 libhogweed6t64 \
		libidn2-0 libjansson4 libmd0 libmnl0 libnet1 libnettle8t64 libnftables1 libnftnl11 libnl-3-200 \
		libp11-kit0 libprotobuf-c1 libtasn1-6 libunistring5 libuuid1 libxtables12
	mkdir "$work/bin" "$work/lib"
	cp -L "$work"/root/usr/lib/x86_64-linux-gnu/*.so* "$work/lib/"
	cp "$work/root/usr/sbin/criu" "$work/lib/criu"
	criu_wrapper
	wants "$work/bin/criu" 4.1.1
	settle "$work" "$name"
}

# criu_wrapper makes $work/bin/criu, which runs $work/lib/criu.
criu_wrapper() {
	cat >"$work/bin/criu" <<-'END'
		#!/bin/sh
		lib=$(CDPATH='' cd -- "$(dirname -- "$0")/../lib" && pwd)
		CRIU_CONFIG_FILE=${CRIU_CONFIG_FILE:-$lib/criu.conf}
		export CRIU_CONFIG_FILE
		exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$lib/criu" "$@"
	END
	# It would run iptables-restore otherwise, which may not be there.
	echo 'network-lock nftables' >"$work/lib/criu.conf"
	chmod 755 "$work/bin/criu"
}

criu_sid() {
	name=criu-sid
	[ ! -d "$cache/$name" ] || return 0
	say "getting the criu of sid"
	new_work
	closure sid "$work" criu
	mkdir "$work/bin" "$work/lib"
	find "$work/root" -name '*.so*' ! -type d -exec cp -L {} "$work/lib/" ';'
	cp "$work/root/usr/sbin/criu" "$work/lib/criu"
	criu_wrapper
	wants "$work/bin/criu" "Version: "
	settle "$work" "$name"
}

auditd() {
	name=auditd-3.0.9
	[ ! -d "$cache/$name" ] || return 0
	say "getting auditd 3.0.9"
	new_work
	unpack bookworm "$work" auditd libaudit1 libauparse0 libcap-ng0 libwrap0 libnsl2 libtirpc3 \
		libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libkeyutils1 libcom-err2
	mkdir "$work/bin" "$work/lib"
	cp "$work/root/sbin/auditd" "$work/root/sbin/auditctl" "$work/bin/"
	find "$work/root" -name 'lib*.so.*' -exec cp -L {} "$work/lib/" ';'
	settle "$work" "$name"
}

# with_libraries PATH makes $work/bin/NAME, which runs the program of that PATH below
# $work/root on the libraries of $work/lib.
with_libraries() {
	program=${1##*/}
	cp "$work/root/$1" "$work/lib/$program"
	cat >"$work/bin/$program" <<-END
		#!/bin/sh
		lib=\$(CDPATH='' cd -- "\$(dirname -- "\$0")/../lib" && pwd)
		LD_LIBRARY_PATH=\$lib exec "\$lib/$program" "\$@"
	END
	chmod 755 "$work/bin/$program"
}

# softhsm is a PKCS#11 token in software, and what makes keys in it.
softhsm() {
	name=softhsm-2.6.1
	[ ! -d "$cache/$name" ] || return 0
	say "getting SoftHSM 2.6.1 and OpenSC 0.23.0"
	new_work
	unpack bookworm "$work" libsofthsm2 opensc opensc-pkcs11
	mkdir "$work/bin" "$work/lib"
	find "$work/root" -name 'lib*.so*' -exec cp -L {} "$work/lib/" ';'
	with_libraries usr/bin/pkcs11-tool
	printf 'directories.tokendir = %s\n' "$work/debs" >"$work/debs/conf"
	SOFTHSM2_CONF=$work/debs/conf "$work/bin/pkcs11-tool" --module "$work/lib/libsofthsm2.so" --show-info 2>/dev/null | grep -Fq SoftHSM || die "SoftHSM's module cannot be loaded"
	settle "$work" "$name"
}

# swtpm is a TPM in software.
swtpm() {
	name=swtpm-0.7.1
	[ ! -d "$cache/$name" ] || return 0
	say "getting swtpm 0.7.1"
	new_work
	unpack bookworm "$work" swtpm swtpm-libs libtpms0 libseccomp2
	mkdir "$work/bin" "$work/lib"
	find "$work/root" -name 'lib*.so.*' -exec cp -L {} "$work/lib/" ';'
	with_libraries usr/bin/swtpm
	wants "$work/bin/swtpm" 0.7.1
	settle "$work" "$name"
}

# nft stands for anybody else who changes or reads tables.
nft() {
	name=nft-1.0.6
	[ ! -d "$cache/$name" ] || return 0
	say "getting nft 1.0.6"
	new_work
	unpack bookworm "$work" nftables libnftables1 libnftnl11 libjansson4 libedit2 libmnl0 libxtables12 libgmp10 libtinfo6 libbsd0 libmd0
	mkdir "$work/bin" "$work/lib"
	find "$work/root" -name 'lib*.so.*' -exec cp -L {} "$work/lib/" ';'
	with_libraries usr/sbin/nft
	wants "$work/bin/nft" 1.0.6
	settle "$work" "$name"
}

# tmux is the terminal that the screen is tested in.
tmux() {
	name=tmux-3.3a
	[ ! -d "$cache/$name" ] || return 0
	say "getting tmux 3.3a"
	new_work
	unpack bookworm "$work" tmux libevent-core-2.1-7 libtinfo6 libutempter0
	mkdir "$work/bin" "$work/lib"
	find "$work/root" -name 'lib*.so.*' -exec cp -L {} "$work/lib/" ';'
	with_libraries usr/bin/tmux
	"$work/bin/tmux" -V | grep -Fq 3.3a || die "tmux is not version 3.3a: $("$work/bin/tmux" -V)"
	settle "$work" "$name"
}

podman() {
	containerd1
	name=podman-4.3.1
	[ ! -d "$cache/$name" ] || return 0
	say "getting podman 4.3.1"
	new_work
	unpack bookworm "$work" podman conmon libsubid4 libgpgme11 libdevmapper1.02.1 libassuan0 libgpg-error0 libseccomp2 libglib2.0-0
	mkdir "$work/bin" "$work/lib"
	cp "$work/root/usr/bin/podman" "$work/root/usr/bin/conmon" "$work/bin/"
	find "$work/root" -name 'lib*.so.*' -exec cp -L {} "$work/lib/" ';'
	settle "$work" "$name"
}

# podman 5 keeps its containers in SQLite. It runs itself again under its own name, so
# its program is told which loader and libraries to take.
podman_trixie() {
	containerd1
	name=podman-5.4.2
	[ ! -d "$cache/$name" ] || return 0
	say "getting podman 5.4.2"
	new_work
	unpack bookworm "$work/tool" patchelf
	closure trixie "$work" podman conmon netavark
	mkdir "$work/bin" "$work/lib"
	find "$work/root" -name '*.so*' ! -type d -exec cp -L {} "$work/lib/" ';'
	cp "$work/root/usr/bin/podman" "$work/root/usr/bin/conmon" "$work/root/usr/lib/podman/netavark" "$work/bin/"
	for program in podman conmon netavark; do
		"$work/tool/root/usr/bin/patchelf" --set-interpreter "$cache/$name/lib/ld-linux-x86-64.so.2" \
			--force-rpath --set-rpath "$cache/$name/lib" "$work/bin/$program"
	done
	rm -rf "$work/tool"
	LD_LIBRARY_PATH='' "$work/lib/ld-linux-x86-64.so.2" --library-path "$work/lib" "$work/bin/podman" --version | grep -Fq 5.4.2 ||
		die "podman is not version 5.4.2"
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
		kubernetes) dir=kubernetes-1.36.3 ;;
		etcd) dir=etcd-3.4.23 ;;
		cni) dir=cni-1.1.1 ;;
		criu) dir=criu-4.1.1 ;;
		auditd) dir=auditd-3.0.9 ;;
		tmux) dir=tmux-3.3a ;;
		softhsm) dir=softhsm-2.6.1 ;;
		swtpm) dir=swtpm-0.7.1 ;;
		nft) dir=nft-1.0.6 ;;
		podman) dir=podman-4.3.1 ;;
		podman-trixie) dir=podman-5.4.2 ;;
		criu-sid) dir=criu-sid ;;
		minio) dir=minio-20260212 ;;
		registry) dir=registry-3.1.2 ;;
		*) die "unknown: $what (see the head of this script)" ;;
		esac
		[ -d "$cache/$dir" ] || return 1
	done
}

[ $# -gt 0 ] || set -- containerd1 bash docker containerd2
! cached "$@" || exit 0
exec 9>"$cache/lock"
flock 9
for what; do "$(printf %s "$what" | tr - _)"; done

package critical

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"amber/container/mountinfo"
)

const (
	unixTable = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01  3521 /run/containerd/containerd.sock
0000000000000000: 00000003 00000000 00000000 0001 03  3522 /run/docker.sock
0000000000000000: 00000002 00000000 00010000 0005 01 99123 @abstract name
0000000000000000: 00000002 00000000 00010000 0001 01  7
`
	udpTable = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  100: 4D00007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
  101: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 2 0
`
	trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.1.2.0
        /24 link UNICAST
     |-- 10.1.2.3
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
`
	inet6 = "fd000000000000000000000000000007 02 40 00 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n"
)

func TestParseUnix(t *testing.T) {
	got := parseUnix(unixTable)
	if len(got) != 2 || got[3521] != "/run/containerd/containerd.sock" || got[99123] != "@abstract name" {
		t.Errorf("%v", got)
	}
}

func TestParseInet(t *testing.T) {
	got := parseInet(udpTable)
	if len(got) != 2 || got[0].local.String() != "127.0.0.77:53" || got[0].inode != 4711 ||
		got[1].local.String() != "[::1]:22" || !got[1].listens {
		t.Errorf("%+v", got)
	}
}

func TestParseAddresses(t *testing.T) {
	got := slices.Sorted(func(yield func(string) bool) {
		for a := range maps.Keys(parseAddresses(trie, inet6)) {
			if !yield(a.String()) {
				return
			}
		}
	})
	if !slices.Equal(got, []string{"10.1.2.3", "fd00::7"}) {
		t.Error(got)
	}
}

func TestParseResolv(t *testing.T) {
	got := parseResolv("# x\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nsearch a\nnameserver x\n")
	if !slices.Equal(got, []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fe80::1")}) {
		t.Error(got)
	}
}

func TestParseSSH(t *testing.T) {
	if p, ok := parseSSH("SSH_CONNECTION=10.0.0.9 50000 10.0.0.1 22"); !ok || p != (ports{22, 50000}) {
		t.Error(p, ok)
	}
	for _, bad := range []string{"", "SSH_CONNECTION=", "SSH_CONNECTION=a b c d", "X=10.0.0.9 50000 10.0.0.1 22"} {
		if _, ok := parseSSH(bad); ok {
			t.Error(bad)
		}
	}
}

func TestServer(t *testing.T) {
	table := mountinfo.Parse([]byte("60 27 0:52 / /mnt/a\\040b rw - fuse.sshfs x rw,user_id=0\n" +
		"61 27 0:53 / /mnt/n rw shared:2 - nfs4 h:/e rw,vers=4.2,addr=10.1.2.3\nrubbish\n" +
		"62 27 0:54 / /mnt/9 rw - 9p 10.1.2.4 rw,trans=tcp\n"))
	got := table.Mounts
	if len(got) != 3 || got[0].FSType != "fuse.sshfs" || got[0].Dev.String() != "0:52" {
		t.Fatalf("%+v", got)
	}
	if server(&got[0]).IsValid() || server(&got[1]).String() != "10.1.2.3" || server(&got[2]).String() != "10.1.2.4" {
		t.Error(server(&got[0]), server(&got[1]), server(&got[2]))
	}
}

func TestFdinfo(t *testing.T) {
	if n, ok := terminalIndex([]byte("pos:\t0\nflags:\t02\ntty-index:\t7\n")); !ok || n != 7 {
		t.Error(n, ok)
	}
	if got := []int{ptsIndex(136<<8 | 3), ptsIndex(137<<8 | 1), ptsIndex(4<<8 | 1), ptsIndex(0)}; !slices.Equal(got, []int{3, 257, -1, -1}) {
		t.Error(got)
	}
	if !asksPermission("fanotify flags:4 event-flags:0\nfanotify ino:c sdev:1 mflags: 0 mask:10000 ignored_mask:0\n") {
		t.Error("FAN_OPEN_PERM was overlooked")
	}
	if asksPermission("fanotify mnt_id:12 mflags:0 mask:38 ignored_mask:70000\n") {
		t.Error("events that ask nothing were taken for questions")
	}
}

func TestRepository(t *testing.T) {
	for ref, want := range map[string]string{
		"nginx": "nginx", "a/b:1": "a/b", "h:5000/a/b": "h:5000/a/b", "h:5000/a/b:2@sha256:ff": "h:5000/a/b", "": "",
	} {
		if got := Repository(ref); got != want {
			t.Errorf("%q: %q", ref, got)
		}
	}
}

func FuzzKernelText(f *testing.F) {
	for _, s := range []string{unixTable, udpTable, trie, inet6, "tty-index:\t7\n", "fanotify mask:10000", "nameserver ::1", "a - b c d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for inode := range parseUnix(s) {
			if inode == 0 {
				t.Error("an inode of 0")
			}
		}
		for _, k := range parseInet(s) {
			if !k.local.IsValid() || k.inode == 0 {
				t.Errorf("%+v", k)
			}
		}
		for a := range parseAddresses(s, s) {
			if a.IsLoopback() {
				t.Error(a)
			}
		}
		parseResolv(s)
		for _, m := range mountinfo.Parse([]byte(s)).Mounts {
			server(&m)
		}
		parseSSH("SSH_CONNECTION=" + s)
		terminalIndex([]byte(s))
		asksPermission(s)
		if r := Repository(s); len(r) > len(s) {
			t.Error(r)
		}
		if !Holds("/"+s, "/"+s) {
			t.Errorf("%q does not hold itself", s)
		}
	})
}

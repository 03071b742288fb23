package network

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/collect/collecttest"
	"amber/container"
	"amber/evidence/record"
	"amber/testdata/testbed"

	"golang.org/x/sys/unix"
)

// TestMain is also the child of the tests: a process in a network namespace of
// its own that has sockets of many kinds.
func TestMain(m *testing.M) {
	if os.Getenv("AMBER_TEST_ROLE") == "" {
		os.Exit(m.Run())
	}
	if err := openSockets(os.Getenv("AMBER_TEST_ROLE")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for { // without cgo, "select {}" is a deadlock
		time.Sleep(time.Hour)
	}
}

// held keeps the child's sockets from being closed.
var held []any

func openSockets(dir string) error {
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, out)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:4444")
	if err != nil {
		return err
	}
	c, err := net.Dial("tcp4", "127.0.0.1:4444")
	if err != nil {
		return err
	}
	server, err := l.Accept()
	if err != nil {
		return err
	}
	if _, err := c.Write([]byte("unread")); err != nil {
		return err
	}
	l6, err := net.Listen("tcp6", "[::1]:4445")
	if err != nil {
		return err
	}
	u, err := net.ListenPacket("udp4", "127.0.0.1:4446")
	if err != nil {
		return err
	}
	x, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		return err
	}
	abstract, err := net.Listen("unix", "@amber\xff")
	if err != nil {
		return err
	}
	raw, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	if err != nil {
		return err
	}
	packet, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(0x0300)) // htons(ETH_P_ALL)
	if err != nil {
		return err
	}
	// return 0xffff: what a sniffer that waits for a magic packet begins with
	filter := []unix.SockFilter{{Code: 0x06, K: 0xffff}}
	if err := unix.SetsockoptSockFprog(packet, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &filter[0]}); err != nil {
		return err
	}
	// A family that no list has; not every kernel does either.
	if alg, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0); err == nil {
		held = append(held, alg)
	}
	held = append(held, l, c, server, l6, u, x, abstract, raw, packet)
	return nil
}

type keeper struct {
	*collecttest.Recorder
	Bytes map[string][]byte
}

func (k *keeper) Add(m *record.Member, r io.Reader) error {
	var b bytes.Buffer
	err := k.Recorder.Add(m, io.TeeReader(r, &b))
	k.Bytes[m.Path] = b.Bytes()
	return err
}

func read[T any](t *testing.T, k *keeper, path string) []T {
	t.Helper()
	if k.Members[path] == nil {
		t.Fatalf("no %s; misses: %v", path, k.Misses)
	}
	var all []T
	for line := range bytes.Lines(k.Bytes[path]) {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, v)
	}
	return all
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes and enters network namespaces")
	}
}

// child starts the process with the sockets, in a namespace of its own.
func child(t *testing.T) int {
	t.Helper()
	needRoot(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "AMBER_TEST_ROLE="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("the child says %q %v", line, err)
	}
	return cmd.Process.Pid
}

func options(pids ...int) Options {
	return Options{PIDs: func(container.Container) ([]container.Process, error) {
		var all []container.Process
		for _, p := range pids {
			all = append(all, container.Process{PID: p})
		}
		return all, nil
	}}
}

func collected(t *testing.T, c container.Container, o Options) *keeper {
	t.Helper()
	k := &keeper{collecttest.New(t), map[string][]byte{}}
	began := time.Now()
	if err := New(o).Collect(context.Background(), c, k); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d members in %v; misses %v", len(k.Members), time.Since(began), k.Misses)
	return k
}

// inside runs a command in the namespace of a process.
func inside(t *testing.T, pid int, args ...string) string {
	t.Helper()
	args = append([]string{"-n", "-t", fmt.Sprint(pid)}, args...)
	out, err := exec.Command("nsenter", args...).CombinedOutput()
	if err != nil {
		t.Skipf("nsenter %v: %v: %s", args, err, out)
	}
	return string(out)
}

func TestSocketsAndOwners(t *testing.T) {
	pid := child(t)
	k := collected(t, container.Container{PID: pid}, options(pid))
	all := read[record.NetSocket](t, k, "network/sockets.jsonl")
	find := func(what string, match func(record.NetSocket) bool) record.NetSocket {
		t.Helper()
		i := slices.IndexFunc(all, match)
		if i < 0 {
			t.Fatalf("no %s among %+v", what, all)
		}
		s := all[i]
		if s.Via != "sock_diag" || len(s.Owners) != 1 || s.Owners[0].PID != pid || s.Owners[0].FD == 0 {
			t.Errorf("%s: via %q, owners %+v", what, s.Via, s.Owners)
		}
		return s
	}
	find("listener", func(s record.NetSocket) bool {
		return s.Protocol == "tcp" && s.State == "listen" && s.Local == "127.0.0.1" && s.LocalPort == 4444
	})
	find("listener of IPv6", func(s record.NetSocket) bool {
		return s.Family == "inet6" && s.State == "listen" && s.Local == "::1" && s.LocalPort == 4445
	})
	conn := find("connection", func(s record.NetSocket) bool { return s.State == "established" && s.LocalPort == 4444 })
	if conn.RecvQueue != 6 || conn.TCP == nil || conn.TCP.BytesReceived != 6 {
		t.Errorf("connection: %+v %+v", conn, conn.TCP)
	}
	find("udp", func(s record.NetSocket) bool {
		return s.Protocol == "udp" && s.LocalPort == 4446 && s.State == "unconnected"
	})
	raw := all[slices.IndexFunc(all, func(s record.NetSocket) bool { return s.Type == "raw" && s.Family == "inet" })]
	if raw.Protocol != "icmp" || len(raw.Owners) != 1 || raw.Via != "sock_diag" && raw.Via != "/proc/net/raw" {
		t.Errorf("raw: %+v", raw) // raw_diag is a module of its own
	}
	find("unix", func(s record.NetSocket) bool {
		return s.State == "listen" && strings.HasSuffix(string(s.Path), "/sock")
	})
	find("abstract", func(s record.NetSocket) bool { return s.Path == "@amber\xff" })
	sniffer := find("packet", func(s record.NetSocket) bool { return s.Family == "packet" && s.Protocol == "all" })
	if len(sniffer.Filter) != 8 {
		t.Errorf("its filter: %x", sniffer.Filter)
	}
}

// TestAgreesWithSS compares the inode numbers that ss lists with ours.
func TestAgreesWithSS(t *testing.T) {
	pid := child(t)
	k := collected(t, container.Container{PID: pid}, options(pid))
	ours := map[string]bool{}
	for _, s := range read[record.NetSocket](t, k, "network/sockets.jsonl") {
		switch s.Protocol {
		case "tcp", "udp":
			ours[fmt.Sprint(s.Inode)] = true
		}
		if s.Family == "packet" {
			ours[fmt.Sprint(s.Inode)] = true
		}
	}
	theirs := map[string]bool{}
	for _, f := range strings.Fields(inside(t, pid, "ss", "-H", "-a", "-n", "-e", "-t", "-u", "-0")) {
		if n, ok := strings.CutPrefix(f, "ino:"); ok {
			theirs[n] = true
		}
	}
	if len(theirs) < 6 {
		t.Fatalf("ss lists %v", theirs)
	}
	for n := range theirs {
		if !ours[n] {
			t.Errorf("ss lists socket %s, and we do not", n)
		}
	}
	for n := range ours {
		if !theirs[n] {
			t.Errorf("we list socket %s, and ss does not", n)
		}
	}
}

// TestProcNetTellsTheSame has no sock_diag to ask, and must find the same in
// /proc/net.
func TestProcNetTellsTheSame(t *testing.T) {
	pid := child(t)
	want := socketKeys(t, pid, func(*space) {})
	got := socketKeys(t, pid, func(n *space) { n.diag.close(); n.diag = nil })
	if len(want) < 9 || !slices.Equal(got, want) {
		t.Errorf("from /proc/net:\n%s\nfrom sock_diag:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestInterfacesAgreeWithIP(t *testing.T) {
	pid := child(t)
	inside(t, pid, "ip", "link", "add", "amber0", "type", "veth", "peer", "name", "amber1")
	inside(t, pid, "ip", "addr", "add", "192.0.2.1/24", "dev", "amber0")
	inside(t, pid, "ip", "addr", "add", "2001:db8::1/64", "dev", "amber0", "nodad")
	inside(t, pid, "ip", "link", "set", "amber0", "up")
	inside(t, pid, "ip", "link", "set", "amber1", "up")
	inside(t, pid, "ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.9", "table", "77")
	inside(t, pid, "ip", "route", "add", "blackhole", "203.0.113.0/24")
	inside(t, pid, "ip", "rule", "add", "from", "192.0.2.0/24", "table", "77", "priority", "99")
	inside(t, pid, "ip", "neigh", "add", "192.0.2.9", "lladdr", "02:00:00:00:00:09", "dev", "amber0")
	k := collected(t, container.Container{PID: pid}, options(pid))
	links := read[record.Interface](t, k, "network/interfaces.jsonl")
	var theirs []struct {
		Index int    `json:"ifindex"`
		Name  string `json:"ifname"`
		MTU   int    `json:"mtu"`
		MAC   string `json:"address"`
		State string `json:"operstate"`
		Addrs []struct {
			Local  string `json:"local"`
			Prefix int    `json:"prefixlen"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(inside(t, pid, "ip", "-j", "addr")), &theirs); err != nil {
		t.Fatal(err)
	}
	if len(theirs) != len(links) {
		t.Fatalf("ip lists %d links, we %d", len(theirs), len(links))
	}
	for i, want := range theirs {
		got := links[i]
		if got.Index != want.Index || string(got.Name) != want.Name || got.MTU != want.MTU ||
			!strings.EqualFold(got.State, want.State) || got.MAC != want.MAC && want.Name != "lo" || len(got.Addresses) != len(want.Addrs) {
			t.Errorf("%+v, ip has %+v", got, want)
			continue
		}
		for j, a := range want.Addrs {
			if got.Addresses[j].Address != fmt.Sprintf("%s/%d", a.Local, a.Prefix) {
				t.Errorf("%+v, ip has %+v", got.Addresses[j], a)
			}
		}
	}
	veth := links[slices.IndexFunc(links, func(l record.Interface) bool { return l.Name == "amber0" })]
	peer := links[slices.IndexFunc(links, func(l record.Interface) bool { return l.Name == "amber1" })]
	if veth.Kind != "veth" || veth.Peer != peer.Index || veth.Stats == nil {
		t.Errorf("veth: %+v", veth)
	}
	routes := read[record.Route](t, k, "network/routes.jsonl")
	want := []string{"77 unicast 198.51.100.0/24 192.0.2.9", "254 blackhole 203.0.113.0/24 "}
	for _, w := range want {
		if !slices.ContainsFunc(routes, func(r record.Route) bool {
			return fmt.Sprintf("%d %s %s %s", r.Table, r.Type, r.Destination, r.Gateway) == w
		}) {
			t.Errorf("no route %q in %+v", w, routes)
		}
	}
	if n := strings.Count(inside(t, pid, "ip", "route", "show", "table", "all"), "\n"); n > len(routes) {
		t.Errorf("ip lists %d routes, we %d", n, len(routes))
	}
	if r := read[record.Rule](t, k, "network/rules.jsonl"); !slices.ContainsFunc(r, func(r record.Rule) bool {
		return r.Priority == 99 && r.Source == "192.0.2.0/24" && r.Table == 77
	}) {
		t.Errorf("rules: %+v", r)
	}
	if n := read[record.Neighbour](t, k, "network/neighbours.jsonl"); !slices.ContainsFunc(n, func(n record.Neighbour) bool {
		return n.Address == "192.0.2.9" && n.MAC == "02:00:00:00:00:09" && n.State == "permanent"
	}) {
		t.Errorf("neighbours: %+v", n)
	}
}

func TestNFTablesAndConntrack(t *testing.T) {
	pid := child(t)
	rules := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(rules, []byte(`table inet amber {
	set bad { type ipv4_addr; elements = { 192.0.2.66, 192.0.2.67 } }
	chain in {
		type filter hook input priority -5; policy accept;
		ct state established counter accept comment "hello"
		ip saddr @bad drop
		tcp dport 22 reject
	}
}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := testbed.Fetch("nft"); err != nil {
		t.Fatal(err)
	}
	inside(t, pid, testbed.NFT(), "-f", rules)
	if _, err := exec.Command("nsenter", "-n", "-t", fmt.Sprint(pid), "sh", "-c", "echo x >/dev/tcp/127.0.0.1/4444").CombinedOutput(); err != nil {
		inside(t, pid, "bash", "-c", "echo x >/dev/tcp/127.0.0.1/4444")
	}
	k := collected(t, container.Container{PID: pid}, options(pid))
	all := read[record.NFT](t, k, "network/nft.jsonl")
	count := map[string]int{}
	for _, o := range all {
		count[o.Kind]++
		if o.Table != "amber" || o.Family != "inet" {
			t.Errorf("%+v", o)
		}
	}
	if count["table"] != 1 || count["chain"] != 1 || count["rule"] != 3 || count["set"] != 1 || count["element"] != 2 {
		t.Errorf("objects: %v", count)
	}
	chain := all[slices.IndexFunc(all, func(o record.NFT) bool { return o.Kind == "chain" })]
	if chain.Name != "in" || chain.Hook != "input" || chain.Priority != -5 || chain.Policy != "accept" || chain.Type != "filter" {
		t.Errorf("chain: %+v", chain)
	}
	rule := all[slices.IndexFunc(all, func(o record.NFT) bool { return o.Kind == "rule" })]
	var names []string
	for _, e := range rule.Expressions {
		names = append(names, e.Name)
		if len(e.Data) == 0 || len(e.Fields) == 0 {
			t.Errorf("expression %+v", e)
		}
	}
	if rule.Comment != "hello" || strings.Join(names, " ") != "ct bitwise cmp counter immediate" {
		t.Errorf("rule: %q %v", rule.Comment, names)
	}
	if raw := k.Bytes["network/nft.netlink"]; !bytes.Contains(raw, []byte("amber\x00")) {
		t.Errorf("the raw messages: %d bytes", len(raw))
	}
	flows := read[record.Flow](t, k, "network/conntrack.jsonl")
	if !slices.ContainsFunc(flows, func(f record.Flow) bool {
		return f.Protocol == "tcp" && f.Original.DestinationPort == 4444 && f.Original.Destination == "127.0.0.1" && f.State != ""
	}) {
		t.Errorf("flows: %+v", flows)
	}
}

func TestHostAndItsMark(t *testing.T) {
	pid := child(t)
	k := collected(t, container.Container{PID: pid}, options(pid))
	spaces := read[record.NetNS](t, k, "network/namespaces.jsonl")
	if len(spaces) != 2 || spaces[0].Role != "container" || spaces[0].Dir != "network" || spaces[1].Role != "host" || spaces[1].Dir != "network/host" {
		t.Fatalf("namespaces: %+v", spaces)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	k = collected(t, container.Container{PID: pid}, options(pid))
	port := uint32(l.Addr().(*net.TCPAddr).Port)
	for _, s := range read[record.NetSocket](t, k, "network/host/sockets.jsonl") {
		if s.LocalPort == port && s.State == "listen" {
			if len(s.Owners) > 0 {
				t.Errorf("an owner that is not the container's: %+v", s.Owners)
			}
			return
		}
	}
	t.Errorf("the host's listener on %d is not there", port)
}

func TestSharedWithHostAndThirdNamespace(t *testing.T) {
	pid := child(t)
	k := collected(t, container.Container{PID: os.Getpid()}, options(os.Getpid(), pid))
	spaces := read[record.NetNS](t, k, "network/namespaces.jsonl")
	if len(spaces) != 2 || spaces[0].Role != "shared" || len(spaces[0].Notes) == 0 || spaces[1].Role != "other" {
		t.Fatalf("namespaces: %+v", spaces)
	}
	for path := range k.Members {
		if strings.HasPrefix(path, "network/host/") {
			t.Fatalf("read twice: %s", path)
		}
	}
	if s := read[record.NetSocket](t, k, spaces[1].Dir+"/sockets.jsonl"); !slices.ContainsFunc(s, func(s record.NetSocket) bool { return s.LocalPort == 4444 }) {
		t.Errorf("the third namespace's sockets: %+v", s)
	}
}

func TestSocketThatNoListHas(t *testing.T) {
	if fd, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0); err != nil {
		t.Skipf("no AF_ALG: %v", err)
	} else {
		unix.Close(fd)
	}
	pid := child(t)
	k := collected(t, container.Container{PID: pid}, options(pid))
	all := read[record.NetSocket](t, k, "network/unlisted.jsonl")
	if len(all) != 1 || len(all[0].Owners) != 1 || all[0].Owners[0].PID != pid || all[0].Inode == 0 {
		t.Errorf("unlisted: %+v", all)
	}
}

// What a thread opens that has its own table of files, and a network namespace
// of its own, is the process's nowhere else.
func TestThreadOfItsOwn(t *testing.T) {
	needRoot(t)
	tid, failed := make(chan int, 1), make(chan error, 1)
	done := make(chan struct{})
	defer close(done)
	var open func()
	open = func() {
		runtime.LockOSThread()            // and never unlocked: the thread ends here
		if unix.Gettid() == os.Getpid() { // what it has is the whole process's
			go open()
			<-done
			runtime.UnlockOSThread()
			return
		}
		err := unix.Unshare(unix.CLONE_FILES | unix.CLONE_NEWNET)
		fd := -1
		if err == nil {
			fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		}
		if err == nil {
			err = unix.Listen(fd, 1)
		}
		failed <- err
		tid <- unix.Gettid()
		<-done
	}
	go open()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	pid, thread := os.Getpid(), <-tid
	k := collected(t, container.Container{PID: pid}, options(pid))
	if len(k.Misses) > 0 {
		t.Errorf("misses: %v", k.Misses)
	}
	for path := range k.Bytes {
		if !strings.HasPrefix(path, "network/netns/") || !strings.HasSuffix(path, "/sockets.jsonl") {
			continue
		}
		for _, s := range read[record.NetSocket](t, k, path) {
			if s.State == "listen" && len(s.Owners) == 1 && s.Owners[0].PID == pid && s.Owners[0].Thread == thread {
				return
			}
		}
	}
	t.Error("the thread's socket is not told, or not as its own")
}

// TestMainThreadStays enters namespaces often enough to have been scheduled on
// the main thread, whose namespace must stay its own.
func TestMainThreadStays(t *testing.T) {
	pid := child(t)
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	held := openFiles(t)
	for range 20 {
		collected(t, container.Container{PID: pid}, options(pid))
	}
	if n := openFiles(t); n > held {
		t.Errorf("%d descriptors before, %d after", held, n)
	}
	after, err := os.Readlink("/proc/self/ns/net")
	if err != nil || after != before {
		t.Errorf("from %s to %s (%v)", before, after, err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestDeadContainer(t *testing.T) {
	needRoot(t)
	k := collected(t, container.Container{Runtime: "test", ID: "dead"}, Options{})
	for _, path := range []string{"network", "network/etc", "network/owners"} {
		if k.Misses[path] == "" {
			t.Errorf("no miss of %s: %v", path, k.Misses)
		}
	}
	read[record.NetSocket](t, k, "network/host/sockets.jsonl")
}

func TestFilesOfTheContainer(t *testing.T) {
	pid := child(t)
	k := collected(t, container.Container{PID: pid}, options(pid))
	want, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Skip(err)
	}
	if got := k.Bytes["network/etc/hosts"]; !bytes.Equal(got, want) {
		t.Errorf("hosts: %q", got)
	}
	if s := string(k.Bytes["network/sysctl.txt"]); !strings.Contains(s, "net.ipv4.ip_forward = "+inside(t, pid, "cat", "/proc/sys/net/ipv4/ip_forward")) {
		t.Errorf("sysctls: %q", s)
	}
	if !bytes.Contains(k.Bytes["network/proc/tcp"], []byte("0100007F:115C")) {
		t.Errorf("proc/tcp: %q", k.Bytes["network/proc/tcp"])
	}
}

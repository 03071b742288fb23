package probes

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"amber/container"
	"amber/container/netns"
	"amber/container/procfs"
	"amber/isolate"
)

// stage is a pod's network: a process in a namespace of its own, and a veth to
// the host, which has two addresses on it.
type stage struct {
	ns          *netns.NS
	proc        *exec.Cmd
	node, other []netip.Addr // v4, v6
	pods        []netip.Addr
	link        string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	var r [4]byte
	if _, err := rand.Read(r[:]); err != nil {
		t.Fatal(err)
	}
	id := hex.EncodeToString(r[:])
	s := &stage{proc: exec.Command("sleep", "1000"), link: "amph" + id}
	s.proc.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET} // no Pdeathsig: the thread that starts it may end first
	must(t, s.proc.Start())
	t.Cleanup(s.kill)
	var err error
	s.ns, err = netns.Of(s.proc.Process.Pid, 0)
	must(t, err)
	t.Cleanup(s.ns.Close)
	addr := func(n byte) []netip.Addr {
		v6 := [16]byte{0: 0xfd, 1: 0xa0, 2: r[0], 3: r[1], 4: r[2], 5: r[3], 15: n}
		return []netip.Addr{netip.AddrFrom4([4]byte{198, 18 | r[0]&1, r[1], r[2]&^7 | n}), netip.AddrFrom16(v6)}
	}
	s.pods, s.node, s.other = addr(2), addr(3), addr(5)
	s.wire(t, "ampp"+id)
	return s
}

func (s *stage) wire(t *testing.T, peer string) {
	t.Helper()
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: s.link}, PeerName: peer}))
	t.Cleanup(func() {
		if l, err := netlink.LinkByName(s.link); err == nil {
			_ = netlink.LinkDel(l)
		}
	})
	p, err := netlink.LinkByName(peer)
	must(t, err)
	must(t, netlink.LinkSetNsPid(p, s.proc.Process.Pid))
	must(t, address(s.link, s.node))
	must(t, address(s.link, s.other))
	must(t, s.ns.Do(func() error { return errors.Join(address("lo", nil), address(peer, s.pods)) }))
	rs, err := routes(s.pods)
	must(t, err)
	for i, r := range rs { // which of the two is the kernel's choice
		if r.Node == s.other[i] {
			s.node[i], s.other[i] = s.other[i], s.node[i]
		}
	}
}

// mount keeps the namespace by a file, as CNI plugins do.
func (s *stage) mount(t *testing.T) {
	t.Helper()
	const dir = "/run/netns"
	if err := os.Mkdir(dir, 0o755); err == nil {
		t.Cleanup(func() { _ = os.Remove(dir) })
	}
	at := filepath.Join(dir, s.link)
	must(t, os.WriteFile(at, nil, 0o600))
	t.Cleanup(func() { _ = os.Remove(at) })
	must(t, unix.Mount(fmt.Sprintf("/proc/%d/ns/net", s.proc.Process.Pid), at, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(at, unix.MNT_DETACH)) })
}

// address brings a link up with addresses.
func address(link string, addrs []netip.Addr) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	errs := []error{netlink.LinkSetUp(l)}
	for _, a := range addrs {
		bits := 29
		if a.Is6() {
			bits = 64
		}
		ip := &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}
		errs = append(errs, netlink.AddrAdd(l, &netlink.Addr{IPNet: ip, Flags: unix.IFA_F_NODAD}))
	}
	return errors.Join(errs...)
}

func (s *stage) kill() {
	_ = s.proc.Process.Kill()
	_ = s.proc.Wait()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// target is the pod as an adapter shows it.
func (s *stage) target() isolate.Target {
	c := container.Container{
		Runtime: "test", ID: s.link, PID: s.proc.Process.Pid, State: container.Paused,
		Pod: &container.Pod{Namespace: "prod", Name: "web", Container: "main"},
	}
	return isolate.Target{Name: "pod/prod/web", Containers: []container.Container{c}}
}

// pod is the pod as the API server shows it.
func (s *stage) pod(containers ...corev1.Container) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name = "prod", "web"
	p.Spec.Containers = containers
	p.Status.PodIP = s.pods[0].String()
	for _, a := range s.pods {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: a.String()})
	}
	return p
}

func give(p *corev1.Pod) func(context.Context, string, string) (*corev1.Pod, error) {
	return func(context.Context, string, string) (*corev1.Pod, error) { return p, nil }
}

// serve is the pod's own server on a port, which says "own" to HTTP.
func (s *stage) serve(t *testing.T, port int) {
	t.Helper()
	must(t, s.ns.Do(func() error {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "own") })}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
		return nil
	}))
}

// get asks over HTTP from one of the host's addresses: the status and body.
func get(from, to netip.Addr, port int, target string, header ...string) (string, error) {
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
	c, err := d.Dial("tcp", netip.AddrPortFrom(to, uint16(port)).String())
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	host := "pod"
	rest := ""
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			host = header[i+1]
			continue
		}
		rest += header[i] + ": " + header[i+1] + "\r\n"
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", target, host, rest)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, body)), err
}

// build builds testdata/holder once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "amber-probes-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "holder")
	cmd := exec.Command("go", "build", "-tags", "fault", "-o", bin, "./testdata/holder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building holder: %w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built {
		if bin, err := build(); err == nil {
			_ = os.RemoveAll(filepath.Dir(bin))
		}
	}
	os.Exit(code)
}

var built bool

func holderBin(t *testing.T) string {
	t.Helper()
	bin, err := build()
	built = true
	must(t, err)
	return bin
}

// nowhere are folders for what a method leaves on the host.
func nowhere(t *testing.T) (caseDir string) {
	t.Helper()
	t.Setenv("AMBER_HOLDS", filepath.Join(t.TempDir(), "holds"))
	t.Setenv("AMBER_RUN", filepath.Join(t.TempDir(), "run"))
	return t.TempDir()
}

func (s *stage) plan(t *testing.T, pod *corev1.Pod) (*Method, isolate.Plan) {
	t.Helper()
	m := New(Options{Exe: holderBin(t), CaseID: "test", Pod: give(pod)})
	p, err := m.Plan(context.Background(), s.target())
	must(t, err)
	return m, p
}

// shield plans and applies, and checks what Verify says.
func (s *stage) shield(t *testing.T, pod *corev1.Pod) (*Method, isolate.Entry) {
	t.Helper()
	dir := nowhere(t)
	m, p := s.plan(t, pod)
	e, err := isolate.Apply(context.Background(), dir, m, p)
	if err != nil {
		t.Fatalf("%v: %+v", err, e)
	}
	t.Cleanup(func() { s.release(t, m, dir) })
	verify(t, m, e, true)
	return m, e
}

func verify(t *testing.T, m *Method, e isolate.Entry, want bool) []isolate.Check {
	t.Helper()
	checks, err := m.Verify(context.Background(), e.Receipt)
	must(t, err)
	all := true
	for _, c := range checks {
		all = all && c.OK
		t.Logf("%v\t%s: %s", c.OK, c.Name, c.Got)
	}
	if all != want || len(checks) == 0 {
		t.Errorf("the checks say %v, want %v: %+v", all, want, checks)
	}
	return checks
}

// release releases what a case holds, and checks that nothing is left.
func (s *stage) release(t *testing.T, m *Method, dir string) {
	t.Helper()
	revert(t, m, dir)
	s.clean(t, "after the release")
}

func revert(t *testing.T, m *Method, dir string) {
	t.Helper()
	entries, err := isolate.Load(dir)
	must(t, err)
	if _, err = isolate.Release(context.Background(), entries, func(string) (isolate.Method, error) { return m, nil }); err != nil {
		t.Errorf("%v", err)
	}
}

// clean checks that no process, table or file of a shield is left.
func (s *stage) clean(t testing.TB, when string) {
	t.Helper()
	left, err := os.ReadDir(RunDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) || len(left) > 0 {
		t.Errorf("%s: files are left: %v %v", when, left, err)
	}
	if n := tables(t, s.ns); n != 0 {
		t.Errorf("%s: %d tables are left", when, n)
	}
	if pids := responders(t); len(pids) > 0 {
		t.Errorf("%s: responders are left: %v", when, pids)
	}
}

func tables(t testing.TB, ns *netns.NS) (n int) {
	t.Helper()
	must(t, ns.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		all, err := c.ListTables()
		n = len(all)
		return err
	}))
	return n
}

// untilEnded waits for the end of a process: its command line is gone before
// all of its threads are.
func untilEnded(t *testing.T, pid int) {
	t.Helper()
	until(t, "the end of the responder", func() bool {
		st, err := procfs.ReadStat(pid)
		return err != nil || st.Ended()
	})
}

// responders are the running responders of this test: those whose
// configuration is in its folder.
func responders(t testing.TB) (found []int) {
	t.Helper()
	pids, err := procfs.Pids()
	must(t, err)
	for _, pid := range pids {
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(args), Verb+"\x00"+RunDir()) {
			found = append(found, pid)
		}
	}
	return found
}

func httpGet(port int, path string, header ...string) *corev1.Probe {
	h := &corev1.HTTPGetAction{Port: intstr.FromInt(port), Path: path}
	for i := 0; i+1 < len(header); i += 2 {
		h.HTTPHeaders = append(h.HTTPHeaders, corev1.HTTPHeader{Name: header[i], Value: header[i+1]})
	}
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: h}}
}

func httpsGet(port int, path string) *corev1.Probe {
	p := httpGet(port, path)
	p.HTTPGet.Scheme = corev1.URISchemeHTTPS
	return p
}

func tcp(port int) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt(port)}}}
}

func rpc(port int32, service string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port, Service: &service}}}
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return string(b)
}

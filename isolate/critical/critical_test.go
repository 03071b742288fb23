package critical

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"amber/container"
	"amber/isolate"
	"amber/isolate/isolatetest"
)

// The test binary is also the programs that the tests put into containers: its
// environment says which.
const (
	roleEnv   = "AMBER_CRITICAL_ROLE"
	targetEnv = "AMBER_CRITICAL_TARGET"
	outEnv    = "AMBER_CRITICAL_OUT"
)

func TestMain(m *testing.M) {
	role, arg, _ := strings.Cut(os.Getenv(roleEnv), " ")
	act, ok := map[string]func(string) error{
		"probe": probe, "listen": listen, "udp": listenUDP, "tcp": listenTCP,
		"mute": mute, "fanotify": fanotify, "terminal": terminal,
	}[role]
	if !ok {
		os.Exit(m.Run())
	}
	if err := act(arg); err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

// probe is amber: the real code, run in the place that the test has put it.
func probe(string) error {
	var c container.Container
	if err := json.Unmarshal([]byte(os.Getenv(targetEnv)), &c); err != nil {
		return err
	}
	if c.PID < 0 { // "my own parent", which the test cannot know beforehand
		c.PID = os.Getppid()
	}
	r := Check(context.Background(), isolate.Target{Containers: []container.Container{c}}, Observe(Self{}))
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(os.Getenv(outEnv)+".tmp", data, 0o600); err != nil {
		return err
	}
	return os.Rename(os.Getenv(outEnv)+".tmp", os.Getenv(outEnv))
}

func listen(path string) error {
	if _, err := net.Listen("unix", path); err != nil {
		return err
	}
	return ready()
}

func listenTCP(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	for { // without cgo, "select {}" is a deadlock
		time.Sleep(time.Hour)
	}
}

func listenUDP(addr string) error {
	if _, err := net.ListenPacket("udp", addr); err != nil {
		return err
	}
	return ready()
}

func mute(dir string) error {
	if _, err := isolatetest.Mute(dir); err != nil {
		return err
	}
	return ready()
}

// fanotify wants to be asked before one file is opened.
func fanotify(path string) error {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_NONBLOCK, unix.O_RDONLY)
	if err != nil {
		return err
	}
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_PERM, unix.AT_FDCWD, path); err != nil {
		return err
	}
	return ready()
}

// terminal is a terminal emulator in which amber is started.
func terminal(string) error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		return err
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"=probe")
	cmd.Stdin = slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Run(); err != nil {
		return err
	}
	return ready()
}

func ready() error {
	fmt.Println("ready")
	for { // without cgo, "select {}" is a deadlock
		time.Sleep(time.Hour)
	}
}

// start runs the test binary in a role in a box and waits for its first line.
func start(t *testing.T, role string, opts ...isolatetest.Option) (*isolatetest.Box, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := isolatetest.Start(t, []string{os.Args[0]}, append(opts, isolatetest.Env(roleEnv+"="+role), isolatetest.Output(w))...)
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 200)
	n, err := r.Read(buf)
	if err != nil {
		t.Skipf("the role %q cannot be played here: %v", role, err)
	}
	return b, strings.TrimSpace(string(buf[:n]))
}

// probeEnv is the environment of a probe, and result what it wrote.
func probeEnv(t *testing.T, c container.Container) (env []string, result func() Report) {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "report")
	return []string{roleEnv + "=probe", targetEnv + "=" + string(data), outEnv + "=" + out}, func() Report {
		t.Helper()
		var r Report
		isolatetest.Until(t, "the probe's report", func() bool {
			data, err := os.ReadFile(out)
			return err == nil && json.Unmarshal(data, &r) == nil
		})
		return r
	}
}

// amberIn runs the probe by a shell command, in which $AMBER is the probe.
func amberIn(t *testing.T, c container.Container, script string) Report {
	t.Helper()
	env, result := probeEnv(t, c)
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = append(append(os.Environ(), env...), "AMBER="+os.Args[0])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return result()
}

func check(c container.Container, self Self) Report {
	return Check(context.Background(), isolate.Target{Containers: []container.Container{c}}, Observe(self))
}

func has(t *testing.T, r Report, want string) {
	t.Helper()
	for _, reason := range r.Reasons {
		if strings.Contains(reason, want) {
			t.Log(reason)
			return
		}
	}
	t.Errorf("no reason says %q: %+v", want, r)
}

func sleeper(t *testing.T, opts ...isolatetest.Option) *isolatetest.Box {
	return isolatetest.Start(t, []string{"sleep", "1000"}, opts...)
}

func TestOrdinaryContainerIsNotCritical(t *testing.T) {
	b := sleeper(t)
	c := b.Container()
	c.Spec, c.Image.Ref = &specs.Spec{}, "docker.io/library/nginx:1.29@sha256:00"
	c.Labels = map[string]string{"app": "shop", "tier": "backend"}
	c.Pod = &container.Pod{Namespace: "shop", Name: "cart-1", UID: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", Container: "etcd"}
	begin := time.Now()
	r := check(c, Self{})
	t.Logf("took %s", time.Since(begin))
	if len(r.Reasons) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAmberInTheTargetsCgroup(t *testing.T) {
	for name, opts := range map[string][]isolatetest.Option{
		"both": nil, "version 1": {isolatetest.OnlyV1()}, "version 2": {isolatetest.OnlyV2()},
	} {
		t.Run(name, func(t *testing.T) {
			b := sleeper(t, opts...)
			dir := b.V1 + b.V2 // one of them, or
			if b.V1 != "" {
				dir = b.V1
			}
			has(t, amberIn(t, b.Container(), "echo $$ >"+dir+"/cgroup.procs; exec $AMBER"), "amber itself runs in its cgroup")
			// The target's cgroup is an ancestor of amber's.
			sub := dir + "/sub"
			if err := os.Mkdir(sub, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Remove(sub) })
			has(t, amberIn(t, b.Container(), "echo $$ >"+sub+"/cgroup.procs; exec $AMBER"), "amber itself runs in its cgroup")
		})
	}
}

func TestAmberInTheTargetsPidNamespace(t *testing.T) {
	b := sleeper(t)
	has(t, amberIn(t, b.Container(), "exec nsenter --pid --target "+strconv.Itoa(b.PID)+" $AMBER"), "amber itself runs in its pid namespace")
}

// TestSessionInTheTarget: a shell in the container has started amber, which
// has left the container's cgroups since.
func TestSessionInTheTarget(t *testing.T) {
	env, result := probeEnv(t, container.Container{Runtime: "box", ID: "x", State: container.Running, PID: -1})
	leave := `for d in /sys/fs/cgroup/freezer ` + isolatetest.V2Root() + `; do echo $$ >$d/cgroup.procs; done; exec $AMBER`
	isolatetest.Start(t, []string{"/bin/sh", "-c", `/bin/sh -c "$0"; sleep 1000`, leave},
		isolatetest.HostPID(), isolatetest.Env(append(env, "AMBER="+os.Args[0])...))
	has(t, result(), "a parent of amber")
}

func TestTerminalOfTheSession(t *testing.T) {
	c := container.Container{Runtime: "box", ID: "x", State: container.Running, PID: -1}
	env, result := probeEnv(t, c)
	env[0] = roleEnv + "=terminal"
	isolatetest.Start(t, []string{os.Args[0]}, isolatetest.HostPID(), isolatetest.Env(env...))
	has(t, result(), "holds the terminal that amber runs in")
}

func TestSSH(t *testing.T) {
	b, addr := start(t, "tcp 127.0.0.1:0")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	session := exec.Command("sleep", "1000")
	session.Env = []string{"SSH_CONNECTION=127.0.0.1 5555 127.0.0.1 " + port}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Process.Kill(); _ = session.Wait() })
	isolatetest.Until(t, "the session's environment", func() bool {
		data, _ := os.ReadFile("/proc/" + strconv.Itoa(session.Process.Pid) + "/environ")
		return bytes.HasPrefix(data, []byte("SSH_"))
	})
	has(t, check(b.Container(), Self{PID: session.Process.Pid}), "the ssh connection by which you came, on port "+port)
}

func TestRuntimeSockets(t *testing.T) {
	dir := t.TempDir()
	b, _ := start(t, "listen "+dir+"/containerd.sock")
	has(t, check(b.Container(), Self{}), "listens on a runtime's socket, "+dir+"/containerd.sock")
	other, _ := start(t, "listen "+dir+"/odd")
	if r := check(other.Container(), Self{}); len(r.Reasons) != 0 {
		t.Errorf("%+v", r)
	}
	has(t, check(other.Container(), Self{Sockets: []string{dir + "/odd"}}), "listens on a runtime's socket")
}

func TestPrograms(t *testing.T) {
	for _, name := range []string{"kubelet", "dockerd", "calico-node", "coredns"} {
		file := filepath.Join(t.TempDir(), name)
		data, err := os.ReadFile("/bin/sleep")
		if err == nil {
			err = os.WriteFile(file, data, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		b := isolatetest.Start(t, []string{file, "1000"})
		isolatetest.Until(t, name, func() bool {
			exe, _ := os.Readlink("/proc/" + strconv.Itoa(b.PID) + "/exe")
			return exe == file
		})
		has(t, check(b.Container(), Self{}), "executes "+file)
	}
}

func TestNameServer(t *testing.T) {
	b, _ := start(t, "udp 127.0.0.77:53")
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 127.0.0.77\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := amberIn(t, b.Container(), "exec unshare --mount sh -c 'mount --bind "+resolv+" /etc/resolv.conf && exec $AMBER'")
	has(t, r, "it is the host's name server (DNS) on 127.0.0.77")
}

func TestFUSEServer(t *testing.T) {
	mnt := t.TempDir()
	t.Cleanup(func() { _ = syscall.Unmount(mnt, syscall.MNT_DETACH) })
	b, _ := start(t, "mute "+mnt)
	has(t, check(b.Container(), Self{}), mnt)
}

func TestFanotify(t *testing.T) {
	file := filepath.Join(t.TempDir(), "watched")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b, _ := start(t, "fanotify "+file)
	has(t, check(b.Container(), Self{}), "fanotify permission events")
}

func TestWhatTheRuntimeTells(t *testing.T) {
	b := sleeper(t)
	bind := func(source string, options ...string) func(*container.Container) {
		return func(c *container.Container) {
			c.Spec = &specs.Spec{Mounts: []specs.Mount{{Type: "bind", Source: source, Destination: "/x", Options: options}}}
		}
	}
	label := func(k, v string) func(*container.Container) {
		return func(c *container.Container) { c.Labels = map[string]string{k: v} }
	}
	image := func(ref string) func(*container.Container) {
		return func(c *container.Container) { c.Image.Ref = ref }
	}
	pod := func(p container.Pod) func(*container.Container) {
		return func(c *container.Container) { c.Pod = &p }
	}
	for name, tc := range map[string]struct {
		set  func(*container.Container)
		want string // empty: not critical
	}{
		"calico label":      {label("k8s-app", "calico-node"), "network"},
		"cilium image":      {image("quay.io/cilium/cilium:v1.18.1@sha256:ab"), "network"},
		"calico image":      {image("localhost:5000/calico/node"), "network"},
		"a node image":      {image("docker.io/library/node:22"), ""},
		"dns label":         {label("k8s-app", "kube-dns"), "DNS"},
		"coredns image":     {image("registry.k8s.io/coredns/coredns:v1.12.0"), "DNS"},
		"csi image":         {image("registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.13"), "CSI"},
		"tier":              {label("tier", "control-plane"), "control plane"},
		"apiserver":         {label("component", "kube-apiserver"), "control plane"},
		"config source":     {label("kubernetes.io/config.source", "file"), "static pod"},
		"from the API":      {label("kubernetes.io/config.source", "api"), ""},
		"static uid":        {pod(container.Pod{Namespace: "x", Name: "y", UID: "0123456789abcdef0123456789abcdef"}), "static pod"},
		"etcd":              {pod(container.Pod{Namespace: "kube-system", Name: "etcd-n", Container: "etcd"}), "control plane"},
		"cni folder":        {bind("/etc/cni/net.d", "rbind", "rw"), "CNI"},
		"cni folder to see": {bind("/etc/cni/net.d", "rbind", "ro"), ""},
		"and all below it":  {bind("/etc/cni/net.d", "rbind", "rro"), ""},
		"cni programs":      {bind("/opt/cni/bin/", "rbind"), "CNI"},
		"kubelet's plugins": {bind("/var/lib/kubelet/plugins/a.b.c", "rbind"), "CSI"},
		"pods, shared":      {bind("/var/lib/kubelet/pods", "rbind", "rshared"), "CSI"},
		"pods, private":     {bind("/var/lib/kubelet/pods", "rbind", "rprivate"), ""},
		"a pod's volume":    {bind("/var/lib/kubelet/pods/u/volumes/x", "rbind", "rprivate"), ""},
		"the whole root":    {bind("/", "rbind"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := b.Container()
			c.Spec = &specs.Spec{}
			tc.set(&c)
			r := check(c, Self{})
			if tc.want != "" {
				has(t, r, tc.want)
			} else if len(r.Reasons) > 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestHolds(t *testing.T) {
	for _, tc := range []struct {
		outer, inner string
		want         bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/b", true},
		{"/a", "/ab", false},
		{"/a/b", "/a", false},
		{"/..", "/", true},
		{"/../..", "/", true},
		{"/../x", "/", false},
		{"/../x", "/../y", false},
		{"/../..", "/../y", true},
		{"/a", "/../a", false},
		{"", "/", false},
	} {
		if got := Holds(tc.outer, tc.inner); got != tc.want {
			t.Errorf("Holds(%q, %q) = %v", tc.outer, tc.inner, got)
		}
	}
}

package testbed

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"amber/container/netns"
)

const webYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: ` + BusyboxImage + `
        imagePullPolicy: Never
        command: [httpd, -f, -p, "8080", -h, /etc]
        readinessProbe: {httpGet: {path: /hosts, port: 8080}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /hosts, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: shell, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: shell
    image: ` + BusyboxImage + `
    imagePullPolicy: Never
    command: [sh, -c, "n=0; while :; do n=$((n+1)); echo $n >/tmp/count; sleep 0.1; done"]
`

func TestKubernetes(t *testing.T) {
	var k *Kubernetes
	t.Run("up", func(t *testing.T) {
		began := time.Now()
		k = StartKubernetes(t)
		t.Logf("Ready after %v", time.Since(began).Round(time.Millisecond))
		k.Apply(t, webYAML)
		pods := k.WaitRollout(t, "default", "web")
		k.WaitReady(t, "default", "shell")
		t.Logf("rolled out after %v", time.Since(began).Round(time.Millisecond))
		t.Run("endpoints", func(t *testing.T) { testEndpoints(t, k, pods) })
		t.Run("exec and audit", func(t *testing.T) { testExecAudit(t, k) })
		t.Run("network", func(t *testing.T) { testNetwork(t, k, pods[0]) })
		t.Run("metadata", func(t *testing.T) { testMetadata(t, k) })
		t.Run("names", func(t *testing.T) { testDNS(t, k) })
		t.Run("checkpoint", func(t *testing.T) { testCheckpoint(t, k) })
		t.Run("probes", func(t *testing.T) { testProbes(t, k, pods[0]) })
		t.Run("users", func(t *testing.T) { testUsers(t, k) })
		t.Run("restarts", func(t *testing.T) { testRestart(t, k, pods[0]) })
	})
	if k != nil {
		nothingLeft(t, k)
	}
}

func testEndpoints(t *testing.T, k *Kubernetes, pods []Pod) {
	var want []netip.Addr
	for _, p := range pods {
		if !k.PodCIDR4.Contains(p.Addr4) || !k.PodCIDR6.Contains(p.Addr6) {
			t.Errorf("pod %s has %s and %s", p.Name, p.Addr4, p.Addr6)
		}
		want = append(want, p.Addr4, p.Addr6)
	}
	slices.SortFunc(want, netip.Addr.Compare)
	k.Eventually(t, "waiting for the endpoints", func(ctx context.Context) error {
		got, err := k.Endpoints(ctx, "default", "web")
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("got %v, want %v", got, want)
		}
		return err
	})
}

func testExecAudit(t *testing.T, k *Kubernetes) {
	out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "echo", "hello-from-exec")
	if err != nil || out != "hello-from-exec\n" {
		t.Fatalf("%q, %v", out, err)
	}
	k.Eventually(t, "looking for exec in the audit log", func(context.Context) error {
		return audited(k.AuditLog, "exec", "shell")
	})
}

func audited(file, subresource, name string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for n := 0; ; n++ {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("not among %d records: %w", n, err)
		}
		var e struct {
			Level, Verb, RequestURI string
			ObjectRef               struct{ Subresource, Name string }
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if e.ObjectRef.Subresource == subresource && e.ObjectRef.Name == name && e.Level == "RequestResponse" {
			return nil
		}
	}
}

func testNetwork(t *testing.T, k *Kubernetes, web Pod) {
	peer := k.Peer(t)
	server := peer.Echo(t, 0)
	for _, addr := range []netip.Addr{web.Addr4, web.Addr6} {
		at := netip.AddrPortFrom(addr, 8080)
		if err := get(at, net.Dial); err != nil {
			t.Errorf("from the node to %s: %v", at, err)
		}
		if addr.Is6() && !peer.Routed6 {
			continue
		}
		if err := get(at, func(network, _ string) (net.Conn, error) { return peer.Dial(t.Context(), network, at) }); err != nil {
			t.Errorf("from the peer to %s: %v", at, err)
		}
	}
	for _, addr := range []netip.Addr{peer.Addr4, peer.Addr6} {
		if addr.Is6() && !peer.Routed6 {
			continue
		}
		out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "sh", "-c",
			fmt.Sprintf("echo over | timeout 5 nc %s %d; ping -c 1 -W 5 %[1]s", addr, server.Port))
		if err != nil || !strings.Contains(out, "over\n") || !strings.Contains(out, "1 packets received") {
			t.Errorf("from a pod to %s: %v\n%s", addr, err, out)
		}
	}
	out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "sh", "-c", "timeout 5 nc -w 5 203.0.113.1 80")
	if err == nil {
		t.Errorf("a pod reaches the world: %s", out)
	}
	if err := reachesAPI(t.Context(), k); err != nil {
		t.Error(err)
	}
}

// get asks for a file by HTTP.
func get(at netip.AddrPort, dial func(network, address string) (net.Conn, error)) error {
	conn, err := dial("tcp", at.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, "GET /hosts HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	got, err := io.ReadAll(conn)
	if err == nil && !bytes.Contains(got, []byte("localhost")) {
		err = fmt.Errorf("it answers %q", got)
	}
	return err
}

// reachesAPI has a pod connect to the Service "kubernetes".
func reachesAPI(ctx context.Context, k *Kubernetes) error {
	out, err := k.Kubectl(ctx, "exec", "shell", "--", "sh", "-c",
		"nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo reached; cat /var/run/secrets/kubernetes.io/serviceaccount/token")
	if err != nil || !strings.HasPrefix(out, "reached\n") || strings.Count(out, ".") != 2 {
		return fmt.Errorf("a pod and the API server: %w\n%s", err, out)
	}
	return nil
}

func testMetadata(t *testing.T, k *Kubernetes) {
	peer := k.MetadataPeer(t)
	server := peer.Echo(t, 80)
	shell := k.WaitReady(t, "default", "shell")
	for _, addr := range []netip.Addr{Metadata4, Metadata6} {
		if addr.Is6() && !peer.Routed6 {
			continue
		}
		out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "sh", "-c",
			fmt.Sprintf("echo secret | timeout 5 nc %s 80", addr))
		if err != nil || out != "secret\n" {
			t.Errorf("%s: %v: %q", addr, err, out)
		}
		if err := datagram(shell.Containers["shell"].PID, netip.AddrPortFrom(addr, 80)); err != nil {
			t.Error(err)
		}
	}
	if server.Connections.Load() == 0 || server.Datagrams.Load() == 0 || !strings.Contains(server.Got(), "secret") {
		t.Errorf("the server got %q", server.Got())
	}
}

// datagram sends one from a process's network namespace and waits for its echo.
func datagram(pid int, to netip.AddrPort) error {
	ns, err := netns.OfOwn(pid, 0)
	if err != nil {
		return err
	}
	defer ns.Close()
	return ns.Do(func() error {
		conn, err := net.Dial("udp", to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		buf := make([]byte, 16)
		if _, err = conn.Write([]byte("datagram")); err == nil {
			_, err = conn.Read(buf)
		}
		return err
	})
}

func testDNS(t *testing.T, k *Kubernetes) {
	dns := k.DNS(t)
	out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "nslookup", "-type=a", "kubernetes.default.svc.cluster.local")
	if err != nil || !strings.Contains(out, k.apiAddress().String()) || dns.Queries.Load() == 0 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := k.Kubectl(t.Context(), "exec", "shell", "--", "nslookup", "-type=a", "example.org."); err == nil {
		t.Errorf("a name of the world is found:\n%s", out)
	}
}

func testCheckpoint(t *testing.T, k *Kubernetes) {
	archive, err := k.Checkpoint(t.Context(), "default", "shell", "shell")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if !slices.Contains(names, "checkpoint/inventory.img") {
		t.Errorf("the archive holds %v", names)
	}
}

func testProbes(t *testing.T, k *Kubernetes, web Pod) {
	want := Probe{"default", web.Name, "web", "Liveness", "successful"}
	before := k.ProbeCounts(t)[want]
	k.Eventually(t, "waiting for kubelet's counter to rise", func(context.Context) error {
		if now := k.ProbeCounts(t)[want]; now <= before {
			return fmt.Errorf("%d before, %d now", before, now)
		}
		return nil
	})
}

func testUsers(t *testing.T, k *Kubernetes) {
	can := func(kubeconfig string, args ...string) bool {
		_, err := k.Kubectl(t.Context(), append([]string{"--kubeconfig=" + kubeconfig}, args...)...)
		if err != nil && !strings.Contains(err.Error(), "Forbidden") {
			t.Error(err)
		}
		return err == nil
	}
	pods := Rule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}}
	u := k.User(t, "eve", pods)
	if !can(u, "get", "pod", "shell") || !can(u, "get", "pods") || can(u, "get", "secrets") {
		t.Error("the rules do not hold")
	}
	pods.Verbs = []string{"get"}
	u = k.User(t, "eve", pods)
	if !can(u, "get", "pod", "shell") || can(u, "get", "pods") {
		t.Error("the new rules do not hold")
	}
}

// testRestart: a cluster whose API server died goes on where it was.
func testRestart(t *testing.T, k *Kubernetes, web Pod) {
	if err := k.Kill("kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Pod(t.Context(), "default", web.Name); err == nil {
		t.Error("the API server answers though it is dead")
	}
	if err := k.Restart("kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	if now := k.WaitReady(t, "default", web.Name); now.UID != web.UID || now.Containers["web"].PID != web.Containers["web"].PID {
		t.Errorf("was %+v, is %+v", web, now)
	}
}

// nothingLeft checks that nothing names the cluster any more.
func nothingLeft(t *testing.T, k *Kubernetes) {
	t.Helper()
	if _, err := os.Stat(k.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left behind", k.Dir)
	}
	if k.Made != "" {
		if _, err := os.Stat(k.Made); err == nil && !othersAtWork() {
			t.Errorf("%s is left behind", k.Made)
		}
	}
	if left := mountsBelow(k.Dir); len(left) > 0 {
		t.Errorf("mounts are left behind: %v", left)
	}
	for name, d := range k.Daemons {
		if d.Process.alive() {
			t.Errorf("%s is left behind", name)
		}
	}
	if left := naming(k.Dir); len(left) > 0 {
		t.Errorf("processes are left behind: %v", left)
	}
	for _, h := range hierarchies() {
		if _, err := os.Stat(filepath.Join(h, k.Containerd.Namespace)); err == nil {
			t.Errorf("cgroup %s/%s is left behind", h, k.Containerd.Namespace)
		}
	}
	left, _ := filepath.Glob("/var/lib/cni/results/" + k.cniName() + "*")
	if _, err := netlink.LinkByName(k.Bridge); err == nil || len(left) > 0 {
		t.Errorf("the bridge or %v is left behind", left)
	}
	for _, pods := range []netip.Prefix{k.PodCIDR4, k.PodCIDR6} {
		rules, err := netlink.RuleList(family(pods.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			if r.Table == k.Table {
				t.Errorf("a rule is left behind: %v", r)
			}
		}
	}
}

// othersAtWork reports whether another cluster may need what ours made first.
func othersAtWork() bool {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*", "kubernetes.json"))
	return len(left) > 0
}

// naming lists the processes whose command line has a word in it anywhere.
func naming(word string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(word)) {
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return found
}

// TestKubernetesTwice: two clusters at once do not see each other, and one is
// taken down by another process than has made it, in the middle of its work.
func TestKubernetesTwice(t *testing.T) {
	a := StartKubernetes(t)
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		t.Fatal(err)
	}
	b, err := UpKubernetes(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Down() })
	for _, k := range []*Kubernetes{a, b} {
		k.Apply(t, webYAML)
	}
	for _, k := range []*Kubernetes{a, b} {
		k.WaitRollout(t, "default", "web")
	}
	frozen := b.WaitReady(t, "default", "shell")
	if _, err := b.Containerd.CTR("--namespace=k8s.io", "task", "pause", frozen.Containers["shell"].ID); err != nil {
		t.Fatal(err)
	}
	opened, err := OpenKubernetes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Down(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, b)
	if pods := a.WaitRollout(t, "default", "web"); len(pods) != 2 || pods[0].Containers["web"].Restarts > 0 {
		t.Errorf("the other cluster has %+v", pods)
	}
}

package testbed

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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
		t.Run("token", func(t *testing.T) { testToken(t, k) })
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

// testToken: a pod's token says which pod's it is.
func testToken(t *testing.T, k *Kubernetes) {
	token, err := k.Kubectl(t.Context(), "exec", "shell", "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := k.writeKubeconfig(file, map[string]any{"token": token}); err != nil {
		t.Fatal(err)
	}
	out, err := k.Kubectl(t.Context(), "--kubeconfig="+file, "auth", "whoami", "--output=json")
	pod := k.WaitReady(t, "default", "shell")
	if err != nil || !strings.Contains(out, "authentication.kubernetes.io/pod-uid") || !strings.Contains(out, pod.UID) {
		t.Errorf("%v\n%s", err, out)
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

//go:build e2e

package probes

import (
	"archive/tar"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"amber/container"
	"amber/container/containerd"
	"amber/isolate"
	"amber/isolate/freeze"
	"amber/testdata/testbed"
)

var hold = flag.Duration("hold", 2*time.Minute, "how long the pods are held frozen")

const image = "amber.test/server:latest"

// web is a Deployment with an HTTP and a TCP liveness probe; kinds is a pod
// with all other kinds.
const (
	web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: http
        image: amber.test/server:latest
        imagePullPolicy: Never
        command: [/server, http, "8080"]
        ports: [{name: web, containerPort: 8080}]
        livenessProbe: {httpGet: {path: /healthz, port: web}, periodSeconds: 2, failureThreshold: 2}
        readinessProbe: {httpGet: {path: /ready, port: web}, periodSeconds: 2, failureThreshold: 1}
      - name: tcp
        image: amber.test/server:latest
        imagePullPolicy: Never
        command: [/server, tcp, "9000"]
        livenessProbe: {tcpSocket: {port: 9000}, periodSeconds: 2, failureThreshold: 2}
---
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: default}
spec:
  selector: {app: NAME}
  ports: [{port: 80, targetPort: 8080}]
---`
	kinds = `
apiVersion: v1
kind: Pod
metadata: {name: kinds, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: https
    image: amber.test/server:latest
    imagePullPolicy: Never
    command: [/server, https, "8443"]
    livenessProbe: {httpGet: {path: /healthz, port: 8443, scheme: HTTPS}, periodSeconds: 2, failureThreshold: 2}
  - name: grpc
    image: amber.test/server:latest
    imagePullPolicy: Never
    command: [/server, grpc, "9000"]
    livenessProbe: {grpc: {port: 9000, service: live}, periodSeconds: 2, failureThreshold: 2}
    readinessProbe: {grpc: {port: 9000, service: ready}, periodSeconds: 2, failureThreshold: 1}
  - name: slow
    image: amber.test/server:latest
    imagePullPolicy: Never
    command: [/server, slow, "8081"]
    startupProbe: {httpGet: {path: /started, port: 8081}, periodSeconds: 2, failureThreshold: 20}
    livenessProbe: {tcpSocket: {port: 8081}, periodSeconds: 2, failureThreshold: 2}
`
)

// cluster is a real cluster with the pods of this test.
type cluster struct {
	*testbed.Kubernetes
	rt *containerd.Runtime
}

func TestKubelet(t *testing.T) {
	k := &cluster{Kubernetes: testbed.StartKubernetes(t)}
	must(t, k.ImportImage(image, server(t)))
	var err error
	k.rt, err = containerd.New(t.Context(), k.Containerd.Address)
	must(t, err)
	defer k.rt.Close()
	k.Apply(t, strings.ReplaceAll(web, "NAME", "web")+strings.ReplaceAll(web, "NAME", "twin")+kinds)
	shielded, twin := k.WaitRollout(t, "default", "web")[0], k.WaitRollout(t, "default", "twin")[0]
	var odd testbed.Pod
	k.Eventually(t, "waiting for the pod kinds", func(ctx context.Context) (err error) {
		odd, err = k.Pod(ctx, "default", "kinds")
		if err == nil && (!odd.Containers["https"].Ready || !odd.Containers["grpc"].Ready || odd.Containers["slow"].PID == 0) {
			err = fmt.Errorf("%+v", odd)
		}
		return err
	})
	dir := nowhere(t)
	holderBin(t) // not between freeze and shield
	a, b := k.freeze(t, dir, shielded), k.freeze(t, dir, odd)
	k.freeze(t, dir, twin)
	k.hold(t, []*held{a, b}, twin)
	k.release(t, dir, a, b)
}

// server is an image layer with testdata/server.
func server(t *testing.T) testbed.Layer {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "server")
	cmd := exec.Command("go", "build", "-o", bin, "./testdata/server")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building server: %v\n%s", err, out)
	}
	data, err := os.ReadFile(bin)
	must(t, err)
	return func(tw *tar.Writer) error {
		if err := tw.WriteHeader(&tar.Header{Name: "server", Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := tw.Write(data)
		return err
	}
}

// held is a pod that is frozen, and shielded unless m is nil.
type held struct {
	testbed.Pod
	target isolate.Target
	m      *Method
	entry  isolate.Entry
}

// freeze freezes a pod by its runtime and shields all but the twin.
func (k *cluster) freeze(t *testing.T, dir string, pod testbed.Pod) *held {
	t.Helper()
	all, err := k.rt.List(t.Context())
	must(t, err)
	h := &held{Pod: pod, target: isolate.Target{Name: "pod/default/" + pod.Name}}
	for _, c := range all {
		if c.Pod != nil && c.Pod.UID == pod.UID && !c.Pod.Sandbox {
			h.target.Containers = append(h.target.Containers, c)
		}
	}
	f := k.freezer()
	p, err := f.Plan(t.Context(), h.target)
	must(t, err)
	if _, err := isolate.Apply(t.Context(), dir, f, p); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	if !strings.HasPrefix(pod.Name, "twin") {
		h.shield(t, k, dir)
		t.Logf("%s: %s from frozen to shielded and verified", pod.Name, time.Since(frozen).Round(time.Millisecond))
	}
	return h
}

func (k *cluster) freezer() *freeze.Method {
	return freeze.New(func(container.Container) container.Freezer { return k.rt }, freeze.Options{})
}

func (h *held) shield(t *testing.T, k *cluster, dir string) {
	t.Helper()
	h.m = New(Options{Exe: holderBin(t), CaseID: "test", Pod: func(ctx context.Context, ns, name string) (*corev1.Pod, error) {
		var p corev1.Pod
		return &p, k.API(ctx, "GET", "/api/v1/namespaces/"+ns+"/pods/"+name, nil, &p)
	}})
	p, err := h.m.Plan(t.Context(), h.target)
	must(t, err)
	for _, w := range p.Warnings {
		t.Log(w)
	}
	h.entry, err = isolate.Apply(t.Context(), dir, h.m, p)
	must(t, err)
	verify(t, h.m, h.entry, true)
}

// counts are kubelet's counters of a pod's probes of one result.
func (k *cluster) counts(t *testing.T, pod, result string) map[string]int {
	t.Helper()
	all := map[string]int{}
	for p, n := range k.ProbeCounts(t) {
		if p.Pod == pod && p.Result == result {
			all[p.Container+" "+p.Type] = n
		}
	}
	return all
}

// hold waits, and looks at what kubelet thinks of the pods meanwhile.
func (k *cluster) hold(t *testing.T, all []*held, twin testbed.Pod) {
	t.Helper()
	good, bad := []map[string]int{}, []map[string]int{}
	for _, h := range all {
		good, bad = append(good, k.counts(t, h.Name, "successful")), append(bad, k.counts(t, h.Name, "failed"))
	}
	began := time.Now()
	k.unready(t, "web", all)
	k.restarted(t, twin)
	t.Logf("not ready, and the unshielded twin ended, %s after the freeze", time.Since(began).Round(time.Second))
	for time.Since(began) < *hold { // the time is what is tested
		time.Sleep(min(5*time.Second, *hold-time.Since(began)))
		for _, h := range all {
			k.untouched(t, h)
		}
	}
	for i, h := range all {
		k.rose(t, h, good[i], bad[i])
		verify(t, h.m, h.entry, true)
	}
	k.unready(t, "web", all)
}

// unready waits until no pod of all is ready, and a Service sends it nothing.
func (k *cluster) unready(t *testing.T, service string, all []*held) {
	t.Helper()
	k.Eventually(t, "waiting for the pods to be not ready", func(ctx context.Context) error {
		for _, h := range all {
			if p, err := k.Pod(ctx, "default", h.Name); err != nil || p.Ready {
				return fmt.Errorf("%+v %w", p, err)
			}
		}
		ends, err := k.Endpoints(ctx, "default", service)
		if err == nil && len(ends) > 0 {
			err = fmt.Errorf("the Service %s sends traffic to %v", service, ends)
		}
		return err
	})
}

// restarted waits until kubelet has ended a container of the twin.
func (k *cluster) restarted(t *testing.T, twin testbed.Pod) {
	t.Helper()
	k.Eventually(t, "waiting for the twin to be restarted", func(ctx context.Context) error {
		p, err := k.Pod(ctx, "default", twin.Name)
		if err == nil && p.Containers["http"].Restarts == 0 {
			err = fmt.Errorf("%+v", p)
		}
		return err
	})
}

// untouched checks that a pod has the same containers as before, none of them
// restarted.
func (k *cluster) untouched(t *testing.T, h *held) {
	t.Helper()
	p, err := k.Pod(t.Context(), "default", h.Name)
	must(t, err)
	for name, c := range p.Containers {
		if was := h.Containers[name]; c.Restarts != 0 || c.ID != was.ID || c.PID != was.PID {
			t.Fatalf("container %s of %s was restarted: %+v, was %+v", name, h.Name, c, was)
		}
	}
}

// rose checks that liveness and startup probes succeeded all the time, and
// none failed.
func (k *cluster) rose(t *testing.T, h *held, good, bad map[string]int) {
	t.Helper()
	nowGood, nowBad := k.counts(t, h.Name, "successful"), k.counts(t, h.Name, "failed")
	const period = 2 * time.Second
	for _, p := range probesOf(k.spec(t, h.Name)) {
		kind := strings.ToUpper(p.Kind[:1]) + p.Kind[1:]
		name := p.Container + " " + kind
		rose, failed := nowGood[name]-good[name], nowBad[name]-bad[name]
		t.Logf("%s %s: %d successful, %d failed", h.Name, name, rose, failed)
		switch p.Kind {
		case liveness: // one may have been under way as the pod was frozen
			if failed > 1 || rose < int(*hold/period/2) {
				t.Errorf("%s: %d successful and %d failed in %s", name, rose, failed, *hold)
			}
		case startup:
			if nowGood[name] == 0 {
				t.Errorf("%s never succeeded", name)
			}
		case readiness:
			if rose > 1 || failed == 0 {
				t.Errorf("%s: %d successful and %d failed", name, rose, failed)
			}
		}
	}
}

func (k *cluster) spec(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	var p corev1.Pod
	must(t, k.API(t.Context(), "GET", "/api/v1/namespaces/default/pods/"+name, nil, &p))
	return &p
}

// release undoes all, and waits until the pods' own servers answer and are
// ready again.
func (k *cluster) release(t *testing.T, dir string, all ...*held) {
	t.Helper()
	entries, err := isolate.Load(dir)
	must(t, err)
	_, err = isolate.Release(t.Context(), entries, func(name string) (isolate.Method, error) {
		if name == Name {
			return New(Options{}), nil
		}
		return k.freezer(), nil
	})
	if err != nil {
		t.Errorf("releasing: %v", err)
	}
	if left, err := os.ReadDir(RunDir()); err != nil || len(left) > 0 || len(responders(t)) > 0 {
		t.Errorf("left behind: %v, %v %v", left, responders(t), err)
	}
	k.Eventually(t, "waiting for the pod to be ready again", func(ctx context.Context) error {
		ends, err := k.Endpoints(ctx, "default", "web")
		if err == nil && !slices.Contains(ends, all[0].Addr4) {
			err = fmt.Errorf("the Service sends traffic to %v", ends)
		}
		return err
	})
	if got, err := get(k.Gateway4, all[0].Addr4, 8080, "/healthz"); err != nil || got != "200 own" {
		t.Errorf("the node is answered %q %v", got, err)
	}
	for _, h := range all {
		k.untouched(t, h)
	}
}

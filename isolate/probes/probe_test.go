package probes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"amber/container"
	"amber/isolate"
)

func seconds32(n int64) *int64 { return &n }

func TestPortsAndBudget(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	named := func(name string) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString(name)}}}
	}
	quick := httpGet(8080, "/healthz")
	quick.PeriodSeconds, quick.FailureThreshold, quick.TerminationGracePeriodSeconds = 2, 2, seconds32(5)
	endless := named("nowhere")
	endless.PeriodSeconds, endless.FailureThreshold = 1<<31-1, 1<<31-1
	exec := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: seconds32(7),
		InitContainers: []corev1.Container{
			{Name: "sidecar", RestartPolicy: &always, StartupProbe: named("web"), Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 15021}}},
			{Name: "once", LivenessProbe: tcp(1)},
		},
		Containers: []corev1.Container{
			{Name: "a", LivenessProbe: quick, ReadinessProbe: tcp(9), Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 2}}},
			{Name: "b", LivenessProbe: rpc(9000, "x"), StartupProbe: exec},
			{Name: "c", LivenessProbe: named("web"), StartupProbe: endless},
			{Name: "d", LivenessProbe: named("8080")},
		},
	}}
	if got := Ports(pod); !slices.Equal(got, []uint16{8080, 9000, 15021}) {
		t.Errorf("ports %v", got)
	}
	got := Budget(pod)
	if len(got) != 6 || got[0] != (Limit{Container: "a", Kind: "liveness", Probe: "liveness probe of a (http :8080/healthz)", Lasts: 4 * time.Second, Grace: 5 * time.Second}) {
		t.Errorf("budget %+v", got)
	}
	if got[1].Lasts != 30*time.Second || got[1].Grace != 7*time.Second {
		t.Errorf("defaults: %+v", got[1])
	}
	if last := got[len(got)-1]; last.Lasts != 1<<31*time.Second || last.Container != "c" {
		t.Errorf("overflow: %+v", last)
	}
	if s := got[0].String(); s != "liveness probe of a (http :8080/healthz): 4s of failures, then 5s until SIGKILL" {
		t.Errorf("%q", s)
	}
}

// TestPlansWithoutSteps are targets whose probes cannot be answered; each plan
// says why, and how long the pod has.
func TestPlansWithoutSteps(t *testing.T) {
	with := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", LivenessProbe: httpGet(80, "/")}}}}
		change(p)
		return p
	}
	self := container.Container{Runtime: "test", ID: "x", PID: os.Getpid(), Pod: &container.Pod{Name: "web", Container: "main", UID: "1"}}
	lonely := self
	lonely.Pod = nil
	for name, tc := range map[string]struct {
		c    container.Container
		pod  *corev1.Pod
		want []string
	}{
		"no pod":       {lonely, nil, []string{"belongs to no pod"}},
		"no API":       {self, nil, []string{"are not known"}},
		"other":        {self, with(func(p *corev1.Pod) { p.UID = "2" }), []string{"another pod by this name"}},
		"host network": {self, with(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), []string{"in the host's network", "30s of failures"}},
		"host netns":   {self, with(func(*corev1.Pod) {}), []string{"host's network namespace", "30s of failures"}},
	} {
		m := New(Options{Exe: os.Args[0], Pod: func(context.Context, string, string) (*corev1.Pod, error) {
			if tc.pod == nil {
				return nil, errors.New("refused")
			}
			return tc.pod, nil
		}})
		p, err := m.Plan(t.Context(), isolate.Target{Name: "x", Containers: []container.Container{tc.c}})
		if text := strings.Join(p.Warnings, "\n"); err != nil || len(p.Steps) > 0 || len(p.Refs) != 1 || len(p.Warnings) != len(tc.want) {
			t.Errorf("%s: %+v %v", name, p, err)
		} else {
			for _, w := range tc.want {
				if !strings.Contains(text, w) {
					t.Errorf("%s: %q is not in %s", name, w, text)
				}
			}
		}
		r, err := m.Apply(t.Context(), p, nil)
		if err != nil || r.Changed() {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
}

// TestPlanSays are the warnings of what cannot be told apart or is left alone.
func TestPlanSays(t *testing.T) {
	exec := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}
	away := httpGet(80, "/")
	away.HTTPGet.Host = "203.0.113.7"
	here := httpGet(80, "/")
	here.HTTPGet.Host = "192.0.2.1"
	once := httpGet(80, "/")
	once.FailureThreshold = 1
	const passes, stays = "it will pass", "the pod stays ready"
	for name, tc := range map[string]struct {
		live, ready *corev1.Probe
		want        []string
		reset       []uint16
	}{
		"nothing":         {nil, nil, []string{stays}, nil},
		"paths":           {httpGet(80, "/a"), httpGet(80, "/b"), nil, nil},
		"same":            {httpGet(80, "/a"), httpGet(80, "a"), []string{passes, stays}, nil},
		"schemes":         {httpGet(80, "/a"), httpsGet(80, "/a"), nil, nil},
		"headers":         {httpGet(80, "/a", "x-kind", "live"), httpGet(80, "/a"), nil, nil},
		"same headers":    {httpGet(80, "/a", "x-kind", "live"), httpGet(80, "/a", "X-Kind", "live "), []string{passes, stays}, nil},
		"tcp and tcp":     {tcp(80), tcp(80), []string{passes, stays}, nil},
		"http and tcp":    {httpGet(80, "/"), tcp(80), []string{passes, stays}, nil},
		"tcp and http":    {tcp(80), httpGet(80, "/"), nil, nil},
		"services":        {rpc(80, "a"), rpc(80, "b"), nil, nil},
		"same service":    {rpc(80, "a"), rpc(80, "a"), []string{passes, stays}, nil},
		"another port":    {tcp(80), tcp(81), nil, []uint16{81}},
		"no readiness":    {tcp(80), nil, []string{stays}, nil},
		"exec":            {exec, tcp(81), []string{"left alone"}, []uint16{81}},
		"exec readiness":  {tcp(80), exec, []string{"keeps what it knew last", stays}, nil},
		"away":            {away, tcp(81), []string{"is not answered: it asks another host"}, []uint16{81}},
		"away readiness":  {tcp(81), away, []string{"is not made to fail: it asks another host", stays}, nil},
		"the pod by name": {here, tcp(81), nil, []uint16{81}},
		"no such port":    {&corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("x")}}}, tcp(81), []string{"its port is not known"}, []uint16{81}},
		"first failure":   {once, tcp(81), []string{"at its first failure"}, []uint16{81}},
	} {
		d := draft{names: []string{"main"}, pod: &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", LivenessProbe: tc.live, ReadinessProbe: tc.ready}, {Name: "not frozen", LivenessProbe: tcp(99)}}}}}
		d.pod.Status.PodIP = "192.0.2.1"
		d.sort()
		if len(d.warnings) != len(tc.want) || !slices.Equal(d.s.Reset, tc.reset) {
			t.Errorf("%s: %q, reset %v", name, d.warnings, d.s.Reset)
			continue
		}
		for i, w := range tc.want {
			if !strings.Contains(d.warnings[i], w) {
				t.Errorf("%s: %q, want %q", name, d.warnings[i], w)
			}
		}
	}
}

func TestOverdue(t *testing.T) {
	now := time.Now()
	s := shield{ID: "x", Pod: "a/b", Dir: "/run/amber/probes-x", Deadline: now}
	r := isolate.Receipt{Steps: s.steps()}
	if got := Overdue(r, now.Add(-time.Second)); got != "" {
		t.Errorf("%q", got)
	}
	if got := Overdue(r, now.Add(time.Second)); !strings.Contains(got, "the shield of a/b is overdue since") {
		t.Errorf("%q", got)
	}
}

// asKubelet writes an HTTP probe as kubelet's prober does
// (pkg/probe/http/request.go) and reads it as a server.
func asKubelet(p *corev1.HTTPGetAction) (*http.Request, error) {
	u, err := url.Parse(p.Path)
	if err != nil {
		u = &url.URL{Path: p.Path}
	}
	u.Scheme, u.Host = "http", net.JoinHostPort("192.0.2.1", p.Port.String())
	req, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for _, kv := range p.HTTPHeaders {
		req.Header.Add(kv.Name, kv.Value)
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header.Set("User-Agent", "kube-probe/1.36")
	}
	if _, ok := req.Header["Accept"]; !ok {
		req.Header.Set("Accept", "*/*")
	} else if req.Header.Get("Accept") == "" {
		req.Header.Del("Accept")
	}
	req.Host = req.Header.Get("Host")
	var wire bytes.Buffer
	if err := req.Write(&wire); err != nil {
		return nil, err
	}
	return http.ReadRequest(bufio.NewReader(&wire))
}

// FuzzKubeletIsAnswered has any path and header in a pod's specification: what
// kubelet then sends is answered, and told from the readiness probe whenever
// the plan says that it can be.
func FuzzKubeletIsAnswered(f *testing.F) {
	f.Add("/healthz?a=b#c", "X-Kind", "live", "/ready")
	f.Add("healthz", "Host", "live.example", "/healthz")
	f.Add("http://u:p@evil/x", "Accept", "", "/x")
	f.Add("%zz", "User-Agent", "me", "/%25zz")
	f.Add("//a/../b c", "Content-Length", "7", "/")
	f.Add("/", "X-Empty", " \t", "/")
	f.Add("0", "Host", "b\xfccher.example", "0")
	f.Add("/", "Host", "bücher.example", "/")
	f.Fuzz(func(t *testing.T, path, name, value, readyPath string) {
		if !validHeader(name, value) {
			t.Skip("the API server refuses such a header")
		}
		c := corev1.Container{Name: "c", LivenessProbe: httpGet(80, path, name, value), ReadinessProbe: httpGet(80, readyPath)}
		all := probesOf(&corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{c}}})
		p := port{Port: 80, Live: all[:1], Ready: all[1:]}
		if r, err := asKubelet(c.LivenessProbe.HTTPGet); err == nil && !p.answers(r) {
			t.Errorf("not answered: %q %v, expected %+v", r.RequestURI, r.Header, all[0])
		}
		if r, err := asKubelet(c.ReadinessProbe.HTTPGet); err == nil && p.answers(r) && all[1].toldFrom(all[0]) {
			t.Errorf("readiness passes: %q %v, liveness is %+v", r.RequestURI, r.Header, all[0])
		}
	})
}

// validHeader is what the API server and Go's HTTP client take.
func validHeader(name, value string) bool {
	for _, c := range []byte(name) {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return name != ""
}

// FuzzDecode reads a step of a journal.
func FuzzDecode(f *testing.F) {
	s := shield{ID: "x", Dir: "/run/amber/probes-x", Ports: []port{{Port: 1}}}
	f.Add([]byte(s.steps()[0].Before))
	f.Add([]byte(`{"id":"x","dir":"/etc"}`))
	f.Add([]byte(`{"routes":[{"pod":"::1%a"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decode(isolate.Step{Before: data})
		if err == nil && !strings.HasSuffix(s.Dir, "/probes-"+s.ID) && s.Dir != "probes-"+s.ID {
			t.Errorf("folder %q of %q", s.Dir, s.ID)
		}
	})
}

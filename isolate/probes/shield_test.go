package probes

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestAnswered shields a pod that has a server of its own: the node is
// answered in its place, others reach the server.
func TestAnswered(t *testing.T) {
	s := newStage(t)
	s.serve(t, 8080)
	pod := s.pod(corev1.Container{Name: "main", LivenessProbe: httpGet(8080, "/healthz?full=1"), ReadinessProbe: httpGet(8080, "/ready")})
	expect := func(from netip.Addr, i int, target, want string) {
		t.Helper()
		if got, err := get(from, s.pods[i], 8080, target); err != nil || got != want {
			t.Errorf("%s of %s from %s: %q %v, want %q", target, s.pods[i], from, got, err, want)
		}
	}
	m, e := s.shield(t, pod)
	for i := range s.pods {
		expect(s.node[i], i, "/healthz?full=1", "200")
		expect(s.node[i], i, "/healthz", "503")
		expect(s.node[i], i, "/ready", "503")
		expect(s.other[i], i, "/ready", "200 own")
	}
	s.release(t, m, e.Case)
	for i := range s.pods {
		expect(s.node[i], i, "/ready", "200 own")
	}
}

// TestEveryKind has all kinds of probes, several on one port, and a sidecar;
// nothing of the pod listens.
func TestEveryKind(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	s := newStage(t)
	pod := s.pod(
		corev1.Container{Name: "main", StartupProbe: httpGet(80, "start"), LivenessProbe: httpsGet(80, "/live"), ReadinessProbe: httpGet(80, "/live")},
		corev1.Container{Name: "tcp", LivenessProbe: tcp(81), ReadinessProbe: httpGet(81, "/ready")},
		corev1.Container{Name: "grpc", LivenessProbe: rpc(82, ""), StartupProbe: rpc(82, "start"), ReadinessProbe: rpc(82, "ready")},
		corev1.Container{Name: "refused", ReadinessProbe: tcp(83)},
		corev1.Container{Name: "headers", LivenessProbe: httpGet(84, "/", "X-Kind", "live"), ReadinessProbe: httpGet(84, "/", "Host", "ready.example")},
	)
	pod.Spec.InitContainers = []corev1.Container{
		{Name: "sidecar", RestartPolicy: &always, LivenessProbe: httpGet(85, "/")},
		{Name: "once", LivenessProbe: httpGet(86, "/")},
	}
	target := s.target()
	for _, name := range []string{"tcp", "grpc", "refused", "headers", "sidecar", "once"} {
		c := target.Containers[0]
		p := *c.Pod
		p.Container = name
		c.Pod, c.ID = &p, c.ID+name
		target.Containers = append(target.Containers, c)
	}
	s.serve(t, 83)
	checks := s.shieldTarget(t, pod, target)
	if want := 2 + 2*(7+5); len(checks) != want { // two addresses
		t.Errorf("%d checks, want %d", len(checks), want)
	}
}

// TestTheResponderIsHarmless looks at what the responder is, and that it ends
// with the pod.
func TestTheResponderIsHarmless(t *testing.T) {
	s := newStage(t)
	s.mount(t)
	m, e := s.shield(t, s.pod(corev1.Container{Name: "main", LivenessProbe: tcp(8080)}))
	pids := responders(t)
	if len(pids) != 1 {
		t.Fatalf("responders: %v", pids)
	}
	st := statusOf(t, pids[0])
	for key, want := range map[string]string{
		"Name": "amber-probes", "Uid": "65534 65534 65534 65534", "Gid": "65534 65534 65534 65534", "Groups": "",
		"CapEff": "0000000000000000", "CapPrm": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1",
	} {
		if got := strings.Join(strings.Fields(st[key]), " "); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := cgroups(t, pids[0]); len(got) > 0 {
		t.Errorf("it is in the cgroups %v", got)
	}
	t.Logf("resident: %s", st["VmRSS"])
	strangers(t, s)
	s.kill()
	untilEnded(t, pids[0])
	checks := verify(t, m, e, false)
	if !strings.Contains(checks[0].Got, "ended: the pod is gone") {
		t.Errorf("%+v", checks[0])
	}
}

// strangers checks that another address cannot speak to the responder, and
// that many connections at once do not harm it.
func strangers(t *testing.T, s *stage) {
	t.Helper()
	port := listening(t, s)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: s.other[0].AsSlice()}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", netip.AddrPortFrom(s.pods[0], port).String())
	must(t, err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(connTime / 2))
	if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("a stranger is not turned away: %v", err)
	}
	var all []net.Conn
	for range 3 * maxConns {
		c, err := net.DialTimeout("tcp", netip.AddrPortFrom(s.pods[0], 8080).String(), 5*time.Second)
		must(t, err)
		all = append(all, c)
	}
	for _, c := range all {
		_ = c.Close()
	}
	until(t, "an answer again", func() bool {
		c, err := net.DialTimeout("tcp", netip.AddrPortFrom(s.pods[0], 8080).String(), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

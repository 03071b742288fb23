package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// kubeconfig writes one that names a server.
func kubeconfig(t *testing.T, name, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: %[1]s
clusters: [{name: c, cluster: {server: %[2]q}}]
users: [{name: %[1]s-user, user: {token: t}}]
contexts: [{name: %[1]s, context: {cluster: c, user: %[1]s-user, namespace: shop}}, {name: other, context: {cluster: c, user: none}}]
`, name, server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// bare takes away whatever configuration this machine has.
func bare(t *testing.T) {
	t.Helper()
	t.Setenv("KUBECONFIG", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	saved := kubeletConfigs
	kubeletConfigs = nil
	t.Cleanup(func() { kubeletConfigs = saved })
}

// Which configuration is taken, and that it says which.
func TestSource(t *testing.T) {
	bare(t)
	flag, env, node := kubeconfig(t, "flag", "https://192.0.2.1:6443"), kubeconfig(t, "env", "https://192.0.2.2:6443"), kubeconfig(t, "node", "https://192.0.2.3:6443")
	if _, err := New(Options{}); !errors.Is(err, ErrNoConfig) {
		t.Errorf("without any: %v", err)
	}
	kubeletConfigs = []string{"/nowhere", node}
	want := func(o Options, from, text string) {
		t.Helper()
		c, err := New(o)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if s := c.Source(); s.From != from || !strings.Contains(s.String(), text) {
			t.Errorf("%+v: %s, want %s", o, s, text)
		}
	}
	want(Options{}, node, `context "node", user "node-user": the identity of this node's kubelet`)
	t.Setenv("KUBECONFIG", env)
	want(Options{}, env, `context "env", user "env-user"`)
	want(Options{Kubeconfig: flag}, flag, `context "flag", user "flag-user"`)
	if c, err := New(Options{Kubeconfig: flag}); err != nil || c.Source().Namespace != "shop" || c.Source().Server != "https://192.0.2.1:6443" || c.Source().Kubelet {
		t.Errorf("%+v, %v", c.Source(), err)
	}
	for what, o := range map[string]Options{"a file that is not there": {Kubeconfig: "/nowhere"}, "a context that is not": {Kubeconfig: flag, Context: "none"}} {
		if _, err := New(o); err == nil || errors.Is(err, ErrNoConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
	t.Setenv("KUBECONFIG", "/nowhere") // named and not there: the kubelet's identity is not taken in silence
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "KUBECONFIG is /nowhere") {
		t.Errorf("KUBECONFIG names a file that is not there: %v", err)
	}
}

func at(t *testing.T, server string, timeout time.Duration) *Cluster {
	t.Helper()
	c, err := New(Options{Kubeconfig: kubeconfig(t, "test", server), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// New dials nothing; a server that accepts and says nothing, or is not there,
// is an error that names it.
func TestNoAnswer(t *testing.T) {
	bare(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled := make(chan net.Conn, 16)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dialled <- c
		}
	}()
	c := at(t, "http://"+l.Addr().String(), 50*time.Millisecond)
	if len(dialled) != 0 {
		t.Error("New has dialled")
	}
	_, err = c.List(context.Background())
	if err == nil || !strings.Contains(err.Error(), "the API server at "+l.Addr().String()+" does not answer") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent server: %v", err)
	}
	gone := l.Addr().String()
	_ = l.Close()
	if _, err := at(t, "http://"+gone, time.Second).List(context.Background()); err == nil || !strings.Contains(err.Error(), gone) {
		t.Errorf("no server: %v", err)
	}
}

// What a hostile or broken server answers is an error and no more.
func TestBadAnswers(t *testing.T) {
	bare(t)
	calls := 0
	answer := func(w http.ResponseWriter) {}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls++; answer(w) }))
	defer s.Close()
	c := at(t, s.URL, 5*time.Second)
	ctx := context.Background()
	status := func(code int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code); _, _ = w.Write([]byte(body)) }
	}
	for what, f := range map[string]func(http.ResponseWriter){
		"no JSON": status(200, "<html>"), "of another shape": status(200, `{"items":{"a":1}}`), "a pod of another shape": status(200, `{"items":[{"spec":7}]}`),
		"no Status": status(500, "oops"), "unauthorised": status(401, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`),
		"endless pages": status(200, `{"metadata":{"continue":"again"},"items":[]}`), "a Status that says success": status(404, `{"kind":"Status","status":"Success"}`),
	} {
		answer = f
		if all, err := c.List(ctx); err == nil {
			t.Errorf("%s: %v", what, all)
		}
	}
	answer = status(404, "not here")
	if _, err := c.Pod(ctx, "a", "b"); !apierrors.IsNotFound(err) {
		t.Errorf("a 404 that is no Status: %v", err)
	}
	calls = 0
	answer = func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	if _, err := c.Pod(ctx, "a", "b"); !apierrors.IsTooManyRequests(err) || calls != 1 {
		t.Errorf("asked to wait for an hour: %v after %d calls", err, calls)
	}
	calls = 0
	answer = func(w http.ResponseWriter) {
		if calls > 1 {
			status(200, `{"metadata":{"name":"b"}}`)(w)
			return
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	if pod, err := c.Pod(ctx, "a", "b"); err != nil || pod.Name != "b" || calls != 2 {
		t.Errorf("asked to wait for a second: %v after %d calls", err, calls)
	}
	calls = 0
	for _, o := range []Object{pods("..", "x"), pods("a/b", "x"), pods("a", "%2e%2e"), pods("a", ".")} {
		if _, err := c.Read(ctx, o); err == nil || calls != 0 {
			t.Errorf("%s was asked for: %v", o, err)
		}
	}
}

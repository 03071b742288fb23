//go:build incident

package record

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/testdata/testbed"
)

// host is a host outside of the cluster.
type host struct {
	*testbed.Peer
	home string
}

func newHost(t *testing.T, k *testbed.Kubernetes) host { return host{k.Peer(t), t.TempDir()} }

// asks sends a request to the shop, as a browser or a script would.
func (h host) asks(t *testing.T, pod testbed.Pod, path, agent string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return h.Dial(ctx, network, netAddr(pod))
		},
	}}
	req, err := http.NewRequest("GET", "http://shop.example.com"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", agent)
	resp, err := client.Do(req)
	if err != nil {
		t.Logf("%s: %v", path, err)
		return
	}
	resp.Body.Close()
}

// inject is the path of a request that runs commands.
func inject(commands string) string {
	return "/cgi-bin/status?host=" + url.PathEscape("localhost:8080;"+commands)
}

// serve gives files away at port 8000.
func (h host) serve(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var l net.Listener
	err := h.Do(func() (err error) {
		l, err = net.Listen("tcp4", fmt.Sprintf("%s:8000", h.Addr4))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
}

// kubectl runs the real one, from this host, with a stolen token.
func (h host) kubectl(t *testing.T, k *testbed.Kubernetes, token string, args ...string) string {
	t.Helper()
	var data []byte
	err := h.Do(func() (err error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		args := append([]string{"--server=" + k.Server, "--insecure-skip-tls-verify", "--token=" + token}, args...)
		cmd := exec.CommandContext(ctx, filepath.Join(testbed.KubernetesBin(), "kubectl"), args...)
		cmd.Env = []string{"HOME=" + h.home, "PATH=/usr/bin:/bin"}
		data, err = cmd.CombinedOutput()
		return err
	})
	t.Logf("$ kubectl %s\n%s", strings.Join(args, " "), data)
	if err != nil {
		t.Logf("kubectl: %v", err)
	}
	return string(data)
}

// shell is a shell that a pod has given to a host.
type shell struct {
	*testbed.Server
	n int
}

// runs types a line, and waits until it is done.
func (s *shell) runs(t *testing.T, line string) string {
	t.Helper()
	s.n++
	before := len(s.Got())
	s.Send(fmt.Sprintf("%s\necho done-$((%d+1))\n", line, s.n*10))
	done := fmt.Sprintf("done-%d\n", s.n*10+1)
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if got := s.Got()[before:]; strings.Contains(got, done) {
			got = strings.TrimSuffix(got, done)
			t.Logf("$ %s\n%.2000s", line, got)
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("the shell does not answer to %q: %q", line, s.Got()[before:])
		}
	}
}

// Package kubetest brings up a real Kubernetes API server with its etcd and
// its controllers (ReplicaSets, EndpointSlices, service accounts), and no
// node: tests put pods on nodes and say how they are, as a kubelet does.
package kubetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/container/kube"
)

// Server is a running API server.
type Server struct {
	Dir        string
	Address    string // https://127.0.0.1:PORT
	Kubeconfig string // of an administrator
	API        *kube.Cluster

	daemon map[string]*exec.Cmd
	argv   map[string][]string
}

// AnAccount is a user without any right of its own; the API server knows it
// from the start, for RBAC tests to bind roles to.
const AnAccount = "responder"

// Start starts a server for the time of a test. It skips where the binaries
// are not in the testbed's cache.
func Start(t testing.TB) *Server {
	t.Helper()
	bin := func(dir, name string) string {
		path := filepath.Join(cacheDir(), dir, "bin", name)
		if _, err := os.Stat(path); err != nil {
			t.Skipf("%s is not in the testbed's cache: %v", name, err)
		}
		return path
	}
	etcd, apiserver := bin("etcd-3.4.23", "etcd"), bin("kubernetes-1.36.3", "kube-apiserver")
	manager := bin("kubernetes-1.36.3", "kube-controller-manager")
	s := &Server{Dir: t.TempDir(), daemon: map[string]*exec.Cmd{}, argv: map[string][]string{}}
	port, etcdPort, peerPort, managerPort := freePort(t), freePort(t), freePort(t), freePort(t)
	s.Address = "https://127.0.0.1:" + port
	s.write(t, "sa.key", serviceAccountKey(t))
	s.write(t, "tokens.csv", []byte("admin-token,admin,1,\"system:masters\"\n"+AnAccount+"-token,"+AnAccount+",2,\n"))
	s.Kubeconfig = s.Account(t, "admin", "default")
	s.argv["etcd"] = []string{
		etcd, "--data-dir=" + s.path("etcd"), "--listen-client-urls=http://127.0.0.1:" + etcdPort,
		"--advertise-client-urls=http://127.0.0.1:" + etcdPort, "--listen-peer-urls=http://127.0.0.1:" + peerPort,
		"--initial-advertise-peer-urls=http://127.0.0.1:" + peerPort, "--initial-cluster=default=http://127.0.0.1:" + peerPort,
		"--unsafe-no-fsync",
	}
	s.argv["kube-apiserver"] = []string{
		apiserver, "--etcd-servers=http://127.0.0.1:" + etcdPort, "--secure-port=" + port, "--bind-address=127.0.0.1",
		"--cert-dir=" + s.path("certs"), "--token-auth-file=" + s.path("tokens.csv"), "--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + s.path("sa.key"),
		"--service-account-signing-key-file=" + s.path("sa.key"), "--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged=true",
	}
	s.argv["kube-controller-manager"] = []string{
		manager, "--kubeconfig=" + s.Kubeconfig, "--secure-port=" + managerPort, "--bind-address=127.0.0.1", "--cert-dir=" + s.path("certs"),
		"--service-account-private-key-file=" + s.path("sa.key"), "--leader-elect=false", "--use-service-account-credentials=false",
		"--controllers=*,-nodelifecycle,-nodeipam,-cloud-node-lifecycle", "--kube-api-qps=200", "--kube-api-burst=200",
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		s.start(t, name)
	}
	t.Cleanup(func() {
		for _, name := range []string{"kube-controller-manager", "kube-apiserver", "etcd"} {
			s.stop(name)
		}
	})
	api, err := kube.New(kube.Options{Kubeconfig: s.Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	s.API = api
	s.ready(t)
	return s
}

// cacheDir is where testdata/testbed/fetch.sh keeps what it got.
func cacheDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/root"
	}
	return cmp.Or(os.Getenv("AMBER_TESTBED_CACHE"), filepath.Join(home, ".cache", "amber-testbed"))
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

func (s *Server) write(t testing.TB, name string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(s.path(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return s.path(name)
}

// Account writes a kubeconfig for one of the token file's users.
func (s *Server) Account(t testing.TB, user, namespace string) string {
	t.Helper()
	return s.WithToken(t, user, user+"-token", namespace)
}

// WithToken writes a kubeconfig for the bearer of a token.
func (s *Server) WithToken(t testing.TB, user, token, namespace string) string {
	t.Helper()
	return s.write(t, user+".kubeconfig", fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: %q, user: {token: %q}}]
contexts: [{name: test, context: {cluster: test, user: %q, namespace: %q}}]
`, s.Address, user, token, user, namespace))
}

func (s *Server) start(t testing.TB, name string) {
	t.Helper()
	log, err := os.OpenFile(s.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(s.argv[name][0], s.argv[name][1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	s.daemon[name] = cmd
}

func (s *Server) stop(name string) {
	if cmd := s.daemon[name]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		delete(s.daemon, name)
	}
}

// StopAPI stops the API server, as when it cannot be reached; StartAPI brings
// it back.
func (s *Server) StopAPI() { s.stop("kube-apiserver") }

// StartAPI starts the API server again.
func (s *Server) StartAPI(t testing.TB) {
	t.Helper()
	s.start(t, "kube-apiserver")
	s.ready(t)
}

// ready waits for the API server and for its default service account, which
// is the controllers' first work.
func (s *Server) ready(t testing.TB) {
	t.Helper()
	want := kube.Object{Version: "v1", Resource: "serviceaccounts", Namespace: "default", Name: "default"}
	end := time.Now().Add(2 * time.Minute)
	for {
		_, err := s.API.Read(context.Background(), want)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(s.path("kube-apiserver.log"))
			t.Fatalf("the API server is not ready: %v\n%s", err, log[max(0, len(log)-4000):])
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Do makes a call as the administrator and fails the test on an error.
func (s *Server) Do(t testing.TB, method string, o kube.Object, body string) []byte {
	t.Helper()
	r := kube.Request{Method: method, Object: o}
	if body != "" {
		r.Body = []byte(body)
	}
	if method == http.MethodPatch {
		r.ContentType = "application/merge-patch+json"
	}
	data, err := s.API.Do(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func serviceAccountKey(t testing.TB) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

// Random is a name of its own for each call.
func Random(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:6]) }

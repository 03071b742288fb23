// Package kubetest stands between tests of the Kubernetes API and the testbed's
// cluster. Pods that must be many, quick and on nodes of their own are put on
// nodes without a kubelet, and the tests say how they are, as a kubelet does.
package kubetest

import (
	"context"
	"crypto/rand"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"amber/container/kube"
	"amber/testdata/testbed"
)

// Server is a running cluster.
type Server struct {
	*testbed.Kubernetes
	API *kube.Cluster // as an administrator

	dir string
}

// Start starts a cluster for the time of a test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{Kubernetes: testbed.StartKubernetes(t), dir: t.TempDir()}
	s.API = s.open(t, s.Kubeconfig)
	return s
}

func (s *Server) open(t testing.TB, file string) *kube.Cluster {
	t.Helper()
	c, err := kube.New(kube.Options{Kubeconfig: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// UsersNamespace is where the accounts are that Account makes.
const UsersNamespace = "amber-test-users"

// Account makes a user without any right of his own, the service account of
// that name in UsersNamespace, and a client of his whose kubeconfig names a
// namespace.
func (s *Server) Account(t testing.TB, name, namespace string) *kube.Cluster {
	t.Helper()
	return s.as(t, s.User(t, name), func(c *clientcmdapi.Config) {
		for _, x := range c.Contexts {
			x.Namespace = namespace
		}
	})
}

// WithToken is a client of the bearer of a token.
func (s *Server) WithToken(t testing.TB, token string) *kube.Cluster {
	t.Helper()
	return s.as(t, s.Kubeconfig, func(c *clientcmdapi.Config) {
		for name := range c.AuthInfos {
			c.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
		}
	})
}

// as is a client by a copy of a kubeconfig with a change.
func (s *Server) as(t testing.TB, file string, change func(*clientcmdapi.Config)) *kube.Cluster {
	t.Helper()
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	change(config)
	file = filepath.Join(s.dir, Random("user")+".kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return s.open(t, file)
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

// Random is a name of its own for each call.
func Random(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:6]) }

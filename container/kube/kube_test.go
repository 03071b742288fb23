package kube_test

import (
	"context"
	"testing"

	"amber/container/kube/kubetest"
)

func TestTry(t *testing.T) {
	s := kubetest.Start(t)
	ns, node := s.Namespace(t), s.Node(t)
	names := s.Web(t, ns, node, 2)
	t.Log(names)
	served, err := s.API.Served(context.Background(), "admissionregistration.k8s.io", "v1")
	t.Log(served, err)
	who, err := s.API.WhoAmI(context.Background())
	t.Log(who, err)
}

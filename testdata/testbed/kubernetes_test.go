package testbed

import (
	"testing"
	"time"
)

func TestKubernetes(t *testing.T) {
	began := time.Now()
	k := StartKubernetes(t)
	t.Logf("up after %v", time.Since(began).Round(time.Millisecond))
	out, err := k.Kubectl(t.Context(), "get", "nodes,svc,pods,sa,endpointslices", "-A", "-o", "wide")
	t.Log(out, err)
}

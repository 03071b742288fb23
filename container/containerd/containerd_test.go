package containerd_test

import (
	"context"
	"strings"
	"testing"

	"amber/container"
	"amber/container/containerd"
	"amber/container/containertest"
	"amber/testdata/testbed"
)

const loop = "i=0; while :; do i=$((i+1)); sleep 0.05; done"

func open(t *testing.T, bed *testbed.Containerd, opts ...containerd.Option) *containerd.Runtime {
	t.Helper()
	r, err := containerd.New(context.Background(), bed.Address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestConformance(t *testing.T) {
	t.Run("1.6", func(t *testing.T) { conform(t) })
	t.Run("2.x", func(t *testing.T) { conform(t, testbed.Version2()) })
}

func TestConformanceCGroup2(t *testing.T) {
	if testbed.CGroup2World(t) {
		conform(t)
	}
}

func conform(t *testing.T, opts ...testbed.Option) {
	containertest.Run(t, func(t *testing.T) containertest.Bed {
		bed := testbed.StartContainerd(t, opts...)
		return containertest.Bed{
			Runtime: open(t, bed),
			Start:   func(t *testing.T, name string) string { return bed.Run(t, name, loop).ID },
			Remove:  func(t *testing.T, id string) { bed.Remove(t, bed.Namespace, id) },
			Ref:     func(id string) string { return "containerd://" + bed.Namespace + "/" + id },
			Ambiguous: func(t *testing.T) string {
				other := bed.Namespace + "-b"
				bed.Run(t, "one-of-two", loop)
				bed.Run(t, "one-of-two", loop, testbed.InNamespace(other), testbed.CGroup("two-of-two"))
				t.Cleanup(func() {
					bed.Remove(t, bed.Namespace, "one-of-two")
					bed.Remove(t, other, "one-of-two")
				})
				return "one-of-two"
			},
		}
	})
}

func TestNoDaemon(t *testing.T) {
	address := t.TempDir() + "/none.sock"
	r, err := containerd.New(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = r.List(context.Background())
	if err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("the error does not name the socket: %v", err)
	}
	_, err = r.Find(context.Background(), container.Target{Scheme: "containerd", Namespace: "a", ID: "b"})
	if err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("the error does not name the socket: %v", err)
	}
}

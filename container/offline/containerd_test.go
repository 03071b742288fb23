package offline_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"amber/container"
	"amber/container/containerd"
	"amber/container/containertest"
	"amber/container/offline"
	"amber/testdata/testbed"
)

// TestContainerd compares what the live daemon says of its containers with what
// its disk says when it is gone.
func TestContainerd(t *testing.T) {
	t.Run("1.6", func(t *testing.T) { compareContainerd(t) })
	t.Run("2.x", func(t *testing.T) { compareContainerd(t, testbed.Version2()) })
}

func compareContainerd(t *testing.T, opts ...testbed.Option) {
	ctx := context.Background()
	bed := testbed.StartContainerd(t, opts...)
	live, err := containerd.New(ctx, bed.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if _, err := bed.Misbehave("shop"); err != nil {
		t.Fatal(err)
	}
	bed.Run(t, "cache", loop, testbed.Labels(map[string]string{"a": "b"}), testbed.Privileged())
	bed.Run(t, "cache", loop, testbed.InNamespace("other"), testbed.CGroup("other-cache"), testbed.ReadonlyRoot())
	bed.Run(t, "later", loop, testbed.NotStarted())
	bed.Run(t, "id-of-app", loop, testbed.InNamespace("k8s.io"), testbed.PodLabels("shop", "web-1", "uid-1", "app"))
	want, err := live.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	full, docs := map[string]container.Container{}, map[string]map[string]string{}
	for _, c := range want {
		full[c.Namespace+"/"+c.ID] = get(t, live, c)
		docs[c.Namespace+"/"+c.ID], _ = describe(t, live, c)
	}
	root := image(t, bed, containerdConfig(bed))
	if err := bed.Down(); err != nil {
		t.Fatal(err)
	}
	r := open(t, root)
	got, err := r.List(ctx)
	if err != nil || len(got) != len(want) || len(got) != 5 {
		t.Fatalf("%d containers, the daemon had %d: %v", len(got), len(want), err)
	}
	for _, c := range got {
		key := c.Namespace + "/" + c.ID
		if c.Runtime != "offline" || c.Keeper != "containerd" || c.Root != root || c.Ref() != "offline://"+root+"#"+key {
			t.Errorf("%s is %+v", key, c)
		}
		sameContainer(t, key, find(t, r, c.Ref()), full[key])
		sameContainer(t, key, get(t, r, c), full[key])
		sameRoot(t, key, get(t, r, c).Rootfs, full[key].Rootfs)
		theirs, misses := describe(t, r, c)
		sameDocuments(t, key, theirs, docs[key], misses, "runtime/task.json", "runtime/version.json")
	}
	if c := find(t, r, "pod/shop/web-1/app"); c.ID != "id-of-app" || c.Pod.UID != "uid-1" {
		t.Errorf("the pod's container is %+v", c)
	}
	if c := find(t, r, "offline://"+root+"#other/cache"); c.Namespace != "other" {
		t.Errorf("other/cache is %+v", c)
	}
	for _, c := range got {
		state := container.Running // its bundle is in the copy of the state directory
		if c.ID == "later" {
			state = container.Unknown
		}
		if c.State != state || !strings.Contains(strings.Join(c.Notes, "\n"), "state: ") {
			t.Errorf("%s is %s: %v", c.ID, c.State, c.Notes)
		}
	}
}

// sameContainer compares what does not change when the daemon is gone.
func sameContainer(t *testing.T, key string, got, want container.Container) {
	t.Helper()
	if got.ID != want.ID || got.Name != want.Name || got.Image != want.Image || !got.Created.Equal(want.Created) || got.Handler != want.Handler {
		t.Errorf("%s\ngot  %+v\nwant %+v", key, got, want)
	}
	if !maps.Equal(got.Labels, want.Labels) || !reflect.DeepEqual(got.Pod, want.Pod) {
		t.Errorf("%s: labels %v, pod %v; want %v, %v", key, got.Labels, got.Pod, want.Labels, want.Pod)
	}
	if !reflect.DeepEqual(got.Spec, want.Spec) {
		t.Errorf("%s: the spec differs\ngot  %+v\nwant %+v", key, got.Spec, want.Spec)
	}
	if a, b := container.Risks(got), container.Risks(want); !slices.Equal(a, b) {
		t.Errorf("%s: risks %v, want %v", key, a, b)
	}
	if !slices.Equal(got.Logs, want.Logs) {
		t.Errorf("%s: logs %v, want %v", key, got.Logs, want.Logs)
	}
	if got.PID != 0 {
		t.Errorf("%s has the process %d of this host", key, got.PID)
	}
}

func sameRoot(t *testing.T, key string, got, want container.Rootfs) {
	t.Helper()
	want.Merged = "" // nothing is mounted there any more
	if !reflect.DeepEqual(got, want) || got.Upper == "" {
		t.Errorf("%s\ngot  %+v\nwant %+v", key, got, want)
	}
}

// sameDocuments compares byte for byte; those that only a daemon has must be
// missed.
func sameDocuments(t *testing.T, key string, got, want, misses map[string]string, live ...string) {
	t.Helper()
	for name, data := range want {
		switch {
		case slices.Contains(live, name):
			if misses[name] == "" {
				t.Errorf("%s: %s is not missed", key, name)
			}
		case got[name] != data:
			t.Errorf("%s: %s\ngot  %s %s\nwant %s", key, name, got[name], misses[name], data)
		}
	}
	if len(want) < 3 {
		t.Errorf("%s: the daemon gave %d documents", key, len(want))
	}
}

// TestConformance reads the disk anew for every container that is begun.
func TestConformance(t *testing.T) {
	containertest.RunStill(t, func(t *testing.T) containertest.Bed {
		bed := testbed.StartContainerd(t)
		bed.Run(t, "one-of-two", loop)
		bed.Run(t, "one-of-two", loop, testbed.InNamespace("other"), testbed.CGroup("two-of-two"))
		for _, id := range []string{"whose-is-it", "in-its-own-words", "soon-gone"} {
			bed.Run(t, id, loop)
		}
		root := image(t, bed, containerdConfig(bed))
		r := &again{open(t, root)}
		return containertest.Bed{
			Runtime: r,
			Start:   func(t *testing.T, name string) string { return name },
			Remove: func(_ *testing.T, id string) { // what it opens outlives the one test
				if id == "soon-gone" {
					bed.Remove(t, bed.Namespace, id)
					r.Runtime = open(t, image(t, bed, containerdConfig(bed)))
				}
			},
			Ref:       func(id string) string { return "offline://" + r.Root() + "#" + bed.Namespace + "/" + id },
			Ambiguous: func(*testing.T) string { return "one-of-two" },
		}
	})
}

// again is a runtime that is another one after a while.
type again struct{ *offline.Runtime }

package checkpoint

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"amber/container"
	"amber/container/containerd"
	"amber/container/kube"
	"amber/evidence/analyse"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

const countingPod = `apiVersion: v1
kind: Pod
metadata: {name: counter, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: counter
    image: ` + testbed.BusyboxImage + `
    imagePullPolicy: Never
    command: [sh, -c, "n=0; while :; do n=$((n+1)); echo $n >/count; usleep 20000; done"]
`

// The kubelet dumps a pod's container that is paused, leaves it so, and its
// archive is kept as it is and gone from its folder.
func TestKubelet(t *testing.T) {
	k := testbed.StartKubernetes(t)
	k.Apply(t, countingPod)
	k.WaitReady(t, "default", "counter")
	rt, err := containerd.New(t.Context(), k.Containerd.Address)
	must(t, err)
	defer rt.Close()
	found, err := rt.Find(t.Context(), container.Target{Scheme: "pod", Namespace: "default", Pod: "counter", Container: "counter"})
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	c, err := rt.Get(t.Context(), found[0])
	must(t, err)
	cluster, err := kube.New(kube.Options{Kubeconfig: k.Kubeconfig})
	must(t, err)
	defer cluster.Close()
	must(t, rt.Pause(t.Context(), c))
	copied := &copies{Kubelet: kube.Kubelet{Cluster: cluster}}
	o := Options{By: func(container.Container) []container.Checkpointer { return []container.Checkpointer{copied} }}
	b := bundleOf(t, c, o)
	still(t, c)
	if s, err := rt.State(t.Context(), c); s != container.Paused {
		t.Errorf("containerd says %s, %v", s, err)
	}
	left, err := filepath.Glob(filepath.Join(k.KubeletRoot, "checkpoints", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the kubelet's folder: %v %v", left, err)
	}
	var rec record.Checkpoint
	b.json(recordName, &rec)
	if rec.Archive != archive || len(rec.Removed) != 1 || !rec.FrozenAfter || rec.Thawed != "" {
		t.Errorf("%+v", rec)
	}
	cp, err := analyse.ReadCheckpoint(b.b)
	must(t, err)
	if len(cp.Processes) == 0 || len(cp.Bad) > 0 || len(cp.Processes[0].Args) != 3 || cp.Processes[0].Args[0] != "sh" {
		t.Errorf("%+v; %v", cp.Processes, cp.Bad)
	}
	var out bytes.Buffer
	done, err := Export(t.Context(), b.b, &out, func(string, string) {})
	if err != nil || !done.AsMade || sha256.Sum256(out.Bytes()) != copied.sum {
		t.Errorf("what is exported is not the kubelet's: %+v %v", done, err)
	}
	hasTar(t, &out, "checkpoint/inventory.img", "config.dump", "spec.dump", "dump.log")
	must(t, rt.Resume(t.Context(), c))
	before := count(c.PID)
	until(t, func() bool { return count(c.PID) != before })
}

// copies remembers the archive's digest.
type copies struct {
	kube.Kubelet
	sum [sha256.Size]byte
}

func (k *copies) Checkpoint(ctx context.Context, c container.Container, o container.CheckpointOptions) (container.Checkpointed, error) {
	done, err := k.Kubelet.Checkpoint(ctx, c, o)
	if err == nil {
		var b []byte
		b, err = os.ReadFile(done.Archive)
		k.sum = sha256.Sum256(b)
	}
	return done, err
}

func hasTar(t *testing.T, r io.Reader, names ...string) {
	t.Helper()
	seen := map[string]bool{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		seen[h.Name] = true
	}
	for _, n := range names {
		if !seen[n] {
			t.Errorf("the archive has no %s: %v", n, seen)
		}
	}
}

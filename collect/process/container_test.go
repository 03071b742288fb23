package process_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"amber/collect"
	"amber/collect/collecttest"
	"amber/collect/network"
	"amber/collect/process"
	"amber/container"
	"amber/container/containerd"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

// misbehave is a container of about ten processes, some of which lie.
const misbehave = `
mkdir -p /tmp/.x
cp /bin/busybox /tmp/.x/busybox
/tmp/.x/busybox sleep 2001 &
cp /bin/busybox /usr/busybox
/usr/busybox sleep 2002 &
ip link set lo up
nc -l -p 4444 >/dev/null &
for i in 1 2 3 4 5; do sleep 100$i & done
sleep 0.3
rm /tmp/.x/busybox
touch /ready
exec sleep 1000
`

// frozen runs the script in a real container, waits for /ready, pauses it and
// gives what the runtime's adapter knows of it.
func frozen(t testing.TB, script string, opts ...testbed.RunOption) container.Container {
	t.Helper()
	tb := testbed.StartContainerd(t)
	r := tb.Run(t, "evil", script, opts...)
	ready := filepath.Join("/proc", itoa(r.PID), "root/ready")
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the container is not ready")
		}
	}
	ctx := context.Background()
	rt, err := containerd.New(ctx, tb.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	found, err := rt.Find(ctx, container.Target{Scheme: "containerd", Namespace: r.Namespace, ID: "evil"})
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	c, err := rt.Get(ctx, found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Pause(ctx, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func lines[T any](t testing.TB, b []byte) []T {
	t.Helper()
	var all []T
	for line := range bytes.Lines(b) {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, v)
	}
	return all
}

func TestFrozenContainer(t *testing.T) { checkFrozen(t) }

func TestFrozenContainerCGroup2(t *testing.T) {
	if testbed.CGroup2World(t) {
		checkFrozen(t)
	}
}

// checkFrozen collects a frozen container whole, and lets nothing be missed.
func checkFrozen(t *testing.T) {
	c := frozen(t, misbehave)
	net, procs := collecttest.New(t), collecttest.New(t)
	began := time.Now()
	collectInto(t, c, network.New(network.Options{}), net)
	afterNet := time.Now()
	collectInto(t, c, process.New(process.Options{}), procs)
	t.Logf("network %v (%d members), process %v (%d members)", afterNet.Sub(began), len(net.Members), time.Since(afterNet), len(procs.Members))
	t.Logf("misses: %v %v", net.Misses, procs.Misses)
	t.Logf("tree:\n%s", procs.Content["process/tree.txt"])
	if len(procs.Misses)+len(net.Misses) > 0 {
		t.Errorf("misses: %v %v", net.Misses, procs.Misses)
	}
	byArg := map[string]record.Process{}
	for _, p := range lines[record.Process](t, procs.Content["process/processes.jsonl"]) {
		byArg[string(p.Args[len(p.Args)-1])] = p
		if p.Exe == nil || p.Exe.SHA256 == "" || len(p.NSPIDs) != 2 || len(p.Found) == 0 {
			t.Errorf("%+v", p)
		}
	}
	if len(byArg) < 8 {
		t.Fatalf("processes: %v", byArg)
	}
	checkExes(t, procs, byArg)
	owned := false
	for _, s := range lines[record.NetSocket](t, net.Content["network/sockets.jsonl"]) {
		owned = owned || s.State == "listen" && s.LocalPort == 4444 && len(s.Owners) == 1 && s.Owners[0].Comm == "nc"
	}
	if !owned {
		t.Errorf("the listener: %s", net.Content["network/sockets.jsonl"])
	}
	if m := net.Members["network/host/sockets.jsonl"]; m == nil {
		t.Error("the host's sockets are not there")
	}
}

func checkExes(t *testing.T, r *collecttest.Recorder, byArg map[string]record.Process) {
	t.Helper()
	deleted, written, image := byArg["2001"], byArg["2002"], byArg["1000"]
	if e := deleted.Exe; e == nil || !e.Deleted || r.Members[e.Member] == nil || len(deleted.Lies) != 2 {
		t.Errorf("deleted: %+v %v", e, deleted.Lies)
	}
	if e := written.Exe; e == nil || e.Outside != "writable layer" || e.Deleted || r.Members[e.Member] == nil {
		t.Errorf("written: %+v", e)
	}
	if image.Exe.Outside != "" || image.Exe.Member != "" || image.Exe.Deleted || image.Exe.Replaced || len(image.Lies) > 0 {
		t.Errorf("the image's: %+v %v", image.Exe, image.Lies)
	}
	// All three are the same bytes, and kept once.
	if deleted.Exe.Member != written.Exe.Member || deleted.Exe.SHA256 != image.Exe.SHA256 {
		t.Errorf("%+v %+v", deleted.Exe, written.Exe)
	}
}

func collectInto(t testing.TB, c container.Container, col collect.Collector, sink collect.Sink) {
	t.Helper()
	if err := col.Collect(context.Background(), c, sink); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkFrozenContainer(b *testing.B) {
	c := frozen(b, misbehave)
	for name, col := range map[string]collect.Collector{
		"network": network.New(network.Options{}), "process": process.New(process.Options{}),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				collectInto(b, c, col, collecttest.New(b))
			}
		})
	}
}

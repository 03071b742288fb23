//go:build incident

package record

import (
	"encoding/json"
	"flag"
	"net/netip"
	"testing"

	"amber/testdata/testbed"
)

var out = flag.String("out", "", "the folder that the record is written to")

func netAddr(p testbed.Pod) netip.AddrPort { return netip.AddrPortFrom(p.Addr4, 8080) }

// TestRecord is the incident, from the shop's rollout to the responder's
// release.
func TestRecord(t *testing.T) {
	if *out == "" {
		t.Skip("no -out says where to record to")
	}
	if !inWorld(t) {
		return
	}
	compile(t, amberBin, "./cmd/amber")
	dir := t.TempDir()
	k, pod := startCluster(t, dir)
	a := &attack{
		t: t, k: k, web: pod, intruder: newHost(t, k), customer: newHost(t, k),
		diary: newDiary(pod, k),
	}
	a.diary.fact("intruder", a.intruder.Addr4.String())
	a.diary.fact("customer", a.customer.Addr4.String())
	a.run()
	caseDir := respond(t, k, a)
	lost := disarm(t)
	if lost != "0" {
		t.Errorf("the kernel has lost %s audit records", lost)
	}
	write(t, k, a, caseDir)
}

// decode reads JSON that a program of ours has printed.
func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%v in %.500s", err, data)
	}
}

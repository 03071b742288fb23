package network

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"amber/collect/collecttest"
	"amber/collect/process/proc"
	"amber/evidence/record"
)

// socketKeys lists the sockets of a process's namespace by what both ways of
// listing tell of one, after change was done to how they are listed.
func socketKeys(t *testing.T, pid int, change func(*space)) []string {
	t.Helper()
	ctx := context.Background()
	k := &keeper{collecttest.New(t), map[string][]byte{}}
	r := &run{sink: k, guard: proc.NewGuard(time.Second), owners: owners{}}
	defer r.close()
	known := map[uint64]*space{}
	if err := r.enter(ctx, pid, known); err != nil {
		t.Fatal(err)
	}
	n := r.spaces[0]
	if err := n.dial(time.Second); err != nil {
		t.Fatal(err)
	}
	change(n)
	if err := r.sockets(ctx, n); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, s := range read[record.NetSocket](t, k, "network/sockets.jsonl") {
		if s.Family == "netlink" || s.Protocol == "mptcp" {
			continue // our own come and go; /proc/net has no file of the other
		}
		keys = append(keys, fmt.Sprint(s.Family, s.Type, s.Protocol, s.State, s.Local, s.LocalPort, s.Remote, s.RemotePort,
			fmt.Sprintf("%q", string(s.Path)), s.Inode, s.Interface))
	}
	slices.Sort(keys)
	return keys
}

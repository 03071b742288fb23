package cgroupnet

import (
	"strconv"
	"testing"
)

func FuzzDiag(f *testing.F) {
	f.Add(diagRequest(2, 6))
	done := make([]byte, 20)
	done[0], done[4] = 20, 3 // NLMSG_DONE
	f.Add(done)
	f.Add(make([]byte, diagMessageSize+16))
	f.Fuzz(func(t *testing.T, b []byte) {
		groups := map[uint64]uint64{}
		_, _ = take(b, groups)
		if len(groups) > len(b)/diagMessageSize {
			t.Errorf("%d sockets out of %d bytes", len(groups), len(b))
		}
		_, _, _ = diagSocket(b)
	})
}

func FuzzPackets(f *testing.F) {
	f.Add([]byte("sk RefCnt Type Proto Iface R Rmem User Inode\n0000 3 3 0003 2 1 0 0 12345\n"))
	f.Add([]byte("\n\n 7\n-1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := range parsePackets(b) {
			if _, ok := socketInode("socket:[" + strconv.FormatUint(n, 10) + "]"); !ok {
				t.Errorf("%d", n)
			}
		}
		_, _ = socketInode(string(b))
	})
}

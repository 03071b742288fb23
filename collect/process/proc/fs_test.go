package proc

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"amber/container/mountinfo"
)

func newMounts(t *testing.T) *Mounts {
	t.Helper()
	m := NewMounts(t.Context(), NewGuard(time.Second))
	m.Learn([]byte("1 0 9:1 / / rw - ext4 x rw\n"))
	return m
}

func TestServedFileSystemsAreNotSafe(t *testing.T) {
	m := newMounts(t)
	table := m.Learn([]byte("900001 0 0:9001 / / rw - tmpfs x rw\n" +
		"900002 900001 0:9002 / /f rw - fuse.evil  rw\n" +
		"900003 900001 0:9003 / /o rw - overlay o rw,lowerdir=/f/low\n"))
	if len(table.Mounts) != 3 {
		t.Fatalf("%+v", table)
	}
	for id, want := range map[int]error{900001: nil, 900002: ErrRemote, 900003: ErrRemote, 900004: ErrRemote} {
		if err := m.SafeMount(id); !errors.Is(err, want) {
			t.Errorf("mount %d: %v", id, err)
		}
	}
	for minor, want := range map[uint32]error{9001: nil, 9002: ErrRemote, 9003: ErrRemote, 9004: ErrRemote} {
		if err := m.SafeDevice(mountinfo.Device{Minor: minor}); !errors.Is(err, want) {
			t.Errorf("device 0:%d: %v", minor, err)
		}
	}
}

// An abandoned read that comes back asks while another table is learnt.
func TestMountsAreAskedWhileTheyAreLearnt(t *testing.T) {
	m := newMounts(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 1000 {
			m.Learn(fmt.Appendf(nil, "%d 0 9:%d / / rw - ext4 x rw\n", 900000+i, i))
		}
	})
	for i := range 1000 {
		if err := m.SafeMount(900000 + i); err != nil && !errors.Is(err, ErrRemote) {
			t.Error(err)
		}
		if err := m.SafeDevice(mountinfo.Device{Major: 9, Minor: uint32(i)}); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if m.ByID(900999) == nil {
		t.Error("the last table was not learnt")
	}
}

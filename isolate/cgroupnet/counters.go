package cgroupnet

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// The one value of a program's map.
const (
	countDropped = 0  // packets
	countBytes   = 8  // of the dropped packets, with their IP headers
	countPassed  = 16 // packets
	countSize    = 24
)

// Counts is what one program has done since it was attached.
type Counts struct{ Dropped, Bytes, Passed uint64 }

func (c Counts) String() string {
	return fmt.Sprintf("%d packets (%d bytes) dropped, %d let through", c.Dropped, c.Bytes, c.Passed)
}

// counts finds a program's map again through the program.
func counts(prog *ebpf.Program) (Counts, error) {
	info, err := prog.Info()
	if err != nil {
		return Counts{}, fmt.Errorf("asking about the program: %w", err)
	}
	ids, ok := info.MapIDs()
	if !ok || len(ids) != 1 {
		return Counts{}, errors.New("the program does not name its counters")
	}
	m, err := ebpf.NewMapFromID(ids[0])
	if err != nil {
		return Counts{}, fmt.Errorf("opening the counters: %w", err)
	}
	defer m.Close()
	value := make([]byte, countSize)
	if err := m.Lookup(uint32(0), &value); err != nil {
		return Counts{}, fmt.Errorf("reading the counters: %w", err)
	}
	return Counts{native.Uint64(value[countDropped:]), native.Uint64(value[countBytes:]), native.Uint64(value[countPassed:])}, nil
}

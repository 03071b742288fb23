package analyse

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"

	"amber/evidence"
	"amber/evidence/record"
)

// Processes are the processes that a bundle tells of, by pid. What is not
// understood comes as errors beside them.
func Processes(b *evidence.Bundle, from From) (all []*record.Process, bad []error) {
	if from != FromCheckpoint {
		all, bad = recorded(b)
	}
	if from != FromRecords && len(all) == 0 {
		c, err := ReadCheckpoint(b)
		if err != nil {
			return nil, append(bad, unless(from == "", ErrNoCheckpoint, err)...)
		}
		all, bad = c.Processes, append(bad, c.Bad...)
	}
	slices.SortStableFunc(all, func(a, b *record.Process) int { return a.PID - b.PID })
	return all, bad
}

// unless is an error, or nothing where it is one that may be.
func unless(may bool, that, err error) []error {
	if may && errors.Is(err, that) {
		return nil
	}
	return []error{err}
}

func recorded(b *evidence.Bundle) (all []*record.Process, bad []error) {
	for p, err := range records[record.Process](b, parts("process/processes")) {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		all = append(all, p)
	}
	return all, bad
}

// Memories are what became of each process's memory.
func Memories(b *evidence.Bundle) (all []*record.MemoryProcess, bad []error) {
	for p, err := range records[record.MemoryProcess](b, parts("memory/processes")) {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		all = append(all, p)
	}
	return all, bad
}

// Sockets gives the sockets of the container, in whichever network namespace:
// those that the kernel listed, and those that only a descriptor tells of. The
// host's are not among them.
func Sockets(b *evidence.Bundle, from From) iter.Seq2[*record.NetSocket, error] {
	if from == FromCheckpoint {
		return checkpointSockets(b, false)
	}
	return func(yield func(*record.NetSocket, error) bool) {
		any := false
		for s, err := range recordedSockets(b) {
			any = true
			if !yield(s, err) {
				return
			}
		}
		if !any && from == "" {
			checkpointSockets(b, true)(yield)
		}
	}
}

func checkpointSockets(b *evidence.Bundle, may bool) iter.Seq2[*record.NetSocket, error] {
	return func(yield func(*record.NetSocket, error) bool) {
		c, err := ReadCheckpoint(b)
		if err != nil {
			for _, err := range unless(may, ErrNoCheckpoint, err) {
				yield(nil, err)
			}
			return
		}
		for _, s := range c.Sockets {
			if !yield(s, nil) {
				return
			}
		}
		for _, err := range c.Bad {
			if !yield(nil, err) {
				return
			}
		}
	}
}

func recordedSockets(b *evidence.Bundle) iter.Seq2[*record.NetSocket, error] {
	return records[record.NetSocket](b, func(p string) bool {
		dir, name := path.Split(p)
		own := dir == "network/"
		if rest, ok := strings.CutPrefix(dir, "network/netns/"); ok {
			own = strings.Count(rest, "/") == 1
		}
		return own && (partOf(name, "sockets") || partOf(name, "unlisted"))
	})
}

// Owners gives who holds the sockets that have an inode, by that: for those
// whose record does not say.
func Owners(processes []*record.Process) map[uint64][]record.Owner {
	owners := map[uint64][]record.Owner{}
	for _, p := range processes {
		for _, f := range p.Files {
			if f.Type == "socket" && f.Inode != 0 {
				owners[f.Inode] = append(owners[f.Inode], record.Owner{PID: p.PID, FD: f.FD, Thread: f.Thread, Comm: p.Comm})
			}
		}
	}
	return owners
}

// Node is a process in the tree that processes form.
type Node struct {
	*record.Process
	Depth int
}

// Tree puts processes in the order of their tree, parents first. One whose
// parent is not among them is a root; loops, which no kernel makes, are cut.
func Tree(all []*record.Process) []Node {
	here, children := map[int]bool{}, map[int][]int{}
	for _, p := range all {
		here[p.PID] = true
	}
	var roots []int
	for i, p := range all {
		if here[p.PPID] && p.PPID != p.PID {
			children[p.PPID] = append(children[p.PPID], i)
		} else {
			roots = append(roots, i)
		}
	}
	t := tree{all: all, children: children, done: make([]bool, len(all))}
	for _, i := range roots {
		t.walk(i)
	}
	for i := range all {
		t.walk(i) // what only loops hold
	}
	return t.nodes
}

type tree struct {
	all      []*record.Process
	children map[int][]int
	done     []bool
	nodes    []Node
}

// walk goes down from one process; it does not recurse, for a chain may be as
// long as there are processes.
func (t *tree) walk(root int) {
	type step struct{ i, depth int }
	for stack := []step{{root, 0}}; len(stack) > 0; {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if t.done[s.i] {
			continue
		}
		t.done[s.i] = true
		t.nodes = append(t.nodes, Node{t.all[s.i], s.depth})
		below := t.children[t.all[s.i].PID]
		for k := len(below) - 1; k >= 0; k-- {
			stack = append(stack, step{below[k], s.depth + 1})
		}
	}
}

// maxEnviron is the bound of one environment in bytes.
const maxEnviron = 16 << 20

// Environ is a process's environment as it was when it was collected: what it
// was started with, unless it has written over it.
func Environ(b *evidence.Bundle, from From, pid int) ([]record.Text, error) {
	if from == FromCheckpoint {
		return checkpointEnviron(b, pid)
	}
	m, err := b.Lookup("process/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		if all, _ := recorded(b); from == "" && len(all) == 0 {
			return checkpointEnviron(b, pid)
		}
		return nil, err
	}
	if m.Type == record.Miss {
		return nil, fmt.Errorf("the environment of %d was never had: %s", pid, m.Reason)
	}
	r, err := b.Content(m)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxEnviron))
	if err != nil {
		return nil, fmt.Errorf("reading the environment of %d: %w", pid, err)
	}
	return texts(data), nil
}

func checkpointEnviron(b *evidence.Bundle, pid int) ([]record.Text, error) {
	im, err := openImages(b)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{im: im}
	return c.Environ(pid)
}

// Mappings are the mappings of one process, by address.
func Mappings(b *evidence.Bundle, from From, pid int) (all []*record.MemoryMapping, bad []error) {
	if from != FromCheckpoint {
		all, bad = recordedMappings(b, pid)
	}
	if from == FromRecords || len(all) > 0 {
		return all, bad
	}
	c, err := ReadCheckpoint(b)
	if err != nil {
		return nil, append(bad, unless(from == "", ErrNoCheckpoint, err)...)
	}
	for _, m := range c.Mappings {
		if m.PID == pid {
			all = append(all, m)
		}
	}
	return all, append(bad, c.Bad...)
}

func recordedMappings(b *evidence.Bundle, pid int) (all []*record.MemoryMapping, bad []error) {
	for m, err := range records[record.MemoryMapping](b, parts("memory/mappings")) {
		switch {
		case err != nil:
			bad = append(bad, err)
		case m.PID == pid:
			all = append(all, m)
		}
	}
	return all, bad
}

package analyse

import (
	"bytes"
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
func Processes(b *evidence.Bundle) (all []*record.Process, bad []error) {
	for p, err := range records[record.Process](b, parts("process/processes")) {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b *record.Process) int { return a.PID - b.PID })
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
func Sockets(b *evidence.Bundle) iter.Seq2[*record.NetSocket, error] {
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
				owners[f.Inode] = append(owners[f.Inode], record.Owner{PID: p.PID, FD: f.FD, Comm: p.Comm})
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
func Environ(b *evidence.Bundle, pid int) ([]record.Text, error) {
	m, err := b.Lookup("process/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
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
	var all []record.Text
	for v := range bytes.SplitSeq(bytes.TrimRight(data, "\x00"), []byte{0}) {
		if len(v) > 0 {
			all = append(all, record.Text(v))
		}
	}
	return all, nil
}

// Mappings are the mappings of one process, by address.
func Mappings(b *evidence.Bundle, pid int) (all []*record.MemoryMapping, bad []error) {
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

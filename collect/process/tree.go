package process

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"amber/evidence/record"
	"amber/evidence/safetext"
)

// maxShown is how many bytes of a command line the tree shows.
const maxShown = 512

// tree is the processes as a reader wants to see them.
type tree struct{ nodes []node }

type node struct {
	pid, ppid int
	line      string
	lies      []string
}

func (t *tree) add(p *record.Process) {
	t.nodes = append(t.nodes, node{p.PID, p.PPID, line(p), p.Lies})
}

// line is one process on one line: its number on the host and in its own
// namespace, user, start, comm and command line.
func line(p *record.Process) string {
	inner := ""
	if n := len(p.NSPIDs); n > 1 {
		inner = fmt.Sprintf(" (%d inside)", p.NSPIDs[n-1])
	}
	user := "?"
	if p.UIDs != nil {
		user = fmt.Sprint(p.UIDs.Effective)
	}
	var args []string
	size := 0
	for _, a := range p.Args {
		if size += len(a) + 1; size > maxShown {
			args = append(args, "…")
			break
		}
		args = append(args, safetext.Line(string(a)))
	}
	return fmt.Sprintf("%d%s %s uid=%s %s %s: %s", p.PID, inner, p.State, user,
		p.Start.Format(time.RFC3339), safetext.Line(string(p.Comm)), strings.Join(args, " "))
}

// render draws the tree. A process whose parent is not among them is a root;
// loops, which no kernel makes, are cut.
func (t *tree) render() []byte {
	slices.SortFunc(t.nodes, func(a, b node) int { return a.pid - b.pid })
	children := map[int][]int{}
	here := map[int]bool{}
	for _, n := range t.nodes {
		here[n.pid] = true
	}
	var roots []int
	for i, n := range t.nodes {
		if here[n.ppid] && n.ppid != n.pid {
			children[n.ppid] = append(children[n.ppid], i)
		} else {
			roots = append(roots, i)
		}
	}
	var b bytes.Buffer
	drawn := make([]bool, len(t.nodes))
	for _, i := range roots {
		t.draw(&b, i, 0, children, drawn)
	}
	for i := range t.nodes {
		t.draw(&b, i, 0, children, drawn) // what only loops hold
	}
	return b.Bytes()
}

// maxIndent keeps a chain of ten thousand generations readable, and its text
// short.
const maxIndent = 40

func (t *tree) draw(b *bytes.Buffer, i, depth int, children map[int][]int, drawn []bool) {
	if drawn[i] {
		return
	}
	drawn[i] = true
	indent := strings.Repeat("  ", min(depth, maxIndent))
	fmt.Fprintf(b, "%s%s\n", indent, t.nodes[i].line)
	for _, lie := range t.nodes[i].lies {
		fmt.Fprintf(b, "%s  ! %s\n", indent, lie)
	}
	for _, c := range children[t.nodes[i].pid] {
		t.draw(b, c, depth+1, children, drawn)
	}
}

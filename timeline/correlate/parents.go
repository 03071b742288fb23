package correlate

import (
	"cmp"
	"slices"
	"strings"
)

// parents finds the parent of each process: by the source's id, else what was
// alive of the parent's pid when it started.
func (t *procTable) parents() {
	order := t.byPid()
	for i := range t.all {
		p := &t.all[i]
		if p.parent != none && p.parent != int32(i) {
			continue
		}
		p.parent = none
		if j, ok := t.byEntity[p.parentEntity]; ok && p.parentEntity != 0 && j != int32(i) {
			p.parent = j
		} else if p.ppid != 0 {
			p.parent = t.alive(order, p.host, p.ppid, p.start, int32(i))
		}
	}
	t.cutCycles()
}

// alive is the process of a pid at a time.
func (t *procTable) alive(order []int32, host, pid int32, at int64, but int32) int32 {
	n, _ := slices.BinarySearchFunc(order, at, func(i int32, at int64) int {
		p := &t.all[i]
		if d := cmp.Or(cmp.Compare(p.host, host), cmp.Compare(p.pid, pid)); d != 0 {
			return d
		}
		if p.start <= at {
			return -1
		}
		return 1
	})
	for n--; n >= 0; n-- {
		p := &t.all[order[n]]
		if p.host != host || p.pid != pid {
			return none
		}
		if order[n] != but && (p.end == noTime || p.end >= at) {
			return order[n]
		}
	}
	return none
}

// cutCycles makes a root of a process that would be its own ancestor, as
// records that contradict each other may have it.
func (t *procTable) cutCycles() {
	state := make([]uint8, len(t.all)) // 1 on the way, 2 done
	for i := range t.all {
		var way []int32
		j := int32(i)
		for j != none && state[j] == 0 {
			state[j] = 1
			way = append(way, j)
			j = t.all[j].parent
		}
		if j != none && state[j] == 1 {
			t.all[way[len(way)-1]].parent = none
		}
		for _, k := range way {
			state[k] = 2
		}
	}
}

// inherit gives processes whose source knows no containers the one of their
// parent, or that which the runtime was told to start them in.
func (t *procTable) inherit() {
	order := make([]int32, 0, len(t.all))
	children := childrenOf(t.all)
	for i := range t.all {
		if t.all[i].parent == none {
			order = append(order, int32(i))
		}
	}
	for n := 0; n < len(order); n++ {
		i := order[n]
		if p := &t.all[i]; p.container == 0 && p.parent != none {
			p.container = t.containerOf(i, children)
			p.inherited = p.container != 0
		}
		order = append(order, children[i]...)
	}
}

// containerOf concludes a process's container from its parent: a shell's is that
// of what it starts. Of runc and its kin what they start themselves is in the
// container that they name; mostly they leave it to the shim, whose child it is
// then, beside them.
func (t *procTable) containerOf(i int32, children [][]int32) int32 {
	p := &t.all[i]
	parent := &t.all[p.parent]
	exe := t.names.text(p.exe)
	switch {
	case parent.container != 0:
		return parent.container
	case isRuntime(exe) || exe == "/": // runc's second stage has no path
		return 0
	case parent.target != 0:
		return parent.target
	case !isRuntime(t.names.text(parent.exe)):
		return 0
	}
	latest := int64(noTime)
	var container int32
	for _, j := range children[p.parent] {
		if q := &t.all[j]; q.target != 0 && q.start <= p.start && q.start > latest && p.start-q.start <= startsWithin {
			latest, container = q.start, q.target
		}
	}
	return container
}

func isRuntime(exe string) bool {
	return hasPrefixAny(baseName(exe), "runc", "crun", "youki", "containerd", "crio", "conmon", "dockerd")
}

// runtimeTarget is the container that a command of a runtime is about:
// "runc … exec … ID".
func runtimeTarget(exe, command string) string {
	if !hasPrefixAny(baseName(exe), "runc", "crun", "youki") {
		return ""
	}
	words := strings.Fields(command)
	for _, verb := range []string{"exec", "create", "run", "start", "init"} {
		if slices.Contains(words, verb) {
			for i := len(words) - 1; i > 0; i-- {
				if len(words[i]) == 64 && isHex(words[i]) {
					return containerName(words[i])
				}
			}
		}
	}
	return ""
}

func childrenOf(all []proc) [][]int32 {
	out := make([][]int32, len(all))
	for i := range all {
		if p := all[i].parent; p != none {
			out[p] = append(out[p], int32(i))
		}
	}
	return out
}

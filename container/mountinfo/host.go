package mountinfo

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Host is the mount table of a host, what is served marked in it. An empty root
// means this host. Another one is a directory of this host where the root of
// that host is mounted, or was copied to: the table has what is mounted below
// it, with the points as that host has them, and Open takes paths for that
// host's and never leads out of it, whatever links say. What root itself lies on
// is not held for served: whoever named it trusts it.
func Host(root string) (*Table, error) {
	t, err := Of(0)
	if err != nil {
		return nil, err
	}
	t.MarkServed(nil)
	if root == "" {
		return t, nil
	}
	return t.below(root)
}

func (t *Table) below(root string) (*Table, error) {
	at, err := filepath.Abs(root)
	if err == nil {
		at, err = filepath.EvalSymlinks(at)
	}
	if err != nil {
		return nil, fmt.Errorf("the root %s: %w", root, err)
	}
	sub := &Table{Bad: t.Bad, top: map[string]*Mount{}, root: at}
	if m := t.Covering(at); m != nil {
		cover := *m
		cover.Point = "/"
		sub.Mounts = append(sub.Mounts, cover)
	}
	prefix := strings.TrimSuffix(at, "/") + "/"
	for _, m := range t.Mounts {
		if rel, ok := strings.CutPrefix(m.Point, prefix); ok && rel != "" {
			m.Point = "/" + rel
			sub.Mounts = append(sub.Mounts, m)
		}
	}
	for i := range sub.Mounts {
		sub.place(&sub.Mounts[i])
	}
	return sub, nil
}

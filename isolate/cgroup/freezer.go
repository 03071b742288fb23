package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"amber/evidence/durable"
)

// Freeze asks the kernel to stop every task of the cgroup and of those below
// it. It returns at once; State tells when it is so.
func (g Group) Freeze() error { return g.set("FROZEN", "1") }

// Thaw lets them run again.
func (g Group) Thaw() error { return g.set("THAWED", "0") }

// Press tells a version 1 cgroup that is freezing to freeze once more. Its
// freezer looks at each task once when it is told: one that just then goes to
// sleep in a place where it may be frozen, such as a parent that waits for its
// vfork, is missed for ever.
func (g Group) Press() error {
	if g.Version != 1 {
		return nil
	}
	return write(filepath.Join(g.Dir, "freezer.state"), "FROZEN")
}

func (g Group) set(v1, v2 string) error {
	if g.isRoot() {
		return fmt.Errorf("%s: %w", g, ErrRoot)
	}
	file, value := "freezer.state", v1
	if g.Version == 2 {
		file, value = "cgroup.freeze", v2
	}
	durable.Point("before kernel " + file + " " + value)
	err := write(filepath.Join(g.Dir, file), value)
	durable.Point("after kernel " + file + " " + value)
	if err != nil {
		return fmt.Errorf("writing %s of %s: %w", value, g, err)
	}
	return nil
}

// isRoot also holds for a group whose directory is a mount point of its
// hierarchy: there the kernel has no freezer file to write to.
func (g Group) isRoot() bool { return strings.Trim(g.Path, "/") == "" }

// write never makes a file, unlike os.WriteFile.
func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// State asks the kernel. Of version 1, FREEZING that comes from a cgroup above
// counts too; of version 2, "frozen 1" in cgroup.events is what counts, so
// that a cgroup with no process in it is never frozen.
func (g Group) State() (State, error) {
	if g.Version == 1 {
		s, err := value(g.Dir, "freezer.state")
		if err != nil {
			return "", err
		}
		return parseV1(s)
	}
	asked, err := value(g.Dir, "cgroup.freeze")
	if err != nil {
		return "", err
	}
	events, err := value(g.Dir, "cgroup.events")
	if err != nil {
		return "", err
	}
	return parseV2(asked, events), nil
}

// Asked reports whether this cgroup itself, not one above it, was told to
// freeze.
func (g Group) Asked() bool {
	file := "cgroup.freeze"
	if g.Version == 1 {
		file = "freezer.self_freezing"
	}
	s, err := value(g.Dir, file)
	return err == nil && s == "1"
}

func parseV1(s string) (State, error) {
	switch s {
	case "THAWED":
		return Thawed, nil
	case "FREEZING":
		return Freezing, nil
	case "FROZEN":
		return Frozen, nil
	}
	return "", fmt.Errorf("freezer.state says %q", s)
}

func parseV2(asked, events string) State {
	for line := range strings.Lines(events) {
		if strings.TrimSpace(line) == "frozen 1" {
			return Frozen
		}
	}
	if asked == "1" {
		return Freezing
	}
	return Thawed
}

func value(dir, file string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, file))
	return strings.TrimSpace(string(data)), err
}

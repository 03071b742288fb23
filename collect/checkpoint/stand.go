package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"amber/container"
	"amber/evidence/durable"
)

// stand is by which freezers a container stands still.
type stand struct {
	freezers []freezer
}

// freezer is one control of one cgroup.
type freezer struct {
	control string // the file that is written
	frozen  string // what it is written
	state   string // the file that tells
	holds   string // the line that it has when all stand still
}

var errElsewhere = errors.New("the target is frozen by another cgroup than the one that CRIU thaws, and CRIU would wait for ever: freeze it through its runtime (--freeze-by runtime)")

// standOf looks at the freezers of a process. The error is that CRIU would
// hang: it dumps what is frozen in the cgroup that runc names, v1's freezer
// where there is one, and its tasks must be able to run there meanwhile.
func standOf(pid int) (stand, error) {
	groups, err := container.CGroups(pid)
	if err != nil {
		return stand{}, err
	}
	var s stand
	version1 := false
	for _, g := range groups {
		version1 = version1 || g.Has("freezer") && g.Path != "/"
	}
	for _, g := range groups {
		f := freezerOf(g)
		if f.control == "" || !says(f.state, f.holds) {
			continue
		}
		if own := read(selfFile(g)); own != "1" || g.V2() && version1 {
			return stand{}, errElsewhere
		}
		s.freezers = append(s.freezers, f)
	}
	return s, nil
}

func freezerOf(g container.CGroup) freezer {
	in := func(name string) string { return filepath.Join(g.Dir, name) }
	switch {
	case g.V2():
		return freezer{in("cgroup.freeze"), "1", in("cgroup.events"), "frozen 1"}
	case g.Has("freezer"):
		return freezer{in("freezer.state"), "FROZEN", in("freezer.state"), "FROZEN"}
	}
	return freezer{}
}

// selfFile tells whether a group is frozen itself, and not by one above.
func selfFile(g container.CGroup) string {
	if g.V2() {
		return filepath.Join(g.Dir, "cgroup.freeze")
	}
	return filepath.Join(g.Dir, "freezer.self_freezing")
}

func read(path string) string {
	b, _ := os.ReadFile(path) // what is not there says nothing
	return strings.TrimSpace(string(b))
}

func says(path, line string) bool {
	for l := range strings.Lines(read(path)) {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}

// refreezeTries times a millisecond is how long a target is given to stand
// still again.
const refreezeTries = 5000

// restore freezes again what CRIU left thawed, and says so; it does not give up
// early, for what was frozen must not run on.
func (s stand) restore(since time.Time) string {
	said := ""
	for _, f := range s.freezers {
		if says(f.state, f.holds) {
			continue
		}
		durable.Point("before freezing again")
		err := f.again()
		durable.Point("after freezing again")
		said = fmt.Sprintf("CRIU left the target thawed: it may have run at some time from %s to %s, and is frozen again",
			since.Format(time.RFC3339Nano), time.Now().UTC().Format(time.RFC3339Nano))
		if err != nil {
			said = "CRIU left the target thawed, and it is NOT frozen again: " + err.Error()
		}
	}
	return said
}

func (f freezer) again() (err error) {
	for range refreezeTries {
		if err = os.WriteFile(f.control, []byte(f.frozen), 0); err == nil && says(f.state, f.holds) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	if err == nil {
		err = fmt.Errorf("%s does not say %q", f.state, f.holds)
	}
	return err
}

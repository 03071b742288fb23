package cgroupnet

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"amber/container/procfs"
	"amber/isolate"
)

// Revert detaches what the receipt's steps have attached or may have attached,
// and makes sure that it is gone. Other programs stay.
func (m *Method) Revert(_ context.Context, r isolate.Receipt, done func(isolate.Outcome) error) error {
	var errs []error
	for _, s := range slices.Backward(r.Steps) {
		note, err := undo(s)
		o := isolate.Outcome{ID: s.ID, Changed: s.Undo != "", Note: note}
		if err != nil {
			o.Err = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", s.Object, err))
		}
		errs = append(errs, done(o))
	}
	return errors.Join(errs...)
}

func undo(s isolate.Step) (note string, err error) {
	b, err := decode(s)
	switch {
	case err != nil:
		return "", err
	case s.Action == actionNone:
		return "nothing was changed: no process of it ran", nil
	case b.Boot != procfs.BootID():
		return "the host was started anew since, which took the program away", nil
	}
	if same, gone := b.Cgroup.Same(); !same {
		return b.removed(gone)
	}
	note = "no program of this case is attached"
	for range 8 { // as often as it could have been attached, and more
		a, found, err := b.find()
		if err != nil || !found {
			return note, err
		}
		if note, err = b.detach(a); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%s comes back to %s as often as it is detached", b.Program, b.Cgroup)
}

// removed is for a cgroup that is not there any more, with all that was
// attached to it. Where its hierarchy is not mounted it may well be there.
func (b before) removed(gone bool) (string, error) {
	if !gone {
		return fmt.Sprintf("%s is another one of that name: the one that was isolated is gone, and the program with it", b.Cgroup), nil
	}
	for dir := filepath.Dir(b.Cgroup.Dir); dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return fmt.Sprintf("%s is gone, and the program with it", b.Cgroup), nil
		}
	}
	return "", fmt.Errorf("%s cannot be looked at: the hierarchy is not mounted here", b.Cgroup)
}

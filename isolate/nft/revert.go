package nft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/container/procfs"
	"amber/evidence/durable"
	"amber/isolate"
)

// Revert detaches the programs and deletes the tables of the receipt's steps and
// nothing else, makes sure that they are gone, and says whether all other tables
// are as they were.
func (m *Method) Revert(ctx context.Context, r isolate.Receipt, done func(isolate.Outcome) error) error {
	var errs []error
	notes := map[uint64]note{}
	for _, s := range slices.Backward(r.Steps) {
		o, err := undo(ctx, s, notes)
		if err != nil {
			o.Err = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", s.Object, err))
		}
		errs = append(errs, done(o))
	}
	return errors.Join(errs...)
}

// undo undoes one step. The notes come before the drops that they are of,
// because a receipt is undone from its end.
func undo(ctx context.Context, s isolate.Step, notes map[uint64]note) (isolate.Outcome, error) {
	o := isolate.Outcome{ID: s.ID}
	switch s.Action {
	case actionNote:
		var n note
		if err := json.Unmarshal(s.Before, &n); err != nil {
			return o, fmt.Errorf("reading step %d of the journal: %w", s.ID, err)
		}
		notes[n.Space] = n
		o.Note = "nothing was changed"
		return o, nil
	case actionGuard:
		return undoGuard(ctx, s)
	case actionDrop:
	default:
		o.Note = "nothing was changed"
		return o, nil
	}
	b, err := decode(s)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return o, err
	}
	if boot := procfs.BootID(); b.Boot != boot {
		o.Note = "the host was started anew since, which ended the quarantine"
		return o, nil
	}
	ns := openNS(b.Space)
	if ns == nil {
		o.Note = "the network namespace that the table was in is gone, and the table with it"
		return o, nil
	}
	defer ns.Close()
	gone, err := b.remove(ns)
	if err != nil {
		return o, err
	}
	o.Changed, o.Note = gone, "deleted the table "+b.Table
	if !gone {
		o.Note = fmt.Sprintf("the table %s is not there: it was never in force, or was deleted since", b.Table)
	}
	o.Note += "; " + compare(ns, notes, b.Space)
	return o, nil
}

// remove deletes the table in one transaction, of every family: ambers of before
// made it of several. It reports whether it was there.
func (b before) remove(ns *netns.NS) (bool, error) {
	c, err := connect(ns.FD())
	if err != nil {
		return false, err
	}
	defer c.CloseLasting()
	for try := 0; ; try++ {
		tables, err := b.there(c)
		if err != nil || len(tables) == 0 {
			return false, err
		}
		for _, t := range tables {
			c.DelTable(t)
		}
		durable.Point("before nft delete")
		err = c.Flush()
		durable.Point("after nft delete")
		if errors.Is(err, unix.ENOENT) && try < otherTries {
			continue // somebody else deleted one of them
		}
		if err != nil {
			return false, fmt.Errorf("deleting the table %s: %w", b.Table, err)
		}
		left, err := b.there(c)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("the table %s is still there", b.Table)
		}
		return true, err
	}
}

func (b before) there(c *nftables.Conn) ([]*nftables.Table, error) {
	all, err := c.ListTables()
	if err != nil {
		return nil, fmt.Errorf("listing tables: %w", err)
	}
	return slices.DeleteFunc(all, func(t *nftables.Table) bool { return t.Name != b.Table }), nil
}

// compare says whether all other tables are as they were.
func compare(ns *netns.NS, notes map[uint64]note, space uint64) string {
	n, ok := notes[space]
	if !ok || n.Others == "" {
		return "what the other tables were was not noted"
	}
	s, err := dial(ns.FD())
	if err != nil {
		return "the other tables cannot be read: " + err.Error()
	}
	defer s.close()
	now, _, err := others(s)
	switch {
	case err != nil:
		return "the other tables cannot be read: " + err.Error()
	case now != n.Others:
		return "others have changed their tables since"
	case !n.Exact:
		return "all other tables are as they were right after the drop"
	}
	return "all other tables are as they were before"
}

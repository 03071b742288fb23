package tui

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"sort"

	tea "github.com/charmbracelet/bubbletea"

	"amber/evidence/custody"
	"amber/timeline"
	"amber/timeline/store"
)

// detailPane is one row whole: its fields, the record that proves it, and where
// that lies.
type detailPane struct {
	open   bool
	tab    int // 0 fields, 1 record, 2 proof
	gen    int
	row    *timeline.Row
	fields []fieldValue
	refs   []proof
	raw    []byte
	rawErr error
	proved bool // the record was hashed again and is what it was
	list   list
	search string
	pretty prettyText
	then   func(m *model) // once the row is here
}

// fieldValue is a field that a row has.
type fieldValue struct{ name, value string }

// proof is where a record lies.
type proof struct {
	file  store.File
	spans []timeline.Range
}

// prover is a store that knows where the records of a row lie.
type prover interface {
	Refs(ctx context.Context, id timeline.RowID) ([]timeline.RawRef, error)
	Manifest() *store.Manifest
}

// forget: what is shown is of another row.
func (d *detailPane) forget() {
	d.gen++
	d.row, d.fields, d.refs, d.raw, d.rawErr, d.proved, d.then = nil, nil, nil, nil, nil, false, nil
	d.pretty = prettyText{}
}

// rowMsg is a row with all its fields.
type rowMsg struct {
	gen int
	row *timeline.Row
	err error
}

// proofMsg says where the record of a row lies.
type proofMsg struct {
	gen  int
	refs []proof
	err  error
}

// rawMsg is the record itself.
type rawMsg struct {
	gen int
	raw []byte
	err error
}

// askDetail asks for the chosen row, if the pane is open and shows another.
func (m *model) askDetail() {
	t := &m.tl
	d := &t.detail
	row := t.win.selected()
	if !d.open || row == nil || d.row != nil && d.row.ID == row.ID {
		return
	}
	d.forget()
	d.row = row
	d.list = list{sel: d.list.sel}
	s, gen, at, id := m.c.Store, d.gen, row.Time, row.ID
	m.asker.ask(laneDetail, func(ctx context.Context, tell func(tea.Msg)) {
		found, err := wholeRow(ctx, s, at, id)
		tell(rowMsg{gen, found, err})
		if p, ok := s.(prover); ok && err == nil {
			refs, err := proofs(ctx, p, id)
			tell(proofMsg{gen, refs, err})
		}
	})
	m.askRaw()
}

// wholeRow reads a row with all its fields, by its time.
func wholeRow(ctx context.Context, s timeline.Store, at timeline.Time, id timeline.RowID) (*timeline.Row, error) {
	from, err := s.At(ctx, timeline.Time{Micros: at.Micros})
	if err != nil {
		return nil, err
	}
	for {
		page, err := s.Rows(ctx, timeline.Ask{Fields: []string{"*"}}, from, 64)
		if err != nil {
			return nil, err
		}
		for i := range page.Rows {
			switch r := &page.Rows[i]; {
			case r.ID == id:
				return r, nil
			case r.Time.Micros > at.Micros:
				return nil, fmt.Errorf("the row %x is not there any more", id)
			}
		}
		if from = page.Next; from == "" {
			return nil, fmt.Errorf("the row %x is not there any more", id)
		}
	}
}

func proofs(ctx context.Context, p prover, id timeline.RowID) ([]proof, error) {
	refs, err := p.Refs(ctx, id)
	if err != nil {
		return nil, err
	}
	files := p.Manifest().Files
	var out []proof
	for _, r := range refs {
		if int(r.File) < len(files) {
			out = append(out, proof{files[r.File], r.Ranges})
		}
	}
	return out, nil
}

// maxShownRaw is how much of a record is shown.
const maxShownRaw = 4 << 20

// askRaw asks for the record, if it is looked at. That is a look into evidence.
func (m *model) askRaw() {
	d := &m.tl.detail
	if d.tab == 0 || !d.open || d.row == nil || d.raw != nil || d.rawErr != nil {
		return
	}
	s, gen, id, log := m.c.Store, d.gen, d.row.ID, m.c.Log
	m.asker.ask(laneRaw, func(ctx context.Context, tell func(tea.Msg)) {
		raw, err := readRaw(ctx, s, id)
		if err == nil && log != nil {
			err = log(custody.Entry{Action: "timeline-raw", Result: "row " + hex.EncodeToString(id[:])})
		}
		tell(rawMsg{gen, raw, err})
	})
}

func readRaw(ctx context.Context, s timeline.Store, id timeline.RowID) ([]byte, error) {
	r, err := s.Raw(ctx, id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxShownRaw))
}

func (r rowMsg) take(m *model) error {
	d := &m.tl.detail
	if r.gen != d.gen || r.err != nil {
		return r.err
	}
	d.row = r.row
	d.fields = fieldsOf(r.row)
	d.list.show(len(d.fields), 1)
	if then := d.then; then != nil {
		d.then = nil
		then(m)
	}
	return nil
}

func (p proofMsg) take(m *model) error {
	if d := &m.tl.detail; p.gen == d.gen && p.err == nil {
		d.refs = p.refs
	}
	return nil // a store that cannot say says nothing
}

func (r rawMsg) take(m *model) error {
	d := &m.tl.detail
	if r.gen != d.gen {
		return nil
	}
	d.raw, d.rawErr, d.proved = r.raw, r.err, r.err == nil
	return nil
}

// fieldsOf are the fields of a row in the order of the schema, those without a
// column behind.
func fieldsOf(r *timeline.Row) []fieldValue {
	var out []fieldValue
	for f := range timeline.NumFields {
		if v := text(r.Values[f.Name()]); v != "" {
			out = append(out, fieldValue{f.Name(), v})
		}
	}
	n := len(out)
	for name, v := range r.Values {
		if _, ok := timeline.FieldByName(name); !ok && text(v) != "" {
			out = append(out, fieldValue{name, text(v)})
		}
	}
	rest := out[n:]
	sort.Slice(rest, func(i, j int) bool { return rest[i].name < rest[j].name })
	return out
}

// field is the field that the pane stands on.
func (d *detailPane) field() (fieldValue, bool) {
	if d.tab != 0 || d.list.sel >= len(d.fields) {
		return fieldValue{}, false
	}
	return d.fields[d.list.sel], true
}

func (d *detailPane) move(by, h int) {
	d.list.move(by, d.lines(), h)
	if d.tab != 0 { // a text scrolls
		d.list.top = max(0, min(d.list.sel, d.lines()-h))
	}
}

func (d *detailPane) lines() int {
	switch d.tab {
	case 0:
		return len(d.fields)
	case 1:
		return len(d.pretty.lines)
	}
	return 5 + 5*len(d.refs)
}

package tui

import (
	"context"
	"math"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
	"amber/timeline/correlate"
)

// deedPane is what the chosen process did, in the order of time.
type deedPane struct {
	on      bool // wanted where the window is narrow, not wanted where it is wide
	focus   bool
	of      correlate.Ref
	gen     int
	loading bool
	failed  error
	cut     bool // there is more than is shown
	deeds   []deed
	list    list
}

// maxDeeds are read of a process, so many at a time; of an object so many bytes are
// kept, for an attacker may name files by the megabyte.
const (
	maxDeeds  = 5000
	deedsPage = 250
	maxObject = 2048
)

// deedsMsg are some more deeds of a process.
type deedsMsg struct {
	gen       int
	deeds     []deed
	done, cut bool
	err       error
}

// askDeeds asks what the chosen process did, if that is shown and not known.
func (m *model) askDeeds() {
	p := &m.procs.did
	x := m.process()
	if x == nil || !m.deedsShown() || p.of == x.Ref {
		return
	}
	p.gen++
	*p = deedPane{on: p.on, focus: p.focus, of: x.Ref, gen: p.gen, loading: true}
	where, err := parseFilter(m.procs.told(x), m.o.now())
	if err != nil {
		p.loading, p.failed = false, err
		return
	}
	s, gen := m.c.Store, p.gen
	a := timeline.Ask{Where: where, Fields: deedFields()}
	m.asker.ask(laneDetail, func(ctx context.Context, tell func(tea.Msg)) {
		n, from := 0, timeline.Cursor("")
		for {
			page, err := s.Rows(ctx, a, from, deedsPage)
			n += len(page.Rows)
			msg := deedsMsg{gen: gen, done: page.Next == "" || n >= maxDeeds, cut: page.Next != "" && n >= maxDeeds, err: err}
			for i := range page.Rows {
				msg.deeds = append(msg.deeds, deedOf(&page.Rows[i]))
			}
			tell(msg)
			if from = page.Next; err != nil || msg.done {
				return
			}
		}
	})
}

func (d deedsMsg) take(m *model) error {
	p := &m.procs.did
	if d.gen != p.gen {
		return nil
	}
	p.failed, p.cut, p.loading = d.err, d.cut, !d.done && d.err == nil
	for _, x := range d.deeds {
		p.add(x)
	}
	return nil
}

// add puts a deed behind the others; one like the last is counted with it.
func (p *deedPane) add(x deed) {
	if n := len(p.deeds); n > 0 {
		if l := &p.deeds[n-1]; l.kind == x.kind && l.verb == x.verb && l.object == x.object && l.failed == x.failed {
			l.count++
			l.last = x.at.Micros
			return
		}
	}
	p.deeds = append(p.deeds, x)
}

// slack is how far apart the clocks and the records of one moment may be.
const slack = int64(1e6)

// told is the filter for what is told of a process: by its number, for some
// sources name no host, from its start to its end, or to where the number is told
// of another program.
func (p *processScreen) told(x *correlate.Proc) string {
	f := "process.pid:" + pidText(x)
	if x.Host != "" {
		f += " AND (" + term("host.name", x.Host) + " OR NOT _exists_:host.name)"
	}
	from, to := x.Start.Micros-slack, int64(math.MaxInt64)
	if x.End != timeline.NoTime {
		to = x.End.Micros + slack
	}
	for _, o := range p.all {
		if o.PID != x.PID || o.Host != x.Host || o.Ref == x.Ref {
			continue
		}
		switch {
		case o.Start.Micros > x.Start.Micros:
			to = min(to, o.Start.Micros-1)
		case o.Start.Micros < x.Start.Micros:
			from = x.Start.Micros
		}
	}
	const form = "2006-01-02T15:04:05.000000"
	end := "*"
	if to != math.MaxInt64 {
		end = goTime(to).Format(form)
	}
	return f + " AND @timestamp:[" + goTime(from).Format(form) + " TO " + end + "]"
}

func deedFields() []string {
	return append([]string{
		"event.category", "event.outcome", "event.dataset", "file.path", "source.ip", "source.port", "destination.ip", "destination.port",
		"network.transport", "process.command_line", "process.executable", "message", "error.code",
	}, correlate.WriteFields()...)
}

// toggleDeeds shows what the chosen process did, or hides it.
func (m *model) toggleDeeds() {
	p := &m.procs.did
	p.on = !p.on
	if !m.deedsShown() {
		p.focus = false
	}
	m.askDeeds()
}

// focusDeeds goes to what the process did, and back to the tree.
func (m *model) focusDeeds() {
	p := &m.procs.did
	if !m.deedsShown() {
		p.on = !p.on
	}
	p.focus = !p.focus
	m.askDeeds()
}

// openDeed shows the event of a deed among what happened around it.
func (m *model) openDeed() {
	p := &m.procs.did
	x := m.process()
	if x == nil || p.list.sel >= len(p.deeds) {
		return
	}
	d := p.deeds[p.list.sel]
	m.visit(view{Filter: m.procs.told(x), At: d.at.Micros, HasAt: true, Row: d.row, Title: "process " + pidText(x)})
}

func (m *model) pinDeed() {
	p := &m.procs.did
	x := m.process()
	if x == nil || p.list.sel >= len(p.deeds) {
		return
	}
	d := p.deeds[p.list.sel]
	m.write(m.noteOf("pin", &timeline.Row{ID: d.row, Time: d.at, Values: map[string]any{"message": commandOf(x) + ": " + d.verb + " " + d.object}}))
	m.say("pinned; 5 shows the story")
}

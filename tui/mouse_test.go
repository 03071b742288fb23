package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline/store"
)

// mouse does something with the left button at a place of the screen.
func (s *stage) mouse(action tea.MouseAction, x, y int) {
	s.update(tea.MouseMsg{X: x, Y: y, Action: action, Button: tea.MouseButtonLeft})
	s.settle()
}

func (s *stage) click(x, y int) {
	s.mouse(tea.MouseActionPress, x, y)
	s.mouse(tea.MouseActionRelease, x, y)
}

// drag goes from one column of the bars to another, as a terminal tells it: X10
// releases have no button.
func (s *stage) drag(from, to int) {
	s.mouse(tea.MouseActionPress, from, 3)
	for x := min(from, to) + 1; x < max(from, to); x += 3 {
		s.mouse(tea.MouseActionMotion, x, 3)
	}
	s.update(tea.MouseMsg{X: to, Y: 3, Action: tea.MouseActionRelease, Button: tea.MouseButtonNone})
	s.settle()
}

// What is dragged over is what is shown, from its first bar to its last.
func TestDrag(t *testing.T) {
	s := sharedStore(t)
	for _, size := range sizes {
		for _, d := range [][2]int{{20, 40}, {40, 20}, {2, 30}, {60, 500}} {
			st := newStage(t, caseOf(t, s), size[0], size[1])
			o := st.m.tl.over
			first := floor(o.span.From, o.width)
			lo, hi := max(0, min(d[0], d[1])-chartLabel), min(max(d[0], d[1])-chartLabel, len(o.bars)-1)
			from, to := first+int64(lo)*o.width, first+int64(hi+1)*o.width
			st.drag(d[0], d[1])
			query := fmt.Sprintf("@timestamp:[%s TO %s]", goTime(from).Format("2006-01-02T15:04:05.000000"), goTime(to-1).Format("2006-01-02T15:04:05.000000"))
			n, rows := ask(t, s, query)
			if st.m.tl.over.count != n || n == 0 || st.m.tl.win.at(0).ID != rows[0].ID || !strings.Contains(st.view(), "zoomed") {
				t.Errorf("%v: the drag %v shows %d rows, %s has %d:\n%s", size, d, st.m.tl.over.count, query, n, st.view())
			}
			st.keys("[")
			if all, _ := ask(t, s, ""); st.m.tl.over.count != all {
				t.Errorf("%v: [ does not go back from the drag %v", size, d)
			}
		}
	}
}

// A click on the bars goes there, and zooms nothing.
func TestClickBars(t *testing.T) {
	s := sharedStore(t)
	st := newStage(t, caseOf(t, s), 120, 40)
	o := st.m.tl.over
	at := floor(o.span.From, o.width) + 30*o.width
	st.click(chartLabel+30, 3)
	if r := st.m.tl.win.selected(); r == nil || r.Time.Micros < at || st.m.tl.over.count != o.count {
		t.Errorf("the click goes to %v, not to %s", r, goTime(at))
	}
}

// Clicks choose tabs, rows, values and processes; a second one opens.
func TestClicks(t *testing.T) {
	s := sharedStore(t)
	st := newStage(t, caseOf(t, s), 120, 40)
	st.keys("/user.name:mallory<enter>")
	list := st.m.chartLines() + 2
	st.click(20, list+1)
	if st.m.tl.win.sel != 1 || st.m.tl.detail.open {
		t.Errorf("a click does not choose the row: %d", st.m.tl.win.sel)
	}
	st.click(20, list+1)
	if !st.m.tl.detail.open {
		t.Error("a second click does not open it")
	}
	st.keys("<esc><esc>")
	st.click(115, list+1) // a value at the side
	if l, ok := st.m.facetHere(); !ok || l.value != 0 || st.m.tl.focus != focusFacets {
		t.Errorf("a click at the side chooses %+v:\n%s", l, st.view())
	}
	field := st.m.tl.facets.fields[0]
	st.click(115, list+1)
	if n, _ := ask(t, st.m.c.Store.(*store.Store), "user.name:mallory AND "+term(field.field, field.values[0].Key)); st.m.tl.over.count != n {
		t.Errorf("a second click does not filter: %d rows, not %d", st.m.tl.over.count, n)
	}
	title := strings.Split(st.view(), "\n")[0]
	for i, name := range []string{"Findings", "Processes", "Evidence", "Story", "Timeline"} {
		st.click(len([]rune(title[:strings.Index(title, name)]))+1, 0)
		if st.m.screen.String() != name {
			t.Errorf("click %d on %s shows %s", i, name, st.m.screen)
		}
		title = strings.Split(st.view(), "\n")[0]
	}
	st.keys("3")
	st.click(10, 3)
	if st.m.procs.list.sel != 1 {
		t.Errorf("a click chooses process %d", st.m.procs.list.sel)
	}
	st.click(110, 5)
	if st.m.here() != atDeeds {
		t.Error("a click does not go to what the process did")
	}
	st.view()
}

// The wheel scrolls. The mouse is off until it is switched on.
func TestWheel(t *testing.T) {
	st := newStage(t, caseOf(t, sharedStore(t)), 80, 24)
	if st.m.mouse {
		t.Error("the mouse is on from the beginning")
	}
	on := st.update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("M")})
	if !st.m.mouse || on == nil || fmt.Sprintf("%T", on()) != fmt.Sprintf("%T", tea.EnableMouseCellMotion()) {
		t.Error("M does not switch it on")
	}
	was := st.m.tl.win.sel
	st.update(tea.MouseMsg{Button: tea.MouseButtonWheelDown, Action: tea.MouseActionPress})
	if st.m.tl.win.sel != was+3 {
		t.Errorf("the wheel goes %d rows", st.m.tl.win.sel-was)
	}
	st.update(tea.MouseMsg{Button: tea.MouseButtonWheelUp, Action: tea.MouseActionPress})
	if st.m.tl.win.sel != was {
		t.Error("the wheel does not go back")
	}
}

package tui

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// again is a case that is opened once more, with a place for its session.
func again(t *testing.T, c Case, state string) *stage {
	t.Helper()
	k, err := lookFor("")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, m: newModel(c, k, Options{Now: now, State: state}), mail: make(chan tea.Msg, 1<<16)}
	ctx, cancel := context.WithCancel(context.Background())
	s.m.asker = newAsker(ctx, func(m tea.Msg) { s.mail <- m })
	t.Cleanup(func() {
		cancel()
		s.m.asker.busy.Wait()
	})
	s.update(tea.WindowSizeMsg{Width: 120, Height: 40})
	s.update(started{})
	s.settle()
	return s
}

// What one looked at, and how, is there again the next time: place, filter, zoom,
// columns, clock, theme and marks.
func TestSession(t *testing.T) {
	for _, name := range []string{"LC_ALL", "NO_COLOR", "COLORTERM"} {
		t.Setenv(name, "")
	}
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("LANG", "C.UTF-8")
	c, state := caseOf(t, sharedStore(t)), t.TempDir()
	c.Key = c.Dir
	st := again(t, c, state)
	st.keys("/user.name:mallory<enter>j z<esc>tcd<esc>f:theme light<enter>")
	was, cols, row := st.m.tl.view, len(st.m.tl.cols), st.m.tl.win.selected().ID
	if err := st.m.saveSession(); err != nil {
		t.Fatal(err)
	}
	st = again(t, c, state)
	switch v := st.m.tl.view; {
	case v.Filter != was.Filter || v.Span != was.Span || v.Screen != was.Screen:
		t.Errorf("the view is %+v, and was %+v", v, was)
	case len(st.m.tl.cols) != cols || st.m.times.clock != clockLocal || st.m.k.theme != "light":
		t.Errorf("%d columns, %s, %s", len(st.m.tl.cols), st.m.times.clock, st.m.k.theme)
	case st.m.tl.win.selected().ID != row || len(st.m.notes.marks) != 1:
		t.Errorf("another row, or %d marks", len(st.m.notes.marks))
	case !strings.Contains(st.view(), "as you left it"):
		t.Errorf("nothing is said of it:\n%s", st.view())
	}

	t.Setenv("NO_COLOR", "1")
	st = again(t, c, state)
	if st.m.k.theme != "monochrome" {
		t.Errorf("the theme is %s although NO_COLOR is set", st.m.k.theme)
	}
	if err := st.m.saveSession(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NO_COLOR", "")
	if st = again(t, c, state); st.m.k.theme != "light" {
		t.Errorf("the theme is %s for good because NO_COLOR was set once", st.m.k.theme)
	}
}

// A session that is broken, or somebody else's, is none.
func TestSessionIsNotTrusted(t *testing.T) {
	c, state := caseOf(t, sharedStore(t)), t.TempDir()
	c.Key = c.Dir
	path := again(t, c, state).m.sessionPath()
	for name, text := range map[string]string{"broken": `{"view":`, "elsewhere": `{"view":{"screen":99}}`, "no filter": `{"view":{"filter":"user.name:("}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		st := again(t, c, state)
		if name == "no filter" {
			st.keys("x") // it is said what is wrong, and one can go on
			st.keys("/<ctrl+u>user.name:mallory<enter>")
		}
		if st.m.tl.win.len() == 0 {
			t.Errorf("%s: nothing is shown:\n%s", name, st.view())
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(state, "nowhere"), path); err != nil {
		t.Fatal(err)
	}
	again(t, c, state).view()
}

// Relative times count from where the bars begin, not from what lies far off.
func TestRelativeToTheBulk(t *testing.T) {
	events := append(fixture(), small{after: -300 * 24 * time.Hour, dataset: "amber.file", action: "file-created", file: "/bin/old"})
	st := newStage(t, caseOf(t, storeOf(t, events)), 120, 40)
	st.keys("tt")
	if v := st.view(); !strings.Contains(v, "+0:00.000") || strings.Contains(v, "+300d") {
		t.Errorf("times count from the oldest:\n%s", v)
	}
	st.keys("/user.name:mallory<enter>")
	if v := st.view(); !strings.Contains(v, "+11:40.000") {
		t.Errorf("with a filter they count from elsewhere:\n%s", v)
	}
	st.keys("TG")
	if v := st.view(); !strings.Contains(v, "+1:40.000") {
		t.Errorf("T does not count from the row:\n%s", v)
	}
}

// The help begins with the keys of the place where one stands.
func TestHelpBeginsHere(t *testing.T) {
	for keys, want := range map[string]string{"": "the timeline", "<enter>": "one row", "f": "values at the side", "2": "findings", "3": "processes", "4": "evidence", "5": "the story"} {
		st := newStage(t, caseOf(t, sharedStore(t)), 80, 50)
		st.keys(keys + "?")
		p, ok := st.m.over.(*pages)
		if !ok {
			t.Fatalf("%q: no help:\n%s", keys, st.view())
		}
		for i, l := range p.lines {
			if l.text == "" {
				if p.lines[i+1].text != want {
					t.Errorf("%q: the help begins with %q", keys, p.lines[i+1].text)
				}
				break
			}
		}
	}
}

// The story's times are those of the clock that is chosen.
func TestStoryTimes(t *testing.T) {
	st := newStage(t, caseOf(t, sharedStore(t)), 120, 40)
	st.keys("5")
	if v := st.view(); !strings.Contains(v, "  02:11:4") {
		t.Fatalf("no sentence has its time:\n%s", v)
	}
	st.keys("tt")
	if v := st.view(); !strings.Contains(v, "  +11:4") || strings.Contains(v, "  02:11:4") {
		t.Errorf("the story's times are not relative:\n%s", v)
	}
}

package tui

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/store"
)

// growing is a timeline that is still being built, opened anew as amber does it:
// where there is a newer generation.
type growing struct {
	t    *testing.T
	dir  string
	n    int
	seen int64
}

// grow adds events behind all others.
func (g *growing) grow(n int) {
	g.t.Helper()
	w, err := store.NewWriter(g.dir, store.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	file := w.File(0)
	path := fmt.Sprintf("/var/log/audit.log.%d", g.n)
	w.Seal(file, store.File{Size: 1 << 40, Source: "test", Path: path, Digest: sha256.Sum256([]byte(path))})
	run, err := w.Run()
	if err != nil {
		g.t.Fatal(err)
	}
	for range n {
		x := small{after: time.Duration(g.n) * time.Second, dataset: "auditd.log", user: fmt.Sprint("user-", g.n), action: "executed"}
		if err := run.Append(x.event(file, g.n)); err != nil {
			g.t.Fatal(err)
		}
		g.n++
	}
	if err := run.Close(); err != nil {
		g.t.Fatal(err)
	}
	if _, err := w.Commit(context.Background()); err != nil {
		g.t.Fatal(err)
	}
}

func (g *growing) open() (*store.Store, error) {
	s, err := store.Open(g.dir, store.OpenOptions{Workers: 1})
	if err != nil {
		return nil, err
	}
	g.t.Cleanup(func() { s.Close() })
	g.seen = s.Manifest().Generation
	return s, nil
}

func (g *growing) reopen() (timeline.Store, error) {
	man, err := store.ReadManifest(g.dir)
	if err != nil || man.Generation == g.seen {
		return nil, err
	}
	return g.open()
}

// follows starts to follow a timeline of 200 events.
func follows(t *testing.T) (*growing, *stage) {
	g := &growing{t: t, dir: t.TempDir()}
	g.grow(200)
	s, err := g.open()
	if err != nil {
		t.Fatal(err)
	}
	c := caseOf(t, s)
	c.Reopen = g.reopen
	c.Findings = func(context.Context) ([]detect.Finding, string, error) {
		return make([]detect.Finding, g.n/100), "", nil // the rules find one thing in a hundred
	}
	st := newStage(t, c, 80, 24)
	st.keys("F")
	return g, st
}

// last fails unless the chosen row is of a user, and the rows are so many.
func (s *stage) last(user string, rows int) {
	s.t.Helper()
	r := s.m.tl.win.selected()
	if r == nil || text(r.Values["user.name"]) != user {
		s.t.Errorf("the chosen row is not %s's:\n%s", user, s.view())
	}
	if !strings.Contains(s.view(), fmt.Sprintf("of %d rows", rows)) {
		s.t.Errorf("there are not %d rows:\n%s", rows, s.view())
	}
}

// While a timeline grows the screen stays at its end; scrolling up pauses that,
// and nothing moves any more until it is asked for again.
func TestFollow(t *testing.T) {
	g, st := follows(t)
	st.last("user-199", 200)
	g.grow(50)
	st.tick()
	st.last("user-249", 250)
	st.tick() // nothing is newer
	if v := st.view(); !strings.Contains(v, "Findings (2)") {
		t.Errorf("the findings are not those of 250 events:\n%s", v)
	}
	st.last("user-249", 250)

	st.keys("kkk")
	if st.m.tl.follow {
		t.Error("scrolling up does not pause")
	}
	g.grow(50)
	st.tick()
	st.last("user-246", 250)
	top := st.view()
	st.tick()
	if st.view() != top {
		t.Error("the screen moves while following is paused")
	}
	st.keys("F")
	st.tick()
	st.last("user-299", 300)
	if v := st.view(); !strings.Contains(v, "Findings (3)") {
		t.Errorf("what was found since is not there:\n%s", v)
	}
	if _, rows := ask(t, st.m.c.Store.(*store.Store), ""); len(rows) != 300 {
		t.Errorf("%d rows", len(rows))
	}

	st.keys("F") // and off
	g.grow(1)
	st.tick()
	st.last("user-299", 300)
}

// Looking for a newer timeline ends nothing that is under way.
func TestFollowEndsNothing(t *testing.T) {
	g, st := follows(t)
	g.grow(100)
	ended := make(chan struct{})
	st.m.asker.ask(laneWork, func(ctx context.Context, _ func(tea.Msg)) {
		<-ended
		if ctx.Err() != nil {
			t.Error("the work was called off")
		}
	})
	st.update(tickMsg(now()))
	for st.m.asker.runs(laneFollow) {
		runtime.Gosched()
	}
	st.update(<-st.mail) // it has grown
	close(ended)
	st.settle()
	st.last("user-299", 300)
}

// runs tells whether a lane has something to do.
func (a *asker) runs(id laneID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[id].running
}

// With a filter only what matches is followed.
func TestFollowFiltered(t *testing.T) {
	g, st := follows(t)
	st.keys("/user.name:user-1*<enter>")
	if st.m.tl.follow {
		st.keys("F")
	}
	st.keys("F")
	g.grow(900) // user-1000 to user-1099 among them
	st.tick()
	n, rows := ask(t, st.m.c.Store.(*store.Store), "user.name:user-1*")
	st.last(text(rows[len(rows)-1].Values["user.name"]), int(n))
}

// A timeline that cannot be read any more says so, and what was read stays.
func TestFollowFails(t *testing.T) {
	_, st := follows(t)
	st.m.c.Reopen = func() (timeline.Store, error) { return nil, errors.New("the manifest is cut off") }
	st.tick()
	if v := st.view(); !strings.Contains(v, "the manifest is cut off") || !strings.Contains(v, "of 200 rows") {
		t.Errorf("the screen is\n%s", v)
	}
	st.m.c.Reopen = nil
	st.keys("FF")
	if v := st.view(); !strings.Contains(v, "does not grow") {
		t.Errorf("what does not grow is followed:\n%s", v)
	}
}

// tick is what comes once a second while the timeline is followed.
func (s *stage) tick() {
	s.update(tickMsg(now()))
	s.settle()
}

package tui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
	"amber/timeline/store"
)

// sizes of the golden views.
var sizes = [][2]int{{80, 24}, {120, 40}}

// TestGolden walks through every screen. What the views say is asked of the
// store itself by the tests below.
func TestGolden(t *testing.T) {
	s := sharedStore(t)
	for _, size := range sizes {
		for _, g := range []struct{ name, keys string }{
			{"timeline", ""},
			{"timeline-filter", "/user.name:mallory<enter>"},
			{"timeline-typing", "/event.act"},
			{"timeline-values", "/event.action:G"},
			{"timeline-wrong", "/user.name:(mallory"},
			{"timeline-empty", "/nobody<enter>"},
			{"timeline-facets", "f"},
			{"timeline-zoom", "/user.name:mallory<enter>zz"},
			{"detail-fields", "/user.name:mallory<enter><enter>"},
			{"detail-record", "/user.name:mallory<enter><enter>l"},
			{"detail-proof", "/user.name:mallory<enter><enter>ll"},
			{"pivot", "/user.name:mallory<enter>p"},
			{"pivot-field", "/user.name:mallory<enter><enter>j<enter>"},
			{"columns", "c"},
			{"findings", "2"},
			{"matrix", "2a"},
			{"processes", "3"},
			{"evidence", "4"},
			{"evidence-changes", "4j<enter>"},
			{"evidence-misses", "4jj<enter>"},
			{"evidence-sockets", "4jjj<enter>"},
			{"evidence-file", "4j<enter>j<enter>"},
			{"evidence-about", "4j<enter>jj<enter>"},
			{"story-empty", "5<tab>"},
			{"finding-pivot", "2p"},
			{"story", "2S/user.name:mallory<enter>Sewhy she was let in<enter>5"},
			{"help", "?"},
			{"help-findings", "2?"},
			{"palette", ":story"},
			{"relative", "tt"},
			{"export", "<ctrl+s>"},
		} {
			t.Run(fmt.Sprintf("%s/%dx%d", g.name, size[0], size[1]), func(t *testing.T) {
				c := caseOf(t, s)
				st := newStage(t, c, size[0], size[1])
				st.keys(g.keys)
				st.golden(g.name)
			})
		}
	}
}

// ask counts what a query matches, in the store itself.
func ask(t *testing.T, s *store.Store, query string) (int64, []timeline.Row) {
	t.Helper()
	where, err := parseFilter(query, now())
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Count(context.Background(), where, nil)
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Rows(context.Background(), timeline.Ask{Where: where, Fields: []string{"*"}}, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return n.Count, page.Rows
}

// What the list shows is what the store answers, from the first row to the last,
// whichever way one goes through it and whatever the window holds.
func TestListIsTheStore(t *testing.T) {
	s := sharedStore(t)
	for _, query := range []string{"", "user.name:mallory", "event.action:list OR event.action:exec", "NOT event.dataset:kubernetes.audit_logs", "web-3"} {
		n, rows := ask(t, s, query)
		st := newStage(t, caseOf(t, s), 80, 24)
		if query != "" {
			st.keys("/" + query + "<enter>")
		}
		st.keys("g")
		for i, r := range rows {
			if got := st.m.tl.win.selected(); got == nil || got.ID != r.ID {
				t.Fatalf("%q: row %d is not the store's", query, i)
			}
			if !strings.Contains(st.view(), goTime(r.Time.Micros).Format("15:04:05.000")) {
				t.Fatalf("%q: row %d is not on the screen", query, i)
			}
			st.keys("j")
		}
		if want := fmt.Sprintf("of %s", plural(n, "row")); !strings.Contains(st.view(), want) {
			t.Errorf("%q: the screen does not say %q", query, want)
		}
		st.keys("G")
		for i := len(rows) - 1; i >= 0; i-- {
			if got := st.m.tl.win.selected(); got == nil || got.ID != rows[i].ID {
				t.Fatalf("%q, backwards: row %d is not the store's", query, i)
			}
			st.keys("k")
		}
	}
}

// A long list is never in memory as a whole, and nothing is lost at its seams.
func TestWindowForgets(t *testing.T) {
	var events []small
	for i := range 3000 {
		events = append(events, small{after: time.Duration(i/3) * time.Second, dataset: "auditd.log", user: fmt.Sprint("u", i)})
	}
	s := storeOf(t, events)
	_, rows := ask(t, s, "")
	st := newStage(t, caseOf(t, s), 80, 24)
	for _, way := range []struct {
		key  string
		from int
		step int
	}{{"<pgdown>", 0, 1}, {"G", len(rows) - 1, 0}} {
		seen := map[timeline.RowID]bool{}
		for range 400 {
			for i := range st.m.tl.win.len() {
				seen[st.m.tl.win.at(i).ID] = true
			}
			if n := st.m.tl.win.len(); n > (maxPages+2)*st.m.pageRows() {
				t.Fatalf("%d rows are in memory", n)
			}
			if way.key == "G" {
				st.update(named(t, "up"))
				st.keys("k")
				continue
			}
			st.keys(way.key)
		}
		if way.key == "<pgdown>" && len(seen) != len(rows) {
			t.Errorf("%d of %d rows were seen", len(seen), len(rows))
		}
		st.keys("G")
		if got := st.m.tl.win.selected(); got.ID != rows[len(rows)-1].ID {
			t.Error("G does not go to the last row")
		}
	}
	st.keys("g")
	if got := st.m.tl.win.selected(); got.ID != rows[0].ID {
		t.Error("g does not go to the first row")
	}
}

// The bars and the values at the side add up to what the store counts.
func TestCounts(t *testing.T) {
	s := sharedStore(t)
	for _, query := range []string{"", "event.action:list", "user.name:mallory"} {
		n, rows := ask(t, s, query)
		st := newStage(t, caseOf(t, s), 120, 40)
		if query != "" {
			st.keys("/" + query + "<enter>")
		}
		o := &st.m.tl.over
		sum := o.before + o.behind
		for _, b := range o.bars {
			sum += b
		}
		if sum != n || o.count != n || !o.exact {
			t.Errorf("%q: the bars have %d rows of %d", query, sum, n)
		}
		users := map[string]int64{}
		for _, r := range rows {
			users[text(r.Values["user.name"])]++
		}
		for _, f := range st.m.tl.facets.fields {
			for _, v := range f.values {
				if f.field == "user.name" && users[v.Key] != v.Count {
					t.Errorf("%q: %s has %d rows, not %d", query, v.Key, users[v.Key], v.Count)
				}
			}
		}
	}
}

// Every way from a value leads to the rows that the store has for it.
func TestPivots(t *testing.T) {
	s := sharedStore(t)
	at := day.Add(700 * time.Second)
	for keys, query := range map[string]string{
		"/mallory<enter><enter>jjjj<enter>+":            "mallory AND user.name:mallory",
		"/event.action:exec<enter>pu":                   "user.name:mallory",
		"/event.action:exec<enter>pi":                   "source.ip:203.0.113.9",
		"/event.action:exec<enter>pl":                   "orchestrator.namespace:shop AND orchestrator.resource.name:web-3",
		"/event.action:exec<enter>p1":                   between(at, 10*time.Second),
		"/event.action:exec<enter>p2":                   between(at, time.Minute),
		"/event.action:exec<enter>p3":                   between(at, 10*time.Minute),
		"/event.action:GetObject<enter>pk":              "aws.cloudtrail.user_identity.access_key_id:AKIAEXAMPLE",
		"/process.pid:4712<enter>pc":                    "container.id:0123456789ab",
		"/user.name:mallory<enter>x":                    "",
		"/user.name:mallory<enter>/<ctrl+u>web<enter>[": "user.name:mallory",
		"/user.name:mallory<enter>x[]":                  "",
		"2<enter>":                                      "process.command_line:shadow",
	} {
		n, _ := ask(t, s, query)
		st := newStage(t, caseOf(t, s), 120, 40)
		st.keys(keys)
		if st.m.screen != onTimeline || st.m.tl.over.count != n || n == 0 {
			t.Errorf("%s shows %d rows, %q has %d; the screen says\n%s", keys, st.m.tl.over.count, query, n, st.view())
		}
	}
}

func between(at time.Time, by time.Duration) string {
	const form = "2006-01-02T15:04:05.000000"
	return "@timestamp:[" + at.Add(-by).Format(form) + " TO " + at.Add(by).Format(form) + "]"
}

// The process tree opens at the process that the event is of.
func TestTree(t *testing.T) {
	st := newStage(t, caseOf(t, sharedStore(t)), 120, 40)
	for _, pid := range []string{"4712", "4711"} {
		st.keys("1/<ctrl+u>process.pid:" + pid + "<enter>pt")
		if x := st.m.process(); st.m.screen != onProcesses || x == nil || pidText(x) != pid {
			t.Errorf("not at the process %s:\n%s", pid, st.view())
		}
		st.keys("<enter>")
		if n, _ := ask(t, st.m.c.Store.(*store.Store), "process.pid:"+pid); st.m.tl.over.count != n {
			t.Errorf("the process %s has %d events, not %d", pid, st.m.tl.over.count, n)
		}
	}
}

// Every sentence of the story leads to the rows that it rests on.
func TestTold(t *testing.T) {
	s := sharedStore(t)
	st := newStage(t, caseOf(t, s), 120, 40)
	st.keys("5")
	st.view()
	if st.m.story.told.story == nil || !strings.Contains(st.view(), "www-data") {
		t.Fatalf("no story is told of www-data:\n%s", st.view())
	}
	seen := 0
	for i := range 200 {
		st.keys("5")
		st.m.story.told.list.sel = 0
		for range i {
			st.keys("j")
		}
		x := st.m.sentence()
		if x == nil || len(x.Rows) == 0 {
			if i > 0 && st.m.story.told.list.sel >= len(st.m.story.told.lines)-1 {
				break
			}
			continue
		}
		st.keys("<enter>")
		if n, rows := ask(t, s, rowsFilter(x.Rows)); st.m.tl.over.count != n || n == 0 || st.m.tl.win.at(0).ID != rows[0].ID {
			t.Errorf("%q leads to %d rows, not %d", sentenceOf(x), st.m.tl.over.count, n)
		}
		if seen++; seen > 6 {
			break
		}
	}
	if seen == 0 {
		t.Error("no sentence leads anywhere")
	}
	st.keys("5S<tab>")
	if len(st.m.notes.pins()) != 1 || !st.m.story.mine {
		t.Errorf("a sentence is not taken over:\n%s", st.view())
	}
}

// A jump goes to the first row that is not earlier.
func TestJump(t *testing.T) {
	s := sharedStore(t)
	_, rows := ask(t, s, "")
	for text, want := range map[string]time.Time{
		"+5m": day.Add(5 * time.Minute), "02:11": day.Add(11 * time.Minute), "2026-11-22T02:20:30": day.Add(1230 * time.Second), "+1m30s": day.Add(90 * time.Second), "2026-11-22 02:03": day.Add(3 * time.Minute),
	} {
		st := newStage(t, caseOf(t, s), 80, 24)
		st.keys("@" + text + "<enter>")
		for _, r := range rows {
			if !goTime(r.Time.Micros).Before(want) {
				if got := st.m.tl.win.selected(); got.ID != r.ID {
					t.Errorf("%s goes to %s, not %s", text, goTime(got.Time.Micros), goTime(r.Time.Micros))
				}
				break
			}
		}
	}
	for _, bad := range []string{"yesterday", "+5", "25:00", "+", ""} {
		if _, err := jump(bad, 0, now()); err == nil {
			t.Errorf("%q is taken for a time", bad)
		}
	}
}

// Notes are added to the case's file and read again; evidence stays as it is.
func TestNotes(t *testing.T) {
	s := sharedStore(t)
	c := caseOf(t, s)
	st := newStage(t, c, 80, 24)
	st.keys("/user.name:mallory<enter> jSecaught<enter>2S5J5K")
	path := filepath.Join(c.Dir, "notes.jsonl")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(before, `{"kind":"pin","ro`...), 0o600); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	again := newStage(t, c, 80, 24)
	if len(again.m.notes.list) != 2 || len(again.m.notes.marks) != 1 {
		t.Fatalf("%d rows are pinned and %d marked", len(again.m.notes.list), len(again.m.notes.marks))
	}
	again.keys("5e once more<enter>")
	after, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(after), string(before)) {
		t.Errorf("what was written before was changed (%v)", err)
	}
	if last := strings.TrimSuffix(string(after), "\n"); !strings.Contains(last[strings.LastIndexByte(last, '\n'):], "once more") {
		t.Errorf("the last line is not a line of its own: %s", last)
	}
}

// While a question takes its time keys go on working, and esc calls it off.
func TestNeverBlocks(t *testing.T) {
	s := &slowStore{Store: sharedStore(t), go_: make(chan struct{})}
	k, err := newLook("monochrome", false)
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(Case{Store: s}, k, Options{Now: now})
	mail := make(chan tea.Msg, 1<<12)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.asker = newAsker(ctx, func(msg tea.Msg) { mail <- msg })
	st := &stage{t: t, m: m, mail: mail}
	st.update(tea.WindowSizeMsg{Width: 80, Height: 24})
	st.update(started{})
	for m.tl.win.len() == 0 { // the rows come although the count does not
		st.update(<-mail)
	}
	sel := m.tl.win.sel
	st.update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("jjj")})
	if m.tl.win.sel != sel+3 || !strings.Contains(st.view(), "esc stops") {
		t.Errorf("the keys do not work while it counts:\n%s", st.view())
	}
	st.update(tea.KeyMsg{Type: tea.KeyEsc})
	m.asker.busy.Wait() // the count ends because it was called off: nobody closes go_
	if !strings.Contains(st.view(), "stopped") {
		t.Error("esc does not say that it stopped")
	}
}

// slowStore counts only when it is let.
type slowStore struct {
	*store.Store
	go_ chan struct{}
}

func (s *slowStore) Histogram(ctx context.Context, where timeline.Expr, w int64, report func(timeline.Partial)) (timeline.Partial, error) {
	select {
	case <-s.go_:
	case <-ctx.Done():
		return timeline.Partial{}, ctx.Err()
	}
	return s.Store.Histogram(ctx, where, w, report)
}

// Times are read as they are shown.
func TestWidthText(t *testing.T) {
	for w, want := range map[int64]string{10e6: "10s", 60e6: "1m", 130e6: "2m10s", 3600e6: "1h", 1800e6: "30m", 86400e6: "1d", 5e5: "500ms"} {
		if got := widthText(w); got != want {
			t.Errorf("%d µs is %q, not %q", w, got, want)
		}
	}
}

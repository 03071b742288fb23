package tui

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
)

// What is thought of a finding is kept with its author and its reason, and what is
// benign is out of the way until it is asked for.
func TestTriage(t *testing.T) {
	c := caseOf(t, sharedStore(t))
	st := newStage(t, c, 120, 40)
	st.keys("2c") // the worst: password hashes
	st.keys("jbour own job<enter>")
	if v := st.view(); !strings.Contains(v, "confirmed: Password hashes read") || strings.Contains(v, "Shell in a pod  ") || !strings.Contains(v, "2 findings (1 hidden)") {
		t.Errorf("the findings are\n%s", v)
	}
	st = newStage(t, c, 120, 40) // from the file
	st.keys("2z")
	if v := st.view(); !strings.Contains(v, "benign: Shell in a pod") || !strings.Contains(v, "confirmed: Password") {
		t.Errorf("after a restart the findings are\n%s", v)
	}
	st.keys("jv")
	st.keys("<esc>")
	if v := st.view(); !strings.Contains(v, "benign by tester: our own job") {
		t.Errorf("author and reason are not there:\n%s", v)
	}
	st.keys("nz")
	if v := st.view(); !strings.Contains(v, "3 findings ") || strings.Contains(v, "benign: ") {
		t.Errorf("it is not new again:\n%s", v)
	}
}

// By level the worst comes first, by time the earliest.
func TestFindingsOrder(t *testing.T) {
	st := newStage(t, caseOf(t, sharedStore(t)), 120, 40)
	st.keys("2")
	order := func() (out []string) {
		for _, g := range st.m.groups() {
			out = append(out, g.Level)
		}
		return out
	}
	if got := strings.Join(order(), " "); got != "critical high medium" {
		t.Errorf("by level: %s", got)
	}
	st.keys("o")
	if got := strings.Join(order(), " "); got != "high critical medium" {
		t.Errorf("by time: %s", got)
	}
	st.keys("a<enter>") // a technique of the matrix
	if len(st.m.shownFindings()) == 3 || st.m.found.only == "" {
		t.Errorf("the matrix narrows nothing:\n%s", st.view())
	}
	for _, f := range st.m.shownFindings() {
		if f.Techniques[0] != st.m.found.only {
			t.Errorf("%s is not of %s", f.Title, st.m.found.only)
		}
	}
}

// Space marks a row, V all from there; a tag goes to every one that is marked.
func TestMarkRange(t *testing.T) {
	s := sharedStore(t)
	st := newStage(t, caseOf(t, s), 80, 24)
	st.keys("/event.action:list<enter>g jjjV#noise<enter>")
	_, rows := ask(t, s, "event.action:list")
	if len(st.m.notes.marks) != 5 {
		t.Fatalf("%d rows are marked", len(st.m.notes.marks))
	}
	for i, r := range rows[:6] {
		if st.m.notes.marked(r.ID) != (i < 5) || (len(st.m.notes.more[r.ID]) == 1) != (i < 5) {
			t.Errorf("row %d: marked %v, %d tags", i, st.m.notes.marked(r.ID), len(st.m.notes.more[r.ID]))
		}
	}
}

// The story is exported in the order that one gave it.
func TestStoryOrder(t *testing.T) {
	s := sharedStore(t)
	st := newStage(t, caseOf(t, s), 120, 40)
	st.keys("/user.name:mallory<enter>gSjS5J")
	_, rows := ask(t, s, "user.name:mallory")
	first, second := hex.EncodeToString(rows[0].ID[:]), hex.EncodeToString(rows[1].ID[:])
	for _, name := range []string{"story.md", "story.html"} {
		path := filepath.Join(t.TempDir(), name)
		st.keys("<ctrl+s><ctrl+u>" + path + "<enter>")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := strings.Index(string(text), second), strings.Index(string(text), first); a < 0 || b < a {
			t.Errorf("%s: the rows are at %d and %d:\n%s", name, a, b, text)
		}
	}
	st.keys("o")
	if st.m.notes.pins()[0].row != rows[0].ID {
		t.Error("o does not put them in the order of time")
	}
}

// What is exported is every row of the filter, and no file is written over.
func TestExportRows(t *testing.T) {
	s := sharedStore(t)
	st := newStage(t, caseOf(t, s), 120, 40)
	path := filepath.Join(t.TempDir(), "rows.csv")
	st.keys("/event.action:list<enter><ctrl+s><ctrl+u>" + path + "<enter>")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if n, _ := ask(t, s, "event.action:list"); err != nil || int64(len(all)) != n+1 || !strings.Contains(st.view(), plural(n, "row")+" written to") {
		t.Errorf("%d lines of %d rows (%v):\n%s", len(all), n, err, st.view())
	}
	st.keys("x<ctrl+s><ctrl+u>" + path + "<enter>")
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) || !strings.Contains(st.view(), "is there already") {
		t.Errorf("the file was written over (%v):\n%s", err, st.view())
	}
}

// Everything that can be done here is in the palette, with its key.
func TestPalette(t *testing.T) {
	for keys, here := range map[string]place{"": atList, "2": atFindings, "3": atProcesses, "3<tab>": atDeeds, "4": atEvidence, "5<tab>": atStory} {
		st := newStage(t, caseOf(t, sharedStore(t)), 120, 40)
		st.keys(keys + ":")
		u, ok := st.m.over.(*menu)
		if !ok {
			t.Fatalf("%q: no palette", keys)
		}
		n := 0
		for _, b := range st.m.keymap {
			if b.on&here == 0 {
				continue
			}
			n++
			found := false
			for _, i := range u.items {
				found = found || i.text == b.help && i.key == firstKey(b.keys)
			}
			if !found {
				t.Errorf("%q: %s (%s) is not in the palette", keys, b.help, b.keys)
			}
		}
		if n < 20 {
			t.Errorf("%q: only %d things can be done", keys, n)
		}
	}
	st := newStage(t, caseOf(t, sharedStore(t)), 120, 40)
	st.keys(":zoom the time in<enter>")
	if st.m.tl.view.Span.all() {
		t.Errorf("the palette does not do what it says:\n%s", st.view())
	}
}

// No two bindings of a place have the same key, for the second would never be
// reached; but for one that takes the place of a general one.
func TestKeysAreReached(t *testing.T) {
	all := bindings()
	for _, here := range []place{atList, atFacets, atDetail, atFindings, atProcesses, atDeeds, atEvidence, atStory, atTold} {
		seen := map[string]string{}
		for _, b := range all {
			if b.on&here == 0 {
				continue
			}
			for k := range strings.FieldsSeq(b.keys) {
				if other, ok := seen[k]; ok && b.on != anywhere && b.on != atTimeline {
					t.Errorf("%s means %q, and %q is never reached", k, other, b.help)
				}
				seen[k] = b.help
			}
		}
	}
}

// n and N go from one match of a search to the next, in the list as it is.
func TestSearch(t *testing.T) {
	s := sharedStore(t)
	_, rows := ask(t, s, "user.name:mallory")
	st := newStage(t, caseOf(t, s), 80, 24)
	st.keys("gsmallory<enter>")
	for i, key := range []string{"", "n", "N"} {
		st.keys(key)
		if got := st.m.tl.win.selected(); got.ID != rows[i%2].ID {
			t.Errorf("match %d is %s", i, goTime(got.Time.Micros))
		}
	}
	st.keys("N")
	if v := st.view(); !strings.Contains(v, "no further row matches") || !strings.Contains(v, "of 275 rows") {
		t.Errorf("the first is not the first, or the list is narrowed:\n%s", v)
	}
}

// q leaves, and asks first only where something would be lost.
func TestQuit(t *testing.T) {
	st := newStage(t, caseOf(t, sharedStore(t)), 80, 24)
	q := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("q")}
	if cmd := st.update(q); !quits(cmd) {
		t.Error("q does not leave")
	}
	st.m.risk = "an export is being written"
	if cmd := st.update(q); quits(cmd) || !strings.Contains(st.view(), "leave? an export is being written") {
		t.Errorf("q leaves although something would be lost:\n%s", st.view())
	}
	st.keys("n")
	st.update(q)
	if cmd := st.update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("y")}); !quits(cmd) {
		t.Error("y does not leave")
	}
}

func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	switch msg := cmd().(type) {
	case tea.QuitMsg:
		return true
	case tea.BatchMsg:
		for _, c := range msg {
			if quits(c) {
				return true
			}
		}
	}
	return false
}

// Bytes and strings are shown as hexdump and strings(1) do.
func TestHexAndStrings(t *testing.T) {
	data, err := os.ReadFile("safe.go")
	if err != nil {
		t.Fatal(err)
	}
	data = append([]byte("\x7fELF\x00\x01\x02long enough\x00abc\x00"), data[:4000]...)
	want := strings.Split(strings.TrimSpace(hex.Dump(data)), "\n")
	for i, l := range hexLines(data, 0) {
		digits, _, _ := strings.Cut(l.text, "|")
		if theirs, _, _ := strings.Cut(want[i], "|"); strings.Join(strings.Fields(digits)[1:], " ") != strings.Join(strings.Fields(theirs)[1:], " ") || !strings.HasSuffix(strings.Fields(digits)[0], strings.Fields(theirs)[0]) {
			t.Fatalf("%q, not %q", l.text, want[i])
		}
	}
	tool, err := exec.LookPath("strings")
	if err != nil {
		t.Skip("there is no strings here: ", err)
	}
	data = bytes.ReplaceAll(data, []byte("\t"), []byte{1}) // strings(1) takes a tab for text
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	theirs, err := exec.Command(tool, "-t", "x", path).Output()
	if err != nil || len(theirs) == 0 {
		t.Fatalf("strings: %q, %v", theirs, err)
	}
	var ours strings.Builder
	for _, l := range stringLines(data, 0) {
		place, text, _ := strings.Cut(strings.TrimLeft(l.text, " "), "  ")
		ours.WriteString(place + " " + text + "\n")
	}
	if want := regexp.MustCompile(`(?m)^ +`).ReplaceAllString(string(theirs), ""); ours.String() != want {
		t.Errorf("strings:\n%.600s\nnot\n%.600s", ours.String(), want)
	}
}

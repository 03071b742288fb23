package tui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/mattn/go-runewidth"

	"amber/evidence/record"
	"amber/timeline"
	"amber/timeline/detect"
	"amber/tui/layer"
)

// checkLine fails where a line is not exactly as wide as the screen, or holds
// anything but visible characters and colours of amber's own. It gives the line
// without them.
func checkLine(t *testing.T, line string, w int) string {
	t.Helper()
	var b strings.Builder
	cells := 0
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			end := strings.IndexByte(line[i:], 'm')
			if end < 0 || strings.Trim(line[i:i+end], "\x1b[0123456789;") != "" || line[i+1] != '[' {
				t.Fatalf("an escape sequence that is no colour: %q", line)
			}
			i += end + 1
			continue
		}
		r, n := utf8.DecodeRuneInString(line[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < 0x20, r >= 0x7f && r < 0xa0, unicode.Is(unicode.Cf, r), unicode.Is(unicode.Bidi_Control, r), r != ' ' && unicode.Is(unicode.Z, r), rightToLeft(r):
			t.Fatalf("%U reaches the terminal: %q", r, line)
		}
		cells += runewidth.RuneWidth(r)
		b.WriteRune(r)
		i += n
	}
	if cells != w {
		t.Fatalf("a line of %d cells on a screen of %d: %q", cells, w, line)
	}
	return b.String()
}

// hostile are texts that evidence may hold.
func hostile() map[string]string {
	return map[string]string{
		"escape":    "a\x1b[2J\x1b[1;1Hgone\x1b]0;title\a\x1b]52;c;cm0gLXJm\a\x1bP+q\x1b\\",
		"c1":        "a\u009b2J\u0090q\u009c \x9b31m",
		"bidi":      "user\u202etxt.exe\u2066a\u2069\u200fb\u061c",
		"arabic":    "\u0645\u0631\u062d\u0628\u0627 and \u05e9\u05dc\u05d5\u05dd",
		"zero":      "pay\u200bpal\u200d\u2060\ufeff\u00ad\u034f\u115f\u3164\u2800",
		"zalgo":     "Z" + strings.Repeat("\u0301\u0302\u0323", 500) + "algo",
		"wide":      "日本語のファイル名" + strings.Repeat("漢", 200),
		"emoji":     "👩\u200d👩\u200d👧\u200d👦 🏴\U000e0067\U000e0062 ❤\ufe0f 🇬🇧 👍🏽",
		"hangul":    "\u1112\u1161\u11ab 한글",
		"lines":     "one\ntwo\r\nthree\x00four\tfive\x7f\b\b\b",
		"separator": "a\u2028b\u2029c\u0085d\u00a0e",
		"broken":    "a\xff\xfe\xc3(\xed\xa0\x80",
		"markup":    "<script>alert(1)</script> [x](javascript:y) \\x1b `rm`",
		"huge":      strings.Repeat("\x1b[31mA\u202e", 1<<17),
		"hugewide":  strings.Repeat("漢\u0301", 1<<18),
	}
}

func TestCut(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		k, err := newLook("monochrome", ascii)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range hostile() {
			for w := range 40 {
				got, cells := k.cut(text, w)
				if cells > w {
					t.Fatalf("%s cut to %d cells has %d", name, w, cells)
				}
				checkLine(t, got, cells)
				checkLine(t, k.line(w, paint{}, seg{text, k.Bad}, seg{text, k.Key.wide(7)}), w)
				if ascii && !plain(strings.ReplaceAll(got, `\`, "")) {
					t.Fatalf("%s is not ASCII: %q", name, got)
				}
			}
		}
	}
}

// What means itself stays as it is, and what does not can be told from it.
func TestCutKeeps(t *testing.T) {
	c := cutter{more: "…"}
	for text, want := range map[string]string{
		"plain text":  "plain text",
		"naïve café":  "naïve café",
		"e\u0301a":    "e\u0301a",
		"日本":          "日本",
		"\x1b[0m":     `\x1b[0m`,
		`\x1b[0m`:     `\\x1b[0m`,
		"a\nb\tc":     `a\nb\tc`,
		"\u202e":      `\u202e`,
		"\U000e0041":  `\U000e0041`,
		"\xff":        `\xff`,
		"\u0301start": `\u0301start`,
		"A\u302d":     `A\u302d`,
	} {
		if got, _ := c.cut(text, 200); got != want {
			t.Errorf("%q is shown as %q, not %q", text, got, want)
		}
	}
}

func FuzzCut(f *testing.F) {
	for _, text := range hostile() {
		f.Add(text[:min(len(text), 4096)], 20, false)
	}
	f.Fuzz(func(t *testing.T, text string, w int, ascii bool) {
		w = max(0, min(w, 300))
		got, cells := cutter{ascii: ascii, more: "~"}.cut(text, w)
		if cells > w {
			t.Fatalf("%d cells of %d", cells, w)
		}
		checkLine(t, got, cells)
	})
}

// hostileCase has hostile texts wherever evidence has texts.
func hostileCase(t *testing.T) Case {
	var events []small
	i := 0
	for _, text := range hostile() {
		i++
		short := text[:min(len(text), 2000)]
		events = append(events, small{
			dataset: "auditd." + short, user: short, action: short, outcome: short, namespace: short, name: short, ip: short, message: text, extra: short,
			host: short, container: short, pid: int64(1000 + i), command: short + " " + short, after: 1e9 * 60 * 1,
			file: text, peer: short,
		}, small{ // and what a process did is told of a file of such a name alone
			dataset: "auditd.log", action: short, host: short, container: short, pid: int64(1000 + i), command: short + " " + short, after: 1e9 * 61, file: short,
			more: map[string]string{"error.code": short},
		})
	}
	s := storeOf(t, events)
	c := caseOf(t, s)
	c.Name = hostile()["escape"]
	c.Findings = func(ctx context.Context) ([]detect.Finding, string, error) {
		page, err := s.Rows(ctx, timeline.Ask{}, "", 100)
		var out []detect.Finding
		for i, r := range page.Rows {
			for _, text := range hostile() {
				text = text[:min(len(text), 3000)]
				out = append(out, detect.Finding{
					ID: fmt.Sprint(i, text), RuleID: text, Title: text, Author: text, License: text, Level: "high", Techniques: []string{text}, Tactics: []string{text},
					Entities: []string{text}, Output: text, Rows: []timeline.RowID{r.ID}, Time: r.Time, End: r.Time, Group: map[string]string{text: text},
				})
			}
		}
		return out, hostile()["escape"], err
	}
	return c
}

// Every screen is fed with it: what reaches the terminal is visible characters
// and amber's own colours, on lines as wide as the screen.
func TestHostile(t *testing.T) {
	c := hostileCase(t)
	walks := []string{
		"", "jjjj", "<enter>jjjjjjjjjjjj", "<enter>l", "<enter>ljjjj>>", "<enter>ll", "<enter>v<pgdown>", "<enter>jj<enter>", "p", "fjjj", "f<enter>", "f!", "b", "bb", "c",
		"/user.name:<tab>", "/user.name:<tab><tab><enter>", "/)", "@nonsense<enter>", "S#tag\u202e<enter>e\x1b[2Jcomment<enter>5", "5", "2", "2a", "2jjj<enter>", "2v", "2<enter>", "2bwhy<enter>", "2S5",
		"3", "3jj", "3v", "3c", "3f", "3<tab>", "3<tab>jjj<enter>", "3jjjj<tab>jS5", "3ff", "3j<tab>y", "4", "4<enter>", "?", ":", ":theme<enter>", "t", "tt", "zz", "Z", "G", "nN", "s*<enter>", "<enter>y", "tab", "R", "<ctrl+s>",
	}
	for _, size := range [][2]int{{80, 24}, {120, 40}, {300, 80}, {20, 6}} {
		for i, walk := range walks {
			if size[0] != 80 && i%4 != size[1]%4 {
				continue // all of them at 80×24, a quarter at each other size
			}
			s := newStage(t, c, size[0], size[1])
			s.keys(walk)
			s.view()
		}
	}
}

// In a window of any size, while it is being resized, with and without UTF-8 and
// in every theme.
func TestSizes(t *testing.T) {
	c := hostileCase(t)
	for _, theme := range Themes() {
		s := newStage(t, c, 80, 24)
		if err := s.m.setTheme(theme); err != nil {
			t.Fatal(err)
		}
		for _, ascii := range []bool{false, true} {
			s.m.k.ascii, s.m.k.glyphs = ascii, glyphsOf(ascii)
			for n, screen := range []string{"1", "<enter>", "2", "3", "4", "5", ":", "?", "f"} {
				s.keys("<esc>" + screen)
				s.resize(20+n*31%281, 6+n*13%75)
				s.view()
			}
		}
	}
}

// The bundle's lists too, which come from files that a container wrote.
func TestHostileEvidence(t *testing.T) {
	var kids []*node
	for _, text := range hostile() {
		text = text[:min(len(text), 5000)]
		b := &bundle{}
		kids = append(kids, b.driftNode(&record.Drift{Path: "/" + text, Change: record.Added, Type: record.File, Link: text, Notes: []string{text}}),
			b.memberNode(&record.Member{Path: text, Type: record.Miss, Reason: text}, text), b.memberNode(&record.Member{Path: text, Type: record.Symlink, Link: text, Notes: []string{text}}, text),
			socketNode(&record.NetSocket{Path: record.Text(text), Family: text, State: text, Owners: []record.Owner{{Comm: record.Text(text)}}}))
	}
	s := newStage(t, hostileCase(t), 100, 40)
	s.keys("4")
	s.update(kidsMsg{nil, kids, errors.New(hostile()["escape"])})
	s.view()
	for range kids {
		s.keys("j")
		s.view()
	}
	for _, text := range hostile() {
		d := &record.Drift{Path: text, Type: record.File, Change: record.Changed, Was: &record.Was{Type: record.File, SHA256: text}}
		for _, c := range []*comparison{
			compared(d, &layer.File{Data: []byte(text[:min(len(text), maxCompared)]), Layer: text, SHA256: text}, []byte("x\n"+text[:min(len(text), maxCompared-2)]), 1<<30),
			compared(d, &layer.File{Data: []byte("\x00" + text[:min(len(text), 5000)]), SHA256: "other"}, []byte("\x00\n"+text[:min(len(text), 5000)]), 7),
			nil,
		} {
			v := &viewer{b: &bundle{}, path: text, drift: d, compared: c, mode: viewDiff, member: &record.Member{Path: text}}
			if c == nil {
				v.failed = errors.New(text)
			}
			v.lay(s.m)
			s.m.over = v
			for range 3 {
				s.view()
				s.keys("<pgdown>")
			}
		}
		for mode := range viewModes() {
			v := &viewer{b: &bundle{}, path: text, mode: mode, data: []byte(text[:min(len(text), pieceSize)]), member: &record.Member{Path: text, Notes: []string{text}, Size: 1 << 30}, drift: &record.Drift{Path: text, Was: &record.Was{SHA256: text}}}
			v.lay(s.m)
			s.m.over = v
			s.view()
			s.keys("<pgdown>G")
			s.view()
		}
	}
}

// What is exported is read in browsers and editors.
func TestHostileStory(t *testing.T) {
	s := newStage(t, hostileCase(t), 100, 40)
	for range 14 {
		s.keys("Se")
		s.update(tea.KeyMsg{Type: tea.KeyRunes, Paste: true, Runes: []rune("<script>x</script>[a](javascript:y)\x1b[2J\u202e")})
		s.keys("<enter>j")
	}
	s.settle()
	page := s.m.storyHTML()
	story := strings.ReplaceAll(s.m.storyMarkdown(), `\<`, "") // an escaped one is text
	for _, bad := range []string{"<script", "\x1b", "\u202e", "](java"} {
		if strings.Contains(page, bad) && bad != "](java" || strings.Contains(story, bad) {
			t.Errorf("%q is in the story", bad)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;") {
		t.Error("the comment is not in the story")
	}
	data, err := os.ReadFile(filepath.Join(s.m.c.Dir, "notes.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %q", line)
		}
	}
}

package story

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"amber/evidence/safetext"
	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/store"
)

// maxShown is how many characters of one value a sentence shows; the JSON has
// all of them.
const maxShown = 240

// safe makes a value fit for a line of text, and cuts it.
func safe(s string) string { return cut(safetext.Line(s)) }

// cut shortens a text that is safe already.
func cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	n := maxShown
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// width is where lines of text are broken.
const width = 100

// Text writes a story for a terminal or a mail.
func Text(w io.Writer, st *Story) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, safe(st.Title))
	if len(st.Sections) > 0 {
		fmt.Fprintf(out, "%s to %s\n", day(st.Begin), day(st.End))
		named(out, "Who: ", st.Actors)
		named(out, "On what: ", st.Targets)
	}
	for i := range st.Sections {
		sec := &st.Sections[i]
		fmt.Fprintf(out, "\n%s\n", strings.ToUpper(safe(sec.Name)))
		for j := range sec.Sentences {
			if d := newDay(st, sec, j); d != "" {
				fmt.Fprintln(out, "  "+d)
			}
			textSentence(out, &sec.Sentences[j])
		}
	}
	if len(st.Apart) > 0 {
		fmt.Fprintln(out, "\nNOT PART OF THIS STORY")
		for _, a := range st.Apart {
			wrap(out, "  ", apartText(a))
		}
	}
	for _, n := range st.Notes {
		wrap(out, "", "Note: "+safe(n))
	}
	return out.Flush()
}

// newDay is the date of a sentence, where the story goes over several days and
// the sentence before it had another one.
func newDay(st *Story, sec *Section, j int) string {
	d := day(sec.Sentences[j].First)[:10]
	if day(st.Begin)[:10] == day(st.End)[:10] && day(st.Begin)[:10] == d || j > 0 && day(sec.Sentences[j-1].First)[:10] == d {
		return ""
	}
	return d
}

func named(out io.Writer, title string, list []Party) {
	if len(list) == 0 {
		return
	}
	var parts []string
	for _, p := range list {
		parts = append(parts, fmt.Sprintf("%s (%s)", safe(p.String()), plural(p.Count, "event", "events")))
	}
	wrap(out, "", title+strings.Join(parts, ", "))
}

func textSentence(out io.Writer, s *Sentence) {
	wrap(out, "  ", when(s)+"  "+sentenceText(s, func(r Run) string {
		if r.Code {
			return "`" + safe(r.Text) + "`"
		}
		return safe(r.Text)
	}))
	wrap(out, "      ", strings.Join(proof(s, safe), " · "))
}

// sentenceText is a sentence with how sure it is, and why; each part is written
// by show, which makes it safe.
func sentenceText(s *Sentence, show func(Run) string) string {
	var b strings.Builder
	b.WriteString(map[correlate.Sure]string{correlate.Likely: "Likely, ", correlate.Possible: "Possibly, "}[s.Sure])
	for i, r := range s.Text {
		if i == 0 && s.Sure == correlate.Certain && r.Kind == "" && !r.Code {
			r.Text = capital(r.Text)
		}
		b.WriteString(show(r))
	}
	if s.Sure != correlate.Certain && s.Because != "" {
		b.WriteString(", because " + show(Run{Text: s.Because}))
	}
	b.WriteString(".")
	if s.Tie != "" {
		b.WriteString(" Possibly part of this, because " + show(Run{Text: s.Tie}) + ".")
	}
	return b.String()
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// proof is what a sentence rests on: level, techniques, rules, rows, raw files.
func proof(s *Sentence, show func(string) string) (parts []string) {
	if s.Level > 0 {
		parts = append(parts, s.Level.String())
	}
	for _, t := range s.Techniques {
		parts = append(parts, show(t))
	}
	if len(s.Rules) > 0 {
		parts = append(parts, "found by "+show(strings.Join(s.Rules[:min(len(s.Rules), 3)], "; ")))
	}
	if s.Sure == correlate.Certain && s.Because != "" {
		parts = append(parts, "certain: "+show(s.Because))
	}
	parts = append(parts, rowsText(s))
	for _, r := range s.Raw[:min(len(s.Raw), 1)] {
		parts = append(parts, rawText(r, show))
	}
	return parts
}

func rowsText(s *Sentence) string {
	const most = 3
	var ids []string
	for _, id := range s.Rows[:min(len(s.Rows), most)] {
		ids = append(ids, hex.EncodeToString(id[:]))
	}
	text := "row " + strings.Join(ids, ", ")
	if len(ids) > 1 {
		text = "rows " + strings.Join(ids, ", ")
	}
	if more := s.Count - int64(len(ids)); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func rawText(r Raw, show func(string) string) string {
	text := show(r.Path[strings.LastIndexByte(r.Path, '/')+1:]) + " sha256 " + r.File[:min(len(r.File), 16)]
	if len(r.Ranges) > 0 {
		text += fmt.Sprintf(", %d bytes at %d", r.Ranges[0].Length, r.Ranges[0].Offset)
	}
	return text
}

func apartText(a Apart) string {
	text := plural(a.Events, "event", "events") + ": " + safe(a.What)
	if a.Level > 0 {
		text += " (" + a.Level.String() + ", " + day(a.First) + ")"
	}
	return text
}

// when is the time of a sentence: of what went on, from when to when. The date
// stands only with what went on for days; the story's own has it otherwise.
func when(s *Sentence) string {
	switch {
	case s.First == s.Last:
		return clock(s.First)
	case day(s.First)[:10] == day(s.Last)[:10]:
		return clock(s.First) + " to " + clock(s.Last)
	}
	return day(s.First) + " to " + day(s.Last)
}

// day is a time with its date, clock one without.
func day(t timeline.Time) string { return store.FormatTime(timeline.Time{Micros: t.Micros}) }

func clock(t timeline.Time) string {
	s := stamp(t.Micros)
	return s[len(s)-len("15:04:05.000000Z") : len(s)-len("000Z")]
}

// wrap breaks a line at blanks; what follows the first line stands further in.
func wrap(out io.Writer, indent, text string) {
	lead, n := indent, len(indent)
	io.WriteString(out, lead)
	for i, word := range strings.Split(text, " ") {
		size := utf8.RuneCountInString(word)
		if i > 0 && n+1+size > width {
			lead = indent + "    "
			io.WriteString(out, "\n"+lead)
			n = len(lead)
		} else if i > 0 {
			io.WriteString(out, " ")
			n++
		}
		io.WriteString(out, word)
		n += size
	}
	io.WriteString(out, "\n")
}

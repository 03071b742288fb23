package story

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"amber/evidence/safetext"
)

// Markdown writes a story as CommonMark that renders as the text that it is: no
// name in it can become a link, an image, a heading or HTML.
func Markdown(w io.Writer, st *Story) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# %s\n\n", escape(st.Title))
	if len(st.Sections) > 0 {
		fmt.Fprintf(out, "%s to %s\n", day(st.Begin), day(st.End))
		markdownParties(out, "Who", st.Actors)
		markdownParties(out, "On what", st.Targets)
	}
	for i := range st.Sections {
		sec := &st.Sections[i]
		fmt.Fprintf(out, "\n## %s\n\n", escape(sec.Name))
		for j := range sec.Sentences {
			s := &sec.Sentences[j]
			if d := newDay(st, sec, j); d != "" {
				fmt.Fprintf(out, "- %s\n", d)
			}
			fmt.Fprintf(out, "- **%s** %s  \n  %s\n", when(s), sentenceText(s, markdownRun), strings.Join(proof(s, escape), " · "))
		}
	}
	if len(st.Apart) > 0 {
		fmt.Fprint(out, "\n## Not part of this story\n\n")
		for _, a := range st.Apart {
			text := plural(a.Events, "event", "events") + ": " + escape(a.What)
			if a.Level > 0 {
				text += " (" + a.Level.String() + ", " + day(a.First) + ")"
			}
			fmt.Fprintf(out, "- %s\n", text)
		}
	}
	if len(st.Notes) > 0 {
		fmt.Fprint(out, "\n")
	}
	for _, n := range st.Notes {
		fmt.Fprintf(out, "Note: %s\n", escape(n))
	}
	return out.Flush()
}

func markdownParties(out io.Writer, title string, list []Party) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s: ", title)
	for i, p := range list {
		if i > 0 {
			fmt.Fprint(out, ", ")
		}
		fmt.Fprintf(out, "%s (%s)", escape(p.String()), plural(p.Count, "event", "events"))
	}
	fmt.Fprint(out, "\n")
}

func markdownRun(r Run) string {
	if r.Code {
		return codeSpan(cut(safetext.Line(r.Text)))
	}
	return escape(r.Text)
}

// codeSpan fences a text by more backticks than it has in a row.
func codeSpan(s string) string {
	most, run := 0, 0
	for i := range len(s) {
		if s[i] == '`' {
			run++
		} else {
			run = 0
		}
		most = max(most, run)
	}
	fence := strings.Repeat("`", most+1)
	if s == "" || strings.Trim(s, " ") == "" {
		return ""
	}
	return fence + " " + s + " " + fence
}

// escape makes a value one line of plain Markdown: each ASCII punctuation mark
// that can mean something has a backslash, angle brackets and ampersands are
// entities. What auto-linkers look for is broken by an escape too.
func escape(s string) string {
	var b strings.Builder
	for _, r := range cut(safetext.Line(s)) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_{}[]()#+!|~@\"'$=^", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == ':':
			b.WriteString("&#58;")
		default:
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "www.", "www&#46;")
}

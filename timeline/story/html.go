package story

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strings"

	"amber/evidence/safetext"
	"amber/timeline/correlate"
)

// policy lets the page load nothing and run nothing.
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.05rem;border-bottom:1px solid #ccc;margin-top:2rem}
ol{list-style:none;padding:0}li{margin:.6rem 0}time{font-family:monospace;color:#555;margin-right:.6rem}
code{background:#f2f2f2;padding:0 .2rem;overflow-wrap:anywhere}.name{font-weight:600;overflow-wrap:anywhere}
.proof{color:#666;font-size:.85em;overflow-wrap:anywhere}.possible,.likely{font-style:italic}
.high,.critical{border-left:3px solid #b3261e;padding-left:.6rem}svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#141414}code{background:#2a2a2a}.proof,time{color:#aaa}}`

// HTML writes a story as one page that needs nothing else: no script, no image
// from elsewhere, a diagram of who did what to what.
func HTML(w io.Writer, st *Story) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n", policy)
	fmt.Fprintf(out, "<meta name=\"viewport\" content=\"width=device-width\"><title>%s</title>\n<style>%s</style></head><body>\n<h1>%s</h1>\n", hyper(st.Title), style, hyper(st.Title))
	htmlBody(out, st)
	fmt.Fprint(out, "</body></html>\n")
	return out.Flush()
}

// Part writes a story as a part of a page whose own style is for it: elements
// without a document around them.
func Part(w io.Writer, st *Story) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "<h3>%s</h3>\n", hyper(st.Title))
	htmlBody(out, st)
	return out.Flush()
}

func htmlBody(out io.Writer, st *Story) {
	if len(st.Sections) > 0 {
		fmt.Fprintf(out, "<p>%s to %s</p>\n", day(st.Begin), day(st.End))
		htmlParties(out, "Who", st.Actors)
		htmlParties(out, "On what", st.Targets)
		diagram(out, st)
	}
	for i := range st.Sections {
		htmlSection(out, st, &st.Sections[i])
	}
	if len(st.Apart) > 0 {
		fmt.Fprint(out, "<h2>Not part of this story</h2>\n<ul>\n")
		for _, a := range st.Apart {
			fmt.Fprintf(out, "<li>%s</li>\n", html.EscapeString(apartText(a)))
		}
		fmt.Fprint(out, "</ul>\n")
	}
	for _, n := range st.Notes {
		fmt.Fprintf(out, "<p class=\"proof\">Note: %s</p>\n", hyper(n))
	}
}

// hyper makes a value fit for an element or a quoted attribute.
func hyper(s string) string { return html.EscapeString(cut(safetext.Line(s))) }

func htmlParties(out io.Writer, title string, list []Party) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(out, "<p>%s: ", title)
	for i, p := range list {
		if i > 0 {
			fmt.Fprint(out, ", ")
		}
		fmt.Fprintf(out, "%s <span class=\"name\">%s</span> (%s)", hyper(string(p.Kind)), hyper(p.Name), plural(p.Count, "event", "events"))
	}
	fmt.Fprint(out, "</p>\n")
}

func htmlSection(out io.Writer, st *Story, sec *Section) {
	fmt.Fprintf(out, "<h2>%s</h2>\n<ol>\n", hyper(sec.Name))
	for i := range sec.Sentences {
		s := &sec.Sentences[i]
		if d := newDay(st, sec, i); d != "" {
			fmt.Fprintf(out, "<li>%s</li>\n", d)
		}
		class := s.Level.String()
		if s.Sure != correlate.Certain || s.Tie != "" {
			class += " " + min(s.Sure, correlate.Likely).String()
		}
		fmt.Fprintf(out, "<li class=\"%s\"><time>%s</time>%s<br><span class=\"proof\">%s</span></li>\n",
			class, when(s), sentenceText(s, htmlRun), strings.Join(proof(s, hyper), " · "))
	}
	fmt.Fprint(out, "</ol>\n")
}

func htmlRun(r Run) string {
	switch {
	case r.Code:
		return "<code>" + hyper(r.Text) + "</code>"
	case r.Kind != "":
		return "<span class=\"name\">" + hyper(r.Text) + "</span>"
	}
	return hyper(r.Text)
}

package report

import (
	"bytes"
	_ "embed" // the pages
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"
	"time"

	"amber/evidence/safetext"
	"amber/timeline/story"
)

//go:embed page.html
var pageText string

//go:embed certificate.html
var certificateText string

// pages are parsed when they are needed: nothing is to come between the start of
// the process and the freeze.
var pages = sync.OnceValues(func() (*template.Template, error) {
	t, err := template.New("page").Funcs(functions).Parse(pageText)
	if err != nil {
		return nil, err
	}
	return t.New("certificate").Parse(certificateText)
})

var functions = template.FuncMap{
	"safe": safetext.Line, "time": timeText, "date": dateText, "size": sizeText, "story": storyPart,
	"join": func(list []string) string { return safetext.Line(strings.Join(list, ", ")) },
	"argv": argvText, "short": short, "class": class, "took": tookText,
}

// HTML writes the report as one page that needs nothing else: no script, no
// style or image from elsewhere, and a policy that forbids them.
func HTML(w io.Writer, p *Page) error { return render(w, "page", p) }

// CertificateHTML writes the draft of a certification as such a page.
func CertificateHTML(w io.Writer, p *Page) error { return render(w, "certificate", p) }

func render(w io.Writer, name string, p *Page) error {
	t, err := pages()
	if err != nil {
		return fmt.Errorf("the report's template: %w", err)
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, name, p); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// storyPart is the story's own HTML, in which all is made safe already.
func storyPart(st *story.Story) (template.HTML, error) {
	var b bytes.Buffer
	err := story.Part(&b, st)
	return template.HTML(b.String()), err
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000Z")
}

func dateText(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

func tookText(a, b time.Time) string {
	if a.IsZero() || b.IsZero() {
		return "–"
	}
	return b.Sub(a).Round(time.Millisecond).String()
}

func sizeText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/unit, 0
	for ; f >= unit && i < 4; i++ {
		f /= unit
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTP"[i])
}

func argvText(argv []string) string {
	var out []string
	for _, a := range argv {
		if strings.ContainsAny(a, " \t\n'\"\\$") || a == "" {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out = append(out, safetext.Line(a))
	}
	return strings.Join(out, " ")
}

// short is the beginning of a digest, for where the whole stands elsewhere.
func short(s string) string {
	if len(s) > 16 {
		return s[:16] + "…"
	}
	return s
}

func class(word string) string {
	switch word {
	case "ok":
		return "ok"
	case "OPEN", "note":
		return "open"
	}
	return "bad"
}

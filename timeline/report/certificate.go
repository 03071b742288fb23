package report

import (
	_ "embed" // the form
	"fmt"
	"io"
	"strings"
	"sync"
	"text/template"

	"amber/evidence/safetext"
)

//go:embed certificate.md
var certificateMarkdown string

var markdown = sync.OnceValues(func() (*template.Template, error) {
	return template.New("certificate").Funcs(template.FuncMap{
		"safe": literal, "time": timeText, "date": dateText,
	}).Parse(certificateMarkdown)
})

// CertificateMarkdown writes the draft of a certification as CommonMark that
// reads as plain text, too.
func CertificateMarkdown(w io.Writer, p *Page) error {
	t, err := markdown()
	if err != nil {
		return fmt.Errorf("the certificate's template: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	return nil
}

// literal makes a text render as what it is: none of it becomes a link, an
// image, a heading or HTML.
func literal(s string) string {
	var b strings.Builder
	for _, r := range safetext.Line(s) {
		if strings.ContainsRune("\\`*_{}[]<>#|!&~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

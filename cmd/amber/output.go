package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"amber/evidence/safetext"
)

func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "print `FORMAT`: text or json"}
}

// wantJSON reads --output.
func wantJSON(c *cli.Context) (bool, error) {
	switch v := c.String("output"); v {
	case "text":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, usagef("--output %q: want text or json", v)
	}
}

// emit prints v as one JSON document.
func emit(w io.Writer, v any) error {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := writeOut(w, escapeJSON(buf.Bytes()))
	return err
}

// printed says that a result was written to standard output: none follows.
var printed bool

func writeOut(w io.Writer, data []byte) (int, error) {
	printed = printed || w == os.Stdout
	return w.Write(data)
}

// rows is standard output for what is written to it in pieces.
type rows struct{ *os.File }

func (r rows) Write(data []byte) (int, error) { return writeOut(r.File, data) }

// emitLine prints v as one line of JSON.
func emitLine(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = writeOut(w, append(escapeJSON(data), '\n'))
	return err
}

// escapeJSON escapes what JSON allows and a terminal should not get: DEL, the
// C1 controls, and format characters such as bidirectional overrides.
func escapeJSON(data []byte) []byte {
	var out []byte
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r < 0x7f || r > 0x9f && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Zl, r) && !unicode.Is(unicode.Zp, r) {
			out = append(out, data[i:i+n]...)
		} else if r > 0xffff {
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

// safeLines makes text safe line by line: its own line ends stay.
func safeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = safetext.Line(l)
	}
	return strings.Join(lines, "\n")
}

// table prints rows in columns; every cell is made safe.
func table(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if header != nil {
		fmt.Fprintln(t, strings.Join(header, "\t"))
	}
	for _, r := range rows {
		safe := make([]string, len(r))
		for i, cell := range r {
			safe[i] = safetext.Line(cell)
		}
		fmt.Fprintln(t, strings.Join(safe, "\t"))
	}
	return t.Flush()
}

// isTerminal reports whether f is a terminal.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// size is a number of bytes for people.
func size(n int64) string {
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

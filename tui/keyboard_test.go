package tui

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// typed is what a keyboard hands on of what is written into a pipe, read as tea
// does.
func typed(t *testing.T, in string, at int) (string, *keyboard) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		defer w.Close()
		for part := range strings.SplitSeq(in, "|") {
			for len(part) > 0 {
				n := min(at, len(part))
				_, _ = w.WriteString(part[:n])
				part = part[n:]
			}
		}
	}()
	k := &keyboard{File: r}
	var got bytes.Buffer
	var buf [256]byte
	for {
		n, err := k.Read(buf[:])
		got.Write(buf[:n])
		if err == io.EOF {
			return got.String(), k
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPasteIsBounded(t *testing.T) {
	long := strings.Repeat("x\x1b[20y", maxPaste)
	for _, at := range []int{1, 7, 256, 4096} {
		for _, c := range []struct {
			name, in string
			cut      bool
		}{
			{"keys alone", "abc\x1b[A\x1b[201~\x1b\x1b[B", false},
			{"a short paste", "a" + pasteBegins + "b\x1b[31m\x1b" + pasteEnds + "c", false},
			{"one that just fits", pasteBegins + strings.Repeat("x", maxPaste) + pasteEnds + "c", false},
			{"two", pasteBegins + "a" + pasteEnds + pasteBegins + "b" + pasteEnds, false},
		} {
			got, k := typed(t, c.in, at)
			if got != c.in || k.cut.Load() {
				t.Errorf("%s, by %d: %d bytes of %d, cut %v", c.name, at, len(got), len(c.in), k.cut.Load())
			}
		}
		got, k := typed(t, "a"+pasteBegins+long+pasteEnds+"bc", at)
		if !k.cut.Load() || k.state != typing {
			t.Errorf("by %d: cut %v, state %d", at, k.cut.Load(), k.state)
		}
		inside, rest, ok := strings.Cut(strings.TrimPrefix(got, "a"+pasteBegins), pasteEnds)
		if !ok || rest != "bc" || !strings.HasPrefix(long, inside) || len(inside) < maxPaste || len(inside) > maxPaste+16 {
			t.Errorf("by %d: %d bytes inside, then %q", at, len(inside), rest)
		}
		got, _ = typed(t, pasteBegins+long, at) // its end never comes
		if !strings.HasSuffix(got, pasteEnds) {
			t.Errorf("by %d: a paste without an end is not ended", at)
		}
	}
}

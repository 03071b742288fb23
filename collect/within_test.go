package collect

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// An interrupt ends the reading of a file, and what the file's reader has to
// tell comes all the same.
func TestWithin(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := within(ctx, strings.NewReader("abcdef"))
	buf := make([]byte, 3)
	if n, err := r.Read(buf); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	cancel()
	if _, err := r.Read(buf); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	if _, tells := r.(teller); tells {
		t.Error("a reader that tells nothing is made to")
	}
	if r := within(ctx, told{}); r.(teller).After()[0] != "told" {
		t.Error("what a reader tells is lost")
	}
}

type told struct{ io.Reader }

func (told) After() []string { return []string{"told"} }

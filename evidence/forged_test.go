package evidence

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence/record"
)

// TestForgedHeader seals a bundle whose archive and index tell of the same file
// differently, as somebody with a key could: all digests hold, and decoding it
// finds them out.
func TestForgedHeader(t *testing.T) {
	for name, forge := range map[string]func(m *record.Member){
		"mode":  func(m *record.Member) { m.Mode = 0o777 },
		"name":  func(m *record.Member) { m.Path = "filesystem/other" },
		"owner": func(m *record.Member) { m.UID = 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "e1")
			w, err := Create(dir, "e1", 0)
			if err != nil {
				t.Fatal(err)
			}
			p, err := w.Payload("filesystem")
			if err != nil {
				t.Fatal(err)
			}
			m := &record.Member{Path: "filesystem/f", Type: record.File, Mode: 0o600, Size: 4, Payload: "filesystem"}
			p.putHeader(m)
			p.putContent(m, bytes.NewReader([]byte("text")))
			forge(m)
			if err := w.enter(m); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Seal(&record.Acquisition{}, nil); err != nil {
				t.Fatal(err)
			}
			r, err := Verify(context.Background(), dir, VerifyOptions{})
			if err != nil || !r.Intact() {
				t.Fatalf("its digests do not hold: %+v, %v", r, err)
			}
			if r, err = Verify(context.Background(), dir, VerifyOptions{Deep: true}); err != nil || r.Intact() {
				t.Fatalf("it passes: %v", err)
			}
			if !strings.Contains(r.Problems[0].What, "its tar header and its index line disagree") {
				t.Errorf("%+v", r.Problems)
			}
		})
	}
}

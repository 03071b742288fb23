package evidence

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence/record"
)

// forgedRuns seals two payloads whose members lie in turns in the index, for
// more runs than there are cores; of some the line has another mode than the
// header.
func forgedRuns(t *testing.T, forged ...int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e")
	w, err := Create(dir, "e", 0)
	if err != nil {
		t.Fatal(err)
	}
	var payloads [2]*Payload
	for i, name := range []string{"filesystem", "logs"} {
		if payloads[i], err = w.Payload(name); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 * runMembers {
		p := payloads[i%2]
		m := &record.Member{Path: fmt.Sprintf("%s/%05d", p.name, i), Type: record.File, Size: 7, Payload: p.name}
		p.putHeader(m)
		p.putContent(m, strings.NewReader("content"))
		for _, n := range forged {
			if i == n {
				m.Mode = 0o777
			}
		}
		if err := w.enter(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(payloads[0].Close(), payloads[1].Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{}, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDeepRuns(t *testing.T) {
	r := verify(t, forgedRuns(t), VerifyOptions{Deep: true})
	if !r.Intact() || r.Members != 5*runMembers || r.Plain != 7*r.Members {
		t.Errorf("%+v", r)
	}
	for _, first := range []int{1, runMembers*2 + 10, runMembers*5 - 2} {
		r := verify(t, forgedRuns(t, first, runMembers*5-1), VerifyOptions{Deep: true})
		if len(r.Problems) != 1 || !strings.HasSuffix(r.Problems[0].Name, fmt.Sprintf("/%05d", first)) || r.Members != 5*runMembers || r.Root == "" {
			t.Errorf("member %d: %+v", first, r)
		}
	}
}

// Where the index is at fault, that is what is said.
func TestDeepIndexFirst(t *testing.T) {
	b, err := Open(forgedRuns(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.manifest.Annotations[AnnotationRoot] = strings.Repeat("0", 64)
	v := verifier{b: b, r: &Report{}}
	v.deep(context.Background())
	if len(v.r.Problems) != 1 || v.r.Problems[0].Name != "members" || v.r.Plain != 0 {
		t.Errorf("%+v", v.r)
	}
}

func TestDeepCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, forgedRuns(t), VerifyOptions{Deep: true}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A bundle of small members: what the index and
// the headers cost counts as much as the content.
func BenchmarkVerifyDeep(b *testing.B) {
	dir, _ := write(b, 2000, nil)
	b.ReportAllocs()
	for b.Loop() {
		r := verify(b, dir, VerifyOptions{Deep: true})
		b.SetBytes(r.Plain)
	}
}

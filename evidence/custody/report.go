package custody

import (
	"fmt"
	"strings"
	"time"

	"amber/evidence/safetext"
)

// Kind is what is wrong with a log, in one word.
type Kind string

const (
	Changed       Kind = "changed"        // the line is not the one that was written
	Removed       Kind = "removed"        // lines are missing before this one
	Reordered     Kind = "reordered"      // the line stands in the wrong place
	Duplicated    Kind = "duplicated"     // the line stands there twice
	Foreign       Kind = "foreign"        // a receipt, or the log, is another case's
	Cut           Kind = "cut"            // a receipt knows more lines than the log has
	TornEnd       Kind = "torn"           // the log ends within a line
	BadSignature  Kind = "bad-signature"  // a signature is not one over its line
	WrongSigner   Kind = "wrong-signer"   // a good signature of none of the allowed signers
	UnknownSigner Kind = "unknown-signer" // a good signature, and nobody said who may sign
)

// Problem is one thing that is wrong. Line is from 1, and 0 where it is the
// whole log's; What is not safe for a terminal before safetext.Line.
type Problem struct {
	Line int    `json:"line"`
	Kind Kind   `json:"kind"`
	What string `json:"what"`
}

func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.Kind, safetext.Line(p.What))
	}
	return fmt.Sprintf("line %d: %s: %s", p.Line, p.Kind, safetext.Line(p.What))
}

// Anchored is the last entry that somebody vouches for: a known signer, or a
// receipt. Every line up to it is as it was then.
type Anchored struct {
	Sequence    int64     `json:"sequence"` // 0: nobody vouches for anything
	Time        time.Time `json:"time,omitzero"`
	By          string    `json:"by,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"`
}

// Report is what Verify found. That entries after the last were removed can be
// told only against a receipt, so no report says that a log is complete without
// saying up to where.
type Report struct {
	Case      string      `json:"case"`
	Lines     int         `json:"lines"`
	Complete  int64       `json:"complete_up_to"`      // the chain holds from entry 1 up to this one
	Anchor    Anchored    `json:"anchored_at"`         // never beyond Complete
	Awaiting  []int64     `json:"awaiting,omitempty"`  // entries that no signature covers yet
	Unsigned  []Unsigned  `json:"unsigned,omitempty"`  // entries that nobody signed, those that a signature covers too
	Additions []Addition  `json:"additions,omitempty"` // who let whom sign
	Stamps    []TimeStamp `json:"stamps,omitempty"`    // what authorities say of its time
	Problems  []Problem   `json:"problems,omitempty"`
	Notes     []string    `json:"notes,omitempty"` // what is odd and harmless
}

// Tampered reports that the log is not as it was written, or is signed by
// somebody who may not: verification failed.
func (r Report) Tampered() bool {
	for _, p := range r.Problems {
		if p.Kind != UnknownSigner {
			return true
		}
	}
	return false
}

// Belongs enters a problem where the log is of another case than the one that it
// lies in.
func (r *Report) Belongs(caseID string) {
	if r.Lines > 0 && r.Case != "" && r.Case != caseID {
		r.Problems = append(r.Problems, Problem{Kind: Foreign, What: fmt.Sprintf("this is the log of the case %q, and it lies in the case %q", r.Case, caseID)})
	}
}

// Vouched reports that nothing is wrong and that every entry is covered by a
// known signer's signature or a receipt: none can be changed any more. Whether
// somebody vouches for what one says is told by Vouches.
func (r Report) Vouched() bool {
	return len(r.Problems) == 0 && r.Anchor.Sequence == r.Complete
}

// String is one line for a terminal: "complete up to entry 12, anchored at entry
// 12 (2026-11-22T03:40:28Z, ana@node1)".
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "complete up to entry %d", r.Complete)
	if a := r.Anchor; a.Sequence > 0 {
		fmt.Fprintf(&b, ", anchored at entry %d (%s, %s)", a.Sequence, a.Time.UTC().Format(time.RFC3339), safetext.Line(a.By))
	} else {
		b.WriteString(", anchored nowhere")
	}
	if s := r.proved(); s != nil {
		fmt.Fprintf(&b, ", there up to entry %d by %s (%s)", s.Sequence, s.Time.UTC().Format(time.RFC3339), safetext.Line(s.Authority))
	}
	if n := len(r.Awaiting); n > 0 {
		fmt.Fprintf(&b, ", %d awaiting countersignature", n)
	}
	b.WriteString(r.unsignedText())
	if n := len(r.Problems); n > 0 {
		fmt.Fprintf(&b, ", %d problems", n)
	}
	return b.String()
}

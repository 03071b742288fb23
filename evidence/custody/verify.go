package custody

import (
	"errors"
	"fmt"
	"time"

	"amber/evidence/keys"
)

// Verify reads the log at path from its first line and reports what holds.
// Signers says who may sign (nil: nobody is known), receipt is one that was kept
// elsewhere (nil: none, and then nobody can tell a tail that was cut). The error
// is only that the log could not be read; all else is in the report.
func Verify(path string, signers *keys.Signers, receipt *Receipt) (Report, error) {
	v := verifier{signers: signers, receipt: receipt, expect: 1, previous: zeros, intact: true, seen: map[int64]int{}, hashes: map[int64]string{}}
	for l, err := range lines(path) {
		if errors.Is(err, errLong) {
			v.problem(l.number, Changed, err.Error())
			break
		}
		if err != nil {
			return v.report, err
		}
		v.line(l)
	}
	v.finish()
	return v.report, nil
}

// verifier walks a log.
type verifier struct {
	signers  *keys.Signers
	receipt  *Receipt
	report   Report
	expect   int64            // the sequence that should come next
	previous string           // the hash of the line before
	intact   bool             // nothing was wrong with the chain so far
	seen     map[int64]int    // sequence → line, of the lines that came
	hashes   map[int64]string // sequence → hash
	might    []string         // who might sign by now, as the log has it
	pending  int64            // unsigned entries since the last signed one
	last     Entry            // the line before
	gaps     []gap
	late     []late
}

// gap is a run of sequences that did not come where they should; late is a line
// that came after a higher one.
type (
	gap struct {
		from, to int64
		line     int
	}
	late struct {
		sequence int64
		line     int
	}
)

func (v *verifier) problem(line int, kind Kind, what string) {
	v.report.Problems = append(v.report.Problems, Problem{Line: line, Kind: kind, What: what})
}

func (v *verifier) broken(line int, kind Kind, what string) {
	v.intact = false
	v.problem(line, kind, what)
}

func (v *verifier) line(l line) {
	v.report.Lines++
	hash := hashLine(l.bytes)
	defer func() { v.previous = hash }()
	if l.torn {
		v.broken(l.number, TornEnd, fmt.Sprintf("the log ends within this line (%d bytes): a crash while it was written, or a change", len(l.bytes)))
		return
	}
	e, err := decode(l.bytes)
	if err != nil {
		v.broken(l.number, Changed, err.Error())
		v.expect++
		return
	}
	v.place(l.number, e)
	v.caseID(l.number, e)
	v.torn(l.number, e)
	v.matchReceipt(l.number, e, hash)
	v.stamped(l.number, e)
	v.clock(e)
	v.hashes[e.Sequence] = hash
	if v.intact {
		v.report.Complete = e.Sequence
	}
	v.signature(l, e)
}

// place checks where the line stands and what it is chained to.
func (v *verifier) place(number int, e Entry) {
	switch {
	case e.Sequence > v.expect:
		v.intact = false
		v.gaps = append(v.gaps, gap{v.expect, e.Sequence - 1, number})
		v.expect = e.Sequence + 1
	case e.Sequence < v.expect:
		v.intact = false
		v.late = append(v.late, late{e.Sequence, number})
	default:
		if e.Previous != v.previous {
			v.broken(number, Changed, fmt.Sprintf("entry %d was not chained to the line before as it stands: one of the two was changed", e.Sequence))
		}
		v.expect++
	}
	if _, twice := v.seen[e.Sequence]; !twice {
		v.seen[e.Sequence] = number
	}
}

func (v *verifier) caseID(number int, e Entry) {
	if v.report.Case == "" {
		v.report.Case = e.Case
	}
	if e.Case != v.report.Case {
		v.broken(number, Changed, fmt.Sprintf("entry %d is of case %q, the log of %q", e.Sequence, e.Case, v.report.Case))
	}
}

func (v *verifier) torn(number int, e Entry) {
	if e.Torn == nil {
		return
	}
	if hashLine(e.Torn.Bytes) != e.Torn.SHA256 || len(e.Torn.Bytes) != e.Torn.Size {
		v.broken(number, Changed, "the torn line that it keeps is not the one it names")
		return
	}
	v.report.Notes = append(v.report.Notes, fmt.Sprintf("entry %d keeps %d bytes of a line that a crash cut short", e.Sequence, e.Torn.Size))
}

// clock notes where a host's clock was set back: the time goes back, and its
// count since the boot does not.
func (v *verifier) clock(e Entry) {
	was := v.last
	v.last = Entry{Sequence: e.Sequence, Host: e.Host, BootID: e.BootID, Time: e.Time, Monotonic: e.Monotonic}
	if was.BootID == "" || was.BootID != e.BootID || was.Host != e.Host || e.Monotonic < was.Monotonic {
		return
	}
	if back := was.Time.Sub(e.Time); back > time.Second {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("entry %d says a time %s before that of entry %d: the clock of that host was set back in between", e.Sequence, back.Round(time.Second), was.Sequence))
	}
}

// signature checks who signed. A valid signature of a known signer covers, by
// the chain, every line before it.
func (v *verifier) signature(l line, e Entry) {
	if e.Signature == Awaiting {
		v.awaits(e)
		v.adds(l.number, e, nil)
		return
	}
	pub, err := verifySignature(l.bytes, e.Signature)
	if err != nil {
		v.broken(l.number, BadSignature, fmt.Sprintf("entry %d: %v", e.Sequence, err))
		return
	}
	v.counts(l.number, e)
	v.adds(l.number, e, pub)
	who, known := v.signers.Lookup(pub, keys.NamespaceCustody, e.Time)
	switch {
	case known:
		v.anchor(e, Anchored{Sequence: e.Sequence, Time: e.Time, By: who, Fingerprint: keys.Fingerprint(pub)})
	case v.signers.Len() > 0:
		v.problem(l.number, WrongSigner, fmt.Sprintf("entry %d is signed with %s, which is none of the allowed signers", e.Sequence, v.signers.Stranger(pub, keys.NamespaceCustody, e.Time)))
	default:
		v.problem(l.number, UnknownSigner, fmt.Sprintf("entry %d is signed with %s; no allowed signers were given", e.Sequence, keys.Fingerprint(pub)))
	}
}

func (v *verifier) anchor(e Entry, a Anchored) {
	if !v.intact {
		return
	}
	v.covers(e, a.By)
	v.report.Anchor = a
	v.report.Awaiting = nil
}

func (v *verifier) matchReceipt(number int, e Entry, hash string) {
	r := v.receipt
	if r == nil || e.Sequence != r.Sequence || r.Case != v.report.Case { // finishReceipt tells of another case's
		return
	}
	if hash != r.Hash {
		v.broken(number, Changed, fmt.Sprintf("entry %d is not the one of the receipt: the log was rewritten", e.Sequence))
	}
}

func (v *verifier) finish() {
	for _, g := range v.gaps {
		v.finishGap(g)
	}
	for _, l := range v.late {
		if v.seen[l.sequence] != l.line {
			v.problem(l.line, Duplicated, fmt.Sprintf("entry %d stands in line %d already", l.sequence, v.seen[l.sequence]))
			continue
		}
		v.problem(l.line, Reordered, fmt.Sprintf("entry %d stands after a later one", l.sequence))
	}
	if v.receipt != nil {
		v.finishReceipt(*v.receipt)
	}
}

func (v *verifier) finishGap(g gap) {
	missing, elsewhere := int64(0), 0
	for _, l := range v.late {
		if l.sequence >= g.from && l.sequence <= g.to && v.seen[l.sequence] == l.line {
			elsewhere++
		}
	}
	if missing = g.to - g.from + 1 - int64(elsewhere); missing > 0 {
		v.problem(g.line, Removed, fmt.Sprintf("%d of the entries %d to %d are missing before this line", missing, g.from, g.to))
	}
}

// finishReceipt tells a tail that was cut, and takes the receipt as an anchor:
// it was kept elsewhere, signed or not.
func (v *verifier) finishReceipt(r Receipt) {
	by := "a kept receipt"
	if r.Signature != "" {
		pub, err := r.signer()
		if err != nil {
			v.problem(0, BadSignature, fmt.Sprintf("the receipt: %v", err))
			return
		}
		who, known := v.signers.Lookup(pub, keys.NamespaceReceipt, r.Time)
		if !known {
			who = "unknown signer " + keys.Fingerprint(pub)
		}
		by += " of " + who
	}
	if v.report.Lines > 0 && r.Case != v.report.Case {
		v.problem(0, Foreign, fmt.Sprintf("the receipt is for the log of the case %q, and this is the log of %q: it says nothing of this one", r.Case, v.report.Case))
		return
	}
	if _, ok := v.seen[r.Sequence]; !ok {
		v.problem(0, Cut, fmt.Sprintf("the receipt of %s knows entry %d, which the log lacks: its tail was cut, or it is another log", r.Time.UTC().Format("2006-01-02T15:04:05Z"), r.Sequence))
		return
	}
	if r.Sequence <= v.report.Complete && r.Sequence > v.report.Anchor.Sequence {
		v.report.Anchor = Anchored{Sequence: r.Sequence, Time: r.Time, By: by}
		v.report.Awaiting = after(v.report.Awaiting, r.Sequence)
	}
}

func after(list []int64, n int64) []int64 {
	var out []int64
	for _, s := range list {
		if s > n {
			out = append(out, s)
		}
	}
	return out
}

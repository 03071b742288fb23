package custody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ErrGrown says that the log is not any more what a countersigner was shown.
var ErrGrown = errors.New("the custody log has grown since it was looked at: look at it again")

// Run is a run of entries by their sequences, both ends in it.
type Run struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

func (r Run) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// Runs joins sequences, which ascend, into runs.
func Runs(sequences []int64) (runs []Run) {
	for _, s := range sequences {
		if n := len(runs); n > 0 && runs[n-1].To == s-1 {
			runs[n-1].To = s
			continue
		}
		runs = append(runs, Run{s, s})
	}
	return runs
}

// mostRuns is how many runs of entries one line names.
const mostRuns = 8

// RunsText names entries in a few words: "4, 7-9 and 12 more".
func RunsText(sequences []int64) string {
	runs := Runs(sequences)
	var words []string
	for _, r := range runs[:min(len(runs), mostRuns)] {
		words = append(words, r.String())
	}
	text := strings.Join(words, ", ")
	more := int64(0)
	for _, r := range runs[min(len(runs), mostRuns):] {
		more += r.To - r.From + 1
	}
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Unsigned is an entry that nobody signed. By the chain, what was signed after
// it keeps it as it then was; that the signer knew of it is another matter, so
// it is told for ever.
type Unsigned struct {
	Sequence int64     `json:"sequence"`
	Time     time.Time `json:"time"` // claimed, as all of it
	Action   string    `json:"action"`
	Actor    Actor     `json:"actor"`
	Host     string    `json:"host"`
	Evidence string    `json:"evidence,omitempty"`
	Covered  int64     `json:"covered_by,omitempty"` // the known signer's entry since which it is as it is; 0 for none
	Counted  bool      `json:"counted"`              // that entry says how many such it covers; those of an older amber do not
	Seen     int64     `json:"seen_by,omitempty"`    // the known signer's entry that says that its signer has seen it; 0 for none
	SeenWho  string    `json:"seen_who,omitempty"`   // that signer
}

// By is who says to have made it. It is not safe for a terminal.
func (u Unsigned) By() string {
	who := u.Actor.User
	if who == "" {
		who = fmt.Sprintf("uid %d", u.Actor.UID)
	}
	return who + "@" + u.Host
}

// Standing says what the entry is worth.
func (u Unsigned) Standing() string {
	switch {
	case u.Seen > 0:
		return fmt.Sprintf("signed by nobody when it was made; entry %d says that %s has seen it", u.Seen, u.SeenWho)
	case u.Covered == 0:
		return "signed by nobody"
	case u.Counted:
		return fmt.Sprintf("signed by nobody; unchanged since entry %d, whose signer does not vouch for it", u.Covered)
	}
	return fmt.Sprintf("signed by nobody; unchanged since entry %d, whose signer may not have known of it", u.Covered)
}

// Vouches reports whether somebody known vouches for an entry: it is signed, or
// a countersigner has seen it, and the chain up to there holds.
func (r Report) Vouches(sequence int64) bool {
	if sequence < 1 || sequence > r.Anchor.Sequence {
		return false
	}
	i, unsigned := r.unsigned(sequence)
	return !unsigned || r.Unsigned[i].Seen > 0
}

// Of gives the entry of that sequence where nobody signed it.
func (r Report) Of(sequence int64) (Unsigned, bool) {
	i, ok := r.unsigned(sequence)
	if !ok {
		return Unsigned{}, false
	}
	return r.Unsigned[i], true
}

func (r Report) unsigned(sequence int64) (int, bool) {
	return slices.BinarySearchFunc(r.Unsigned, sequence, func(u Unsigned, s int64) int {
		switch {
		case u.Sequence < s:
			return -1
		case u.Sequence > s:
			return 1
		}
		return 0
	})
}

// Unseen are the unsigned entries that no countersigner has seen.
func (r Report) Unseen() (sequences []int64) {
	for _, u := range r.Unsigned {
		if u.Seen == 0 {
			sequences = append(sequences, u.Sequence)
		}
	}
	return sequences
}

// unsignedText tells of what is covered, and not signed: it is not to be
// forgotten for what was signed later.
func (r Report) unsignedText() string {
	var unseen, seen []int64
	for _, u := range r.Unsigned {
		switch {
		case u.Seen > 0:
			seen = append(seen, u.Sequence)
		default:
			if _, awaits := slices.BinarySearch(r.Awaiting, u.Sequence); !awaits {
				unseen = append(unseen, u.Sequence)
			}
		}
	}
	text := ""
	if len(unseen) > 0 {
		text += fmt.Sprintf(", %d signed by nobody (%s)", len(unseen), RunsText(unseen))
	}
	if len(seen) > 0 {
		text += fmt.Sprintf(", %d only countersigned (%s)", len(seen), RunsText(seen))
	}
	return text
}

// awaits enters an entry that nobody signed.
func (v *verifier) awaits(e Entry) {
	v.pending++
	v.report.Awaiting = append(v.report.Awaiting, e.Sequence)
	if n := len(v.report.Unsigned); n > 0 && v.report.Unsigned[n-1].Sequence >= e.Sequence {
		return // out of place, which is told as such
	}
	u := Unsigned{Sequence: e.Sequence, Time: e.Time, Action: e.Action, Actor: e.Actor, Host: e.Host}
	if e.Evidence != nil {
		u.Evidence = e.Evidence.ID
	}
	v.report.Unsigned = append(v.report.Unsigned, u)
}

// counts checks that a signed entry covers as many unsigned ones as it says. An
// older amber did not say it.
func (v *verifier) counts(number int, e Entry) {
	if e.Unsigned > 0 && e.Unsigned != v.pending && v.intact {
		v.broken(number, Changed, fmt.Sprintf("entry %d says that %d unsigned entries stand before it, and there are %d", e.Sequence, e.Unsigned, v.pending))
	}
	v.pending = 0
}

// covers marks what a known signer's entry keeps as it is, and has seen.
func (v *verifier) covers(e Entry, who string) {
	list := v.report.Unsigned
	for i := len(list) - 1; i >= 0 && list[i].Covered == 0; i-- {
		list[i].Covered, list[i].Counted = e.Sequence, e.Unsigned > 0
	}
	for _, run := range e.Seen {
		at, _ := v.report.unsigned(run.From)
		for ; at < len(list) && list[at].Sequence <= run.To; at++ {
			if list[at].Seen == 0 {
				list[at].Seen, list[at].SeenWho = e.Sequence, who
			}
		}
	}
}

// unsignedAtEnd counts the entries at the end of a log that nobody signed. It
// reads back no further than to the last that somebody did.
func unsignedAtEnd(f io.ReaderAt, size int64) (n int64, err error) {
	for size > 0 {
		t, err := readTail(f, size)
		if err != nil {
			return 0, err
		}
		if t.last == nil || !awaiting(t.last) {
			break
		}
		n++
		size -= int64(len(t.last)) + 1
	}
	return n, nil
}

func awaiting(line []byte) bool {
	if !bytes.Contains(line, []byte(`"`+Awaiting+`"`)) {
		return false
	}
	var e struct {
		Signature string `json:"signature"`
	}
	return json.Unmarshal(line, &e) == nil && e.Signature == Awaiting
}

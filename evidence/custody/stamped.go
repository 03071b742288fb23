package custody

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"amber/evidence/timestamp"
)

// ActionStampLog keeps what a time-stamping authority says of an earlier line:
// by the chain, of every line up to that.
const ActionStampLog = "stamp-log"

// Stamped is a time-stamp token (RFC 3161) over a line, in a later one.
type Stamped struct {
	Sequence   int64  `json:"sequence"` // of the line
	Hash       string `json:"hash"`     // of it, which is what was stamped
	Token      []byte `json:"token"`    // the authority's answer, DER; base64 in the log
	Revocation []byte `json:"revocation,omitempty"`
}

// maxRevocation is more than a line has room for; lists beyond it are left out.
const maxRevocation = 256 << 10

// AskStamp has the authority at url stamp the last line of the log at path. The
// answer is to be entered in the log.
func AskStamp(ctx context.Context, path, url string) (*Stamped, *timestamp.Answer, error) {
	head, err := Head(path)
	if err != nil {
		return nil, nil, err
	}
	hash, err := hex.DecodeString(head.Hash)
	if err != nil {
		return nil, nil, err
	}
	a, err := timestamp.Ask(ctx, url, hash)
	if err != nil {
		return nil, nil, err
	}
	s := &Stamped{Sequence: head.Sequence, Hash: head.Hash, Token: a.Response, Revocation: a.CRLs}
	if len(s.Revocation) > maxRevocation {
		s.Revocation = nil
		a.Warnings = append(a.Warnings, fmt.Sprintf("revocation lists of %d bytes are not kept in the custody log", len(a.CRLs)))
	}
	return s, a, nil
}

// TimeStamp is a token of a log that holds by itself.
type TimeStamp struct {
	Entry     int64     `json:"entry"`    // that keeps it
	Sequence  int64     `json:"sequence"` // the entry up to which it covers the log
	Time      time.Time `json:"time"`
	Authority string    `json:"authority"`
	Trusted   bool      `json:"trusted"`
	AsOf      time.Time `json:"as_of,omitzero"`  // the time as of which it is trusted
	Doubt     string    `json:"doubt,omitempty"` // why it is not

	token *timestamp.Token
	crls  []byte
}

// stamped checks that a token is over the line that it says.
func (v *verifier) stamped(number int, e Entry) {
	s := e.Stamped
	if s == nil {
		return
	}
	if v.hashes[s.Sequence] != s.Hash {
		v.broken(number, Changed, fmt.Sprintf("entry %d has a time-stamp token over entry %d as it is not", e.Sequence, s.Sequence))
		return
	}
	k, err := timestamp.Parse(s.Token)
	if err == nil && hex.EncodeToString(k.Digest) != s.Hash {
		err = fmt.Errorf("%w: it is over something else than entry %d", timestamp.ErrToken, s.Sequence)
	}
	if err == nil && len(s.Revocation) > 0 {
		err = k.CheckLists(s.Revocation)
	}
	if err != nil {
		v.problem(number, BadSignature, fmt.Sprintf("entry %d: %v", e.Sequence, err))
		return
	}
	v.report.Stamps = append(v.report.Stamps, TimeStamp{
		Entry: e.Sequence, Sequence: s.Sequence, Time: k.Time, Authority: k.Authority(), Doubt: "no authority is known (--tsa-roots)",
		token: k, crls: bytes.Clone(s.Revocation),
	})
}

// TrustTimes looks at the tokens as somebody does who trusts these authorities,
// at a time (zero: now), the newest first: what a later one covers was there at
// its time, and is looked at as of then. Without trust none counts.
func (r *Report) TrustTimes(trust *timestamp.Trust, at time.Time) {
	if trust == nil {
		return
	}
	if at.IsZero() {
		at = time.Now()
	}
	for i := range slices.Backward(r.Stamps) {
		s := &r.Stamps[i]
		if err := trust.Check(s.token, s.crls, at); err != nil {
			s.Doubt = err.Error()
			continue
		}
		s.Trusted, s.AsOf, s.Doubt = true, at.UTC().Truncate(time.Second), ""
		if s.Time.Before(at) {
			at = s.Time
		}
	}
}

// proved is the newest trusted token; nil where there is none.
func (r Report) proved() *TimeStamp {
	for _, s := range slices.Backward(r.Stamps) {
		if s.Trusted && s.Sequence <= r.Complete {
			return &s
		}
	}
	return nil
}

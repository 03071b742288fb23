package custody

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/evidence/timestamp"
	"amber/evidence/timestamp/timestamptest"
)

// stampedLog is a log whose head was stamped, twice.
func stampedLog(t *testing.T, a *timestamptest.Authority) fixture {
	t.Helper()
	f := fixture{path: filepath.Join(t.TempDir(), "custody.jsonl")}
	signer, signers := newSigner(t)
	f.signers = signers
	add(t, f.path, signer, "acquire", "seal")
	for range 2 {
		s, _, err := AskStamp(context.Background(), f.path, a.URL)
		if err != nil {
			t.Fatal(err)
		}
		l, err := Open(f.path)
		if err != nil {
			t.Fatal(err)
		}
		e := Entry{Case: "c", Action: ActionStampLog, Stamped: s}
		Stamp(&e)
		if head, err := Head(f.path); err != nil {
			t.Fatal(err)
		} else {
			e.Case = head.Case
		}
		if _, _, err := l.Append(e, signer); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f.data = read(t, f.path)
	return f
}

func TestStampedLog(t *testing.T) {
	a := timestamptest.New(t, time.Now().Add(time.Hour))
	f := stampedLog(t, a)
	trust, err := timestamp.ParseTrust(a.Roots)
	if err != nil {
		t.Fatal(err)
	}
	r := verify(t, f.path, f.signers, nil)
	if !r.Vouched() || len(r.Stamps) != 2 || r.Stamps[0].Sequence != 2 || r.Stamps[1].Sequence != 3 || r.Stamps[1].Trusted {
		t.Fatalf("%+v", r)
	}
	r.TrustTimes(trust, time.Time{})
	if !r.Stamps[0].Trusted || !r.Stamps[1].Trusted || !strings.Contains(r.String(), "there up to entry 3 by ") {
		t.Errorf("%s %+v", r, r.Stamps)
	}
	r = verify(t, f.path, f.signers, nil)
	r.TrustTimes(trust, time.Now().AddDate(1, 0, 0))
	if r.Stamps[1].Trusted || !strings.Contains(r.Stamps[1].Doubt, "has expired") || strings.Contains(r.String(), "there up to") {
		t.Errorf("expired: %s %+v", r, r.Stamps)
	}
	other := timestamptest.New(t, time.Now().Add(time.Hour))
	if trust, err = timestamp.ParseTrust(other.Roots); err != nil {
		t.Fatal(err)
	}
	r.TrustTimes(trust, time.Time{})
	if r.Stamps[0].Trusted || r.Stamps[1].Trusted {
		t.Error("another authority's token is trusted")
	}
}

// A token that is over another line, or was changed, is told.
func TestStampedLogTampering(t *testing.T) {
	a := timestamptest.New(t, time.Now().Add(time.Hour))
	f := stampedLog(t, a)
	mine, other := f.stampedEntry(t, 3), stampedLog(t, a).stampedEntry(t, 3)
	for say, s := range map[string]*Stamped{
		"over something else than entry 2":               {Sequence: 2, Hash: mine.Hash, Token: other.Token},
		"a time-stamp token over entry 2 as it is not":   {Sequence: 2, Hash: other.Hash, Token: other.Token},
		"a time-stamp token over entry 900 as it is not": {Sequence: 900, Hash: mine.Hash, Token: mine.Token},
		"bad time-stamp token":                           {Sequence: 2, Hash: mine.Hash, Token: bytes.Repeat([]byte{0x30}, 9)},
		"not revocation lists":                           {Sequence: 2, Hash: mine.Hash, Token: mine.Token, Revocation: []byte("x")},
	} {
		path := filepath.Join(t.TempDir(), "custody.jsonl")
		write(t, path, bytes.Join(bytes.SplitAfter(f.data, []byte("\n"))[:2], nil))
		signer, _ := newSigner(t)
		l, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		head, err := Head(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Append(Entry{Case: head.Case, Action: ActionStampLog, Stamped: s}, signer); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		r := verify(t, path, nil, nil)
		said := ""
		for _, p := range r.Problems {
			said += p.What + "\n"
		}
		if !r.Tampered() || !strings.Contains(said, say) || len(r.Stamps) != 0 {
			t.Errorf("%s: %s", say, said)
		}
	}
}

// stampedEntry is the token in an entry.
func (f fixture) stampedEntry(t *testing.T, sequence int64) *Stamped {
	t.Helper()
	for e, err := range Entries(f.path) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Sequence == sequence && e.Stamped != nil {
			return e.Stamped
		}
	}
	t.Fatalf("no token in entry %d", sequence)
	return nil
}

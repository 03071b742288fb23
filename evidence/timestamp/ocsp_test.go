package timestamp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"amber/evidence/timestamp"
	"amber/evidence/timestamp/timestamptest"
)

// What the responder says is kept with the token, and looked at: a certificate
// that was good, or revoked later for a harmless reason, is; one that was
// revoked before, or whose key was stolen, is not.
func TestOCSP(t *testing.T) {
	a := timestamptest.New(t, time.Now().Add(time.Hour))
	sum := sha256.Sum256([]byte("x"))
	got, err := timestamp.Ask(context.Background(), a.URL, sum[:])
	if err != nil || len(got.Warnings) > 0 || bytes.Count(got.CRLs, []byte("BEGIN OCSP RESPONSE")) != 1 {
		t.Fatal(err, got.Warnings, string(got.CRLs))
	}
	if err := got.Token.CheckLists(got.CRLs); err != nil {
		t.Error(err)
	}
	trust, err := timestamp.ParseTrust(a.Roots)
	if err != nil {
		t.Fatal(err)
	}
	if err := trust.Check(got.Token, got.CRLs, time.Now()); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		at     time.Time
		reason int
		ok     bool
	}{{time.Now().Add(time.Minute), 4, true}, {time.Now().Add(time.Minute), 1, false}, {time.Now().Add(-time.Minute), 4, false}} {
		a.Revoke(c.at, c.reason)
		status, err := a.Status()
		if err != nil {
			t.Fatal(err)
		}
		err = trust.Check(got.Token, status, time.Now())
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "was revoked at") {
			t.Errorf("%+v: %v", c, err)
		}
		later, err := timestamp.ParseTrust(append(bytes.Clone(a.Roots), status...))
		if err != nil {
			t.Fatal(err)
		}
		if err := later.Check(got.Token, got.CRLs, time.Now()); (err == nil) != c.ok {
			t.Errorf("known since, %+v: %v", c, err)
		}
	}
}

// An answer of somebody else, one that was changed, or anything beside it, is
// told; a responder that does not answer is a warning.
func TestOCSPRefuses(t *testing.T) {
	a, other := timestamptest.New(t, time.Now().Add(time.Hour)), timestamptest.New(t, time.Now().Add(time.Hour))
	sum := sha256.Sum256([]byte("x"))
	got, err := timestamp.Ask(context.Background(), a.URL, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Status()
	if err != nil {
		t.Fatal(err)
	}
	own, err := a.Status()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(own)
	block.Bytes[len(block.Bytes)-1] ^= 1
	for what, data := range map[string][]byte{
		"another's": foreign, "changed": pem.EncodeToMemory(block), "none": pem.EncodeToMemory(&pem.Block{Type: "OCSP RESPONSE", Bytes: []byte("x")}),
		"with more": append(bytes.Clone(own), "more"...),
	} {
		if err := got.Token.CheckLists(data); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	a.Silence()
	got, err = timestamp.Ask(context.Background(), a.URL, sum[:])
	if err != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "the OCSP responder") {
		t.Error(err, got.Warnings)
	}
}

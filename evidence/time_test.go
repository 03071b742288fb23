package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/keys"
	"amber/evidence/record"
	"amber/evidence/timestamp"
	"amber/evidence/timestamp/timestamptest"
)

func trusting(t testing.TB, authorities ...*timestamptest.Authority) *timestamp.Trust {
	t.Helper()
	var roots []byte
	for _, a := range authorities {
		roots = append(roots, a.Roots...)
	}
	trust, err := timestamp.ParseTrust(roots)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

func stampWith(t testing.TB, dir string, again bool, a *timestamptest.Authority) Time {
	t.Helper()
	got, warnings, err := Stamp(context.Background(), dir, a.URL, again)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return got
}

// A token over the statement's signature is believed with the authority's root,
// is said to be nobody's without, and by openssl, too.
func TestStamp(t *testing.T) {
	sign, allowed := stating(t)
	dir, a := small(t, sign), timestamptest.New(t, time.Now().Add(time.Hour))
	got := stampWith(t, dir, false, a)
	if got.File != "seal/003-rfc3161.tsr" || got.Over != "seal/002-dsse.sig" {
		t.Fatalf("%+v", got)
	}
	r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true, Time: trusting(t, a), Deep: true})
	if !r.Intact() || len(r.Times) != 1 || !r.Times[0].Trusted || len(r.Signatures) != 2 || len(r.Unfinished) > 0 {
		t.Errorf("%+v", r)
	}
	if r := verify(t, dir, VerifyOptions{}); !r.Intact() || r.Times[0].Trusted || r.Times[0].Doubt == "" {
		t.Errorf("nobody known: %+v", r)
	}
	stranger := timestamptest.New(t, time.Now().Add(time.Hour))
	doubt(t, dir, VerifyOptions{Time: trusting(t, stranger)}, "does not lead to a trusted root")
	roots := filepath.Join(t.TempDir(), "roots")
	for data, ok := range map[string]bool{"002-dsse.sig": true, "002-dsse.pae": false} {
		if err := os.WriteFile(roots, a.Roots, 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("openssl", "ts", "-verify", "-data", data, "-in", "003-rfc3161.tsr", "-CAfile", roots, "-untrusted", "003-rfc3161.pem")
		c.Dir = filepath.Join(dir, sealDir)
		if out, err := c.CombinedOutput(); (err == nil) != ok {
			t.Errorf("openssl, %s: %v %s", data, err, out)
		}
	}
}

func doubt(t testing.TB, dir string, o VerifyOptions, say string) {
	t.Helper()
	r := verify(t, dir, o)
	if len(r.Problems) != 1 || r.Problems[0].Name != "time" || !strings.Contains(r.Problems[0].What, say) {
		t.Errorf("want %q: %+v", say, r.Problems)
	}
}

// Each doubt about a token has its sentence. The host's clock is left alone: the
// verifier looks as of another time.
func TestDoubts(t *testing.T) {
	sign, _ := stating(t)
	dir, a := small(t, sign), timestamptest.New(t, time.Now().Add(time.Hour))
	trust := trusting(t, a)
	doubt(t, dir, VerifyOptions{Time: trust}, "has no time-stamp token")
	stampWith(t, dir, false, a)
	doubt(t, dir, VerifyOptions{Time: trust, At: time.Now().Add(2 * time.Hour)}, "has expired")
	doubt(t, dir, VerifyOptions{Time: trust, At: time.Now().Add(-30 * time.Minute)}, "is from the future")
	a.Revoke(time.Now().Add(30*time.Minute), 4)
	if r := verify(t, dir, VerifyOptions{Time: revoking(t, a)}); !r.Intact() || !r.Times[0].Trusted {
		t.Errorf("superseded after the token was made: %+v", r)
	}
	a.Revoke(time.Now().Add(-time.Minute), 1)
	doubt(t, dir, VerifyOptions{Time: revoking(t, a)}, "was revoked at")
	stampWith(t, dir, false, a) // keeps a list that has it
	if r := verify(t, dir, VerifyOptions{Time: trust}); !r.Intact() || !r.Times[0].Trusted || r.Times[1].Trusted || !strings.Contains(r.Times[1].Doubt, "was revoked at") {
		t.Errorf("%+v", r)
	}
}

// revoking knows the list as it is now, too.
func revoking(t testing.TB, a *timestamptest.Authority) *timestamp.Trust {
	t.Helper()
	list, err := a.List()
	if err != nil {
		t.Fatal(err)
	}
	trust, err := timestamp.ParseTrust(append(bytes.Clone(a.Roots), list...))
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// A token that was stamped again is believed after its certificate has expired.
func TestStampAgain(t *testing.T) {
	sign, _ := stating(t)
	dir := small(t, sign)
	first, second := timestamptest.New(t, time.Now().Add(time.Hour)), timestamptest.New(t, time.Now().AddDate(10, 0, 0))
	stampWith(t, dir, false, first)
	stampWith(t, dir, false, second)
	later := VerifyOptions{Time: trusting(t, first), At: time.Now().AddDate(1, 0, 0)}
	doubt(t, dir, later, "has expired")
	if got := stampWith(t, dir, true, second); got.Over != "seal/005-rfc3161.sums" {
		t.Fatalf("%+v", got)
	}
	later.Time = trusting(t, first, second)
	r := verify(t, dir, later)
	if !r.Intact() || len(r.Times) != 3 || !r.Times[0].Trusted || !r.Times[1].Trusted || !r.Times[2].Trusted {
		t.Errorf("%+v", r)
	}
	c := exec.Command("sha256sum", "-c", "--quiet", "--strict", "seal/005-rfc3161.sums")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// A bundle without a statement is stamped over its digests, an unsigned one not
// at all.
func TestStampWithoutStatement(t *testing.T) {
	sign, _ := signer(t, "alice")
	a := timestamptest.New(t, time.Now().Add(time.Hour))
	dir := small(t, sign)
	if got := stampWith(t, dir, false, a); got.Over != "seal/002-rfc3161.sums" {
		t.Errorf("%+v", got)
	}
	if r := verify(t, dir, VerifyOptions{Time: trusting(t, a)}); !r.Intact() {
		t.Errorf("%+v", r)
	}
	if _, _, err := Stamp(context.Background(), small(t, nil), a.URL, false); err == nil || !strings.Contains(err.Error(), "no signature to stamp") {
		t.Error(err)
	}
}

// Answers that are not what was asked for are refused, and nothing is kept.
func TestStampRefuses(t *testing.T) {
	sign, _ := stating(t)
	a := timestamptest.New(t, time.Now().Add(time.Hour))
	done := small(t, sign)
	stampWith(t, done, false, a)
	old, err := os.ReadFile(filepath.Join(done, "seal/003-rfc3161.tsr"))
	if err != nil {
		t.Fatal(err)
	}
	dir := small(t, sign)
	for say, answer := range map[string][]byte{"another digest": old, "bad time-stamp token": []byte("<html>")} {
		a.Answer(answer)
		if _, _, err := Stamp(context.Background(), dir, a.URL, false); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
	a.Answer(old)
	if _, _, err := Stamp(context.Background(), done, a.URL, false); err == nil || !strings.Contains(err.Error(), "answers another request") {
		t.Error("replayed:", err)
	}
	late := timestamptest.New(t, time.Now().Add(-time.Minute))
	if _, _, err := Stamp(context.Background(), dir, late.URL, false); err == nil || !strings.Contains(err.Error(), "outside of certificate validity") {
		t.Error("an expired authority:", err)
	}
	if r := verify(t, dir, VerifyOptions{}); !r.Intact() || len(r.Times) > 0 {
		t.Errorf("%+v", r)
	}
}

// What is changed in a token's files, missing or another bundle's is seen.
func TestStampTampering(t *testing.T) {
	sign, _ := stating(t)
	a := timestamptest.New(t, time.Now().Add(time.Hour))
	other := small(t, sign)
	stampWith(t, other, false, a)
	stampWith(t, other, true, a)
	for _, c := range []struct{ name, say string }{
		{"003-rfc3161.tsr", "over nothing that this bundle holds"},
		{"004-rfc3161.tsr", "over other bytes than"},
		{"004-rfc3161.sums", "does not list the digests"},
	} {
		dir := small(t, sign)
		stampWith(t, dir, false, a)
		stampWith(t, dir, true, a)
		data, err := os.ReadFile(filepath.Join(other, sealDir, c.name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, sealDir, c.name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := verify(t, dir, VerifyOptions{})
		if r.Intact() || !strings.Contains(r.Problems[len(r.Problems)-1].What+r.Problems[0].What, c.say) {
			t.Errorf("%s: %+v", c.name, r.Problems)
		}
	}
	dir := small(t, sign)
	stampWith(t, dir, false, a)
	for _, ext := range []string{extChain, extCRL} {
		name := filepath.Join(dir, "seal/003-rfc3161"+ext)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Clone(data)
		changed[len(changed)/2] ^= 1
		for _, with := range [][]byte{changed, append(bytes.Clone(data), '\n'), data} {
			if err := os.WriteFile(name, with, 0o600); err != nil {
				t.Fatal(err)
			}
			if r := verify(t, dir, VerifyOptions{}); r.Intact() != bytes.Equal(with, data) {
				t.Errorf("%s: %+v", ext, r)
			}
		}
	}
	if err := os.Remove(filepath.Join(dir, "seal/003-rfc3161.tsr")); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, VerifyOptions{}); !r.Intact() || len(r.Unfinished) != 2 {
		t.Errorf("cut off: %+v", r)
	}
}

// A signer's time may be over: what he signed before is still his, as of a time
// that is named, or that a trusted token proves; nothing else is.
func TestSignerWhoseTimeIsOver(t *testing.T) {
	s := stater(t)
	p256, err := ssh.NewPublicKey(s.(keys.StatementSigner).Statements().Public())
	if err != nil {
		t.Fatal(err)
	}
	list := func(option string, at time.Time) *keys.Signers {
		text := ""
		for _, k := range []ssh.PublicKey{s.PublicKey(), p256} {
			text += fmt.Sprintf("ana@laptop %s=%q %s", option, at.UTC().Format("20060102150405Z"), ssh.MarshalAuthorizedKey(k))
		}
		allowed, err := keys.ParseSigners([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return allowed
	}
	dir, a := small(t, SignWith(s)), timestamptest.New(t, time.Now().Add(time.Hour))
	stamped := stampWith(t, dir, false, a).Time
	later := stamped.Add(30 * time.Minute)
	over := list("valid-before", stamped.Add(time.Minute))
	for name, c := range map[string]struct {
		o    VerifyOptions
		says string
	}{
		"as of then":            {VerifyOptions{Signers: over, At: stamped}, ""},
		"later":                 {VerifyOptions{Signers: over, At: later}, "and only until"},
		"later, by a token":     {VerifyOptions{Signers: over, At: later, Time: trusting(t, a)}, ""},
		"signed after his time": {VerifyOptions{Signers: list("valid-before", stamped.Add(-time.Minute)), At: later, Time: trusting(t, a)}, "and only until"},
		"a token of a stranger": {VerifyOptions{Signers: over, At: later, Time: trusting(t, timestamptest.New(t, time.Now().Add(time.Hour)))}, "and only until"},
		"signed before his":     {VerifyOptions{Signers: list("valid-after", later), At: stamped, Time: trusting(t, a)}, "and only from"},
	} {
		c.o.Demand = true
		r := verify(t, dir, c.o)
		if c.says == "" && (!r.Intact() || !r.KnownSigner()) || c.says != "" && (r.Intact() || !strings.Contains(r.Problems[0].What, c.says)) {
			t.Errorf("%s: %+v %+v", name, r.Problems, r.Signatures)
		}
	}
}

// An acquisition that says to have ended after an authority saw it is of a host
// whose clock was ahead.
func TestClockAhead(t *testing.T) {
	for name, end := range map[string]time.Time{"": time.Now().Add(-time.Minute), "its host's clock was ahead by ": time.Now().AddDate(70, 0, 0)} {
		sign, _ := stating(t)
		a := timestamptest.New(t, time.Now().Add(time.Hour))
		dir := filepath.Join(t.TempDir(), "e")
		w, err := Create(dir, "e", 4096)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`), End: end}, sign); err != nil {
			t.Fatal(err)
		}
		stampWith(t, dir, false, a)
		r := verify(t, dir, VerifyOptions{Time: trusting(t, a)})
		if !r.Intact() || len(r.Times) != 1 || !r.Times[0].Trusted || (r.Times[0].Odd == "") != (name == "") || !strings.Contains(r.Times[0].Odd, name) {
			t.Errorf("%+v %+v", r.Problems, r.Times)
		}
	}
}

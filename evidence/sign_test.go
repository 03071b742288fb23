package evidence

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"amber/evidence/keys"
	"amber/evidence/record"
)

func stater(t testing.TB) ssh.Signer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if _, err := keys.New(path, []byte("x"), "ana@laptop"); err != nil {
		t.Fatal(err)
	}
	s, err := keys.Unlock(path, func() ([]byte, error) { return []byte("x"), nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stating is a signer whose key states too, and the list that allows both of
// its keys.
func stating(t testing.TB) (Signer, *keys.Signers) {
	t.Helper()
	s := stater(t)
	p256, err := ssh.NewPublicKey(s.(keys.StatementSigner).Statements().Public())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, k := range []ssh.PublicKey{s.PublicKey(), p256} {
		line, err := keys.SignerLine("ana@laptop", k)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	allowed, err := keys.ParseSigners([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return SignWith(s), allowed
}

func TestStatement(t *testing.T) {
	sign, allowed := stating(t)
	dir := small(t, sign)
	r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true})
	if !r.Intact() || len(r.Signatures) != 2 || !r.Signatures[0].Known || !r.Signatures[1].Known || r.Signatures[1].File != "seal/002-dsse.json" {
		t.Fatalf("%+v", r)
	}
	if first, err := Sign(dir, sign); err != nil || first != "seal/003-sshsig" {
		t.Error(first, err)
	}
	if r := verify(t, dir, VerifyOptions{}); !r.Intact() || len(r.Signatures) != 4 {
		t.Errorf("%+v", r)
	}
}

// Each file of a statement is missed, and each changed byte of it seen.
func TestStatementTampering(t *testing.T) {
	sign, allowed := stating(t)
	other := filepath.Join(small(t, sign), "seal")
	for _, ext := range []string{extPAE, extSignature, extPublicKey, extBundle} {
		for what, change := range map[string]func(name string) error{
			"changed": func(name string) error {
				data, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				data[len(data)/2] ^= 1
				return os.WriteFile(name, data, 0o600)
			},
			"taken from another bundle": func(name string) error {
				data, err := os.ReadFile(filepath.Join(other, filepath.Base(name)))
				if err != nil {
					return err
				}
				return os.WriteFile(name, append(data, 0), 0o600)
			},
			"removed": os.Remove,
		} {
			dir := small(t, sign)
			if err := change(filepath.Join(dir, "seal/002-dsse"+ext)); err != nil {
				t.Fatal(err)
			}
			r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true})
			if cutOff := what == "removed" && ext == extBundle; cutOff != r.Intact() || cutOff != (len(r.Unfinished) == 3) {
				t.Errorf("%s %s: %+v", ext, what, r)
			}
		}
	}
}

// A whole statement of another bundle, good as it is, is none of this one.
func TestStatementOfAnother(t *testing.T) {
	sign, allowed := stating(t)
	dir, other := small(t, sign), filepath.Join(t.TempDir(), "o")
	w, err := Create(other, "o", 4096)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, sign); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{extPAE, extSignature, extPublicKey, extBundle} {
		data, err := os.ReadFile(filepath.Join(other, "seal/002-dsse"+ext))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "seal/002-dsse"+ext), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true})
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].What, "not what is true of this bundle") {
		t.Errorf("%+v", r.Problems)
	}
}

// A statement of the first form, without the number of members, is taken; one
// with another number is not.
func TestStatementForms(t *testing.T) {
	s := stater(t)
	for count, ok := range map[string]bool{"": true, "1": true, "2": false} {
		dir := small(t, nil)
		b, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		text, err := b.statement(count)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Sign(dir, func(what ToSign) ([]Attestation, error) {
			what.Statement = text
			return SignWith(s)(what)
		}); err != nil {
			t.Fatal(err)
		}
		if r := verify(t, dir, VerifyOptions{}); r.Intact() != ok {
			t.Errorf("count %q: %+v", count, r)
		}
	}
}

// What a process that was killed while it signed has left is gone once somebody
// signs again; what is covered by later seals stays.
func TestSigningMends(t *testing.T) {
	sign, allowed := stating(t)
	dir := small(t, sign)
	if err := os.Remove(filepath.Join(dir, "seal/002-dsse.json")); err != nil {
		t.Fatal(err)
	}
	if first, err := Sign(dir, sign); err != nil || first != "seal/002-sshsig" {
		t.Error(first, err)
	}
	r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true})
	if !r.Intact() || len(r.Unfinished) != 0 || len(r.Signatures) != 3 {
		t.Errorf("%+v", r)
	}
	if err := os.Remove(filepath.Join(dir, "seal/003-dsse.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "seal/004-sshsig"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if first, err := Sign(dir, sign); err != nil || first != "seal/005-sshsig" {
		t.Error(first, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "seal/003-dsse.pae")); err != nil {
		t.Error(err)
	}
}

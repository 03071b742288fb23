package registry_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"amber/evidence"
	"amber/evidence/encrypt"
	"amber/evidence/record"
	"amber/evidence/remote"
	"amber/testdata/testbed"
)

// TestEncrypted: an encrypted bundle goes the same way; its custodians' keys are
// part of its seal.
func TestEncrypted(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), id)
	w, err := evidence.Create(dir, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	var to []encrypt.Recipient
	for range 2 {
		k, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		r, err := encrypt.ParseRecipient(k.Recipient().String())
		if err != nil {
			t.Fatal(err)
		}
		to = append(to, r)
	}
	if _, err := w.EncryptTo(to); err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("logs")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(&record.Member{Path: "logs/a", Type: record.File, Mode: 0o600, Size: 6}, strings.NewReader("secret")); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{}, nil); err != nil {
		t.Fatal(err)
	}
	l, err := remote.ListBundle(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	r := client(testbed.StartRegistry(t).Host)
	if _, err := push(ctx, r, dir, l.Files); err != nil {
		t.Fatal(err)
	}
	got := filepath.Join(t.TempDir(), "b")
	if err := pull(ctx, r, id, got); err != nil {
		t.Fatal(err)
	}
	same(t, dir, got, l.Files)
	v, err := evidence.Verify(ctx, got, evidence.VerifyOptions{})
	if err != nil || !v.Intact() || v.Encryption == nil || len(v.Encryption.Custodians) != 2 {
		t.Errorf("%+v, %v", v, err)
	}
}

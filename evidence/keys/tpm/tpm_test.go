package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"amber/evidence/keys/tpm/tpmtest"
)

const passphrase = "not a secret"

func deviceOf(p *tpmtest.TPM) Device { return Device{Path: p.Socket} }

func newKey(t *testing.T, d Device, auth string) *Key {
	t.Helper()
	k, err := d.New([]byte(auth))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// reread is a key as its file has it.
func reread(t *testing.T, k *Key) *Key {
	t.Helper()
	file, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	k, err = Parse(file)
	if err != nil {
		t.Fatalf("%v of\n%s", err, file)
	}
	return k
}

func signed(t *testing.T, s crypto.Signer, message string) []byte {
	t.Helper()
	sig, err := crypto.SignMessage(s, rand.Reader, []byte(message), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func TestSigns(t *testing.T) {
	d := deviceOf(tpmtest.New(t))
	for _, auth := range []string{passphrase, ""} {
		k := reread(t, newKey(t, d, auth))
		if k.NeedsPassphrase() != (auth != "") {
			t.Errorf("passphrase %q: NeedsPassphrase is %v", auth, k.NeedsPassphrase())
		}
		s, err := k.Open(d, []byte(auth))
		if err != nil {
			t.Fatal(err)
		}
		opensslVerifies(t, k.Public(), "a message", signed(t, s, "a message"))
		nothingLeft(t, d)
	}
}

// opensslVerifies asks stock openssl, which must also refuse another message.
func opensslVerifies(t *testing.T, pub *ecdsa.PublicKey, message string, sig []byte) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl here")
	}
	dir := t.TempDir()
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), "sig": sig, "msg": []byte(message), "other": []byte(message + "!"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"msg": true, "other": false} {
		cmd := exec.Command("openssl", "dgst", "-sha256", "-verify", "pub", "-signature", "sig", name)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); (err == nil) != want {
			t.Errorf("openssl of %s: %v\n%s", name, err, out)
		}
	}
}

// nothingLeft looks into the TPM for objects and sessions that are still loaded.
func nothingLeft(t *testing.T, d Device) {
	t.Helper()
	c, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, kind := range []tpm2.TPMHT{tpm2.TPMHTTransient, tpm2.TPMHTLoadedSession, tpm2.TPMHTSavedSession} {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(kind) << 24, PropertyCount: 16}.Execute(c)
		if err != nil {
			t.Fatal(err)
		}
		list, err := rsp.CapabilityData.Data.Handles()
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Handle) != 0 {
			t.Errorf("handles %x are still in the TPM", list.Handle)
		}
	}
}

func TestOnlyDigestsOfSHA256(t *testing.T) {
	d := deviceOf(tpmtest.New(t))
	s, err := newKey(t, d, passphrase).Open(d, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	for hash, size := range map[crypto.Hash]int{crypto.SHA512: 64, crypto.SHA256: 31, 0: 32} {
		if _, err := s.Sign(rand.Reader, make([]byte, size), hash); err == nil {
			t.Errorf("signed %d bytes of %v", size, hash)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	d := deviceOf(tpmtest.New(t))
	s, err := newKey(t, d, passphrase).Open(d, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("many"))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	nothingLeft(t, d)
}

// A TPM that lost power forgets what it gave out; the key's file holds.
func TestSignsAfterReset(t *testing.T) {
	p := tpmtest.New(t)
	d := deviceOf(p)
	s, err := newKey(t, d, passphrase).Open(d, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	before := s.(*signer).saved
	signed(t, s, "one")
	if s.(*signer).saved != before || before == nil {
		t.Error("the second signature loaded the key anew")
	}
	p.Serve()
	signed(t, s, "two")
	if after := s.(*signer).saved; after == before || after == nil {
		t.Error("the key was not loaded anew after the reset")
	}
	nothingLeft(t, d)
}

func TestForeign(t *testing.T) {
	k := newKey(t, deviceOf(tpmtest.New(t)), passphrase)
	other := deviceOf(tpmtest.New(t))
	_, err := k.Open(other, []byte(passphrase))
	if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "amber keys new --tpm") {
		t.Errorf("opened by another TPM: %v", err)
	}
	nothingLeft(t, other)

	k.private = bytes.Clone(k.private)
	k.private[len(k.private)-1] ^= 1
	if _, err := k.Open(other, []byte(passphrase)); !errors.Is(err, ErrForeign) {
		t.Errorf("opened when a bit was another: %v", err)
	}
}

// A wrong passphrase is said to be wrong, with the tries that are left, until
// the TPM takes none; a key without one goes on.
func TestLockout(t *testing.T) {
	d := deviceOf(tpmtest.New(t))
	k, free := newKey(t, d, passphrase), newKey(t, d, "")
	var wrong int
	for ; ; wrong++ {
		_, err := k.Open(d, []byte("wrong"))
		if errors.Is(err, ErrLockout) {
			if !strings.Contains(err.Error(), "tpm2_dictionarylockout") || !strings.Contains(err.Error(), "it takes another in ") {
				t.Errorf("locked out: %v", err)
			}
			break
		}
		if !errors.Is(err, ErrAuth) || !strings.Contains(err.Error(), "tries are spent") {
			t.Fatalf("wrong passphrase: %v", err)
		}
		if wrong > 64 {
			t.Fatal("never locked out")
		}
	}
	if wrong == 0 {
		t.Error("locked out from the first")
	}
	if _, err := k.Open(d, []byte(passphrase)); !errors.Is(err, ErrLockout) {
		t.Errorf("the right passphrase in the lockout: %v", err)
	}
	if _, err := free.Open(d, nil); err != nil {
		t.Errorf("a key without a passphrase in the lockout: %v", err)
	}
	nothingLeft(t, d)
}

func TestPassphrases(t *testing.T) {
	d := deviceOf(tpmtest.New(t))
	if _, err := d.New([]byte(strings.Repeat("x", MaxAuth+1))); !errors.Is(err, ErrAuth) {
		t.Errorf("33 bytes: %v", err)
	}
	longest := strings.Repeat("x", MaxAuth)
	k := newKey(t, d, longest)
	if _, err := k.Open(d, []byte(longest)); err != nil {
		t.Errorf("32 bytes: %v", err)
	}
	if _, err := k.Open(d, nil); !errors.Is(err, ErrAuth) {
		t.Errorf("no passphrase: %v", err)
	}
}

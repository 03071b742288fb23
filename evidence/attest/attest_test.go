package attest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func made(t testing.TB) (Files, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Statement([]Subject{{Name: "SHA256SUMS", Digest: map[string]string{"sha256": "00"}}}, "urn:x", map[string]string{"evidence": "e \"1\""})
	if err != nil {
		t.Fatal(err)
	}
	f, err := Sign(key, s)
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}

// PAE against the example of the DSSE specification (protocol.md).
func TestPAE(t *testing.T) {
	if got := string(PAE("http://example.com/HelloWorld", []byte("hello world"))); got != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" {
		t.Error(got)
	}
}

// Stock openssl takes what Sign makes, and nothing that was changed.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	f, _ := made(t)
	dir := t.TempDir()
	verify := func(pae []byte) error {
		for name, data := range map[string][]byte{"pae": pae, "sig": f.Signature, "pub": f.PublicKey} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return exec.Command(openssl, "dgst", "-sha256", "-verify", filepath.Join(dir, "pub"), "-signature", filepath.Join(dir, "sig"), filepath.Join(dir, "pae")).Run()
	}
	if err := verify(f.PAE); err != nil {
		t.Error(err)
	}
	if verify(append([]byte{'x'}, f.PAE...)) == nil {
		t.Error("changed bytes pass")
	}
}

// No flipped bit passes, in any of the files.
func TestFlips(t *testing.T) {
	f, s := made(t)
	if _, err := Verify(f, s); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]*[]byte{"bundle": &f.Bundle, "pae": &f.PAE, "signature": &f.Signature, "key": &f.PublicKey} {
		good := *file
		for i := range len(good) * 8 {
			bad := append([]byte(nil), good...)
			bad[i/8] ^= 1 << (i % 8)
			*file = bad
			if _, err := Verify(f, s); !errors.Is(err, ErrSignature) {
				t.Fatalf("%s: bit %d: %v", name, i, err)
			}
		}
		*file = append(append([]byte(nil), good...), '\n')
		if _, err := Verify(f, s); err == nil {
			t.Errorf("%s: a byte added passes", name)
		}
		*file = good
	}
}

// Of the two signatures that hold for the same bytes one is taken.
func TestOtherHalf(t *testing.T) {
	f, s := made(t)
	var n numbers
	if _, err := asn1.Unmarshal(f.Signature, &n); err != nil {
		t.Fatal(err)
	}
	n.S = new(big.Int).Sub(elliptic.P256().Params().N, n.S)
	f.Signature, _ = asn1.Marshal(n)
	if _, err := Verify(f, s); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

// A good attestation of something else is none of this.
func TestOtherStatement(t *testing.T) {
	f, s := made(t)
	if _, err := Verify(f, append(s, ' ')); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(private, s); err == nil {
		t.Error("a key of another kind signs")
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(other, s); err == nil {
		t.Error("a key of another curve signs")
	}
}

func FuzzVerify(f *testing.F) {
	good, s := made(f)
	f.Add(good.Bundle, good.PAE, good.Signature, good.PublicKey)
	f.Fuzz(func(t *testing.T, bundle, pae, sig, key []byte) {
		_, _ = Verify(Files{bundle, pae, sig, key}, s)
	})
}

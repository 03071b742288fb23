package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

var message = []byte("a message\nof two lines\n")

func signed(t *testing.T) (signer ssh.Signer, armored []byte) {
	t.Helper()
	path, _ := newKey(t)
	signer, err := Unlock(path, pass(secret))
	if err != nil {
		t.Fatal(err)
	}
	armored, err = Sign(signer, NamespaceBundle, bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	return signer, armored
}

func TestSignVerify(t *testing.T) {
	signer, armored := signed(t)
	pub, err := Verify(armored, bytes.NewReader(message), NamespaceBundle)
	if err != nil || !bytes.Equal(pub.Marshal(), signer.PublicKey().Marshal()) {
		t.Fatalf("%v, %v", pub, err)
	}
	if _, err := Verify(armored, strings.NewReader("other"), NamespaceBundle); !errors.Is(err, ErrSignature) {
		t.Errorf("another message: %v", err)
	}
	if _, err := Verify(armored, bytes.NewReader(message), NamespaceCustody); !errors.Is(err, ErrSignature) {
		t.Errorf("another namespace: %v", err)
	}
}

func TestEveryFlippedBitFails(t *testing.T) {
	_, armored := signed(t)
	for i := range len(armored) * 8 {
		flipped := bytes.Clone(armored)
		flipped[i/8] ^= 1 << (i % 8)
		if _, err := Verify(flipped, bytes.NewReader(message), NamespaceBundle); err == nil {
			t.Fatalf("bit %d of byte %d (%q) can be flipped", i%8, i/8, armored[i/8])
		}
	}
	blob, err := unarmor(armored)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(blob) * 8 {
		flipped := bytes.Clone(blob)
		flipped[i/8] ^= 1 << (i % 8)
		if _, err := Verify(armor(flipped), bytes.NewReader(message), NamespaceBundle); err == nil {
			t.Fatalf("bit %d of byte %d of the blob can be flipped", i%8, i/8)
		}
	}
}

func TestVerifyIsStrict(t *testing.T) {
	signer, armored := signed(t)
	blob, err := unarmor(armored)
	if err != nil {
		t.Fatal(err)
	}
	text := string(armored)
	sig, err := sshsig.ParseSignature(blob)
	if err != nil {
		t.Fatal(err)
	}
	rest := *sig
	inner := *sig.Signature
	inner.Rest = []byte{1}
	rest.Signature = &inner
	sha256Sig, err := sshsig.Sign(bytes.NewReader(message), signer, sshsig.HashSHA256, NamespaceBundle)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(blob, []byte("sha512")) - 4 // the empty field "reserved" ends here
	reserved := append(bytes.Clone(blob[:at-1]), append([]byte{1, 'x'}, blob[at:]...)...)
	for name, bad := range map[string][]byte{
		"text after":         []byte(text + "x"),
		"newline after":      []byte(text + "\n"),
		"no last newline":    []byte(strings.TrimSuffix(text, "\n")),
		"text before":        []byte("x\n" + text),
		"carriage returns":   []byte(strings.ReplaceAll(text, "\n", "\r\n")),
		"other line breaks":  bytes.Replace(armored, []byte("\n"), []byte("\n\n"), 2),
		"pem header":         []byte(strings.Replace(text, armorBegin, armorBegin+"A: b\n\n", 1)),
		"one line":           []byte(armorBegin + base64.StdEncoding.EncodeToString(blob) + "\n" + armorEnd),
		"64 columns":         sshsig.Armor(sig),
		"bytes after blob":   armor(append(bytes.Clone(blob), 0)),
		"short blob":         armor(blob[:len(blob)-1]),
		"rest in signature":  armor(rest.Marshal()),
		"reserved not empty": armor(reserved),
		"sha256":             armor(sha256Sig.Marshal()),
		"empty":              nil,
		"big":                bytes.Repeat([]byte("A"), maxKeyFile+1),
	} {
		if _, err := Verify(bad, bytes.NewReader(message), NamespaceBundle); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStockSSHKeygenVerifies(t *testing.T) {
	signer, armored := signed(t)
	dir := t.TempDir()
	line, err := SignerLine("ana@node1", signer.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	sig, list := filepath.Join(dir, "sig"), filepath.Join(dir, "signers")
	for path, data := range map[string][]byte{sig: armored, list: []byte(line + "\n")} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := sshKeygen(t, message, "-Y", "check-novalidate", "-n", "amber", "-s", sig); err != nil {
		t.Errorf("check-novalidate: %v: %s", err, out)
	}
	verify := func(message, namespace string) (string, error) {
		return sshKeygen(t, []byte(message), "-Y", "verify", "-f", list, "-I", "ana@node1", "-n", namespace, "-s", sig)
	}
	if out, err := verify(string(message), "amber"); err != nil {
		t.Errorf("verify: %v: %s", err, out)
	}
	if out, err := verify("other", "amber"); err == nil {
		t.Errorf("verify passes another message: %s", out)
	}
	if out, err := verify(string(message), "amber-custody"); err == nil {
		t.Errorf("verify passes another namespace: %s", out)
	}
}

func TestVerifiesWhatStockSSHKeygenSigns(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			key, file := filepath.Join(dir, "key"), filepath.Join(dir, "file")
			if out, err := sshKeygen(t, nil, "-q", "-t", kind, "-N", "", "-f", key); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := os.WriteFile(file, message, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := sshKeygen(t, nil, "-Y", "sign", "-f", key, "-n", "amber", file); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			armored, err := os.ReadFile(file + ".sig")
			if err != nil {
				t.Fatal(err)
			}
			pub, err := Verify(armored, bytes.NewReader(message), NamespaceBundle)
			if kind == "rsa" {
				if !errors.Is(err, ErrSignature) {
					t.Fatalf("an RSA signature: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			list, err := os.ReadFile(key + ".pub")
			if err != nil {
				t.Fatal(err)
			}
			signers, err := ParseSigners(append([]byte("ana@node1 "), list...))
			if err != nil {
				t.Fatal(err)
			}
			if who, ok := signers.Lookup(pub, NamespaceBundle, time.Now()); !ok || who != "ana@node1" {
				t.Fatalf("Lookup: %q, %v", who, ok)
			}
			if kind == "ed25519" { // Ed25519 is deterministic: amber's armor must be ssh-keygen's
				signer, err := Unlock(key, pass(""))
				if err != nil {
					t.Fatal(err)
				}
				ours, err := Sign(signer, NamespaceBundle, bytes.NewReader(message))
				if err != nil || !bytes.Equal(ours, armored) {
					t.Fatalf("amber writes %q, ssh-keygen %q, %v", ours, armored, err)
				}
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(armorBegin + "U1NIU0lHAAAAAQ==\n" + armorEnd))
	f.Add([]byte(`-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAFYW1iZXIAAAAAAAAABnNoYTUxMg==
-----END SSH SIGNATURE-----
`))
	f.Fuzz(func(t *testing.T, armored []byte) {
		if _, err := Verify(armored, bytes.NewReader(message), NamespaceBundle); err == nil {
			t.Fatal("a signature out of nothing")
		}
		if blob, err := unarmor(armored); err == nil && !bytes.Equal(armor(blob), armored) {
			t.Fatal("armor that is not canonical passes")
		}
		if sig, err := parse(armored); err == nil && !bytes.Equal(sig.Marshal(), armored) {
			t.Fatal("a blob that is not canonical passes")
		}
	})
}

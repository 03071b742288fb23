package evidence

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/keys"
	"amber/evidence/record"
)

// signer gives a seal's signer, and the allowed signers that hold it alone.
func signer(t testing.TB, name string) (Signer, *keys.Signers) {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	line, err := keys.SignerLine(name, s.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := keys.ParseSigners([]byte(line + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return SignWith(s), allowed
}

func verify(t testing.TB, dir string, o VerifyOptions) *Report {
	t.Helper()
	r, err := Verify(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// small makes the smallest bundle that has everything.
func small(t testing.TB, sign Signer) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e")
	w, err := Create(dir, "e", 4096)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("logs")
	if err != nil {
		t.Fatal(err)
	}
	o := file("logs/a", []byte("one"))
	if err := p.Add(o.m, extentReader(o)); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, sign); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVerifyIntact(t *testing.T) {
	sign, allowed := signer(t, "alice")
	dir, list := write(t, 2000, sign)
	r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true, Deep: true})
	if !r.Intact() || !r.KnownSigner() || r.Members != int64(len(list)) || r.Misses != 1 || r.State != Sealed {
		t.Errorf("%+v", r)
	}
	_, other := signer(t, "bob")
	if r := verify(t, dir, VerifyOptions{Signers: other}); !r.Intact() || r.KnownSigner() || len(r.Signatures) != 1 {
		t.Errorf("an unknown signer: %+v", r)
	}
	if r := verify(t, dir, VerifyOptions{Signers: other, Demand: true}); r.Intact() {
		t.Error("a signature is demanded, and another's passes")
	}
}

// Every bit of every file of a small bundle is flipped: each flip is found, and
// the report names the file or what it holds.
func TestEveryFlippedBit(t *testing.T) {
	sign, allowed := signer(t, "alice")
	dir := small(t, sign)
	if r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true, Deep: true}); !r.Intact() {
		t.Fatalf("before: %+v", r.Problems)
	}
	flips := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		flips += flipAll(t, dir, path, allowed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d flips", flips)
	if r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true, Deep: true}); !r.Intact() {
		t.Fatalf("after: %+v", r.Problems)
	}
}

func flipAll(t *testing.T, dir, path string, allowed *keys.Signers) int {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name, _ := filepath.Rel(dir, path)
	for bit := range 8 * len(whole) {
		flipped := []byte{whole[bit/8] ^ 1<<(bit%8)}
		if _, err := f.WriteAt(flipped, int64(bit/8)); err != nil {
			t.Fatal(err)
		}
		r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true})
		if r.Intact() {
			t.Fatalf("bit %d of %s: not found", bit, name)
		}
		if said := fmt.Sprint(r.Problems); !strings.Contains(said, name) && name != sumsFile && !strings.HasPrefix(name, sealDir) {
			t.Fatalf("bit %d of %s: not named in %s", bit, name, said)
		}
		if _, err := f.WriteAt(whole[bit/8:bit/8+1], int64(bit/8)); err != nil {
			t.Fatal(err)
		}
	}
	return 8 * len(whole)
}

// Without a signature every flip is found as well, SHA256SUMS' own included.
func TestUnsignedFlips(t *testing.T) {
	dir := small(t, nil)
	_, none := signer(t, "nobody")
	whole, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(whole) {
		flipped := bytes.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(filepath.Join(dir, sumsFile), flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := verify(t, dir, VerifyOptions{Signers: none}); r.Intact() {
			t.Fatalf("bit %d: not found", bit)
		}
	}
}

func TestTampering(t *testing.T) {
	sign, allowed := signer(t, "alice")
	mallory, _ := signer(t, "mallory")
	for name, tamper := range map[string]func(dir string) error{
		"a file added": func(d string) error { return os.WriteFile(filepath.Join(d, "extra"), nil, 0o600) },
		"a blob added": func(d string) error {
			return os.WriteFile(filepath.Join(d, blobDir, strings.Repeat("a", 64)), nil, 0o600)
		},
		"a directory added": func(d string) error { return os.Mkdir(filepath.Join(d, "x"), 0o700) },
		"the seal removed":  func(d string) error { return os.RemoveAll(filepath.Join(d, sealDir)) },
		"an unknown seal":   func(d string) error { return os.WriteFile(filepath.Join(d, "seal/002-note"), nil, 0o600) },
		"a file replaced by a link": func(d string) error {
			return rename(d, readmeFile, func(from, to string) error { return os.Symlink(to, from) })
		},
		"the README removed": func(d string) error { return os.Remove(filepath.Join(d, readmeFile)) },
		"signed anew by another": func(d string) error {
			if err := os.RemoveAll(filepath.Join(d, sealDir)); err != nil {
				return err
			}
			_, err := Sign(d, mallory)
			return err
		},
		"another's signature beside a broken one": func(d string) error {
			if err := os.WriteFile(filepath.Join(d, "seal/001-sshsig"), []byte("-----BEGIN SSH SIGNATURE-----\n"), 0o600); err != nil {
				return err
			}
			_, err := Sign(d, mallory)
			return err
		},
	} {
		dir := small(t, sign)
		if err := tamper(dir); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true}); r.Intact() {
			t.Errorf("%s: passes", name)
		}
	}
}

// rename moves a file of the bundle out of it, and lets put do something in
// its place.
func rename(dir, name string, put func(from, to string) error) error {
	from, to := filepath.Join(dir, name), filepath.Join(dir, "..", "outside")
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return put(from, to)
}

// A changed byte in a large segment is reported with the members it touches.
func TestDamageIsNamed(t *testing.T) {
	dir, _ := write(t, 0, nil)
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	seg := b.payloads["filesystem"].segs[0]
	b.Close()
	f, err := os.OpenFile(filepath.Join(dir, seg.path), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xAA, 0x55}, seg.size-2<<20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	r := verify(t, dir, VerifyOptions{})
	if said := fmt.Sprint(r.Problems); !strings.Contains(said, "filesystem/noise") {
		t.Errorf("the member is not named: %s", said)
	}
}

func TestSignTwice(t *testing.T) {
	alice, known := signer(t, "alice")
	bob, _ := signer(t, "bob")
	dir := small(t, nil)
	for _, s := range []Signer{alice, bob} {
		if _, err := Sign(dir, s); err != nil {
			t.Fatal(err)
		}
	}
	r := verify(t, dir, VerifyOptions{Signers: known, Demand: true})
	if !r.Intact() || len(r.Signatures) != 2 {
		t.Errorf("%+v", r)
	}
}

// A writer that is left behind leaves what it stored readable.
func TestIncomplete(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "e")
	w, err := Create(dir, "e", 4096)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		o := file(fmt.Sprintf("filesystem/%05d", i), bytes.Repeat([]byte(fmt.Sprint(i)), 400))
		if err := p.Add(o.m, extentReader(o)); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for w.Stats().Stored < 100 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	r := verify(t, dir, VerifyOptions{Deep: true})
	if r.State != Incomplete || !r.Intact() || r.Members < 100 || len(r.Unfinished) == 0 {
		t.Errorf("%+v", r)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m, err := b.Lookup("filesystem/00042")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Content(m); err != nil {
		t.Error(err)
	}
}

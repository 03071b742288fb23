package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"amber/evidence/encrypt"
	"amber/evidence/record"
)

// custodian is a key pair, of which the secret half is in a file.
type custodian struct {
	to   string
	file string
}

func newCustodian(t testing.TB, kind string) custodian {
	t.Helper()
	c := custodian{file: filepath.Join(t.TempDir(), "identity")}
	var secret []byte
	switch kind {
	case "x25519":
		k, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		c.to, secret = k.Recipient().String(), []byte(k.String())
	case "hybrid":
		k, err := age.GenerateHybridIdentity()
		if err != nil {
			t.Fatal(err)
		}
		c.to, secret = k.Recipient().String(), []byte(k.String())
	case "ssh":
		pub, priv, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(priv, "")
		if err != nil {
			t.Fatal(err)
		}
		p, err := ssh.NewPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		c.to, secret = string(ssh.MarshalAuthorizedKey(p)), pem.EncodeToMemory(block)
	}
	if err := os.WriteFile(c.file, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c custodian) ring(t testing.TB) *encrypt.Keyring {
	t.Helper()
	k, err := encrypt.ReadIdentities([]string{c.file}, encrypt.User{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func recipients(t testing.TB, list ...custodian) []encrypt.Recipient {
	t.Helper()
	var args []string
	for _, c := range list {
		args = append(args, c.to)
	}
	to, err := encrypt.Custodians(args, len(args) == 1)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// encrypted makes a bundle for custodians.
func encrypted(t testing.TB, list []object, sign Signer, to ...custodian) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e1")
	w, err := Create(dir, "e1", 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.EncryptTo(recipients(t, to...)); err != nil {
		t.Fatal(err)
	}
	fill(t, w, list)
	if _, err := w.Seal(&record.Acquisition{Argv: []string{"amber"}, Name: "sus", Target: json.RawMessage(`{}`)}, sign); err != nil {
		t.Fatal(err)
	}
	return dir
}

func many(n int) []object {
	list := samples(rand.New(rand.NewPCG(1, 2)))
	for i := range n {
		list = append(list, file(fmt.Sprintf("filesystem/many/%06d", i), fmt.Appendf(nil, "content of %d", i)))
	}
	return list
}

// A bundle for custodians of every kind: without a key its digests hold, and
// nothing of what it holds is readable; with any one of theirs all of it is.
func TestEncrypted(t *testing.T) {
	sign, allowed := signer(t, "alice")
	for _, kinds := range [][]string{{"x25519", "ssh"}, {"hybrid", "hybrid"}, {"hybrid", "x25519", "ssh"}} {
		t.Run(strings.Join(kinds, "+"), func(t *testing.T) {
			var to []custodian
			for _, k := range kinds {
				to = append(to, newCustodian(t, k))
			}
			list := many(2000)
			dir := encrypted(t, list, sign, to...)
			nothingReadable(t, dir)
			r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true})
			if !r.Intact() || !r.KnownSigner() || r.Encryption == nil || r.Encryption.Opened || r.Encryption.Unchecked == "" || len(r.Encryption.Custodians) != len(to) {
				t.Errorf("without a key: %+v, %+v", r, r.Encryption)
			}
			if pq := r.Encryption.PostQuantum == "yes"; pq != !slices.ContainsFunc(kinds, func(k string) bool { return k != "hybrid" }) {
				t.Errorf("post-quantum: %q", r.Encryption.PostQuantum)
			}
			for i, c := range to {
				r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true, Deep: true, Keys: c.ring(t)})
				if !r.Intact() || !r.Encryption.Opened || r.Encryption.Unchecked != "" || r.Members != int64(len(list)) || r.Misses != 1 {
					t.Errorf("custodian %d: %+v, %+v", i, r, r.Encryption)
				}
			}
			sameContent(t, dir, list, to[0].ring(t))
		})
	}
}

// nothingReadable searches the stored bytes for what a member holds or is named.
func nothingReadable(t *testing.T, dir string) {
	t.Helper()
	h := hashPath("filesystem/small")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range [][]byte{[]byte("filesystem/small"), []byte("content of 1"), []byte("etc/shadow"), []byte("members_root"), h[:], {0x28, 0xb5, 0x2f, 0xfd}} {
			if bytes.Contains(data, secret) && len(data) > 1<<10 {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, err := range b.Members() {
		if !errors.Is(err, encrypt.ErrLocked) {
			t.Errorf("members: %v", err)
		}
	}
	if _, err := b.Lookup("filesystem/small"); !errors.Is(err, encrypt.ErrLocked) {
		t.Errorf("lookup: %v", err)
	}
	if _, err := b.Acquisition(); !errors.Is(err, encrypt.ErrLocked) {
		t.Errorf("acquisition: %v", err)
	}
}

func sameContent(t *testing.T, dir string, list []object, ring *encrypt.Keyring) {
	t.Helper()
	b, err := Open(dir, ring)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, o := range list {
		m, err := b.Lookup(o.m.Path)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != record.File {
			continue
		}
		r, err := b.Content(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, o.content) {
			t.Errorf("%q: %d bytes, want %d, %v", o.m.Path, len(got), len(o.content), err)
		}
	}
	if a, err := b.Acquisition(); err != nil || a.Name != "sus" {
		t.Errorf("acquisition: %+v, %v", a, err)
	}
}

// The members' root is that of the plain lines: a proof does not change.
func TestEncryptedRootIsOfThePlainLines(t *testing.T) {
	c := newCustodian(t, "x25519")
	dir := encrypted(t, many(10), nil, c)
	b, err := Open(dir, c.ring(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	in, err := b.Inclusion("filesystem/small")
	if err != nil || in.Root != b.manifest.Annotations[AnnotationRoot] {
		t.Errorf("%+v, %v", in, err)
	}
	acq, err := b.Acquisition()
	if err != nil || acq.MerkleRoot != in.Root {
		t.Errorf("%+v, %v", acq, err)
	}
}

// Streamed and taken in again, it is the same; cut anywhere, what came can be
// read with a key, and its digests hold without.
func TestEncryptedStream(t *testing.T) {
	a, b := newCustodian(t, "x25519"), newCustodian(t, "ssh")
	var buf bytes.Buffer
	w, err := Stream(&buf, "e1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.EncryptTo(recipients(t, a, b)); err != nil {
		t.Fatal(err)
	}
	list := samples(rand.New(rand.NewPCG(1, 2)))
	fill(t, w, list)
	if _, err := w.Seal(&record.Acquisition{Name: "sus", Target: json.RawMessage(`{}`)}, nil); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "in")
	if err := Import(bytes.NewReader(buf.Bytes()), dir); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, VerifyOptions{Deep: true, Keys: b.ring(t)}); !r.Intact() || r.Members != int64(len(list)) {
		t.Errorf("%+v", r)
	}
	for i := range 20 {
		dir := filepath.Join(t.TempDir(), "in")
		n := buf.Len() * i / 20
		if err := Import(bytes.NewReader(buf.Bytes()[:n]), dir); !errors.Is(err, ErrCut) {
			t.Errorf("cut at %d: %v", n, err)
		}
		for _, keys := range []*encrypt.Keyring{nil, a.ring(t)} {
			if r := verify(t, dir, VerifyOptions{Keys: keys}); !r.Intact() {
				t.Errorf("cut at %d: %+v", n, r.Problems)
			}
		}
	}
}

// A writer that is left behind leaves what it stored readable, for a custodian.
func TestEncryptedIncomplete(t *testing.T) {
	c, other := newCustodian(t, "x25519"), newCustodian(t, "ssh")
	dir := filepath.Join(t.TempDir(), "e")
	w, err := Create(dir, "e", 4096)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.EncryptTo(recipients(t, c, other)); err != nil {
		t.Fatal(err)
	}
	first, err := w.Payload("network")
	if err != nil {
		t.Fatal(err)
	}
	o := file("network/a", []byte("sockets"))
	if err := errors.Join(first.Add(o.m, extentReader(o)), first.Close()); err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 3000 {
		noise := make([]byte, 4096)
		for k := range noise {
			noise[k] = byte(r.Uint32())
		}
		o := file(fmt.Sprintf("filesystem/%05d", i), noise)
		if err := p.Add(o.m, extentReader(o)); err != nil {
			t.Fatal(err)
		}
	}
	w.members.flush()
	for deadline := time.Now().Add(10 * time.Second); w.Stats().Stored < 11<<20 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if got := verify(t, dir, VerifyOptions{}); got.State != Incomplete || !got.Intact() || got.Encryption == nil || got.Encryption.Unchecked == "" {
		t.Errorf("without a key: %+v", got)
	}
	got := verify(t, dir, VerifyOptions{Keys: other.ring(t)})
	if got.State != Incomplete || !got.Intact() || got.Members < 1000 {
		t.Errorf("with a key: %+v", got)
	}
	b, err := Open(dir, c.ring(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, path := range []string{"network/a", "filesystem/00042"} {
		m, err := b.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		content, err := b.Content(m)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(content); err != nil || int64(len(data)) != m.Size {
			t.Errorf("%s: %d bytes, %v", path, len(data), err)
		}
	}
}

// To read one small member of a large bundle, little of it is read.
func TestEncryptedReadsLittle(t *testing.T) {
	c := newCustodian(t, "hybrid")
	list := many(20000)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 40 {
		noise := make([]byte, 1<<20)
		for k := range noise {
			noise[k] = byte(r.Uint32())
		}
		list = append(list, file(fmt.Sprintf("filesystem/noise/%d", i), noise))
	}
	list = append(list, file("filesystem/wanted", bytes.Repeat([]byte("4KiB"), 1024)))
	dir := encrypted(t, list, nil, c)
	ring := c.ring(t)
	before := readSoFar(t)
	b, err := Open(dir, ring)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m, err := b.Lookup("filesystem/wanted")
	if err != nil {
		t.Fatal(err)
	}
	content, err := b.Content(m)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(content); err != nil || len(data) != 4096 {
		t.Fatal(len(data), err)
	}
	if n, all := readSoFar(t)-before, b.StoredBytes(); n > 3<<20 {
		t.Errorf("%d bytes of %d were read", n, all)
	} else {
		t.Logf("%d bytes of %d were read", n, all)
	}
}

func readSoFar(t *testing.T) (n int64) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip(err)
	}
	if _, err := fmt.Sscanf(string(data), "rchar: %d", &n); err != nil {
		t.Skip(err)
	}
	return n
}

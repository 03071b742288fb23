package evidence

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"amber/evidence/record"
)

// A disk that is full costs what did not fit, and the bundle is sealed all the
// same, for its custodians.
func TestEncryptedFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	at := t.TempDir()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=16m"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	c, other := newCustodian(t, "x25519"), newCustodian(t, "hybrid")
	dir := filepath.Join(at, "e")
	w, err := Create(dir, "e", 6<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.EncryptTo(recipients(t, c, other)); err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		t.Fatal(err)
	}
	r, full := rand.New(rand.NewPCG(7, 8)), false
	for i := 0; i < 60 && !full; i++ {
		noise := make([]byte, 1<<20)
		for k := range noise {
			noise[k] = byte(r.Uint32())
		}
		o := file(fmt.Sprintf("filesystem/%d", i), noise)
		err := p.Add(o.m, extentReader(o))
		if full = errors.Is(err, ErrFull); err != nil && !full {
			t.Fatal(err)
		}
	}
	if !full {
		t.Fatal("60 MiB fit into 16")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil); err != nil {
		t.Fatal(err)
	}
	if got := verify(t, dir, VerifyOptions{Deep: true, Keys: other.ring(t)}); !got.Intact() || got.State != Unsigned || got.Members < 5 {
		t.Errorf("%+v", got)
	}
}

// The custodians' keys go out before anything that they are for.
func TestKeysComeFirst(t *testing.T) {
	var buf bytes.Buffer
	w, err := Stream(&buf, "e1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.EncryptTo(recipients(t, newCustodian(t, "x25519"), newCustodian(t, "ssh"))); err != nil {
		t.Fatal(err)
	}
	fill(t, w, many(0))
	if _, err := w.EncryptTo(recipients(t, newCustodian(t, "x25519"), newCustodian(t, "ssh"))); err == nil {
		t.Error("it is encrypted twice")
	}
	if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil); err != nil {
		t.Fatal(err)
	}
	var names []string
	keys := map[string]bool{}
	for r := tar.NewReader(&buf); len(names) < 5; {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if strings.HasPrefix(h.Name, "key-") {
			keys[h.Name] = true
		}
	}
	if !keys["key-1.age"] || !keys["key-2.age"] || names[0] != "key-1.age" || names[2] != "key-2.age" {
		t.Errorf("%q", names)
	}
}

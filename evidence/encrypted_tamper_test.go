package evidence

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence/encrypt"
)

// A changed byte anywhere of an encrypted bundle is found, without a key.
func TestEncryptedTampering(t *testing.T) {
	sign, allowed := signer(t, "alice")
	dir := encrypted(t, []object{file("filesystem/a", []byte("one"))}, sign, newCustodian(t, "x25519"), newCustodian(t, "hybrid"))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, at := range []int{0, len(whole) / 3, len(whole) / 2, len(whole) - 1} {
			changed := bytes.Clone(whole)
			changed[at] ^= 4
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				return err
			}
			if r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true}); r.Intact() {
				t.Errorf("byte %d of %s: not found", at, path)
			}
		}
		return os.WriteFile(path, whole, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, VerifyOptions{Signers: allowed, Demand: true}); !r.Intact() {
		t.Fatal(r.Problems)
	}
}

// reseal puts data in the place of a blob, and of the file beside the blobs that
// has the same bytes, and makes all digests fit: what a forger with a key does.
func reseal(t *testing.T, dir, media string, make func([]byte) []byte) {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, d := range b.manifest.Layers {
		if d.MediaType != media {
			continue
		}
		old := d.Digest.Encoded()
		before, err := b.readBlob(d, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		data := make(before)
		if len(data) != len(before) {
			t.Fatalf("%d bytes for %d", len(data), len(before))
		}
		manifest, err := b.readFile(b.manifestName, maxManifest)
		if err != nil {
			t.Fatal(err)
		}
		put := func(name string, data []byte) {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(filepath.Join(dir, blobDir, old)); err != nil {
			t.Fatal(err)
		}
		put(blobDir+"/"+hexSum(data), data)
		if name := d.Annotations[AnnotationKey]; name != "" {
			put(name, data)
		}
		oldManifest := b.manifestName
		replaceManifest(t, dir, oldManifest, bytes.ReplaceAll(manifest, []byte(old), []byte(hexSum(data))))
		if err := os.Remove(filepath.Join(dir, oldManifest)); err != nil {
			t.Fatal(err)
		}
		sums, err := os.ReadFile(filepath.Join(dir, sumsFile))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(strings.ReplaceAll(string(sums), old, hexSum(data)), "\n")
		put(sumsFile, sumsText(lines[:len(lines)-1]))
		return
	}
	t.Fatalf("no layer %s", media)
}

// What is sealed so that all digests fit, and is not this bundle's, is told by a
// custodian's key, with a sentence of its own.
func TestEncryptedForgery(t *testing.T) {
	c := newCustodian(t, "x25519")
	list := func() []object { return []object{file("filesystem/a", []byte("one"))} }
	other := encrypted(t, list(), nil, c)
	foreign, err := os.ReadFile(filepath.Join(other, "key-1.age"))
	if err != nil {
		t.Fatal(err)
	}
	for say, forge := range map[string]struct {
		media string
		make  func([]byte) []byte
	}{
		"key-1.age is the key of another bundle":            {TypeKey, func([]byte) []byte { return foreign }},
		"key-1.age cannot be read as an age file":           {TypeKey, func(b []byte) []byte { return make([]byte, len(b)) }},
		"it has no header of an age file":                   {TypeAcquisition + Encrypted, func(b []byte) []byte { return make([]byte, len(b)) }},
		"a chunk of it does not decrypt, so it was changed": {TypeFrames + Encrypted, nil},
	} {
		dir := encrypted(t, list(), nil, c)
		if forge.make == nil { // another bundle's blob, to another key
			say = "it is encrypted to another key than the bundle's"
			b, err := Open(other)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range b.manifest.Layers {
				if d.MediaType == forge.media {
					data, err := b.readBlob(d, 1<<20)
					if err != nil {
						t.Fatal(err)
					}
					forge.make = func([]byte) []byte { return data }
				}
			}
			b.Close()
		}
		reseal(t, dir, forge.media, forge.make)
		if r := verify(t, dir, VerifyOptions{}); !r.Intact() {
			t.Errorf("%s: the forgery does not fit: %v", say, r.Problems)
		}
		r := verify(t, dir, VerifyOptions{Keys: c.ring(t)})
		if len(r.Problems) == 0 || !strings.Contains(r.Problems[0].What, say) {
			t.Errorf("%s: %+v", say, r.Problems)
		}
		b, err := Open(dir, c.ring(t))
		if err == nil {
			_, err = b.Lookup("filesystem/a")
			if err == nil {
				_, err = b.Acquisition()
			}
			b.Close()
		}
		if !errors.Is(err, encrypt.ErrDamaged) {
			t.Errorf("%s: %v", say, err)
		}
	}
}

// A manifest may say anything of its encryption.
func FuzzEncryptedManifest(f *testing.F) {
	c := newCustodian(f, "x25519")
	dir := encrypted(f, []object{file("filesystem/a", []byte("one"))}, nil, c)
	b, err := Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	manifest, err := b.readFile(b.manifestName, maxManifest)
	if err != nil {
		f.Fatal(err)
	}
	old := b.manifestName
	b.Close()
	f.Add(manifest)
	f.Add(bytes.ReplaceAll(manifest, []byte(AnnotationEncryption+`":"age`), []byte(AnnotationEncryption+`":"agx`)))
	f.Add(bytes.ReplaceAll(manifest, []byte("key-1.age"), []byte("oci-layout")))
	f.Add(bytes.ReplaceAll(manifest, []byte(Encrypted+`"`), []byte(`"`)))
	ring := c.ring(f)
	f.Fuzz(func(t *testing.T, manifest []byte) {
		to := filepath.Join(t.TempDir(), "e")
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Skip(err)
		}
		replaceManifest(t, to, old, manifest)
		verify(t, to, VerifyOptions{Deep: true, Keys: ring})
		verify(t, to, VerifyOptions{Deep: true})
		b, err := Open(to, ring)
		if err != nil {
			return
		}
		defer b.Close()
		for m, err := range b.Members() {
			if err != nil {
				break
			}
			_, _ = b.Content(m)
		}
	})
}

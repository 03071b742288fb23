package encrypt

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	agetest "c2sp.org/CCTV/age"
	"filippo.io/age"
	"filippo.io/age/armor"
)

// vector is a file of C2SP's CCTV vectors for age: what is expected, and a file.
type vector struct {
	expect  string
	payload string // SHA-256 of the plain bytes, hex
	ids     []age.Identity
	armored bool
	file    []byte
}

func readVector(t *testing.T, data []byte) (v vector) {
	t.Helper()
	head, file, ok := bytes.Cut(data, []byte("\n\n"))
	if !ok {
		t.Fatal("the vector has no file")
	}
	v.file = file
	for line := range strings.SplitSeq(string(head), "\n") {
		key, value, _ := strings.Cut(line, ": ")
		var id age.Identity
		var err error
		switch key {
		case "expect":
			v.expect = value
		case "payload":
			v.payload = value
		case "armored":
			v.armored = true
		case "identity":
			if id, err = age.ParseX25519Identity(value); err != nil {
				id, err = age.ParseHybridIdentity(value)
			}
			v.ids = append(v.ids, id)
		case "passphrase":
			id, err = age.NewScryptIdentity(value)
			v.ids = append(v.ids, id)
		case "compressed":
			var z io.Reader
			if z, err = zlib.NewReader(bytes.NewReader(file)); err == nil {
				v.file, err = io.ReadAll(z)
			}
		case "file key", "comment":
		default:
			t.Fatalf("a line %q that is not known", line)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// The vectors of C2SP's CCTV, by their Go module: what is read as a custodian's
// key and what is read as a blob ends as each of them says, with the error that
// Unlock and ReaderAt give for it.
func TestVectors(t *testing.T) {
	counts := map[string]int{}
	files, err := fs.ReadDir(agetest.Vectors, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := fs.ReadFile(agetest.Vectors, f.Name())
		if err != nil {
			t.Fatal(err)
		}
		t.Run(f.Name(), func(t *testing.T) {
			v := readVector(t, data)
			counts[v.expect]++
			if v.armored {
				unarmored(t, v)
				return
			}
			asBlob(t, v)
			asTail(t, v)
			asKey(t, v)
		})
	}
	t.Logf("%d vectors: %v", len(files), counts)
	if len(files) < 100 || counts["success"] == 0 || counts["no match"] == 0 || counts["HMAC failure"] == 0 || counts["header failure"] == 0 || counts["payload failure"] == 0 {
		t.Errorf("these are not the vectors: %v", counts)
	}
}

// several is what a Box has one of.
type several []age.Identity

func (s several) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, id := range s {
		key, err := id.Unwrap(stanzas)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return key, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

// asBlob reads the vector at random, as a bundle's blobs are.
func asBlob(t *testing.T, v vector) {
	t.Helper()
	b := &Box{id: several(v.ids)}
	var got []byte
	r, n, err := b.ReaderAt(bytes.NewReader(v.file), int64(len(v.file)))
	if err == nil {
		got, err = io.ReadAll(io.NewSectionReader(r, 0, n))
	}
	if (err == nil) != (v.expect == "success") {
		t.Fatalf("want %s: %v", v.expect, err)
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		t.Errorf("it is not told as damage: %v", err)
	}
	if sum := sha256.Sum256(got); err == nil && hex.EncodeToString(sum[:]) != v.payload {
		t.Error("its payload is another one")
	}
}

// asTail reads what is whole of it: nothing that was not encrypted.
func asTail(t *testing.T, v vector) {
	t.Helper()
	b := &Box{id: several(v.ids)}
	r, n, err := b.Tail(bytes.NewReader(v.file), int64(len(v.file)))
	if opens := v.expect == "success" || v.expect == "payload failure"; err != nil || r == nil {
		if opens && err != nil {
			t.Errorf("want %s: %v", v.expect, err)
		}
		return
	}
	got, err := io.ReadAll(io.NewSectionReader(r, 0, n))
	if sum := sha256.Sum256(got); err != nil || v.payload != "" && hex.EncodeToString(sum[:]) != v.payload {
		t.Errorf("%d bytes of %s, %v", n, v.expect, err)
	}
}

// asKey reads it as key-1.age; what these vectors hold is no bundle's key.
func asKey(t *testing.T, v vector) {
	t.Helper()
	k := &Keyring{ids: v.ids, opened: map[string]*Box{}}
	_, err := k.Unlock([]Key{{Name: "key-1.age", Data: v.file}}, "")
	switch {
	case err == nil:
		t.Error("it is taken for a bundle's key")
	case v.expect == "no match" && !errors.Is(err, ErrNobody), v.expect == "HMAC failure" && !errors.Is(err, ErrDamaged), v.expect == "success" && !errors.Is(err, ErrDamaged), v.expect == "payload failure" && !errors.Is(err, ErrDamaged):
		t.Errorf("want %s: %v", v.expect, err)
	}
}

// unarmored reads it as a custodian's own file: those may be armored, a bundle's
// are not.
func unarmored(t *testing.T, v vector) {
	t.Helper()
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(v.file)), v.ids...)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if (err == nil) != (v.expect == "success") {
		t.Errorf("want %s: %v", v.expect, err)
	}
}

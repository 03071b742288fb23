package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"amber/evidence"
	"amber/evidence/keys"
	"amber/evidence/record"
)

// stating signs with a key that states too; plain with one that does not.
func stating(t testing.TB) ssh.Signer {
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

func plain(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// allowing is a list that allows the signer's keys.
func allowing(t testing.TB, s ssh.Signer) *keys.Signers {
	t.Helper()
	pubs := []ssh.PublicKey{s.PublicKey()}
	if k, ok := s.(keys.StatementSigner); ok {
		p256, err := ssh.NewPublicKey(k.Statements().Public())
		if err != nil {
			t.Fatal(err)
		}
		pubs = append(pubs, p256)
	}
	var lines []string
	for _, k := range pubs {
		line, err := keys.SignerLine("ana@laptop", k)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	list, err := keys.ParseSigners([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func name(i int) string { return fmt.Sprintf("filesystem/f%04d", i) }

// bundle is one of n files.
func bundle(t testing.TB, n int, s ssh.Signer) *evidence.Bundle {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e")
	w, err := evidence.Create(dir, "e", 4096)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		content := []byte(fmt.Sprint("content of ", i))
		m := &record.Member{Path: name(i), Type: record.File, Mode: 0o600, Size: int64(len(content))}
		if err := p.Add(m, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, evidence.SignWith(s)); err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// written is a proof after a round through its file.
func written(t testing.TB, b *evidence.Bundle, path string) *Proof {
	t.Helper()
	p, err := New(b, path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// Every line of trees of all small shapes is proved, and no proof tells the
// name or the content of another member.
func TestEveryLine(t *testing.T) {
	for _, s := range []ssh.Signer{stating(t), plain(t)} {
		for _, n := range []int{1, 2, 3, 5, 8, 13} {
			b, allowed := bundle(t, n, s), allowing(t, s)
			for i := range n {
				p := written(t, b, name(i))
				r, err := p.Check(allowed)
				if err != nil || !r.KnownSigner() || r.Member.Path != name(i) || r.Size != int64(n) {
					t.Fatalf("line %d of %d: %+v %v", i, n, r, err)
				}
				if err := evidence.CheckContent(r.Member, strings.NewReader(fmt.Sprint("content of ", i))); err != nil {
					t.Error(err)
				}
				data, _ := p.Marshal()
				if c := bytes.Count(data, []byte("filesystem/f")); c != 1 {
					t.Errorf("the proof names %d members", c)
				}
			}
		}
	}
}

func TestUnknownAndUnsigned(t *testing.T) {
	b := bundle(t, 3, stating(t))
	if r, err := written(t, b, name(1)).Check(nil); err != nil || r.KnownSigner() || len(r.Signatures) != 1 {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := written(t, b, name(1)).Check(allowing(t, plain(t))); err != nil || r.KnownSigner() {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := New(b, "filesystem/absent"); !errors.Is(err, evidence.ErrNotFound) {
		t.Error(err)
	}
	if _, err := New(bundle(t, 1, nil), name(0)); err == nil || !strings.Contains(err.Error(), "unsigned") {
		t.Error(err)
	}
}

// Each part that is changed fails, and the sentence names it.
func TestTampering(t *testing.T) {
	s, other := stating(t), stating(t)
	b := bundle(t, 13, s)
	foreign := written(t, bundle(t, 13, other), name(5))
	flipped := func(h string) string {
		if h[0] == '0' {
			return "1" + h[1:]
		}
		return "0" + h[1:]
	}
	for what, c := range map[string]struct {
		change func(p *Proof)
		say    string
	}{
		"rule":              {func(p *Proof) { p.Hash = "MD5" }, "another rule"},
		"line":              {func(p *Proof) { p.Line = strings.Replace(p.Line, "f0005", "f0006", 1) }, "lead to the root"},
		"line's form":       {func(p *Proof) { p.Line += " " }, "canonical form"},
		"no line":           {func(p *Proof) { p.Line = "x" }, "no member's"},
		"index":             {func(p *Proof) { p.Index++ }, "lead to the root"},
		"index outside":     {func(p *Proof) { p.Index = p.Size }, "is not one of"},
		"negative index":    {func(p *Proof) { p.Index = -1 }, "is not one of"},
		"size":              {func(p *Proof) { p.Size = 17 }, "does not fit"},
		"size of one shape": {func(p *Proof) { p.Size = 14 }, "the seal is over 13 lines"},
		"size, same shape":  {func(p *Proof) { p.Size, p.Index = 16, 3 }, "lead to the root"},
		"path":              {func(p *Proof) { p.Path[1] = flipped(p.Path[1]) }, "lead to the root"},
		"path cut":          {func(p *Proof) { p.Path = p.Path[1:] }, "does not fit"},
		"path longer":       {func(p *Proof) { p.Path = append(p.Path, p.Path[0]) }, "does not fit"},
		"path's form":       {func(p *Proof) { p.Path[0] = strings.ToUpper(p.Path[0]) }, "hash 1"},
		"root":              {func(p *Proof) { p.Root = flipped(p.Root) }, "lead to the root"},
		"root's form":       {func(p *Proof) { p.Root = "00" }, "the root: "},
		"id":                {func(p *Proof) { p.Evidence = "f" }, "the seal is of the bundle"},
		"signed bytes":      {func(p *Proof) { p.Statements[0].PAE += " " }, "not of these bytes and this key"},
		"signature":         {func(p *Proof) { p.Statements[0].Signature[12] ^= 1 }, "not of these bytes and this key"},
		"signature's form":  {func(p *Proof) { p.Statements[0].Signature[0] ^= 1 }, "one encoding"},
		"key":               {func(p *Proof) { p.Statements[0].PublicKey = foreign.Statements[0].PublicKey }, "not of these bytes and this key"},
		"key's form":        {func(p *Proof) { p.Statements[0].PublicKey += "\n" }, "one PEM block"},
		"foreign":           {func(p *Proof) { p.Statements = foreign.Statements }, "the seal has the root"},
		"nothing":           {func(p *Proof) { p.Statements = nil }, "nothing signed"},
	} {
		p := written(t, b, name(5))
		c.change(p)
		if _, err := p.Check(allowing(t, s)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTamperingWithoutStatement(t *testing.T) {
	s := plain(t)
	b, foreign := bundle(t, 4, s), written(t, bundle(t, 4, s), name(1)).Seal
	for what, c := range map[string]struct {
		change func(s *Seal)
		say    string
	}{
		"sums":      {func(s *Seal) { s.Sums = strings.Replace(s.Sums, "README", "READMY", 1) }, "SSH signature 1"},
		"index":     {func(s *Seal) { s.Index += " " }, "index.json is not the one"},
		"manifest":  {func(s *Seal) { s.Manifest += " " }, "manifest is not the one that index.json names"},
		"signature": {func(s *Seal) { s.Signatures[0] = foreign.Signatures[0] }, "SSH signature 1"},
		"nobody":    {func(s *Seal) { s.Signatures = nil }, "nobody signed"},
		"foreign":   {func(s *Seal) { *s = *foreign }, "the seal has the root"},
	} {
		p := written(t, b, name(1))
		c.change(p.Seal)
		if _, err := p.Check(nil); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// No changed bit of a file passes.
func TestEveryBit(t *testing.T) {
	s := stating(t)
	p, err := New(bundle(t, 5, s), name(2))
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	allowed := allowing(t, s)
	for i := range data {
		for bit := range 8 {
			changed := bytes.Clone(data)
			changed[i] ^= 1 << bit
			if p, err := Parse(changed); err == nil {
				if r, err := p.Check(allowed); err == nil {
					t.Fatalf("byte %d (%q), bit %d: %+v", i, data[max(0, i-20):i+1], bit, r)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []ssh.Signer{stating(f), plain(f)} {
		p, err := New(bundle(f, 3, s), name(1))
		if err != nil {
			f.Fatal(err)
		}
		data, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		again, err := p.Marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q is read as %q: %v", data, again, err)
		}
		_, _ = p.Check(nil)
	})
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "\n", "{}", "{}\n", `{"format":"amber inclusion proof 2"}` + "\n", `{"format":"x","format":"y"}` + "\n"} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

package encrypt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

// pair is a recipient, and a file of its identity.
type pair struct{ to, file string }

func classic(t testing.TB) pair {
	t.Helper()
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return pair{k.Recipient().String(), put(t, "# a comment\n\n"+k.String()+"\n")}
}

func hybrid(t testing.TB) pair {
	t.Helper()
	k, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return pair{k.Recipient().String(), put(t, k.String())}
}

// sshPair is a key of OpenSSH's, under a passphrase where that is not empty.
func sshPair(t testing.TB, private any, passphrase string) pair {
	t.Helper()
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pair{string(ssh.MarshalAuthorizedKey(s.PublicKey())), put(t, string(pem.EncodeToMemory(block)))}
}

func put(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func ring(t testing.TB, u User, files ...string) *Keyring {
	t.Helper()
	k, err := ReadIdentities(files, u)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func lock(t testing.TB, id string, to ...pair) *Lock {
	t.Helper()
	var args []string
	for _, p := range to {
		args = append(args, p.to)
	}
	list, err := Custodians(args, len(to) == 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(id, list)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Each kind of key opens what it is a custodian's of; a passphrase is asked for
// once, and only for the key that is used.
func TestKinds(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, locked, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	all := []pair{classic(t), hybrid(t), sshPair(t, ed, ""), sshPair(t, rsaKey, ""), sshPair(t, locked, "word")}
	l := lock(t, "e", all...)
	data, err := l.Seal([]byte("blob"))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		asked := 0
		k := ring(t, User{Ask: func(string) ([]byte, error) { asked++; return []byte("word"), nil }}, p.file)
		for range 2 {
			b, err := k.Unlock(l.Keys, l.Recipient())
			if err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if got, err := b.Open(data); err != nil || string(got) != "blob" {
				t.Errorf("%d: %q, %v", i, got, err)
			}
		}
		if want := i / 4; asked != want {
			t.Errorf("%d: asked %d times", i, asked)
		}
	}
}

// What says whether a quantum computer could read it.
func TestPostQuantum(t *testing.T) {
	h, g, c := hybrid(t), hybrid(t), classic(t)
	l := lock(t, "e", h, g)
	if ok, words := PostQuantum(l.Keys); !ok || words != "yes" || !strings.HasPrefix(l.Recipient(), "age1pq1") {
		t.Errorf("%v %q %s", ok, words, l.Recipient())
	}
	l = lock(t, "e", h, c)
	if ok, words := PostQuantum(l.Keys); ok || !strings.Contains(words, "key-2.age ("+c.to) || strings.Contains(words, "key-1") || strings.HasPrefix(l.Recipient(), "age1pq1") {
		t.Errorf("%v %q %s", ok, words, l.Recipient())
	}
}

// A file of identities may be under a passphrase, armored or not.
func TestIdentityUnderPassphrase(t *testing.T) {
	p := classic(t)
	secret, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	to, err := age.NewScryptRecipient("word")
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(10)
	binary, err := sealed(secret, to)
	if err != nil {
		t.Fatal(err)
	}
	var armored bytes.Buffer
	w := armor.NewWriter(&armored)
	if _, err := w.Write(binary); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l := lock(t, "e", p)
	for _, text := range []string{string(binary), armored.String()} {
		word := "word"
		u := User{Ask: func(string) ([]byte, error) { return []byte(word), nil }}
		if _, err := ring(t, u, put(t, text)).Unlock(l.Keys, l.Recipient()); err != nil {
			t.Error(err)
		}
		word = "other"
		if _, err := ReadIdentities([]string{put(t, text)}, u); err == nil || !strings.Contains(err.Error(), "passphrase is wrong") {
			t.Errorf("a wrong passphrase: %v", err)
		}
	}
}

func TestCustodiansRefuses(t *testing.T) {
	a, b := classic(t), classic(t)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	for say, args := range map[string][]string{
		"one custodian alone can lose":   {a.to},
		"name two at least":              {a.to, " " + a.to + "\n"}, // twice the same
		"neither a recipient":            {a.to, "/nonexistent"},
		"holds no recipient":             {a.to, put(t, "# nothing\n")},
		"line 2: recipient":              {put(t, a.to+"\nage1broken\n")},
		"is a secret key":                {a.to, strings.Split(string(secret), "\n")[2]},
		"type ecdsa-sha2-nistp256":       {a.to, sshPair(t, ec, "").to},
		"it needs a program":             {a.to, plugin.EncodeRecipient("nonesuch", []byte("data"))},
		"it is not a file":               {a.to, t.TempDir()},
		"--one-custodian goes with one ": nil,
	} {
		one := strings.HasPrefix(say, "--one")
		if one {
			args = []string{a.to, b.to}
		}
		_, err := Custodians(args, one)
		if err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
		if err != nil && strings.Contains(err.Error(), "AGE-SECRET-KEY-1") {
			t.Errorf("a secret is told: %v", err)
		}
	}
	if list, err := Custodians([]string{put(t, "# ours\n"+a.to+"\n\n"+b.to+"\n")}, false); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestReadIdentitiesRefuses(t *testing.T) {
	a := classic(t)
	for say, file := range map[string]string{
		"no such file":              "/nonexistent",
		"it is not a file":          t.TempDir(),
		"holds no identity":         put(t, "# nothing\n"),
		"is a recipient, not":       put(t, a.to),
		"line 1: no identity that ": put(t, "AGE-SECRET-STUFF"),
		"malformed secret key":      put(t, "AGE-SECRET-KEY-1QQQQ"),
		"more than 1048576 bytes":   put(t, strings.Repeat("#", maxIdentities+1)),
	} {
		if _, err := ReadIdentities([]string{file}, User{}); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
	if k, err := ReadIdentities(nil, User{}); k != nil || err != nil {
		t.Error(k, err)
	}
}

// What is wrong with a custodian's key has a sentence of its own each.
func TestUnlockRefuses(t *testing.T) {
	a, b, nobody := classic(t), classic(t), classic(t)
	mine, other := lock(t, "mine", a, b), lock(t, "other", a, b)
	key := func(data []byte) []Key { return []Key{{Name: "key-1.age", Data: data}} }
	stanzas := func(from, to *Lock) []byte { // the stanza of one with the rest of the other
		x, y := from.Keys[0].Data, to.Keys[0].Data
		return append(bytes.Clone(x[:bytes.Index(x, []byte("\n---"))]), y[bytes.Index(y, []byte("\n---")):]...)
	}
	data := mine.Keys[0].Data
	for _, c := range []struct {
		what, say string
		keys      []Key
		who       pair
		is        error
	}{
		{"no identity's", "none of the identities", mine.Keys, nobody, ErrNobody},
		{"swapped between bundles", "key-1.age is the key of another bundle", other.Keys, a, ErrDamaged},
		{"no age file", "cannot be read as an age file", key([]byte("nothing")), a, ErrDamaged},
		{"empty", "cannot be read as an age file", key(nil), a, ErrDamaged},
		{"stanzas exchanged", "the stanzas of its header were changed", key(stanzas(mine, other)), a, ErrDamaged},
		{"cut in its chunk", "is cut off", key(data[:len(data)-1]), a, ErrDamaged},
		{"cut before its chunk", "is cut off", key(data[:bytes.Index(data, []byte("\n--- "))+5+43+1+16]), a, ErrDamaged},
		{"a changed chunk", "is cut off, or its content was changed", key(append(bytes.Clone(data[:len(data)-1]), data[len(data)-1]^1)), a, ErrDamaged},
	} {
		_, err := ring(t, User{}, c.who.file).Unlock(c.keys, mine.Recipient())
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	to, err := ParseRecipient(a.to)
	if err != nil {
		t.Fatal(err)
	}
	no, err := sealed([]byte("no key at all"), to.age)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring(t, User{}, a.file).Unlock(key(no), mine.Recipient()); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "does not hold the key of a bundle") {
		t.Error(err)
	}
	if _, err := (*Keyring)(nil).Unlock(mine.Keys, mine.Recipient()); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), a.to) {
		t.Error(err)
	}
	// One that is damaged does not keep another custodian out.
	if _, err := ring(t, User{}, b.file).Unlock([]Key{{Name: "key-1.age"}, mine.Keys[1]}, mine.Recipient()); err != nil {
		t.Error(err)
	}
}

// What is wrong with a blob has one too.
func TestBlobRefuses(t *testing.T) {
	a := classic(t)
	mine, other := lock(t, "mine", a), lock(t, "other", a)
	box, err := ring(t, User{}, a.file).Unlock(mine.Keys, mine.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat([]byte("0123456789abcdef"), 3*chunkSize/16)
	data, err := mine.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if n := int64(len(data)); n > Size(int64(len(plain))) {
		t.Errorf("%d bytes take %d, more than Size says", len(plain), n)
	}
	foreign, err := other.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	head := len(data) - 3*(chunkSize+overhead)
	changed := func(at int) []byte { c := bytes.Clone(data); c[at] ^= 1; return c }
	mac := bytes.Clone(data)
	copy(mac[bytes.Index(mac, []byte("\n--- "))+5:], foreign[bytes.Index(foreign, []byte("\n--- "))+5:][:42])
	swapped := bytes.Clone(data)
	copy(swapped[head:], data[head+chunkSize+overhead:head+2*(chunkSize+overhead)])
	copy(swapped[head+chunkSize+overhead:], data[head:head+chunkSize+overhead])
	for what, c := range map[string]struct {
		data []byte
		say  string
	}{
		"empty":                 {nil, "no header"},
		"no age file":           {plain, "no header"},
		"to another":            {foreign, "another key than the bundle's"},
		"a changed stanza":      {changed(60), "another key than the bundle's"},
		"another header's MAC":  {mac, "stanzas of its header were changed"},
		"a changed chunk":       {changed(head + 100), "a chunk of it does not decrypt"},
		"chunks exchanged":      {swapped, "a chunk of it does not decrypt"},
		"without its last":      {data[:head+2*(chunkSize+overhead)], "cut off"},
		"cut within its last":   {data[:len(data)-100], "cut off"},
		"something follows it":  {append(bytes.Clone(data), 0), "cut off or changed"},
		"a chunk twice":         {append(bytes.Clone(data), data[len(data)-chunkSize-overhead:]...), "cut off or changed"},
		"another file's chunks": {append(bytes.Clone(data[:head]), foreign[len(foreign)-3*(chunkSize+overhead):]...), "cut off or changed"},
	} {
		_, err := box.Open(c.data)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What was being written is read to its last whole chunk, in any order.
func TestTail(t *testing.T) {
	a := classic(t)
	l := lock(t, "e", a)
	box, err := ring(t, User{}, a.file).Unlock(l.Keys, l.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, 5*chunkSize)
	if _, err := rand.Read(plain); err != nil {
		t.Fatal(err)
	}
	data, err := l.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	head := len(data) - 5*(chunkSize+overhead)
	for cut, want := range map[int]int{head - 10: 0, head: 0, head + 100: 0, head + chunkSize + overhead: 1, head + 3*(chunkSize+overhead) + 7: 3, len(data) - 1: 4} {
		r, n, err := box.Tail(bytes.NewReader(data), int64(cut))
		if err != nil || n != int64(want*chunkSize) {
			t.Errorf("cut at %d: %d bytes, want %d chunks: %v", cut, n, want, err)
			continue
		}
		for _, at := range []int64{n - 1, 0, n / 2} {
			var b [1]byte
			if _, err := r.ReadAt(b[:], at); n > 0 && (err != nil || b[0] != plain[at]) {
				t.Errorf("cut at %d: at %d: %v", cut, at, err)
			}
		}
		if m, err := r.ReadAt(make([]byte, 10), n-5); n > 0 && (m != 5 || !errors.Is(err, io.EOF)) {
			t.Errorf("cut at %d: its end gives %d, %v", cut, m, err)
		}
	}
}

// Nothing in a key or a blob makes reading it panic, and all that it gives is
// told as damage, or as nobody's.
func FuzzUnlock(f *testing.F) {
	a := classic(f)
	l := lock(f, "e", a)
	f.Add(l.Keys[0].Data)
	f.Add([]byte(ageBegin + "-> X25519 a\n\n--- \n"))
	f.Add([]byte(ageBegin + "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n" + strings.Repeat("A", 43) + "\n--- " + strings.Repeat("A", 43) + "\n"))
	k := ring(f, User{}, a.file)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := k.Unlock([]Key{{Name: "key-1.age", Data: data}}, l.Recipient()+"x")
		if err == nil || b != nil {
			t.Error("it is taken for the key of another bundle")
		}
	})
}

func FuzzParseIdentities(f *testing.F) {
	f.Add([]byte("AGE-SECRET-KEY-1QQQ\n"))
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n"))
	f.Add([]byte(ageBegin))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ids, err := parseIdentities(data, "f", User{}); err == nil && len(ids) == 0 {
			t.Error("no identity, and no error")
		}
	})
}

func FuzzParseRecipient(f *testing.F) {
	f.Add("age1pq1qqq")
	f.Add("age1tag1qqq")
	f.Add("ssh-rsa AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Count(s, "1") > 1 && !strings.HasPrefix(s, "age1pq1") && !strings.HasPrefix(s, "age1tag") {
			t.Skip("a plugin's")
		}
		if r, err := ParseRecipient(s); err == nil && r.Name() == "" {
			t.Error("it has no name")
		}
	})
}

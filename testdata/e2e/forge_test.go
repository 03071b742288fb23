//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/keys"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

// unlocked is the user's key.
func (u *user) unlocked(t testing.TB) ssh.Signer {
	t.Helper()
	s, err := keys.Unlock(filepath.Join(u.home, ".config", "amber", "key"), func() ([]byte, error) { return []byte(passphrase), nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signers writes an allowed_signers file that names the user alone.
func (u *user) signers(t testing.TB) string {
	t.Helper()
	var key struct {
		Allowed string `json:"allowed_signers"`
	}
	u.run(t, "keys", "show", "--output", "json").want(t, 0).json(t, &key)
	file := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(file, []byte(key.Allowed+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// rewrite makes the bundle in dir anew with another content of one member, as
// somebody would who has amber's code; sign may be nil.
func rewrite(t testing.TB, dir, path, content string, sign ssh.Signer) {
	t.Helper()
	old, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := evidence.Create(dir+".new", old.ID(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := copyMembers(w, old, path, content); err != nil {
		t.Fatal(err)
	}
	acq, err := old.Acquisition()
	if err != nil {
		t.Fatal(err)
	}
	var signer evidence.Signer
	if sign != nil {
		signer = evidence.SignWith(sign)
	}
	if _, err := w.Seal(acq, signer); err != nil {
		t.Fatal(err)
	}
	_ = old.Close()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".new", dir); err != nil {
		t.Fatal(err)
	}
}

func copyMembers(w *evidence.Writer, old *evidence.Bundle, path, content string) error {
	type sink interface {
		Add(*record.Member, io.Reader) error
		Miss(string, error) error
		Close() error
	}
	open, found := map[string]sink{}, false
	for m, err := range old.Members() {
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(m.Path, "/")
		if open[name] == nil {
			p, err := w.Payload(name)
			if err != nil {
				return err
			}
			open[name] = p
		}
		if m.Type == record.Miss {
			if err := open[name].Miss(m.Path, fmt.Errorf("%s", m.Reason)); err != nil {
				return err
			}
			continue
		}
		var body io.Reader
		if m.Type == record.File {
			if body, err = old.Content(m); err != nil {
				return err
			}
		}
		if m.Path == path {
			m.Size, body, found = int64(len(content)), strings.NewReader(content), true
		}
		if err := open[name].Add(m, body); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no member %q", path)
	}
	for _, p := range open {
		if err := p.Close(); err != nil {
			return err
		}
	}
	return nil
}

// A bundle that was made anew, and signed by somebody else or by nobody, does
// not pass: by the case, by its custody log, by the signers that were kept.
func TestForgedBundle(t *testing.T) {
	c := testbed.StartContainerd(t)
	alice, mallory := newHastyUser(t, c), newHastyUser(t, c)
	r := c.Run(t, "victim", script)
	ready(t, r, "/ready")
	dir := filepath.Join(alice.home, "case")
	alice.run(t, "respond", "--case", dir, "--yes", "--resume", ref(r)).want(t, 0, 3)
	id, signers := only(t, dir), alice.signers(t)
	alice.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
	alice.run(t, "evidence", "verify", "--deep", "--case", dir, "--signers", signers).want(t, 0)
	if out := alice.run(t, "evidence", "cat", "--case", dir, id, "filesystem/upper/etc/evidence").want(t, 0).out; out != "evidence\n" {
		t.Fatalf("cat gives %q", out)
	}
	forgeries := map[string]func(t *testing.T, bundle string){
		"signed by another": func(t *testing.T, b string) {
			rewrite(t, b, "filesystem/upper/etc/evidence", "innocent\n", mallory.unlocked(t))
		},
		"signed by nobody":    func(t *testing.T, b string) { rewrite(t, b, "filesystem/upper/etc/evidence", "innocent\n", nil) },
		"the seal taken away": func(t *testing.T, b string) { remove(t, filepath.Join(b, "seal")) },
		"made to look interrupted": func(t *testing.T, b string) {
			rewrite(t, b, "filesystem/upper/etc/evidence", "innocent\n", nil)
			interrupt(t, b)
		},
		"removed": func(t *testing.T, b string) { remove(t, b) },
		"emptied": func(t *testing.T, b string) {
			remove(t, b)
			if err := os.Mkdir(b, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			fake := filepath.Join(t.TempDir(), "case")
			copyTree(t, dir, fake)
			forge(t, filepath.Join(fake, "evidence", id))
			alice.run(t, "evidence", "verify", "--case", fake).want(t, 4)
			alice.run(t, "evidence", "verify", "--case", fake, "--signers", signers).want(t, 4)
			if name != "removed" { // a bundle that is named and absent is wrong usage
				alice.run(t, "evidence", "verify", "--deep", "--case", fake, id).want(t, 4)
			}
		})
	}
	t.Run("a signer who let himself in", func(t *testing.T) {
		fake := filepath.Join(t.TempDir(), "case")
		copyTree(t, dir, fake)
		letIn(t, alice, mallory, fake)
		rewrite(t, filepath.Join(fake, "evidence", id), "filesystem/upper/etc/evidence", "innocent\n", mallory.unlocked(t))
		enterSeal(t, mallory, fake, id)
		alice.run(t, "evidence", "verify", "--case", fake).want(t, 4).says(t, "is not what entered the case")
	})
	t.Run("the whole case made anew", func(t *testing.T) { forgedCase(t, alice, mallory, r, signers) })
}

// interrupt makes a bundle look as if its writing had been cut off.
func interrupt(t testing.TB, bundle string) {
	for _, name := range []string{"SHA256SUMS", "index.json", "oci-layout", "README.txt"} {
		remove(t, filepath.Join(bundle, name))
	}
	if err := os.WriteFile(filepath.Join(bundle, "INCOMPLETE"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// letIn adds a signer to case.json by hand.
func letIn(t *testing.T, alice, mallory *user, dir string) {
	file := filepath.Join(dir, "case.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := os.ReadFile(alice.signers(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := os.ReadFile(mallory.signers(t))
	if err != nil {
		t.Fatal(err)
	}
	quote := func(line []byte) string {
		q, _ := json.Marshal(strings.TrimSpace(string(line)))
		return string(q)
	}
	with := strings.Replace(string(data), quote(a), quote(a)+","+quote(m), 1)
	if with == string(data) {
		t.Fatalf("%s does not name alice: %s", file, data)
	}
	if err := os.WriteFile(file, []byte(with), 0o600); err != nil {
		t.Fatal(err)
	}
}

// enterSeal puts another sealing of a bundle into the custody log.
func enterSeal(t *testing.T, u *user, dir, id string) {
	cs, err := casedir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	cs.Signer = u.unlocked(t)
	b, err := evidence.Open(filepath.Join(dir, "evidence", id))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, err = cs.Log(custody.Entry{Action: "seal", Result: "sealed", Evidence: &custody.Evidence{ID: id, Digest: "sha256:" + b.Digest()}})
	if err != nil {
		t.Fatal(err)
	}
}

// forgedCase: where bundle, custody log and case.json are all mallory's, only
// what was kept elsewhere can tell.
func forgedCase(t *testing.T, alice, mallory *user, r testbed.Running, signers string) {
	dir := filepath.Join(mallory.home, "case")
	mallory.run(t, "respond", "--case", dir, "--yes", "--resume", ref(r)).want(t, 0, 3)
	alice.run(t, "evidence", "verify", "--case", dir, "--signers", signers).want(t, 4).says(t, "by an allowed signer is missing")
}

// A signer whom nobody has named is unknown, and that is said.
func TestUnknownSigner(t *testing.T) {
	c := testbed.StartContainerd(t)
	alice, bob := newHastyUser(t, c), newUserWithoutKey(t, c)
	r := c.Run(t, "victim", script)
	ready(t, r, "/ready")
	tar := filepath.Join(alice.home, "bundle.tar")
	alice.stream(t, tar, "collect", "--case", filepath.Join(alice.home, "source"), "--to", "-", ref(r)).want(t, 0, 3)
	dir := filepath.Join(bob.home, "case")
	bob.run(t, "evidence", "import", "--case", dir, tar).want(t, 0)
	bob.run(t, "evidence", "verify", "--case", dir).want(t, 3).says(t, "signer UNKNOWN", "SHA256:")
	bob.run(t, "evidence", "verify", "--case", dir, "--signers", alice.signers(t)).want(t, 0, 3)
	empty := filepath.Join(bob.home, "nobody")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bob.run(t, "evidence", "verify", "--case", dir, "--signers", empty).want(t, 4)
}

// Without a key, or with one that stays locked, the target is frozen and
// collected all the same; the bundle is signed later.
func TestUnsigned(t *testing.T) {
	c := testbed.StartContainerd(t)
	r := c.Run(t, "victim", script)
	ready(t, r, "/ready")
	t.Run("no key", func(t *testing.T) {
		u := newUserWithoutKey(t, c)
		dir := filepath.Join(u.home, "case")
		u.run(t, "respond", "--case", dir, "--yes", ref(r)).want(t, 3).says(t, "unsigned", "amber evidence sign")
		wantState(t, c, r, "PAUSED", "respond without a key")
		u.run(t, "evidence", "verify", "--case", dir).want(t, 3).says(t, "UNSIGNED")
		u.run(t, "isolate", "release", "--case", dir, "--all", "--yes").want(t, 0)
		u = u.with("AMBER_KEY_PASSPHRASE", passphrase)
		u.run(t, "keys", "new").want(t, 0)
		u.run(t, "evidence", "sign", "--case", dir).want(t, 0)
		u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
		u.run(t, "evidence", "verify", "--case", dir, "--signers", u.signers(t)).want(t, 0)
	})
	t.Run("locked key", func(t *testing.T) {
		u := newUser(t, c)
		dir := filepath.Join(u.home, "case")
		wrong := u.with("AMBER_KEY_PASSPHRASE", "wrong")
		wrong.run(t, "respond", "--case", dir, "--yes", ref(r)).want(t, 3).says(t, "unsigned")
		wantState(t, c, r, "PAUSED", "respond with a locked key")
		wrong.run(t, "isolate", "release", "--case", dir, "--all", "--yes").want(t, 0)
		wantState(t, c, r, "RUNNING", "release with a locked key")
		u.run(t, "evidence", "sign", "--case", dir).want(t, 0)
		u.run(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0)
	})
}

// lines cuts a file at its line ends.
func lines(t testing.TB, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
}

// Tampering with the custody log is told.
func TestCustodyTampering(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "victim", script)
	ready(t, r, "/ready")
	dir := filepath.Join(u.home, "case")
	u.run(t, "respond", "--case", dir, "--yes", "--resume", ref(r)).want(t, 0, 3)
	for range 3 {
		u.run(t, "evidence", "ls", "--case", dir, only(t, dir)).want(t, 0)
	}
	receipt := filepath.Join(u.home, "receipt")
	u.stream(t, receipt, "evidence", "custody", "--case", dir, "--head").want(t, 0)
	u.run(t, "evidence", "verify", "--case", dir, "--receipt", receipt).want(t, 0)
	u.run(t, "evidence", "custody", "--case", dir, "--receipt", receipt).want(t, 0)
	log := lines(t, filepath.Join(dir, "custody.jsonl"))
	last := len(log) - 1
	log[last] += "\n"
	for _, try := range []struct {
		name    string
		lines   []string // nil: no log at all
		receipt bool     // only the receipt can tell
	}{
		{"reordered", append([]string{log[0], log[2], log[1]}, log[3:]...), false},
		{"cut in the middle", append([]string{log[0], log[1]}, log[3:]...), false},
		{"the first line cut", log[1:], false},
		{"a line twice", append(append([]string{}, log[:3]...), log[2:]...), false},
		{"a word changed", append([]string{strings.Replace(log[0], "root", "toor", 1)}, log[1:]...), false},
		{"tail cut", log[:3], true},
		{"the seal and what follows cut", log[:2], true},
		{"removed", nil, true},
	} {
		t.Run(try.name, func(t *testing.T) { u.tamper(t, dir, try.lines, receipt, try.receipt) })
	}
}

func (u *user) tamper(t *testing.T, dir string, log []string, receipt string, needsReceipt bool) {
	for _, args := range [][]string{{"evidence", "verify"}, {"evidence", "custody"}} {
		for _, withReceipt := range []bool{false, true} {
			if needsReceipt && !withReceipt && log != nil {
				continue
			}
			fake := filepath.Join(t.TempDir(), "case")
			copyTree(t, dir, fake)
			file := filepath.Join(fake, "custody.jsonl")
			remove(t, file)
			if log != nil {
				if err := os.WriteFile(file, []byte(strings.Join(log, "")), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			full := append(append([]string{}, args...), "--case", fake)
			if withReceipt {
				full = append(full, "--receipt", receipt)
			}
			r := u.run(t, full...)
			switch {
			case r.code == 4:
			case log == nil && !withReceipt && r.code != 0: // nobody can tell what it was, but that it is gone
			default:
				t.Errorf("amber %q exits %d\n%s%s", full, r.code, r.out, r.err)
			}
		}
	}
}

package harness

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAttacks changes a case in one way a seed, as somebody would who can write
// to it and has no key. Verified by what the auditor has of elsewhere, none may
// pass.
func TestAttacks(t *testing.T) {
	f := newFixture(t)
	f.verify(t, f.dir).want(t, "an untouched case", 0)
	begin := *first
	for seed := begin; seed < begin+int64(*seeds); seed++ {
		a := newAttack(t, f, seed)
		done := a.attack()
		r := f.verify(t, a.dir)
		switch {
		case r.code == 4 || r.code == 1 && a.refused(done):
			count("attack: "+wayOf(done), countRefused)
		case r.code == 3 && a.open(done):
			count("attack: "+wayOf(done), countOpen)
		default:
			count("attack: "+wayOf(done), countFailed)
			t.Errorf("seed %d: %s: verify exits %d\n%s\nagain: go test ./testdata/harness -run TestAttacks -seeds 1 -first %d", seed, done, r.code, r.text, seed)
		}
		must(t, os.RemoveAll(filepath.Dir(a.dir)))
	}
}

// verify checks a case as an auditor would, and writes nothing into it.
func (f *fixture) verify(t testing.TB, dir string) result {
	t.Helper()
	return f.amber(t, "case", "verify", "--case", dir, "--signers", f.signers, "--receipt", f.receipt, "--tsa-roots", f.roots, "--log-dir", filepath.Join(f.home, "looks"))
}

// look verifies a case by the signers that it names, and demands no time: what
// was not finished is not signed, or not stamped, yet.
func (f *fixture) look(t testing.TB, dir string) result {
	t.Helper()
	return f.amber(t, "case", "verify", "--case", dir, "--receipt", f.receipt, "--log-dir", filepath.Join(f.home, "looks"))
}

// attack is one seed's.
type attack struct {
	*rand.Rand
	t   testing.TB
	f   *fixture
	dir string // a copy of the case
	all []string
}

func newAttack(t testing.TB, f *fixture, seed int64) *attack {
	t.Helper()
	dir := filepath.Join(f.home, fmt.Sprint("seed-", seed))
	must(t, os.Mkdir(dir, 0o700))
	a := &attack{Rand: rand.New(rand.NewPCG(uint64(seed), 1)), t: t, f: f, dir: f.copied(t, dir)}
	must(t, filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !a.exempt(path) {
			a.all = append(a.all, path)
		}
		return err
	}))
	return a
}

// exempt are files that nobody relies on: the lock, and indexes that are made
// anew of what they are of.
func (a *attack) exempt(path string) bool {
	rel, _ := filepath.Rel(a.dir, path)
	return rel == "lock" || strings.HasPrefix(rel, "timeline/index/")
}

// open are changes that leave a case of which not all is vouched for, and which
// is told so, but not one that was changed: something was appended to a journal,
// which is appended to, or what a journal was is vouched for by nobody any more.
func (a *attack) open(done string) bool {
	return strings.Contains(done, "/journal/") && (strings.HasPrefix(done, "append") || strings.HasPrefix(done, "launder"))
}

// refused are changes after which nothing is a case any more.
func (a *attack) refused(done string) bool {
	return strings.Contains(done, "case.json")
}

// attack does one thing and says what.
func (a *attack) attack() string {
	ways := []func() string{a.flip, a.flip, a.flip, a.cut, a.append, a.remove, a.swap, a.reorder, a.replay, a.splice, a.spliceBlob, a.exchange, a.add, a.older, a.launder}
	for {
		if done := ways[a.IntN(len(ways))](); done != "" {
			return done
		}
	}
}

func (a *attack) file() (string, []byte) {
	path := a.all[a.IntN(len(a.all))]
	return path, read(a.t, path)
}

func (a *attack) rewrite(path string, data []byte) { write(a.t, path, data) }

func (a *attack) flip() string {
	path, data := a.file()
	if len(data) == 0 {
		return ""
	}
	at, bit := a.IntN(len(data)), a.IntN(8)
	if strings.HasSuffix(path, ".tsr") {
		return "" // bits that nobody reads can differ: docs/bundle-format.md, Time
	}
	data[at] ^= 1 << bit
	a.rewrite(path, data)
	return fmt.Sprintf("flip bit %d of byte %d of %s", bit, at, path)
}

func (a *attack) cut() string {
	path, data := a.file()
	if len(data) == 0 {
		return ""
	}
	n := a.IntN(len(data))
	a.rewrite(path, data[:n])
	return fmt.Sprintf("cut %s to %d bytes of %d", path, n, len(data))
}

func (a *attack) append() string {
	path, data := a.file()
	more := make([]byte, 1+a.IntN(300))
	for i := range more {
		more[i] = byte(a.Uint32())
	}
	a.rewrite(path, append(data, more...))
	return fmt.Sprintf("append %d bytes to %s", len(more), path)
}

func (a *attack) remove() string {
	path, _ := a.file()
	must(a.t, os.Remove(path))
	return "remove " + path
}

// swap gives two files each other's content.
func (a *attack) swap() string {
	one, x := a.file()
	two, y := a.file()
	if bytes.Equal(x, y) {
		return ""
	}
	a.rewrite(one, y)
	a.rewrite(two, x)
	return fmt.Sprintf("swap %s and %s", one, two)
}

// lined are the files that are lines.
func (a *attack) lined() (string, [][]byte) {
	for {
		path, data := a.file()
		if lines := bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")); len(lines) > 2 && (strings.HasSuffix(path, ".jsonl") || strings.HasSuffix(path, "SHA256SUMS")) {
			lines[len(lines)-1] = append(slices.Clone(lines[len(lines)-1]), '\n')
			return path, lines
		}
	}
}

func (a *attack) reorder() string {
	path, lines := a.lined()
	i, j := a.IntN(len(lines)), a.IntN(len(lines))
	if bytes.Equal(lines[i], lines[j]) {
		return ""
	}
	lines[i], lines[j] = lines[j], lines[i]
	a.rewrite(path, bytes.Join(lines, nil))
	return fmt.Sprintf("reorder lines %d and %d of %s", i+1, j+1, path)
}

// replay enters a line again.
func (a *attack) replay() string {
	path, lines := a.lined()
	if strings.Contains(path, "/journal/") {
		return "" // that is an append
	}
	i, at := a.IntN(len(lines)), a.IntN(len(lines)+1)
	a.rewrite(path, bytes.Join(slices.Insert(lines, at, lines[i]), nil))
	return fmt.Sprintf("replay line %d of %s at %d", i+1, path, at+1)
}

// splice puts a file of one bundle in the other.
func (a *attack) splice() string {
	from, to := a.pair()
	names := []string{"SHA256SUMS", "index.json", "seal/001-sshsig", "seal/002-dsse.json", "seal/002-dsse.pae", "seal/002-dsse.sig"}
	name := names[a.IntN(len(names))]
	a.rewrite(filepath.Join(to, name), read(a.t, filepath.Join(from, name)))
	return fmt.Sprintf("splice %s of %s into %s", name, from, to)
}

// spliceBlob puts a blob in the place of one of the other bundle.
func (a *attack) spliceBlob() string {
	from, to := a.pair()
	x, _ := filepath.Glob(from + "/blobs/sha256/*")
	y, _ := filepath.Glob(to + "/blobs/sha256/*")
	one, two := x[a.IntN(len(x))], y[a.IntN(len(y))]
	if filepath.Base(one) == filepath.Base(two) {
		return ""
	}
	a.rewrite(two, read(a.t, one))
	return fmt.Sprintf("splice blob %s over %s", one, two)
}

func (a *attack) pair() (from, to string) {
	i := a.IntN(2)
	return filepath.Join(a.dir, "evidence", a.f.bundles[i]), filepath.Join(a.dir, "evidence", a.f.bundles[1-i])
}

// exchange gives each bundle the other's name, or one of them both names.
func (a *attack) exchange() string {
	from, to := a.pair()
	if a.IntN(2) == 0 {
		must(a.t, os.RemoveAll(to))
		must(a.t, os.CopyFS(to, os.DirFS(from)))
		return fmt.Sprintf("exchange: %s is a copy of %s", to, from)
	}
	must(a.t, os.Rename(from, from+".x"))
	must(a.t, os.Rename(to, from))
	must(a.t, os.Rename(from+".x", to))
	return "exchange the bundles' names"
}

// add puts something where nothing was.
func (a *attack) add() string {
	where := []string{"seal/003-sshsig", "more", "blobs/sha256/" + strings.Repeat("0", 64), "blobs/sha256/x", "INCOMPLETE", "seal/009-dsse.json"}
	_, to := a.pair()
	name := where[a.IntN(len(where))]
	path := filepath.Join(to, name)
	if _, err := os.Lstat(path); err == nil || name == "INCOMPLETE" {
		return ""
	}
	a.rewrite(path, []byte("added\n"))
	return "add " + path
}

// older puts back the custody log as it was some entries ago: a whole one, that
// only the receipt can tell.
func (a *attack) older() string {
	path := filepath.Join(a.dir, "custody.jsonl")
	lines := bytes.SplitAfter(bytes.TrimSuffix(read(a.t, path), []byte("\n")), []byte("\n"))
	n := 1 + a.IntN(len(lines)-3) // the receipt was taken before the last look
	a.rewrite(path, bytes.Join(lines[:n], nil))
	return fmt.Sprintf("older: the custody log of entry %d", n)
}

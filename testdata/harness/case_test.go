package harness

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/encrypt"
	"amber/evidence/keys"
	"amber/evidence/record"
	"amber/evidence/timestamp/timestamptest"
	"amber/isolate"
)

// fixture is a case with all that one can hold, and what its auditor has of
// elsewhere.
type fixture struct {
	user
	dir     string   // the case
	bundles []string // ids
	streams []string // the same as tar files
	signers string   // an allowed_signers file
	receipt string   // of the custody log
	roots   string   // of the time-stamping authority
	who     string   // the signer's name
	logs    string   // what the timeline was made of
	tsa     string   // the authority's address

	// For acts on the case: another bundle's stream, more logs, another case, rules.
	third, more, other, rules, newcomer, offer string

	identity string // a custodian's
}

// newFixture makes a case with two time-stamped bundles, a journal, a timeline
// with findings, and a signed custody log.
func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{user: user{t.TempDir()}, who: "ana@laptop"}
	f.newKey(t)
	f.dir = filepath.Join(f.home, "case")
	f.amber(t, "case", "new", "--title", "harness", f.dir).want(t, "case new", 0)
	f.allow(t)
	for i, name := range []string{"20261122T033000Z-shop-abcdef", "20261122T034000Z-web-ghijkl"} {
		tar := filepath.Join(f.home, name+".tar")
		f.stream(t, tar, name, i)
		f.bundles, f.streams = append(f.bundles, name), append(f.streams, tar)
		f.amber(t, "evidence", "import", "--case", f.dir, "--from", "node1", tar).want(t, "import", 0)
	}
	f.stamp(t)
	f.journal(t)
	f.logs = filepath.Join(f.home, "audit.jsonl")
	write(t, f.logs, auditLog(40))
	f.amber(t, "timeline", "build", "--case", f.dir, f.logs).want(t, "timeline build", 0)
	f.amber(t, "case", "verify", "--case", f.dir).want(t, "case verify", 0)
	f.receipt = filepath.Join(f.home, "receipt")
	write(t, f.receipt, f.output(t, "evidence", "custody", "--case", f.dir, "--head"))
	return f
}

func (f *fixture) output(t testing.TB, args ...string) []byte {
	t.Helper()
	return []byte(f.amber(t, args...).want(t, strings.Join(args, " "), 0).text)
}

func (f *fixture) keyPath() string { return filepath.Join(f.home, ".config", "amber", "key") }

func (f *fixture) newKey(t testing.TB) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(f.keyPath()), 0o700))
	_, err := keys.New(f.keyPath(), []byte(passphrase), f.who)
	must(t, err)
}

func (f *fixture) unlock(t testing.TB) ssh.Signer {
	t.Helper()
	s, err := keys.Unlock(f.keyPath(), func() ([]byte, error) { return []byte(passphrase), nil })
	must(t, err)
	return s
}

// allow writes the list of signers that the auditor trusts, and names them in
// the case.
func (f *fixture) allow(t testing.TB) {
	t.Helper()
	statement, err := keys.StatementKey(f.keyPath())
	must(t, err)
	var lines []string
	for _, k := range []ssh.PublicKey{f.unlock(t).PublicKey(), statement} {
		line, err := keys.SignerLine(f.who, k)
		must(t, err)
		lines = append(lines, line)
	}
	f.signers = filepath.Join(f.home, "signers")
	write(t, f.signers, []byte(strings.Join(lines, "\n")+"\n"))
	cs, err := casedir.Open(f.dir)
	must(t, err)
	defer cs.Close()
	cs.Signer = f.unlock(t)
	must(t, cs.AddSigner(lines...))
}

// stream writes a bundle as a node would send it, encrypted to custodians where
// there are any.
func (f *fixture) stream(t testing.TB, to, id string, seed int, custodians ...string) {
	t.Helper()
	out, err := os.Create(to)
	must(t, err)
	defer out.Close()
	w, err := evidence.Stream(out, id)
	must(t, err)
	if len(custodians) > 0 {
		list, err := encrypt.Custodians(custodians, false)
		must(t, err)
		_, err = w.EncryptTo(list)
		must(t, err)
	}
	for _, name := range []string{"process", "filesystem"} {
		p, err := w.Payload(name)
		must(t, err)
		fill(t, p, name, seed)
	}
	s, err := w.Seal(&record.Acquisition{Argv: []string{"amber", "collect"}, Target: []byte("null"), Name: "containerd://x/shop", Start: taken, End: taken.Add(time.Second)}, evidence.SignWith(f.unlock(t)))
	must(t, err)
	if s.State != evidence.Sealed {
		t.Fatalf("%s is %s: %v", id, s.State, s.SignError)
	}
}

var taken = time.Date(2026, 11, 22, 3, 30, 0, 123456789, time.UTC)

func fill(t testing.TB, p *evidence.Payload, name string, seed int) {
	t.Helper()
	tmp := name + "/upper/tmp"
	add := func(m *record.Member, content string) {
		m.Mode, m.Mtime, m.Size = 0o644, taken, max(m.Size, int64(len(content)))
		must(t, p.Add(m, strings.NewReader(content)))
	}
	add(&record.Member{Path: tmp, Type: record.Dir}, "")
	add(&record.Member{Path: tmp + "/loot.txt", Type: record.File}, fmt.Sprintf("db_password=hunter%d\n", seed))
	add(&record.Member{Path: tmp + "/sparse", Type: record.File, Size: 1 << 20, Extents: []record.Extent{{Offset: 4096, Length: 512}}}, strings.Repeat("s", 512))
	add(&record.Member{Path: tmp + "/big", Type: record.File}, strings.Repeat(fmt.Sprintf("a line of a larger file, %d\n", seed), 60_000))
	for i := range 12 {
		add(&record.Member{Path: fmt.Sprintf("%s/many/%d", tmp, i), Type: record.File}, fmt.Sprint(i, seed))
	}
	must(t, p.Miss(name+"/gone", io.ErrUnexpectedEOF))
	must(t, p.Close())
}

// stamp has an authority of the test's own stamp the bundles.
func (f *fixture) stamp(t testing.TB) {
	t.Helper()
	a := timestamptest.New(t, time.Now().Add(24*time.Hour))
	f.tsa = a.URL
	f.roots = filepath.Join(f.home, "roots.pem")
	write(t, f.roots, a.Roots)
	for _, id := range f.bundles {
		f.amber(t, "evidence", "stamp", "--case", f.dir, "--tsa", a.URL, id).want(t, "stamp", 0)
	}
}

// journal leaves what an isolation would.
func (f *fixture) journal(t testing.TB) {
	t.Helper()
	plan := isolate.Plan{
		Method: "freeze", Target: "containerd://x/shop", Refs: []string{"containerd://x/shop"}, Made: taken,
		Steps: []isolate.Step{{ID: 1, Action: "pause", Object: "containerd://x/shop", What: "has the runtime pause it", Undo: "has the runtime resume it"}},
	}
	j, err := isolate.Begin(f.dir, plan, nil)
	must(t, err)
	must(t, j.Intend(plan.Steps...))
	must(t, j.Done(isolate.Outcome{ID: 1, Changed: true}))
	must(t, j.Finish(isolate.Receipt{Plan: plan, Start: taken, End: taken.Add(time.Second)}))
	must(t, j.Close())
	cs, err := casedir.Open(f.dir)
	must(t, err)
	defer cs.Close()
	cs.Signer = f.unlock(t)
	files, err := cs.Files(casedir.Journals...)
	must(t, err)
	_, err = cs.Log(custody.Entry{Action: "isolate", Result: "frozen", Files: files})
	must(t, err)
}

// auditLog is n requests, one of which a rule finds.
func auditLog(n int) []byte {
	var b strings.Builder
	for i := range n {
		verb, resource, name := "list", "pods", ""
		if i == n/2 {
			verb, resource, name = "create", "clusterrolebindings", `,"name":"b"`
		}
		fmt.Fprintf(&b, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"a%d","stage":"ResponseComplete","verb":%q,"user":{"username":"mallory"},"sourceIPs":["10.0.0.2"],"objectRef":{"resource":%q%s},"requestObject":{"roleRef":{"kind":"ClusterRole","name":"cluster-admin"}},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-11-22T02:%02d:00.000001Z","stageTimestamp":"2026-11-22T02:%02d:00.000009Z"}`+"\n", i, verb, resource, name, i%60, i%60)
	}
	return []byte(b.String())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(path, data, 0o600))
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

// copied is a copy of a case, beside others under dir.
func (f *fixture) copied(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(dir, "case")
	must(t, os.CopyFS(to, os.DirFS(f.dir)))
	return to
}

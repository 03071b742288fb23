package harness

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// act is a verb that writes, on a copy of the fixture's case.
type act struct {
	name   string
	args   func(f *fixture, dir string) []string
	prints string // a file beside the case that it makes, whole or not at all
	codes  []int  // with which it ends, undisturbed

	before func(t testing.TB, f *fixture, dir string) // makes of the copy what it wants; nil: nothing
}

// acts are the verbs that write into a case, or about it. Those that freeze and
// collect need containers: testdata/e2e kills these at every point.
var acts = []act{
	{name: "case new", args: func(_ *fixture, dir string) []string { return []string{"case", "new", dir + "-new"} }, prints: "case-new", codes: []int{0}},
	{"case merge", func(f *fixture, dir string) []string {
		return []string{"case", "merge", "--to", dir + "-merged", dir, f.other}
	}, "case-merged", []int{0}, nil},
	{"evidence import", func(f *fixture, dir string) []string { return []string{"evidence", "import", "--case", dir, f.third} }, "", []int{0}, nil},
	{"evidence sign", func(f *fixture, dir string) []string {
		return []string{"evidence", "sign", "--case", dir, f.bundles[1]}
	}, "", []int{0}, nil},
	{"evidence stamp", func(f *fixture, dir string) []string {
		return []string{"evidence", "stamp", "--case", dir, "--tsa", f.tsa, f.bundles[1]}
	}, "", []int{0}, nil},
	{"evidence verify", func(_ *fixture, dir string) []string { return []string{"evidence", "verify", "--case", dir} }, "", []int{0}, nil},
	{"case verify", func(_ *fixture, dir string) []string { return []string{"case", "verify", "--case", dir} }, "", []int{0}, nil},
	{"timeline build", func(f *fixture, dir string) []string { return []string{"timeline", "build", "--case", dir, f.more} }, "", []int{0}, nil},
	{"timeline build (bundles)", func(_ *fixture, dir string) []string { return []string{"timeline", "build", "--case", dir} }, "", []int{0}, nil},
	{"detect", func(f *fixture, dir string) []string { return []string{"detect", "--case", dir, "--rules", f.rules} }, "", []int{0}, nil},
	{"report", func(_ *fixture, dir string) []string {
		return []string{"report", "--case", dir, "--to", dir + "-report"}
	}, "case-report", []int{0}, nil},
	{"evidence extract", func(f *fixture, dir string) []string {
		return []string{"evidence", "extract", "--case", dir, "--to", dir + "-out", f.bundles[0]}
	}, "case-out", []int{0, 3}, nil},
	{"case signers add", func(f *fixture, dir string) []string {
		return []string{"case", "signers", "add", "--case", dir, f.newcomer}
	}, "", []int{0}, nil},
	{"evidence countersign", func(_ *fixture, dir string) []string {
		return []string{"evidence", "countersign", "--case", dir, "--entries", "all"}
	}, "", []int{0}, unsignedLooks},
	{"evidence transfer", func(_ *fixture, dir string) []string {
		return []string{"evidence", "transfer", "--case", dir, "--to", "bob@lab", "--reason", "analysis", "--authority", "IR-7", "--offer", dir + "-offer"}
	}, "case-offer", []int{0}, nil},
	{"evidence receive", func(f *fixture, dir string) []string {
		return []string{"evidence", "receive", "--case", dir, "--offer", f.offer, "--acknowledge", dir + "-receipt"}
	}, "case-receipt", []int{3}, nil},
	{"evidence certificate", func(f *fixture, dir string) []string {
		return []string{"evidence", "certificate", "--case", dir, "--to", dir + "-certificate"}
	}, "case-certificate", []int{0}, nil},
	{"evidence prove", func(f *fixture, dir string) []string {
		return []string{"evidence", "prove", "--case", dir, "--to", dir + "-proof", f.bundles[0], "process/upper/tmp/loot.txt"}
	}, "case-proof", []int{0}, nil},
	{"evidence cat", func(f *fixture, dir string) []string {
		return []string{"evidence", "cat", "--case", dir, f.bundles[0], "process/upper/tmp/loot.txt"}
	}, "", []int{0}, nil},
	{"timeline compact", func(_ *fixture, dir string) []string { return []string{"timeline", "compact", "--case", dir} }, "", []int{0}, moreLogs},
}

// prepare makes what the acts want beside the case.
func (f *fixture) prepare(t testing.TB) {
	t.Helper()
	f.third = filepath.Join(f.home, "third.tar")
	f.stream(t, f.third, "20261122T035000Z-cart-mnopqr", 7)
	f.more = filepath.Join(f.home, "more.jsonl")
	write(t, f.more, bytes.ReplaceAll(auditLog(20), []byte(`"auditID":"a`), []byte(`"auditID":"b`)))
	f.other = filepath.Join(f.home, "other")
	f.amber(t, "case", "new", f.other).want(t, "case new", 0)
	f.newSigner(t)
	f.offered(t)
	f.rules = filepath.Join(f.home, "rule.yml")
	write(t, f.rules, []byte("title: any list\nid: 00000000-0000-4000-8000-000000000001\nstatus: test\nlevel: low\nlogsource:\n  product: kubernetes\n  service: audit\ndetection:\n  sel:\n    verb: list\n  condition: sel\n"))
}

// TestFaults kills a verb at one of its steps a seed, or fills the disk under
// it. What was in the case before is there afterwards, unchanged, and the verb
// can be run again.
func TestFaults(t *testing.T) {
	f := newFixture(t)
	f.prepare(t)
	points := map[string]int{}
	begin := *first
	for seed := begin; seed < begin+int64(*seeds); seed++ {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		a := acts[r.IntN(len(acts))]
		w := newWorld(t, f, a, seed)
		if os.Geteuid() == 0 && r.IntN(4) == 0 {
			w.fill(r)
		} else {
			w.kill(r, points)
		}
		w.check()
		w.close()
		way := wayOf(w.did) + ": " + a.name
		if !t.Failed() {
			count(way, countRefused)
		} else {
			count(way, countFailed)
			t.Fatalf("seed %d: %s of %q\nagain: go test ./testdata/harness -run TestFaults -seeds 1 -first %d", seed, w.did, a.name, seed)
		}
	}
	if os.Geteuid() != 0 {
		t.Log("without root no disk was filled")
	}
}

// world is a copy of the case and one act on it.
type world struct {
	t     testing.TB
	f     *fixture
	a     act
	root  string // holds the case, and what is written beside it
	dir   string
	did   string
	log   []byte // the custody log as it was
	mount bool
}

func newWorld(t testing.TB, f *fixture, a act, seed int64) *world {
	t.Helper()
	w := &world{t: t, f: f, a: a, root: filepath.Join(f.home, fmt.Sprint("fault-", seed))}
	w.dir = filepath.Join(w.root, "case")
	must(t, os.Mkdir(w.root, 0o700))
	return w
}

func (w *world) copy() {
	w.t.Helper()
	w.f.copied(w.t, w.root)
	if w.a.before != nil {
		w.a.before(w.t, w.f, w.dir)
	}
	w.log = read(w.t, filepath.Join(w.dir, "custody.jsonl"))
}

func (w *world) close() {
	w.t.Helper()
	if w.mount {
		must(w.t, syscall.Unmount(w.root, syscall.MNT_DETACH))
	}
	must(w.t, os.RemoveAll(w.root))
}

// kill ends the act at one of its steps. How many these are is counted once.
func (w *world) kill(r *rand.Rand, points map[string]int) {
	w.t.Helper()
	w.copy()
	args := w.a.args(w.f, w.dir)
	n, known := points[w.a.name]
	if !known {
		list := filepath.Join(w.f.home, "points")
		w.f.run(w.t, []string{"AMBER_FAULT_LIST=" + list}, faultBin, args...).want(w.t, w.a.name, w.a.codes...)
		n = bytes.Count(read(w.t, list), []byte("\n"))
		points[w.a.name] = n
		must(w.t, os.RemoveAll(w.root))
		must(w.t, os.Mkdir(w.root, 0o700))
		w.copy()
	}
	if n == 0 {
		w.t.Fatalf("%s passes no fault point", w.a.name)
	}
	at := 1 + r.IntN(n)
	w.did = fmt.Sprintf("kill at step %d of %d", at, n)
	got := w.f.run(w.t, []string{fmt.Sprint("AMBER_FAULT_AT=", at)}, faultBin, args...)
	if !got.killed && !slices.Contains(w.a.codes, got.code) {
		w.t.Errorf("%s: exits %d\n%s", w.did, got.code, got.text)
	}
}

// fill gives the act a disk that ends somewhere within what it writes.
func (w *world) fill(r *rand.Rand) {
	w.t.Helper()
	must(w.t, syscall.Mount("tmpfs", w.root, "tmpfs", 0, "size=1g"))
	w.mount = true
	w.copy()
	var st syscall.Statfs_t
	must(w.t, syscall.Statfs(w.root, &st))
	room := int64(r.IntN(400)) << 10
	size := int64(st.Blocks-st.Bfree)*st.Bsize + room
	w.did = fmt.Sprintf("fill: %d KiB of room", room>>10)
	must(w.t, syscall.Mount("tmpfs", w.root, "tmpfs", syscall.MS_REMOUNT, fmt.Sprint("size=", size)))
	got := w.f.amber(w.t, w.a.args(w.f, w.dir)...)
	if got.code == 4 {
		w.t.Errorf("%s: a full disk is taken for a change\n%s", w.did, got.text)
	}
	must(w.t, syscall.Mount("tmpfs", w.root, "tmpfs", syscall.MS_REMOUNT, "size=1g"))
}

// check: nothing is lost, nothing is false, and it goes on.
func (w *world) check() {
	w.t.Helper()
	if now := read(w.t, filepath.Join(w.dir, "custody.jsonl")); !bytes.HasPrefix(now, w.log) {
		w.t.Errorf("%s: entries of the custody log were lost", w.did)
	}
	w.whole()
	w.half()
	again := w.a.args(w.f, w.dir)
	if w.a.prints != "" {
		must(w.t, os.RemoveAll(filepath.Join(w.root, w.a.prints)))
		must(w.t, os.RemoveAll(filepath.Join(w.root, w.a.prints+".merging")))
	}
	codes := append([]int{3}, w.a.codes...)
	if w.a.name == "evidence import" {
		codes = append(codes, 1) // it may be there already
	}
	w.f.amber(w.t, again...).want(w.t, w.did+": again: "+w.a.name, codes...)
	w.whole()
	w.unchanged()
}

// whole verifies the case: what a fault leaves may be unfinished, and is never
// taken for a change.
func (w *world) whole() {
	w.t.Helper()
	// A line that the fault has cut is put right by the next entry.
	w.f.amber(w.t, "evidence", "ls", "--case", w.dir, w.f.bundles[0]).want(w.t, w.did+": ls", 0)
	r := w.f.look(w.t, w.dir)
	if r.code != 0 && r.code != 3 {
		w.t.Errorf("%s of %s: verify exits %d\n%s", w.did, w.a.name, r.code, r.text)
	}
	for _, id := range w.f.bundles {
		if !strings.Contains(r.text, id) {
			w.t.Errorf("%s of %s: the bundle %s is gone", w.did, w.a.name, id)
		}
	}
}

// half looks at what the act was to make beside the case: it is not there, or
// it is whole.
func (w *world) half() {
	w.t.Helper()
	path := filepath.Join(w.root, "case-merged")
	if _, err := os.Lstat(path); w.a.name != "case merge" || errors.Is(err, os.ErrNotExist) {
		return
	}
	w.f.amber(w.t, "case", "verify", "--case", path).want(w.t, w.did+": the merged case", 0, 3)
}

// unchanged holds the bundles' sealed files against the fixture's.
func (w *world) unchanged() {
	w.t.Helper()
	for _, id := range w.f.bundles {
		for _, name := range []string{"SHA256SUMS", "index.json", "seal/001-sshsig", "seal/002-dsse.pae"} {
			was := read(w.t, filepath.Join(w.f.dir, "evidence", id, name))
			now, err := os.ReadFile(filepath.Join(w.dir, "evidence", id, name))
			if err != nil || !bytes.Equal(was, now) {
				w.t.Errorf("%s of %s: %s of %s is other than it was: %v", w.did, w.a.name, name, id, err)
			}
		}
	}
}

// TestTorn cuts, a seed each, the connection through which a bundle comes: what
// arrived is kept, is told to be unfinished, and is never taken for the whole.
func TestTorn(t *testing.T) {
	f := newFixture(t)
	f.prepare(t)
	whole := read(t, f.third)
	begin := *first
	for seed := begin; seed < begin+int64(*seeds); seed += 4 { // an import costs as much as four attacks
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		n := r.IntN(len(whole))
		if r.IntN(3) == 0 {
			n = len(whole) - 1 - r.IntN(4096) // the seal, and the end
		}
		f.torn(t, seed, whole, n)
		if t.Failed() {
			count("torn connection: evidence import", countFailed)
			return
		}
		count("torn connection: evidence import", countRefused)
	}
}

func (f *fixture) torn(t *testing.T, seed int64, whole []byte, n int) {
	t.Helper()
	root := filepath.Join(f.home, fmt.Sprint("torn-", seed))
	must(t, os.Mkdir(root, 0o700))
	defer os.RemoveAll(root)
	dir := f.copied(t, root)
	part := filepath.Join(root, "part")
	write(t, part, whole[:n])
	r := f.run(t, nil, "/bin/sh", "-c", `cat "$1" | "$0" evidence import --case "$2" -`, plainBin, part, dir)
	again := fmt.Sprintf("seed %d: cut at %d of %d\nagain: go test ./testdata/harness -run TestTorn -seeds 1 -first %d", seed, n, len(whole), seed)
	if r.code == 4 || r.code == 0 && n < len(whole)-1024 {
		t.Errorf("import exits %d; %s\n%s", r.code, again, r.text)
	}
	v := f.amber(t, "case", "verify", "--case", dir)
	if v.code != 3 && (v.code != 0 || r.code == 3) {
		t.Errorf("verify exits %d after an import that exits %d; %s\n%s", v.code, r.code, again, v.text)
	}
	f.run(t, nil, plainBin, "evidence", "ls", "--case", dir).want(t, "ls: "+again, 0)
	if v := f.look(t, dir); v.code == 4 {
		t.Errorf("a torn import is taken for a change; %s\n%s", again, v.text)
	}
}

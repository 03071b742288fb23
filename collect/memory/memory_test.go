package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect/process/proc"
	"amber/container/procfs"
	"amber/evidence/analyse"
	"amber/evidence/record"
)

func rss(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	return procfs.ParseStatus(b)["VmRSS"]
}

// All that a process has is found where it has it, once, and taking it gives it
// no page that it did not have.
func TestMemoryIsFoundAtItsAddress(t *testing.T) {
	pid, l := child(t)
	before := rss(t, pid)
	c, opts := only(Options{}, pid)
	k := take(t, c, opts)
	if after := rss(t, pid); after != before {
		t.Errorf("its resident memory went from %s to %s", before, after)
	}
	want := map[string][]string{
		secret: {place(pid, l.Secret)}, hidden: {place(pid, l.Hidden)},
		shared: {place(pid, min(l.Shared[0], l.Shared[1]))}, // of two mappings the first has it
		fives:  {place(pid, l.SystemV[0])}, sixth: {place(pid, l.SystemV[1])},
		far: {place(pid, l.Far[0]), place(pid, l.Far[1]), place(pid, l.Far[2])},
	}
	for word, places := range want {
		if got := k.find(reversed(word)); !slices.Equal(got, places) {
			t.Errorf("%q is at %q, want %q", reversed(word), got, places)
		}
	}
	r := k.recs[pid]
	if r == nil || r.Mapped < 1<<40 || r.Kept > 1<<30 || r.Core == "" {
		t.Errorf("record %+v", r)
	}
	if k.missed("/registers") == "" || r.Registers.Taken != 0 || r.Registers.Threads == 0 {
		t.Errorf("registers: %+v, misses %v", r.Registers, k.misses)
	}
	k.unreadable(pid, l)
}

// unreadable checks that the one page that the kernel gives nobody is a miss,
// and guard pages are none.
func (k *taken) unreadable(pid int, l layout) {
	for path, why := range k.misses {
		sealed := strings.HasPrefix(path, fmt.Sprintf("memory/%d/%x-", pid, l.Sealed))
		if !sealed && path != fmt.Sprintf("memory/%d/registers", pid) {
			k.t.Errorf("miss of %s: %s", path, why)
		}
		if sealed {
			l.Sealed = 0
		}
	}
	if l.Sealed != 0 {
		k.t.Errorf("no miss of the secret memory at %x: %v", l.Sealed, k.misses)
	}
}

func TestInjectedCodeIsListed(t *testing.T) {
	pid, l := child(t)
	c, opts := only(Options{}, pid)
	k := take(t, c, opts)
	at := map[uint64]record.Injected{}
	for _, j := range k.recs[pid].Injected {
		var start uint64
		_, err := fmt.Sscanf(j.Start, "%x", &start)
		must(t, err)
		at[start] = j
	}
	x := make([]byte, 8192)
	copy(x, "\x7fELF a thing that was injected")
	if j := at[l.Executable]; !slices.Contains(j.Why, "writable and executable") || !j.ELF || j.SHA256 != fmt.Sprintf("%x", sha256.Sum256(x)) ||
		len(j.Strings) != 1 || j.Strings[0] != "ELF a thing that was injected" {
		t.Errorf("writable and executable: %+v", j)
	}
	if j := at[l.Data]; !slices.Equal(j.Why, []string{"executable and no file's"}) || j.Bytes != 4096 {
		t.Errorf("executable: %+v", j)
	}
	if j := at[l.Patched]; !slices.Equal(j.Why, []string{"differs from its file"}) || j.Pages != 1 || !slices.Equal(j.Differs, []string{fmt.Sprintf("%x", l.Patched+4096)}) {
		t.Errorf("patched: %+v", j)
	}
	if len(at) != 3 {
		t.Errorf("%d are listed: %+v", len(at), at)
	}
	m, err := k.b.Lookup("memory/report.txt")
	must(t, err)
	r, err := k.b.Content(m)
	must(t, err)
	var text bytes.Buffer
	_, err = text.ReadFrom(r)
	must(t, err)
	if !strings.Contains(text.String(), at[l.Data].SHA256) {
		t.Errorf("the report does not name it:\n%s", text.String())
	}
}

// With --memory all the files that are mapped are there too, each once.
func TestAllTakesWhatFilesBack(t *testing.T) {
	pid, l := child(t)
	c, opts := only(Options{Mode: All}, pid)
	k := take(t, c, opts)
	exe, err := os.ReadFile(fmt.Sprintf("/proc/%d/exe", pid))
	must(t, err)
	middle := exe[1<<20:][:256]
	for bytes.Count(exe, middle) > 1 {
		middle = exe[len(exe)-cap(middle)+4096:][:256]
	}
	if got := k.find(middle); len(got) != 1 {
		t.Errorf("a piece of its text is at %q", got)
	}
	if got := k.find(reversed(secret)); len(got) != 1 || got[0] != place(pid, l.Secret) {
		t.Errorf("the secret is at %q", got)
	}
}

// A process that has gone, and one that goes while it is read, are misses; the
// others are taken.
func TestProcessesVanish(t *testing.T) {
	gone := exec.Command("true")
	must(t, gone.Run())
	pid, _ := child(t)
	c, opts := only(Options{}, pid, gone.Process.Pid)
	k := take(t, c, opts)
	if k.misses[fmt.Sprintf("memory/%d", gone.Process.Pid)] == "" {
		t.Errorf("misses %v", k.misses)
	}
	if len(k.find(reversed(secret))) != 1 {
		t.Error("the other was not taken")
	}
}

func TestProcessEndsWhileItIsRead(t *testing.T) {
	pid, _ := child(t)
	c, opts := only(Options{Timeout: time.Second}, pid)
	r := newRun(t.Context(), opts, c, nil)
	h, err := proc.Open(t.Context(), r.guard, pid)
	must(t, err)
	defer h.Close()
	s := newSubject(r, h, "memory/1")
	maps, err := s.readMaps(t.Context())
	must(t, err)
	must(t, s.open(t.Context()))
	list, _ := proc.ParseMaps(maps)
	must(t, unix.Kill(pid, unix.SIGKILL))
	for began := time.Now(); procfs.Alive(pid, h.Stat.Start); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it does not die")
		}
	}
	m := mapping{Mapping: list[len(list)-4]}
	f := &fetcher{mem: s.mem, pages: s.pages, files: s.files}
	if err := f.memory(&m, span{m.Start, m.Start + pageSize}, make([]byte, pageSize)); err == nil {
		t.Error("memory of a process that is gone was read")
	}
}

// What older kernels tell page by page is what newer ones tell by runs.
func TestPagemapOfOlderKernels(t *testing.T) {
	pid, l := child(t)
	h, err := proc.Open(t.Context(), proc.NewGuard(time.Second), pid)
	must(t, err)
	defer h.Close()
	fd, err := h.OpenMemory(t.Context(), "pagemap")
	must(t, err)
	defer unix.Close(fd)
	mem, err := h.OpenMemory(t.Context(), "mem")
	must(t, err)
	defer unix.Close(mem)
	b, err := h.Read(t.Context(), "maps", maxFile)
	must(t, err)
	list, bad := proc.ParseMaps(b)
	if bad > 0 || len(list) == 0 {
		t.Fatalf("%d mappings, %d bad", len(list), bad)
	}
	for _, m := range list {
		if m.End-m.Start > 1<<36 || m.Start >= 1<<63 {
			continue
		}
		newer, older := owned(t, &pagemap{fd: fd}, m), owned(t, &pagemap{fd: fd, old: true}, m)
		for at, own := range newer {
			if o, ok := older[at]; !ok || o != own {
				t.Errorf("%s: the page at %x is told by runs alone, or otherwise", m.Name, at)
			}
			delete(older, at)
		}
		for at := range older { // the zero page is told by older kernels alone
			b := make([]byte, pageSize)
			if _, err := unix.Pread(mem, b, int64(at)); err != nil || len(bytes.Trim(b, "\x00")) > 0 {
				t.Errorf("%s: the page at %x is not told by runs: %v", m.Name, at, err)
			}
		}
	}
	err = (&pagemap{fd: fd, old: true}).scan(span{l.Far[0], l.Far[0] + 1<<52}, func(pages) {})
	if err == nil {
		t.Error("an older kernel was asked for each of 2^40 pages")
	}
}

// owned are all pages by address, and whether they are the process's own.
func owned(t *testing.T, p *pagemap, m proc.Mapping) map[uint64]bool {
	t.Helper()
	all := map[uint64]bool{}
	must(t, p.scan(span{m.Start, m.End}, func(p pages) {
		for at := p.start; at < p.end; at += pageSize {
			all[at] = p.own
		}
	}))
	return all
}

func TestModes(t *testing.T) {
	for s, want := range map[string]Mode{"none": None, "some": Some, "all": All} {
		if m, err := ParseMode(s); m != want || err != nil {
			t.Errorf("%s: %s %v", s, m, err)
		}
	}
	if _, err := ParseMode("much"); err == nil {
		t.Error("any mode is taken")
	}
	pid, _ := child(t)
	c, opts := only(Options{Mode: None}, pid)
	k := take(t, c, opts)
	if len(k.b.Payloads()) != 1 || len(k.recs) != 0 {
		t.Errorf("with none there are %v", k.recs)
	}
}

func TestClaims(t *testing.T) {
	r := &run{taken: map[fileKey]*claims{}}
	k := fileKey{inode: 1}
	for _, step := range []struct {
		ask  span
		free []span
		in   string
	}{
		{span{10, 20}, []span{{10, 20}}, ""},
		{span{30, 40}, []span{{30, 40}}, ""},
		{span{0, 50}, []span{{0, 10}, {20, 30}, {40, 50}}, "a"},
		{span{5, 45}, nil, "a"},
		{span{45, 60}, []span{{50, 60}}, "a"},
	} {
		free, in := r.claim(k, step.ask, "a")
		if !slices.Equal(free, step.free) || in != step.in {
			t.Errorf("%v: %v %q", step.ask, free, in)
		}
	}
	if free, _ := r.claim(fileKey{inode: 2}, span{10, 20}, "a"); len(free) != 1 {
		t.Error("files are taken for one another")
	}
}

// A core of more segments than a program header's count can say.
func TestMoreSegmentsThanTheHeaderCounts(t *testing.T) {
	const n = 70_000
	p := plan{mappings: make([]mapping, n)}
	for i := range p.mappings {
		start := uint64(i) * 2 * pageSize
		p.mappings[i].Mapping = proc.Mapping{Start: start, End: start + pageSize, Perms: "rw-p"}
		p.mappings[i].pieces = []span{{start, start + pageSize}}
	}
	head, err := p.header(appendNote(nil, ntAuxv, []byte("12345")))
	must(t, err)
	if uint64(len(head))%pageSize != 0 {
		t.Errorf("memory begins at %d", len(head))
	}
	size := int64(len(head)) + n*int64(pageSize)
	c, err := analyse.ReadCore(sparse{head}, size)
	must(t, err)
	for _, i := range []int{0, 1, 65534, 65535, n - 1} {
		want := uint64(i)*2*pageSize + 5
		if got, ok := c.Address(int64(len(head))+int64(i)*int64(pageSize)+5, 10); got != want || !ok {
			t.Errorf("segment %d: %x %v", i, got, ok)
		}
	}
	if _, ok := c.Address(int64(len(head))+int64(pageSize)-5, 10); ok {
		t.Error("two segments that do not follow one another are one")
	}
}

// sparse is bytes with zeros behind them.
type sparse struct{ b []byte }

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(s.b)) {
		copy(p, s.b[off:])
	}
	return len(p), nil
}

// Scattered pages are left out beyond a bound, and that is said.
func TestScatteredPages(t *testing.T) {
	s := &subject{run: &run{}}
	s.plan.count = mostPieces - 1
	c := chooser{s: s, m: &mapping{}}
	for i := range uint64(3) {
		c.want(span{i << 20, i<<20 + pageSize})
	}
	if err := c.finish(); err == nil || len(c.m.pieces) != 1 || c.m.rec.Kept != pageSize {
		t.Errorf("%v %v", err, c.m.pieces)
	}
}

func TestPiecesNearOneAnotherAreOne(t *testing.T) {
	s := &subject{run: &run{}}
	c := chooser{s: s, m: &mapping{}, data: []span{{0, 8192}, {1 << 30, 1<<30 + 4096}}}
	c.want(span{4096, 12288})
	c.want(span{12288 + gap, 12288 + gap + 4096})
	c.want(span{1 << 25, 1<<25 + 4096})
	must(t, c.finish())
	want := []span{{0, 12288 + gap + 4096}, {1 << 25, 1<<25 + 4096}, {1 << 30, 1<<30 + 4096}}
	if !slices.Equal(c.m.pieces, want) {
		t.Errorf("%x", c.m.pieces)
	}
}

// A read that hangs ends the core with a note and a miss, and the collection
// goes on.
func TestAReadThatHangs(t *testing.T) {
	r := &reader{
		ctx: context.Background(), timeout: 20 * time.Millisecond, full: make(chan chunk), free: make(chan []byte, 1),
		quit: make(chan struct{}), ended: make(chan struct{}), fetch: &fetcher{},
	}
	if _, err := r.Read(make([]byte, 10)); err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
	if !r.stop() {
		t.Error("nobody says that it hangs")
	}
}

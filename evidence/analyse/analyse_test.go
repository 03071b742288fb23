package analyse

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence"
	"amber/evidence/record"
)

// piece is memory of a core.
type piece struct {
	addr uint64
	data []byte
}

// coreOf is a core as collect/memory writes it.
func coreOf(pieces ...piece) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	h := elf.Header64{Type: uint16(elf.ET_CORE), Phoff: 64, Phentsize: phdrSize, Phnum: uint16(len(pieces))}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	put(h)
	at := uint64(64 + phdrSize*len(pieces))
	for _, p := range pieces {
		put(elf.Prog64{Type: uint32(elf.PT_LOAD), Off: at, Vaddr: p.addr, Filesz: uint64(len(p.data)), Memsz: uint64(len(p.data)) + 99})
		at += uint64(len(p.data))
	}
	for _, p := range pieces {
		b.Write(p.data)
	}
	return b.Bytes()
}

// bundle writes members, sorted by path, and gives what opens it.
func bundle(t testing.TB, members map[string][]byte) func() (*evidence.Bundle, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "b")
	w, err := evidence.Create(dir, "b", 1<<20)
	must(t, err)
	var paths []string
	for p := range members {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	payloads := map[string]*evidence.Payload{}
	for _, path := range paths {
		name, _, _ := strings.Cut(path, "/")
		if payloads[name] == nil {
			payloads[name], err = w.Payload(name)
			must(t, err)
		}
		m := &record.Member{Path: path, Type: record.File, Size: int64(len(members[path]))}
		must(t, payloads[name].Add(m, bytes.NewReader(members[path])))
	}
	for _, p := range payloads {
		must(t, p.Close())
	}
	_, err = w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil)
	must(t, err)
	return func() (*evidence.Bundle, error) { return evidence.Open(dir) }
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// look searches, and gives each hit as PID:ADDRESS:MATCH or MEMBER+OFFSET:MATCH.
func look(t *testing.T, open func() (*evidence.Bundle, error), pattern string, o Options) (hits []string, s Searched) {
	t.Helper()
	p, err := ParsePattern(pattern)
	must(t, err)
	s, err = Search(context.Background(), open, p, o, func(h Hit) error {
		if h.PID != 0 {
			hits = append(hits, fmt.Sprintf("%d:%x:%s", h.PID, h.Address, h.Match))
		} else {
			hits = append(hits, fmt.Sprintf("%s+%d:%s", h.Member, h.Offset, h.Match))
		}
		return nil
	})
	must(t, err)
	return hits, s
}

func TestSearch(t *testing.T) {
	big := make([]byte, 2*chunk+100)
	header := 64 + 2*phdrSize
	first := chunk - header - 3 // across the first two parts
	copy(big[first:], "needle")
	copy(big[2*chunk+50:], "NEEDLE")
	open := bundle(t, map[string][]byte{
		"memory/7/core":      coreOf(piece{0x1000, big}, piece{0x7000_0000_0000, []byte("needle at the front, and nee")}),
		"memory/8/core":      coreOf(piece{0x1000, []byte("xxnee")}, piece{0x1005, []byte("dlexx")}, piece{0x9000, []byte("nee")}, piece{0xa000, []byte("dle")}),
		"filesystem/a":       []byte("a needle in a file"),
		"memory/report.txt":  []byte("needle"),
		"memory/9/core":      []byte("no core of needles"),
		"memory/x/core":      []byte("needle"),
		"process/1/environ":  []byte("A=needle\x00"),
		"memory/7/core/rest": []byte("needle"),
	})
	memory := []string{fmt.Sprintf("7:%x:needle", 0x1000+first), "7:700000000000:needle", "8:1002:needle"}
	hits, s := look(t, open, "needle", Options{})
	if !slices.Equal(hits, memory) {
		t.Errorf("hits %q", hits)
	}
	if len(s.Failed) != 1 || s.Failed["memory/9/core"] == nil || s.Hits != 3 || s.Members != 3 {
		t.Errorf("%+v", s)
	}
	for _, pattern := range []string{"hex:6e 65 65 64 6c 65", "/needl[e]/", "text:needle"} {
		if got, _ := look(t, open, pattern, Options{}); !slices.Equal(got, memory) {
			t.Errorf("%s: %q", pattern, got)
		}
	}
	if got, _ := look(t, open, "/(?i)needle/", Options{Workers: 1}); len(got) != 4 {
		t.Errorf("any case: %q", got)
	}
	got, _ := look(t, open, "needle", Options{All: true})
	if len(got) != 8 || !slices.Contains(got, "filesystem/a+2:needle") || !slices.Contains(got, "process/1/environ+2:needle") {
		t.Errorf("all: %q", got)
	}
	if got, s := look(t, open, "needle", Options{Most: 1}); len(got) != 1 || s.Hits != 3 {
		t.Errorf("at most one: %q %+v", got, s)
	}
}

func TestSearchShowsWhatIsAround(t *testing.T) {
	data := make([]byte, chunk+1000)
	at := chunk - 64 - phdrSize + 2 // the second part begins two bytes before
	copy(data[at-6:], "before"+"match"+"after")
	open := bundle(t, map[string][]byte{"memory/1/core": coreOf(piece{0, data})})
	p, err := ParsePattern("match")
	must(t, err)
	n := 0
	_, err = Search(context.Background(), open, p, Options{Context: 6}, func(h Hit) error {
		n++
		if string(h.Before) != "before" || string(h.Match) != "match" || string(h.After) != "after\x00" || h.Length != 5 {
			t.Errorf("%q %q %q", h.Before, h.Match, h.After)
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("%d hits, %v", n, err)
	}
	stop := errors.New("enough")
	if _, err := Search(context.Background(), open, p, Options{}, func(Hit) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Search(ended, open, p, Options{}, func(Hit) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNoMemory(t *testing.T) {
	open := bundle(t, map[string][]byte{"process/1/environ": []byte("A=b\x00")})
	p, err := ParsePattern("x")
	must(t, err)
	if _, err := Search(context.Background(), open, p, Options{}, nil); !errors.Is(err, ErrNoMemory) {
		t.Errorf("got %v", err)
	}
	b, err := open()
	must(t, err)
	defer b.Close()
	if err := Strings(context.Background(), b, "", 0, 4, nil); !errors.Is(err, ErrNoMemory) {
		t.Errorf("got %v", err)
	}
}

func TestBadPatterns(t *testing.T) {
	for _, s := range []string{"", "hex:", "hex:6", "hex:zz", "/(/", "/a*/", "text:", strings.Repeat("a", MaxMatch+1)} {
		if p, err := ParsePattern(s); err == nil {
			t.Errorf("%.20q is taken: %v", s, p)
		}
	}
}

func TestStrings(t *testing.T) {
	long := bytes.Repeat([]byte("l"), 3<<20)
	open := bundle(t, map[string][]byte{
		"memory/1/core": coreOf(piece{0x1000, []byte("\x00\x01hello\x00abc\x00\x00w\x00i\x00d\x00e\x00r\x00\x00\x00tail!")}, piece{0x8001, []byte("o\x00d\x00d\x00l\x00y\x00")}),
		"memory/2/core": coreOf(piece{0x1000, long}),
	})
	b, err := open()
	must(t, err)
	defer b.Close()
	var got []string
	must(t, Strings(context.Background(), b, "", 1, 5, func(s String) error {
		got = append(got, fmt.Sprintf("%d %x %s %v", s.PID, s.Address, s.Text, s.Wide))
		return nil
	}))
	if want := []string{"1 1002 hello false", "1 100d wider true", "1 1019 tail! false", "1 8001 oddly true"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	n := 0
	must(t, Strings(context.Background(), b, "", 2, 5, func(s String) error {
		if n++; len(s.Text) != mostText || s.Address != 0x1000 {
			t.Errorf("%d bytes at %x", len(s.Text), s.Address)
		}
		return nil
	}))
	if n != 1 {
		t.Errorf("one string is %d", n)
	}
}

func TestProcessesAndWhatTheyHold(t *testing.T) {
	line := func(v any) []byte { b, _ := json.Marshal(v); return append(b, '\n') }
	a := record.Process{PID: 5, PPID: 1, Comm: "a\xff", Files: []record.OpenFile{{FD: 3, Type: "socket", Inode: 77}}}
	open := bundle(t, map[string][]byte{
		"process/processes.jsonl":       append(line(record.Process{PID: 9, PPID: 5}), line(a)...),
		"process/processes-0002.jsonl":  append([]byte("{no json\n"), line(record.Process{PID: 6, PPID: 5})...),
		"process/processes-x.jsonl":     line(record.Process{PID: 1000}),
		"process/5/environ":             []byte("A=1\x00B=\xff\x00\x00\x00"),
		"network/sockets.jsonl":         line(record.NetSocket{Family: "inet", Inode: 77}),
		"network/unlisted.jsonl":        line(record.NetSocket{Family: "unix"}),
		"network/netns/4/sockets.jsonl": line(record.NetSocket{Family: "unix"}),
		"network/host/sockets.jsonl":    line(record.NetSocket{Family: "inet"}),
		"memory/processes.jsonl":        line(record.MemoryProcess{PID: 5}),
		"memory/mappings.jsonl":         append(line(record.MemoryMapping{PID: 5}), line(record.MemoryMapping{PID: 6})...),
	})
	b, err := open()
	must(t, err)
	defer b.Close()
	all, bad := Processes(b, "")
	if len(all) != 3 || len(bad) != 1 {
		t.Fatalf("%+v %v", all, bad)
	}
	var tree []string
	for _, n := range Tree(all) {
		tree = append(tree, fmt.Sprint(n.Depth, " ", n.PID))
	}
	if !slices.Equal(tree, []string{"0 5", "1 6", "1 9"}) {
		t.Errorf("tree %q", tree)
	}
	if o := Owners(all)[77]; len(o) != 1 || o[0].PID != 5 || o[0].FD != 3 || o[0].Comm != "a\xff" {
		t.Errorf("owners %+v", o)
	}
	env, err := Environ(b, "", 5)
	if err != nil || !slices.Equal(env, []record.Text{"A=1", "B=\xff"}) {
		t.Errorf("%q %v", env, err)
	}
	if _, err := Environ(b, "", 6); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	sockets := 0
	for s, err := range Sockets(b, "") {
		must(t, err)
		if s.Family == "inet" || s.Family == "unix" {
			sockets++
		}
	}
	memories, bad1 := Memories(b)
	mappings, bad2 := Mappings(b, "", 5)
	if sockets != 3 || len(memories) != 1 || len(mappings) != 1 || len(bad1)+len(bad2) > 0 {
		t.Errorf("%d sockets, %d memories, %d mappings", sockets, len(memories), len(mappings))
	}
}

// Loops, which no kernel makes, and a chain as long as there are processes.
func TestTreesThatNoKernelMakes(t *testing.T) {
	loop := []*record.Process{{PID: 1, PPID: 2}, {PID: 2, PPID: 1}, {PID: 3, PPID: 3}}
	if n := Tree(loop); len(n) != 3 {
		t.Errorf("%d of a loop", len(n))
	}
	var chain []*record.Process
	for i := range 100_000 {
		chain = append(chain, &record.Process{PID: i + 1, PPID: i})
	}
	if n := Tree(chain); len(n) != len(chain) || n[len(n)-1].Depth != len(chain)-1 {
		t.Errorf("%d of a chain", len(n))
	}
}

func FuzzCore(f *testing.F) {
	good := coreOf(piece{0x1000, []byte("abc")}, piece{0x2000, []byte("defg")})
	f.Add(good)
	f.Add(good[:100])
	many := bytes.Clone(good)
	binary.LittleEndian.PutUint16(many[56:], extended)
	binary.LittleEndian.PutUint64(many[40:], 64)
	f.Add(many)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadCore(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for i, l := range c.loads {
			if l.off < 0 || l.size <= 0 || l.off+l.size > int64(len(b)) {
				t.Errorf("%+v is outside of %d bytes", l, len(b))
			}
			if i > 0 && c.loads[i-1].off+c.loads[i-1].size > l.off {
				t.Errorf("%+v is twice", l)
			}
			if a, ok := c.Address(l.off, 1); !ok || a != l.addr {
				t.Errorf("%+v: %x %v", l, a, ok)
			}
			if _, ok := c.Address(l.off, int(l.size)+1); ok {
				t.Errorf("%+v has more than it has", l)
			}
		}
		c.Address(int64(len(b)), 1)
	})
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a", "hex:6162", "/a+b?/", "text:/", "/(?i)é|x/"} {
		f.Add(s, []byte("xaabA\xff\x00ab"))
	}
	f.Fuzz(func(t *testing.T, s string, b []byte) {
		p, err := ParsePattern(s)
		if err != nil {
			return
		}
		last := 0
		p.each(b, len(b), func(from, to int) bool {
			if from < last || to < from || to > len(b) {
				t.Errorf("%d to %d after %d of %d", from, to, last, len(b))
			}
			last = max(to, from+1)
			return true
		})
	})
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("ab\x00c\x00d\x00e\x00fgh"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		var got [2][]string
		for i, at := range []int{len(b), max(0, min(cut, len(b)))} {
			s := scanner{least: 2, give: func(a uint64, text []byte, wide bool) error {
				if int(a) >= len(b) || b[a] != text[0] {
					t.Errorf("%q is not at %d", text, a)
				}
				got[i] = append(got[i], fmt.Sprint(a, string(text), wide))
				return nil
			}}
			must(t, s.scan(0, b[:at]))
			must(t, s.scan(uint64(at), b[at:]))
			must(t, s.end())
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%q in one, %q in two pieces", got[0], got[1])
		}
	})
}

// BenchmarkSearch is of memory that compresses as programs' does, in a bundle
// that the system has cached.
func BenchmarkSearch(b *testing.B) {
	data := make([]byte, 512<<20)
	for i := 0; i < len(data); i += 64 {
		copy(data[i:], fmt.Sprintf("object %d of kind %x", i, i*2654435761))
	}
	open := bundle(b, map[string][]byte{"memory/1/core": coreOf(piece{0, data})})
	for _, pattern := range []string{"a secret that is nowhere", "/secret that is n[o]where/"} {
		b.Run(pattern[:1], func(b *testing.B) {
			p, err := ParsePattern(pattern)
			must(b, err)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_, err := Search(context.Background(), open, p, Options{}, func(Hit) error { return nil })
				must(b, err)
			}
		})
	}
}

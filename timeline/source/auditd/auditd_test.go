package auditd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestRecords(t *testing.T) {
	data, err := os.ReadFile("testdata/records.log")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	c := read(t, data, func(e *timeline.Event) { out.WriteString(dump(e) + "\n") })
	golden(t, "testdata/records.golden", out.String())
	if c.records != bytes.Count(data, []byte("\n")) {
		t.Errorf("%d records of %d lines", c.records, bytes.Count(data, []byte("\n")))
	}
	want := []string{"no event", "no event", "empty", "no event", "bad time", "bad syntax", "bad syntax", "not text"}
	for i, r := range want {
		if r == "no event" {
			want[i] = string(timeline.Header)
		}
	}
	if !slices.Equal(c.reasons, want) {
		t.Errorf("reasons %q, want %q", c.reasons, want)
	}
}

// Any order of an event's lines gives the same event, its name included.
func TestOrderDoesNotMatter(t *testing.T) {
	data, err := os.ReadFile("testdata/records.log")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	facts := func(lines [][]byte) []string {
		var out []string
		read(t, bytes.Join(lines, nil), func(e *timeline.Event) {
			all := strings.Split(dump(e), "\n")
			slices.Sort(all)
			out = append(out, strings.Join(all, "\n"))
		})
		slices.Sort(out)
		return out
	}
	// Of the last lines two AVC records share an event and tell their fields apart by their order.
	single := slices.DeleteFunc(slices.Clone(lines), func(l []byte) bool { return bytes.Contains(l, []byte(":5006)")) })
	forward := facts(single)
	slices.Reverse(single)
	if backward := facts(single); !slices.Equal(forward, backward) {
		for i := range forward {
			if forward[i] != backward[i] {
				t.Fatalf("forward:\n%s\nbackward:\n%s", forward[i], backward[i])
			}
		}
	}
}

// A line that stands twice in a file does not say its fields twice.
func TestRepeatedLines(t *testing.T) {
	data, err := os.ReadFile("testdata/records.log")
	if err != nil {
		t.Fatal(err)
	}
	first := data[:bytes.Index(data, []byte("\nnode="))+1]
	var once, twice []string
	read(t, first, func(e *timeline.Event) { once = append(once, dump(e)) })
	read(t, append(slices.Clone(first), first...), func(e *timeline.Event) { twice = append(twice, dump(e)) })
	if !slices.Equal(once, twice) || len(once) != 2 {
		t.Errorf("once:\n%s\ntwice:\n%s", once, twice)
	}
}

// What comes too late to be joined ranks below the event that it belongs to, and
// has its id.
func TestLateRecords(t *testing.T) {
	lines := []string{
		`type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 items=1 pid=1`,
		`type=PATH msg=audit(1.000:1): item=0 name="/bin/x" nametype=NORMAL`,
		`type=CWD msg=audit(1.000:1): cwd="/"`,
	}
	part := func(lines ...string) (part uint8, id string) {
		read(t, []byte(strings.Join(lines, "\n")), func(e *timeline.Event) { part, id = e.Part, string(e.ID) })
		return part, id
	}
	early, id := part(lines[0])
	late, lateID := part(lines[1:]...)
	whole, wholeID := part(lines...)
	if late >= early || early >= whole || id != lateID || id != wholeID {
		t.Errorf("parts %d, %d, %d; ids %q, %q, %q", early, late, whole, id, lateID, wholeID)
	}
}

// What an overlay file system does on its upper layer has no names, and comes
// behind what the call was about.
func TestOverlayPaths(t *testing.T) {
	for what, lines := range map[string][]string{
		"/var/log/wtmp": {
			`type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=87 success=yes exit=0 items=4 pid=1`,
			`type=CWD msg=audit(1.000:1): cwd="/"`,
			`type=PATH msg=audit(1.000:1): item=0 name="/var/log/" nametype=PARENT`,
			`type=PATH msg=audit(1.000:1): item=1 name="/var/log/wtmp" nametype=DELETE`,
			`type=PATH msg=audit(1.000:1): item=2 name=(null) nametype=PARENT`,
			`type=PATH msg=audit(1.000:1): item=3 name=(null) nametype=CREATE`,
		},
		"/tmp/new": {
			`type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=257 success=yes exit=3 items=4 pid=1`,
			`type=CWD msg=audit(1.000:1): cwd="/"`,
			`type=PATH msg=audit(1.000:1): item=0 name="/tmp/" nametype=PARENT`,
			`type=PATH msg=audit(1.000:1): item=1 name=(null) nametype=CREATE`,
			`type=PATH msg=audit(1.000:1): item=2 name="/tmp/old" nametype=DELETE`,
			`type=PATH msg=audit(1.000:1): item=3 name="/tmp/new" nametype=CREATE`,
		},
	} {
		read(t, []byte(strings.Join(lines, "\n")), func(e *timeline.Event) {
			if got := dump(e); !strings.Contains(got, "file.path: \""+what+"\"") {
				t.Errorf("%s is not what the event is about:\n%s", what, got)
			}
		})
	}
}

// A record longer than any is rejected alone; one with more fields than any keeps
// the rest as text.
func TestBounds(t *testing.T) {
	head := "type=USER_CMD msg=audit(1.000:1): "
	good := "type=KERNEL msg=audit(1.000:2): initialized\n"
	c := read(t, []byte(head+strings.Repeat("a", maxRecord)+"\n"+good), func(*timeline.Event) {})
	if c.events != 1 || !slices.Equal(c.reasons, []string{string(timeline.Oversize)}) {
		t.Errorf("%+v", c)
	}
	var fields strings.Builder
	for i := range maxFields + 10 {
		fields.WriteString(" f" + strconv.Itoa(i) + "=x")
	}
	read(t, []byte(head+fields.String()+"\n"), func(e *timeline.Event) {
		if n := len(e.Extras()); n != maxFields+3 || !strings.Contains(dump(e), "f"+strconv.Itoa(maxFields+9)+"=x") {
			t.Errorf("%d fields", n)
		}
	})
}

func TestSniff(t *testing.T) {
	data, err := os.ReadFile("testdata/records.log")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		string(data):                            true,
		"----\ntime->x\n" + string(data[:4000]): true,
		"node=a type=EOE msg=audit(1.000:1):":   true,
		`{"process_exec":{"process":{"binary":"type=SYSCALL msg=audit(1.000:1): "}}}`: false,
		`{"rule":"x","priority":"Notice","output_fields":{}}`:                         false,
		`{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`:                             false,
		"Nov 14 22:13:20 web-1 sshd[1]: Accepted password for root":                   false,
		"type=what\n": false, "": false, "\x00\x01\x02": false,
	} {
		if got := (Source{}).Sniff([]byte(text), ""); (got > 50) != want || !want && got != 0 {
			t.Errorf("%.40q: %d", text, got)
		}
	}
}

// The names of system calls are those of audit's own tables, where it has them.
func TestSyscallsAgainstAusyscall(t *testing.T) {
	if _, err := exec.LookPath("ausyscall"); err != nil {
		t.Skip("ausyscall (package auditd) is not installed")
	}
	// Names that glibc gives to calls which the kernel's headers name otherwise.
	alias := map[string]string{
		"pread": "pread64", "pwrite": "pwrite64", "getdents": "getdents64", "newfstat": "fstat", "sys_kexec_load": "kexec_load", "sched_rr_get_interval64": "sched_rr_get_interval_time64",
		"llseek": "_llseek", "newselect": "_newselect", "sysctl": "_sysctl", "fadvise64_64": "arm_fadvise64_64", "sync_file_range": "arm_sync_file_range",
	}
	for arch := range tables() {
		out, err := exec.Command("ausyscall", arch, "--dump").Output()
		if err != nil {
			continue
		}
		checked := 0
		for line := range strings.Lines(string(out)) {
			number, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got := syscallName(arch, []byte(number))
			if _, err := strconv.Atoi(number); err != nil || got == name || got == alias[name] {
				checked++
				continue
			}
			t.Errorf("%s %s is %s, ausyscall says %s", arch, number, got, name)
		}
		t.Logf("%s: %d names agree", arch, checked)
	}
}

// Every line of the recorded logs is in an event; an event is a distinct stamp,
// counted without this package.
func TestRecordedLogs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sourcetest.Data(t, "auditd"), "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if (Source{}).Sniff(data[:min(len(data), 64<<10)], name) < 90 {
			t.Errorf("%s is not recognised", name)
		}
		out, err := exec.Command("sh", "-c", `sed 's/.*msg=audit(\([^)]*\)).*/\1/' "$1" | sort -u | wc -l`, "sh", name).Output()
		if err != nil {
			t.Skipf("no independent counter: %v", err)
		}
		want, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatal(err)
		}
		c := read(t, data, func(*timeline.Event) {})
		if c.events != want || c.rejected != 0 || c.records != bytes.Count(data, []byte("\n")) {
			t.Errorf("%s: %+v, want %d events", name, c, want)
		}
		t.Logf("%s: %d records, %d events", filepath.Base(name), c.records, c.events)
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/records.log")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		f.Add(line)
	}
	f.Add(data[:3000])
	closed := []timeline.Reason{timeline.BadSyntax, timeline.TimeInvalid, timeline.NotText, timeline.Oversize, timeline.Empty, timeline.Header}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := read(t, data, func(e *timeline.Event) {
			if e.Time == timeline.NoTime || len(e.ID) == 0 || !e.Has(timeline.EventAction) {
				t.Errorf("an event without its time, id or action: %s", dump(e))
			}
		})
		if c.records > 0 && c.events+c.skipped+c.rejected == 0 {
			t.Errorf("%d records are gone: %+v", c.records, c)
		}
		for _, r := range c.reasons {
			if !slices.Contains(closed, timeline.Reason(r)) {
				t.Errorf("reason %q", r)
			}
		}
	})
}

func BenchmarkJoin(b *testing.B) {
	data, err := os.ReadFile("testdata/records.log")
	if err != nil {
		b.Fatal(err)
	}
	data = data[:bytes.Index(data, []byte("type=USER_LOGIN"))]
	p := Source{}.NewParser().(timeline.Joiner)
	groups := map[string][]timeline.Record{}
	records := 0
	for rec, err := range (Source{}).Records(b.Context(), bytes.NewReader(data)) {
		if err != nil {
			b.Fatal(err)
		}
		key, _ := p.Key(rec)
		rec.Data = slices.Clone(rec.Data)
		groups[string(key)] = append(groups[string(key)], rec)
		records++
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		for _, g := range groups {
			if err := p.Join(g, func(*timeline.Event) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

package journalfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/journald"
	"amber/timeline/source/sourcetest"
)

// TestCorpus holds the files of the corpus to the writer that made them.
func TestCorpus(t *testing.T) {
	torn := journal(t, false)
	at := torn.add(1795352711000000, "MESSAGE=torn off", "_HOSTNAME=node-1")
	whole := torn.file()
	whole[16] = online
	cut := append([]byte{}, whole[:at+40]...) // in the middle of the last entry
	hole := append([]byte{}, whole...)
	second := bytes.Index(hole, []byte("Accepted publickey"))
	copy(hole[second-48:], make([]byte, 48)) // the header of a field, and the field's hash
	for name, want := range map[string][]byte{
		"regular.journal": journal(t, false).file(), "compact.journal": journal(t, true).file(),
		"torn.journal": cut, "hole.journal": hole,
	} {
		path := filepath.Join("testdata", name)
		if os.Getenv("AMBER_WRITE_CORPUS") != "" {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the writer makes (AMBER_WRITE_CORPUS=1 writes it), %v", path, err)
		}
	}
}

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

// FuzzObject breaks a good file in one place: what is behind it is still read,
// and nothing is counted twice.
func FuzzObject(f *testing.F) {
	whole := journal(f, true).file()
	f.Add(uint16(300), []byte{0xff})
	f.Add(uint16(1200), []byte{3, 0, 0, 0, 0, 0, 0, 0, 64})
	f.Fuzz(func(t *testing.T, at uint16, over []byte) {
		b := append([]byte{}, whole...)
		copy(b[int(at)%len(b):], over)
		if _, err := sourcetest.Read(Source{}, bytes.NewReader(b), func(timeline.Record, *timeline.Event) {}); err != nil {
			t.Error(err)
		}
	})
}

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "LPKSHHR", "x LPKSHHRH", "__CURSOR=x\n"} {
		if n := (Source{}).Sniff([]byte(head), "x.journal"); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// rows are what a source makes of a log: ids and fields.
func rows(t *testing.T, src timeline.Source, log []byte) (all []string, c sourcetest.Counts) {
	t.Helper()
	c, err := sourcetest.Read(src, bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) {
		all = append(all, string(e.ID)+"\n"+sourcetest.Dump(e))
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, c
}

// What cannot be read of a file is told of by its place and reason.
func TestBroken(t *testing.T) {
	good := journal(t, false)
	whole := good.file()
	change := func(at int, with ...byte) []byte {
		b := append([]byte{}, whole...)
		copy(b[at:], with)
		return b
	}
	entry := good.add(1795352720000000, "MESSAGE=x")
	bad := newWriter(true, 0)
	bad.entry(1, 1<<20, bad.field(0, "no name"), bad.field(0, "__CURSOR=s=1"), bad.field(byZstd, "no zstd"), bad.field(byLZ4, "\xff\xff\xff\xff\xff\xff\xff\x7fxxxx"))
	bad.entry(1)
	none := newWriter(false, 0)
	none.entry(0, none.field(0, "MESSAGE=x"))
	for name, c := range map[string]struct {
		log    []byte
		kept   int
		reason timeline.Reason
		n      int
	}{
		"short":          {whole[:100], 0, timeline.Truncated, 1},
		"a newer format": {change(12, 0x80), 0, timeline.UnknownFormat, 1},
		"no head":        {change(88, 0xff, 0xff, 0xff), 0, timeline.BadSyntax, 1},
		"XZ, cut":        {whole, 9, timeline.Unreadable, 1},
		"cut":            {good.file()[:entry+64], 9, timeline.Truncated, 1},
		"fields":         {bad.file(), 1, timeline.BadField, 2},
		"an entry of no fields and one that leads nowhere": {bad.file(), 1, timeline.BadSyntax, 2},
		"compression": {bad.file(), 1, timeline.Unreadable, 1},
		"no time":     {none.file(), 0, timeline.BadSyntax, 1},
	} {
		_, got := rows(t, Source{}, c.log)
		if got.Kept != c.kept || got.Rejected[c.reason] != c.n {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What lies behind a broken part is found, and marked.
func TestRecovered(t *testing.T) {
	w := newWriter(false, 0)
	w.add(1795352701000000, "MESSAGE=one", "SYSLOG_IDENTIFIER=a")
	broken := w.add(1795352702000000, "MESSAGE=two", "SYSLOG_IDENTIFIER=a")
	w.add(1795352703000000, "MESSAGE=three", "SYSLOG_IDENTIFIER=a")
	b := w.file()
	copy(b[broken:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	all, c := rows(t, Source{}, b)
	if len(all) != 2 || !strings.Contains(all[1], "three") || !strings.Contains(all[1], "recovered") || strings.Contains(all[0], "recovered") {
		t.Errorf("%q", all)
	}
	if c.Rejected[timeline.BadSyntax] != 1 || c.Rejected[timeline.Truncated] != 1 {
		t.Errorf("%+v", c)
	}
}

// A length that leads over other objects hides none of them.
func TestLength(t *testing.T) {
	w := newWriter(true, 0)
	w.add(1795352701000000, "MESSAGE=one")
	w.add(1795352702000000, "MESSAGE=two")
	w.add(1795352703000000, "MESSAGE=three")
	b := w.file()
	b[w.data["\x00MESSAGE=one"]+8] += 8
	if all, c := rows(t, Source{}, b); len(all) != 3 || !strings.Contains(all[1], "two") || c.Rejected[timeline.BadSyntax] != 1 {
		t.Errorf("%q, %+v", all, c)
	}
}

// Entries that share one great field are a bomb.
func TestBomb(t *testing.T) {
	w := newWriter(false, 0)
	at := w.field(byZstd, zstded(t, "MESSAGE="+strings.Repeat("a", 8<<20)))
	for i := range uint64(100) {
		w.entry(1795352701000000+i, at)
	}
	_, c := rows(t, Source{}, w.file())
	if c.Rejected[timeline.Bomb] != 1 || c.Kept > 20 {
		t.Errorf("%+v", c)
	}
}

// The rows of a file are those of its entries' export.
func TestSameAsExport(t *testing.T) {
	w := newWriter(true, 0)
	w.add(1795352701000000, "MESSAGE=a\nb", "_PID=7", "_HOSTNAME=h")
	export := "__CURSOR=s=7365716e756d206964206f6620313662;i=1;b=626f6f742069642c2031362062797465;m=3e8;t=660dd1ffd5940;x=feee\n__REALTIME_TIMESTAMP=1795352701000000\n__MONOTONIC_TIMESTAMP=1000\n__SEQNUM=1\n__SEQNUM_ID=7365716e756d206964206f6620313662\n_BOOT_ID=626f6f742069642c2031362062797465\nMESSAGE\n\x03\x00\x00\x00\x00\x00\x00\x00a\nb\n_PID=7\n_HOSTNAME=h\n\n"
	mine, _ := rows(t, Source{}, w.file())
	theirs, _ := rows(t, journald.Source{}, []byte(export))
	if fmt.Sprint(mine) != fmt.Sprint(theirs) {
		t.Errorf("%s\n%s", mine, theirs)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, compact := range []bool{false, true} {
		b.Run(fmt.Sprintf("compact=%t", compact), func(b *testing.B) {
			w := newWriter(compact, 0)
			for i := range uint64(20_000) {
				t := 1795352701000000 + i
				w.add(t, "_HOSTNAME=node-1", "_MACHINE_ID=fedcba9876543210fedcba9876543210", "PRIORITY=6", "SYSLOG_FACILITY=4", "SYSLOG_IDENTIFIER=sshd", "_UID=0", "_GID=0", "_COMM=sshd", "_EXE=/usr/sbin/sshd", "_CMDLINE=sshd: root [priv]", "_CAP_EFFECTIVE=1ffffffffff", "_SYSTEMD_CGROUP=/system.slice/ssh.service", "_SYSTEMD_UNIT=ssh.service", "_SYSTEMD_SLICE=system.slice", "_TRANSPORT=syslog",
					fmt.Sprintf("_SOURCE_REALTIME_TIMESTAMP=%d", t-7), fmt.Sprintf("_PID=%d", 1000+i%300), fmt.Sprintf("MESSAGE=Failed password for invalid user admin%d from 203.0.113.%d port %d ssh2", i, i%250, 1024+i))
			}
			sourcetest.Bench(b, Source{}, w.file(), nil)
		})
	}
}

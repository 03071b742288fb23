package journalfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/timeline/source/journald"
)

// entries is the export of n entries, some of them with great and with binary
// fields.
func entries(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_MACHINE_ID=fedcba9876543210fedcba9876543210\n_HOSTNAME=node-1\nPRIORITY=%d\nSYSLOG_IDENTIFIER=sshd\n_COMM=sshd\n_PID=%d\nTAG=one\nTAG=two\nMESSAGE=Failed password for invalid user admin%d from 203.0.113.%d port %d ssh2\n",
			1795352701000000+i*1000, i*1000+1, i%8, 1000+i%300, i, i%250, 1024+i)
		if i%20 == 0 {
			v := strings.Repeat("line\n", 300+i) + "\x00\xff"
			b.WriteString("BINARY\n")
			_ = binary.Write(&b, binary.LittleEndian, uint64(len(v)))
			b.WriteString(v + "\n")
		}
		if i%30 == 0 {
			fmt.Fprintf(&b, "GREAT=%s%d\n", strings.Repeat("a long value, ", 200), i)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// remote is systemd's writer of journals from exports.
func remote(t *testing.T, compact bool, file string, in io.Reader) *exec.Cmd {
	t.Helper()
	const program = "/lib/systemd/systemd-journal-remote"
	for _, p := range []string{program, "journalctl"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("no systemd-journal-remote and journalctl to hold this against: %v", err)
		}
	}
	cmd := exec.Command(program, "--output", file, "-")
	cmd.Env = append(os.Environ(), fmt.Sprintf("SYSTEMD_JOURNAL_COMPACT=%t", compact))
	cmd.Stdin = in
	return cmd
}

// written is a journal that systemd has written.
func written(t *testing.T, compact bool, export []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.journal")
	if out, err := remote(t, compact, file, bytes.NewReader(export)).CombinedOutput(); err != nil {
		t.Skipf("systemd-journal-remote: %v, %s", err, out)
	}
	return file
}

// same holds the rows of a journal's file to those of its entries as journalctl
// exports them, which does not tell the numbers of entries everywhere.
func same(t *testing.T, file string, n int) {
	t.Helper()
	out, err := exec.Command("journalctl", "--file", file, "-o", "export").Output()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := rows(t, journald.Source{}, out)
	got, c := rows(t, Source{}, log)
	_, rejected := c.Lost()
	if len(want) < n || len(got) != len(want) || rejected > 0 {
		t.Errorf("%d rows, journalctl tells %d: %+v", len(got), len(want), c)
	}
	for i := range min(len(got), len(want)) {
		if unnumbered(got[i]) != unnumbered(want[i]) {
			t.Fatalf("row %d: %s\nby journalctl: %s", i, got[i], want[i])
		}
	}
}

func unnumbered(row string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(row, "\n"), func(line string) bool { return strings.HasPrefix(line, "  journald.__SEQNUM") }), "\n")
}

// Files that systemd has written give what journalctl tells of them.
func TestJournalctl(t *testing.T) {
	for _, compact := range []bool{false, true} {
		t.Run(fmt.Sprintf("compact=%t", compact), func(t *testing.T) {
			file := written(t, compact, entries(3000))
			flags := make([]byte, 16)
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.ReadAt(flags, 0); err != nil || compact != (flags[12]&compactFlag != 0) {
				t.Skipf("this systemd does not write the format: flags %x, %v", flags[12], err)
			}
			same(t, file, 3000)
		})
	}
}

// A journal that is copied while it is written to, which is what a host that
// died leaves, gives what journalctl tells of it.
func TestUnclosed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.journal")
	in, feed := io.Pipe()
	cmd := remote(t, true, file, in)
	if err := cmd.Start(); err != nil {
		t.Skipf("systemd-journal-remote: %v", err)
	}
	defer func() {
		feed.Close()
		_ = cmd.Wait()
	}()
	if _, err := feed.Write(entries(500)); err != nil {
		t.Fatal(err)
	}
	var log []byte
	for range 600 {
		if b, err := os.ReadFile(file); err == nil && len(b) > headerLeast && binary.LittleEndian.Uint64(b[152:]) == 500 {
			log = b
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if log == nil {
		t.Skip("systemd-journal-remote did not write it all within 30 s")
	}
	if log[16] != online {
		t.Errorf("its state is %d", log[16])
	}
	copied := filepath.Join(dir, "copy.journal")
	if err := os.WriteFile(copied, log, 0o600); err != nil {
		t.Fatal(err)
	}
	same(t, copied, 500)
}

// journalctl reads what this package takes for LZ4: a field of a file of
// systemd's is replaced by a compressed one of the same length.
func TestLZ4(t *testing.T) {
	plain := "DETAIL=" + strings.Repeat("a long line that is worth its compression; ", 40)
	packed := lz4ed(t, plain)
	if len(packed) > 400 {
		t.Fatal("what is compressed is too long to stand for what is not")
	}
	held := "DETAIL=" + strings.Repeat("x", len(packed)-7)
	file := written(t, false, fmt.Appendf(nil, "__REALTIME_TIMESTAMP=1795352701000000\n__MONOTONIC_TIMESTAMP=1\n_BOOT_ID=0123456789abcdef0123456789abcdef\nMESSAGE=x\n%s\n\n", held))
	log, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(log, []byte(held))
	if at < 64 {
		t.Fatal("the field is not there")
	}
	copy(log[at:], packed)
	log[at-64+1] = byLZ4
	log[12] |= 2
	if err := os.WriteFile(file, log, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("journalctl", "--file", file, "-o", "export").Output()
	if err != nil || !bytes.Contains(out, []byte(plain)) {
		t.Skipf("this journalctl does not read LZ4: %v\n%s", err, out)
	}
	same(t, file, 1)
}

//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/evidence"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

const (
	catMembers = 124_000
	catLimit   = 4 << 20 // bytes that cat of 4 KiB may read
)

// A look at one small member of a large bundle reads little of it.
func TestCatReadsLittle(t *testing.T) {
	u := newUserWithoutKey(t, &testbed.Containerd{})
	dir := filepath.Join(u.home, "case")
	u.run(t, "case", "new", dir).want(t, 0)
	noise := make([]byte, 1<<20)
	for i := 0; i < len(noise); i += 8 {
		copy(noise[i:], strconv.FormatUint(rand.Uint64(), 36))
	}
	makeBundle(t, filepath.Join(dir, "evidence", "tiny"), noise, 1)
	_, base, _ := u.catIO(t, dir, "tiny", catPath(0))
	if info, err := os.Stat(plainBin); err == nil {
		t.Logf("cat of the only member of a tiny bundle: %d KiB read; the program itself, which it hashes for the custody log, has %d KiB", base>>10, info.Size()>>10)
	}
	s := makeBundle(t, filepath.Join(dir, "evidence", "big"), noise, catMembers)
	if s.Plain < 1<<30 {
		t.Fatalf("the bundle has %d bytes only", s.Plain)
	}
	for _, n := range []int{0, 1, catMembers / 2, catMembers - 1} {
		out, rchar, took := u.catIO(t, dir, "big", catPath(n))
		if !bytes.Equal(out, catContent(noise, n)) {
			t.Errorf("cat of member %d gives other bytes", n)
		}
		t.Logf("cat of member %6d (%d bytes) of %d, bundle of %d MiB plain, %d MiB stored: %d KiB more read than of the tiny one (/proc/PID/io rchar), %s",
			n, len(out), catMembers, s.Plain>>20, s.Stored>>20, (rchar-base)>>10, took.Round(time.Millisecond))
		if rchar-base > catLimit {
			t.Errorf("cat read %d bytes, more than %d", rchar-base, catLimit)
		}
	}
}

func catPath(n int) string { return fmt.Sprintf("filesystem/upper/d%03d/file-%06d", n%500, n) }

// catContent is 4 KiB for every third member and more for the others: 1 GiB in all.
func catContent(noise []byte, n int) []byte {
	size := 4 << 10
	if n%3 != 0 {
		size = 11 << 10
	}
	at := n * 4099 % (len(noise) - size)
	return noise[at : at+size]
}

func makeBundle(t *testing.T, dir string, noise []byte, members int) evidence.Stats {
	t.Helper()
	w, err := evidence.Create(dir, filepath.Base(dir), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		t.Fatal(err)
	}
	for n := range members {
		b := catContent(noise, n)
		m := &record.Member{Path: catPath(n), Type: record.File, Mode: 0o644, Size: int64(len(b)), Inode: uint64(n), Mtime: time.Unix(int64(n), 0)}
		if err := p.Add(m, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := w.Seal(&record.Acquisition{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.Stats
}

// catIO runs cat and gives what it wrote and how many bytes it read.
func (u *user) catIO(t *testing.T, dir, id, path string) (out []byte, rchar int64, took time.Duration) {
	t.Helper()
	file := filepath.Join(u.home, "out")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := limited()
	defer cancel()
	cmd := u.command(ctx, plainBin, "evidence", "cat", "--case", dir, id, path)
	cmd.Stdout, cmd.Stderr = f, os.Stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Its account can be read until it is reaped.
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	took = time.Since(begin)
	account, err := os.ReadFile("/proc/" + itoa(cmd.Process.Pid) + "/io")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("the account of a process cannot be read: %v", err)
	}
	_, rest, _ := strings.Cut(string(account), "rchar: ")
	line, _, _ := strings.Cut(rest, "\n")
	if rchar, err = strconv.ParseInt(line, 10, 64); err != nil {
		t.Fatalf("%v: %s", err, account)
	}
	if out, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	return out, rchar, took
}

package procfs

import (
	"bytes"
	"os"
	"testing"
)

// seed adds the files of this very process.
func seed(f *testing.F, names ...string) {
	f.Helper()
	for _, name := range names {
		b, err := os.ReadFile("/proc/self/" + name)
		if err != nil {
			f.Skip(err)
		}
		f.Add(b)
	}
}

func FuzzStat(f *testing.F) {
	seed(f, "stat")
	f.Add([]byte("12 (sh)" + tail))
	f.Add([]byte("12 (a) S (b)" + tail))
	f.Add([]byte(")("))
	f.Add([]byte("1 (a) b (\nc) S 0 1 1 34816 1 0 0 0 0 0 0 0 0 0 20 0 1 0 42 1 1 1"))
	f.Add([]byte("1 () ) X -1 -1 -1 -1 0 0 0 0 0 0 0 0 0 0 20 0 1 0 18446744073709551615"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStat(b)
		if err == nil && !bytes.Contains(b, []byte("("+s.Comm+") ")) {
			t.Errorf("comm %q of %q", s.Comm, b)
		}
	})
}

func TestStatOfAHostileName(t *testing.T) {
	s, err := ParseStat([]byte("7 (a) S 99 (\nc) Z 3 4 5 34816 0 0 0 0 0 0 0 0 0 0 20 0 1 0 42 1 1 1\n"))
	if err != nil || s.Comm != "a) S 99 (\nc" || s.State != 'Z' || s.PPID != 3 || s.PGRP != 4 || s.Session != 5 || s.TTY != 34816 || s.Start != 42 {
		t.Errorf("%+v %v", s, err)
	}
}

func FuzzStatus(f *testing.F) {
	seed(f, "status")
	f.Add([]byte("Name:\ta\\nUid:\t0\nUid:\t1\t2\t3\t4\nCapEff:\tffffffffffffffff\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := ParseStatus(b)
		for k := range s {
			s.Numbers(k)
			if n := len(s.Capabilities(k)); n > 64 {
				t.Errorf("%d capabilities", n)
			}
		}
		s.Seccomp()
	})
}

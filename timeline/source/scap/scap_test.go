package scap

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// capture is the beginning of a file of libscap's: a section header, and a block
// about the machine.
func capture() []byte {
	var b []byte
	u := binary.LittleEndian
	b = u.AppendUint32(b, sectionHeader)
	b = u.AppendUint32(b, 28)
	b = u.AppendUint32(b, byteOrder)
	b = append(b, make([]byte, 12)...)
	b = u.AppendUint32(b, 28)
	b = u.AppendUint32(b, firstBlock)
	return append(b, make([]byte, 64)...)
}

func TestSniff(t *testing.T) {
	other := capture()
	binary.LittleEndian.PutUint32(other[28:], 1) // an interface: pcap-ng of tcpdump's
	for text, want := range map[string]int{string(capture()): 95, string(other): 0, "": 0, string(capture()[:20]): 0} {
		if got := (Source{}).Sniff([]byte(text), "x.scap"); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// Without the program the file is rejected with what to install.
func TestNoProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c, err := sourcetest.Read(Source{}, bytes.NewReader(capture()), func(timeline.Record, *timeline.Event) {})
	if err != nil || c.Rejected[timeline.Unreadable] != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, err := range (Source{}).Records(context.Background(), bytes.NewReader(capture())) {
		if err == nil || !strings.Contains(err.Error(), "install the package sysdig") {
			t.Error(err)
		}
	}
}

// fake is a script in sysdig's place, for Debian 12 has no sysdig: it prints what
// sysdig's documentation shows, and whether it was given the capture.
func fake(t *testing.T, end string) Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sysdig")
	script := `#!/bin/sh
[ "$1 $2 $3 $4" = "-r /dev/fd/3 -j -p" ] || exit 9
size=$(wc -c < /dev/fd/3)
echo '{"evt.num":1,"evt.rawtime":1795352701123456789,"evt.type":"execve","evt.res":"SUCCESS","proc.pid":4242,"proc.name":"sh","proc.cmdline":"sh -c id '$size'","container.id":"0123456789ab"}'
echo '{"evt.num":2,"evt.rawtime":1795352701123456790,"evt.type":"connect","fd.sip":"203.0.113.9","fd.sport":4444,"proc.name":"sh"}'
` + end
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return Source{Program: path}
}

func TestFakeProgram(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell")
	}
	var lines []string
	ids := map[string]bool{}
	c, err := sourcetest.Read(fake(t, ""), bytes.NewReader(capture()), func(rec timeline.Record, e *timeline.Event) {
		lines = append(lines, string(e.GetStr(timeline.ProcessCommandLine))+string(e.GetStr(timeline.DestinationIP)))
		ids[string(e.ID)] = true
		if rec.Range != (timeline.Range{Length: int64(len(capture()))}) {
			t.Errorf("range %+v", rec.Range)
		}
	})
	if err != nil || c.Kept != 2 || len(ids) != 2 || lines[0] != "sh -c id 96" || lines[1] != "203.0.113.9" {
		t.Errorf("%+v, %v, %q", c, err, lines)
	}
	c, err = sourcetest.Read(fake(t, "echo broken >&2; exit 1"), bytes.NewReader(capture()), func(timeline.Record, *timeline.Event) {})
	if err != nil || c.Kept != 2 || c.Rejected[timeline.Truncated] != 1 {
		t.Errorf("a program that fails: %+v, %v", c, err)
	}
}

func FuzzSniff(f *testing.F) {
	f.Add(capture())
	f.Fuzz(func(t *testing.T, head []byte) {
		if n := (Source{}).Sniff(head, ""); n != 0 && n != 95 {
			t.Error(n)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.Skip("waits for an external program; package sysdig has the parser's figure")
}

// The real program takes the arguments, and what it says of a capture that is
// none is in the rejection.
func TestRealProgram(t *testing.T) {
	program := os.Getenv("AMBER_SYSDIG")
	if program == "" {
		var err error
		if program, err = exec.LookPath("sysdig"); err != nil {
			t.Skip("no sysdig here")
		}
	}
	for _, err := range (Source{Program: program}).Records(t.Context(), bytes.NewReader(capture())) {
		if err == nil || !strings.Contains(err.Error(), "sysdig ended with") || strings.Contains(err.Error(), "usage") {
			t.Error(err)
		}
		t.Log(err)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence/safetext"
)

// apart is what nodeLines makes of text that comes in pieces of n bytes.
func apart(t testing.TB, text string, n int) (kinds, lines []string) {
	l := &nodeLines{
		channel: "SECRET", message: func(m nodeMessage) { kinds = append(kinds, m.Kind) }, text: func(s string) { lines = append(lines, s) },
	}
	for piece := range slices.Chunk([]byte(text), n) {
		if _, err := l.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	l.end()
	return kinds, lines
}

func TestNodeLines(t *testing.T) {
	text := "amber: a\nSECRET {\"kind\":\"cut\"}\nSECRET {\"kind\":\nOTHER {\"kind\":\"cut\"}\n\nSECRET {\"kind\":\"result\",\"body\":{\"left\":\"frozen\"}}\nend"
	for n := 1; n <= len(text); n++ {
		kinds, lines := apart(t, text, n)
		if !slices.Equal(kinds, []string{"cut", "result"}) || !slices.Equal(lines, []string{"amber: a", `SECRET {"kind":`, `OTHER {"kind":"cut"}`, "", "end"}) {
			t.Fatalf("in pieces of %d: %q %q", n, kinds, lines)
		}
	}
}

func TestNodeLineWithoutEnd(t *testing.T) {
	l := &nodeLines{text: func(string) {}, message: func(nodeMessage) {}}
	var err error
	for range maxNodeLine>>20 + 1 {
		if _, err = l.Write(make([]byte, 1<<20)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("a line that does not end is taken")
	}
}

func FuzzNodeLines(f *testing.F) {
	f.Add("SECRET {\"kind\":\"cut\"}\nx", 3)
	f.Add("\n\n\xff", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 1 || len(text) > 1<<16 {
			return
		}
		kinds, lines := apart(t, text, n)
		whole, whole2 := apart(t, text, max(len(text), 1))
		if !slices.Equal(kinds, whole) || !slices.Equal(lines, whole2) {
			t.Error("it depends on the pieces")
		}
	})
}

func FuzzSafeJSON(f *testing.F) {
	f.Add([]byte(`{"left":"\u001b[2J","measures":[{"method":"a\nb"}],"n":12345678901234567890}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := safeJSON(data)
		if err != nil {
			return
		}
		var r respondResult
		if json.Unmarshal(out, &r) == nil && safetext.Line(r.Left) != strings.ReplaceAll(r.Left, `\`, `\\`) {
			t.Errorf("%q is not safe", r.Left)
		}
	})
}

func TestReadRequest(t *testing.T) {
	good := `{"version":1,"channel":"c","dir":"/var/lib/amber","argv":["respond"]}` + "\n"
	if q, line, err := readRequest(strings.NewReader(good + "more")); err != nil || string(line) != good || q.Argv[0] != "respond" {
		t.Errorf("%+v %q %v", q, line, err)
	}
	for name, text := range map[string]string{
		"cut off": good[:20], "no end": good[:len(good)-1], "other version": strings.Replace(good, ":1", ":2", 1),
		"relative": strings.Replace(good, "/var", "var", 1), "not clean": strings.Replace(good, "/var", "/../var", 1), "no words": strings.Replace(good, `"respond"`, "", 1),
	} {
		if _, _, err := readRequest(strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(`{"version":1,"channel":"c","dir":"/","argv":["respond"]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if q, _, err := readRequest(bytes.NewReader(data)); err == nil && (!filepath.IsAbs(q.Dir) || len(q.Argv) == 0) {
			t.Errorf("%+v", q)
		}
	})
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	path, err := install(exe, dir)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := os.Stat(path)
	if err := os.WriteFile(path, []byte("something else"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true} { // one that is not what its name says is replaced, a good one is kept
		if _, err := exe.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		again, err := install(exe, dir)
		now, serr := os.Stat(again)
		if err != nil || serr != nil || again != path || now.Size() != first.Size() || now.Mode().Perm() != 0o700 {
			t.Fatalf("%s %v %v", again, err, serr)
		}
		if kept := os.SameFile(first, now); kept != want {
			t.Errorf("kept %v, want %v", kept, want)
		}
		first = now
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

func TestPinned(t *testing.T) {
	sum := strings.Repeat("a", 64)
	for image, good := range map[string]bool{
		"reg/amber@sha256:" + sum: true, "reg:5000/amber:v1@sha256:" + sum: true,
		"": false, "amber": false, "amber:latest": false, "amber@sha256:abc": false, "@sha256:" + sum: false, "amber@sha512:" + sum + sum: false,
	} {
		if err := pinned(image); (err == nil) != good {
			t.Errorf("%q: %v", image, err)
		}
	}
}

func TestOrphaned(t *testing.T) {
	if orphaned(holder()) {
		t.Error("this process is taken for dead")
	}
	dead := strings.Replace(holder(), `"start":`, `"start":9`, 1)
	if !orphaned(dead) {
		t.Errorf("%s is taken for alive", dead)
	}
	for _, unknown := range []string{"", "{}", `{"pid":1,"start":1,"boot":"another"}`} {
		if orphaned(unknown) {
			t.Errorf("%q is taken for one of this host's", unknown)
		}
	}
}

package tui

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// standIn puts a stand-in for a clipboard's program on PATH, and nothing else: the
// real ones need a desktop, which there is none of where tests run. It writes its
// name, its arguments and what it is given into a file.
func standIn(t *testing.T, code int, names ...string) (file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "clipboard")
	for _, name := range names {
		script := fmt.Sprintf("#!/bin/sh\n# A stand-in for %s.\nprintf '%%s\\n' \"%s $*\" >'%s'\n/bin/cat >>'%s'\nexit %d\n", name, name, file, file, code)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("TMUX", "")
	return file
}

// What is copied goes into the clipboard of the desktop that there is.
func TestDesktopClipboard(t *testing.T) {
	for _, c := range []struct {
		name, wayland, x string
		there            []string
		want             string // program and arguments; empty: none is run
	}{
		{"Wayland", "wayland-0", ":0", []string{"wl-copy", "xclip", "xsel"}, "wl-copy "},
		{"Wayland without its program", "wayland-0", ":0", []string{"xclip", "xsel"}, "xclip -selection clipboard"},
		{"X", "", ":0", []string{"wl-copy", "xclip", "xsel"}, "xclip -selection clipboard"},
		{"X with xsel", "", ":0", []string{"xsel"}, "xsel -ib"},
		{"macOS", "", "", []string{"pbcopy"}, "pbcopy "},
		{"no desktop", "", "", []string{"wl-copy", "xclip", "xsel"}, ""},
		{"no program", "wayland-0", ":0", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, caseOf(t, sharedStore(t)), 80, 24)
			file := standIn(t, 0, c.there...)
			t.Setenv("WAYLAND_DISPLAY", c.wayland)
			t.Setenv("DISPLAY", c.x)
			st.keys("/user.name:mallory<enter>Y")
			got, err := os.ReadFile(file)
			switch {
			case c.want == "" && !os.IsNotExist(err):
				t.Errorf("%q was run (%v)", got, err)
			case c.want != "" && string(got) != c.want+"\nuser.name:mallory":
				t.Errorf("the clipboard got %q (%v)", got, err)
			}
			if v := st.view(); !strings.Contains(v, "copied the filter") {
				t.Errorf("the screen says\n%s", v)
			}
		})
	}
}

// A clipboard that takes nothing is not passed over in silence.
func TestDesktopClipboardFails(t *testing.T) {
	st := newStage(t, caseOf(t, sharedStore(t)), 120, 24)
	standIn(t, 1, "xclip")
	t.Setenv("WAYLAND_DISPLAY", "")
	t.Setenv("DISPLAY", ":0")
	st.keys("/user.name:mallory<enter>Y")
	if v := st.view(); !strings.Contains(v, "the desktop's clipboard did not take it: xclip: exit status 1") {
		t.Errorf("the screen says\n%s", v)
	}
}

// What a terminal is sent is the sequence that sets its clipboard, in tmux in the
// envelope that tmux opens, and too long a text is cut.
func TestTerminalClipboard(t *testing.T) {
	want := "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte("a\x1b[2Jb")) + "\a"
	if got := osc52("a\x1b[2Jb", false); got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got := osc52("a\x1b[2Jb", true); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\x1b\\") || !strings.Contains(got, "\x1bPtmux;\x1b\x1b]52;c;") {
		t.Errorf("for tmux: %q", got)
	}
	out, err := os.CreateTemp(t.TempDir(), "terminal")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	standIn(t, 0)
	st := newStage(t, caseOf(t, sharedStore(t)), 80, 24)
	st.m.term = &terminal{File: out}
	st.m.copyText(strings.Repeat("x", maxCopy+1), "the text")
	sent, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(string(sent), "\x1b]52;c;"), "\a"))
	if err != nil || len(data) != maxCopy || !strings.Contains(st.view(), "the first 74,000 bytes") {
		t.Errorf("%d bytes were sent (%v):\n%s", len(data), err, st.view())
	}
}

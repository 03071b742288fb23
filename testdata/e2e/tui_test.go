//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/testdata/incidents"
	"amber/testdata/testbed"
)

// screen is amber in a terminal of tmux.
type screen struct {
	t               *testing.T
	program, socket string
}

// openScreen runs a command in a terminal of so many cells; its end is printed
// as exit=CODE.
func openScreen(t *testing.T, w, h int, env, command string) *screen {
	t.Helper()
	s := &screen{t, tmux(t), filepath.Join(t.TempDir(), "tmux")}
	t.Cleanup(func() { _ = exec.Command(s.program, "-S", s.socket, "kill-server").Run() })
	s.tmux("-u", "-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h), "env -u LD_LIBRARY_PATH "+env+" "+command+"; echo exit=$?; cat")
	return s
}

// tmux is the testbed's, or that of the machine.
func tmux(t *testing.T) string {
	t.Helper()
	err := testbed.Fetch("tmux")
	if err == nil {
		return filepath.Join(testbed.TmuxBin(), "tmux")
	}
	program, missing := exec.LookPath("tmux")
	if missing != nil {
		t.Skipf("there is no tmux here, and none could be had: %v", err)
	}
	return program
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command(s.program, append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

func (s *screen) keys(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		s.tmux("send-keys", "-t", "0", k)
	}
}

// typed sends a text as it is.
func (s *screen) typed(text string) { s.tmux("send-keys", "-t", "0", "-l", text) }

func (s *screen) text() string { return s.tmux("capture-pane", "-p", "-t", "0") }

// await waits until the screen fits.
func (s *screen) await(what string) string {
	s.t.Helper()
	re := regexp.MustCompile(what)
	deadline := time.Now().Add(60 * time.Second)
	for {
		text := s.text()
		if re.MatchString(text) {
			return text
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the screen does not come to show %q:\n%s", what, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// incidentCase is the shipped incident with its timeline.
func incidentCase(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "case")
	paths, err := incidents.Unpack(dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(plainBin, append([]string{"timeline", "build", "--case", dir}, paths...)...)
	if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() != 3 {
		t.Fatalf("building the timeline: %v\n%s", err, out)
	}
	return dir
}

// From a finding to the story, as somebody would go who has never been here.
func TestScreenFromFindingToStory(t *testing.T) {
	dir, state := incidentCase(t), t.TempDir()
	env := "TERM=screen-256color LANG=C.UTF-8 TMUX= XDG_STATE_HOME=" + state
	s := openScreen(t, 120, 40, env, plainBin+" tui "+dir)
	s.await(`\[1 Timeline\](.|\n)*of [\d,]+ rows`)
	s.keys("2")
	s.await(`WHAT WAS FOUND`)
	findingCalled(s, "Reverse shell")
	s.keys("Enter")
	s.await(`\[1 Timeline\](.|\n)*1 row `)
	s.keys("S")
	s.await("pinned")
	s.keys("e")
	s.await("comment:")
	s.typed("the shell that the request opened")
	s.keys("Enter")
	s.await("comment kept")
	s.keys("5")
	s.await("the shell that the request opened")
	report := filepath.Join(t.TempDir(), "story.md")
	s.keys("C-s")
	s.await("export to:")
	s.keys("C-u")
	s.typed(report)
	s.keys("Enter")
	s.await("written to")
	s.keys("q")
	s.await("exit=0")
	checkStory(t, dir, report)

	again := openScreen(t, 80, 24, env, plainBin+" tui "+dir)
	again.await(`\[5 Story\](.|\n)*the shell that the request opened`)
	again.keys("q")
	again.await("exit=0")
}

// findingCalled goes down the list until it stands on a finding.
func findingCalled(s *screen, title string) {
	s.t.Helper()
	place := regexp.MustCompile(`rule +\S+`) // another one with every line
	for range 200 {
		text := s.await(`title +\S`)
		if strings.Contains(text, "title       "+title) {
			return
		}
		before := place.FindString(text)
		s.keys("j")
		deadline := time.Now().Add(5 * time.Second)
		for place.FindString(s.text()) == before && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
	}
	s.t.Fatalf("no finding is called %q:\n%s", title, s.text())
}

// checkStory asks the command line about the row of the story.
func checkStory(t *testing.T, dir, report string) {
	t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile("`([0-9a-f]{32})`").FindSubmatch(text)
	if id == nil || !strings.Contains(string(text), "the shell that the request opened") {
		t.Fatalf("the story is\n%s", text)
	}
	out, err := exec.Command(plainBin, "timeline", "query", "--case", dir, "--output", "json", "row_id:"+string(id[1])).Output()
	if err != nil || !strings.Contains(string(out), "/bin/sh") && !strings.Contains(string(out), "nc") {
		t.Errorf("the row of the story is %s (%v)", out, err)
	}
}

// The list of a filter has what the command line prints for it.
func TestScreenFilterIsTheQuery(t *testing.T) {
	dir := incidentCase(t)
	s := openScreen(t, 300, 80, "TERM=screen-256color LANG=C.UTF-8 XDG_STATE_HOME="+t.TempDir(), plainBin+" tui "+dir)
	s.await(`of [\d,]+ rows`)
	for _, query := range []string{"event.action:exec", "event.outcome:failure AND event.dataset:kubernetes.audit_logs"} {
		out, err := exec.Command(plainBin, "timeline", "query", "--case", dir, "--output", "json", query).Output()
		if err != nil {
			t.Fatal(err)
		}
		rows := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		s.keys("/", "C-u")
		s.typed(query)
		s.keys("Enter")
		s.await(`of ` + strconv.Itoa(len(rows)) + ` rows?`)
		s.keys("g")
		for _, line := range rows[:min(len(rows), 40)] {
			var r struct {
				Time string `json:"@timestamp"`
			}
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339Nano, r.Time)
			if err != nil {
				t.Fatal(err)
			}
			s.await(regexp.QuoteMeta(at.UTC().Format("15:04:05.000")))
		}
	}
}

// Windows of all sizes, while they are being resized, and with a terminal that
// knows neither colours nor UTF-8.
func TestScreenSizes(t *testing.T) {
	s := openScreen(t, 80, 24, "TERM=screen LANG=C LC_ALL=C NO_COLOR=1 XDG_STATE_HOME="+t.TempDir(), plainBin+" tui --demo")
	s.await(`of [\d,]+ rows`)
	for _, key := range []string{"1", "2", "4", "5", "?", "Escape", "1", "Enter"} {
		s.keys(key)
		for _, size := range [][2]int{{300, 80}, {41, 11}, {120, 40}, {80, 24}} {
			s.tmux("resize-window", "-t", "0", "-x", strconv.Itoa(size[0]), "-y", strconv.Itoa(size[1]))
			text := s.await(`amber`)
			if i := strings.IndexFunc(text, func(r rune) bool { return r > 0x7e || r < 0x20 && r != '\n' }); i >= 0 {
				t.Fatalf("%q on a terminal without UTF-8", text[i:i+4])
			}
		}
		if coloured := s.tmux("capture-pane", "-p", "-e", "-t", "0"); regexp.MustCompile(`\x1b\[[0-9;]*[34][0-8]`).MatchString(coloured) {
			t.Fatalf("a colour although NO_COLOR is set: %q", coloured)
		}
	}
	s.keys("Escape", "q")
	s.await("exit=0")
}

// Amber gives the terminal back when it is stopped, by its key or by a signal,
// and takes it again.
func TestScreenPauses(t *testing.T) {
	s := openScreen(t, 120, 40, "PS1='to.the.shell: ' XDG_STATE_HOME="+t.TempDir(), "bash --norc -i")
	s.await(`shell:`)
	s.typed(plainBin + " tui --demo\n")
	s.await(`of [\d,]+ rows`)
	for i, stop := range []func(){
		func() { s.keys("C-z") },
		func() { s.tmux("run-shell", "pkill -TSTP -t $(ps -o tty= -p #{pane_pid} | tr -d ' ') -f 'tui --demo'") },
		func() { s.keys("C-z") },
	} {
		stop()
		s.await(`Stopped.*\s+.*shell:`)
		s.typed(fmt.Sprintf("echo $((%d+100))\n", i))
		s.await(fmt.Sprintf(`\n%d`, i+100))
		s.typed("fg\n")
		s.await(`of [\d,]+ rows`)
	}
	s.keys("q")
	s.await(`shell:\s*$`)
}

// What is copied arrives in the clipboard of the terminal.
func TestScreenCopies(t *testing.T) {
	s := openScreen(t, 100, 30, "TERM=screen-256color LANG=C.UTF-8", plainBin+" tui --demo")
	s.tmux("set-option", "-s", "set-clipboard", "on")
	s.await(`of [\d,]+ rows`)
	s.keys("/")
	s.typed("event.action:exec")
	s.keys("Enter")
	s.await("x clears")
	s.keys("Y")
	s.await("copied the filter")
	if got := s.tmux("show-buffer"); got != "event.action:exec" {
		t.Errorf("copied: %q", got)
	}
}

// No other command says anything to the terminal on its own, and none waits for
// an answer: Bubble Tea would, before main.
func TestTerminalIsNotAsked(t *testing.T) {
	pty, tty := openPTY(t)
	cmd := exec.Command(plainBin, "--version")
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := pty.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if out := string(buf[:n]); !strings.HasPrefix(out, "amber") || strings.Contains(out, "\x1b") {
		t.Errorf("the terminal got %q", out)
	}
}

func openPTY(t *testing.T) (*os.File, *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	pty := os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { pty.Close(); tty.Close() })
	return pty, tty
}

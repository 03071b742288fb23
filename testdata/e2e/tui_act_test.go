//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"amber/testdata/incidents"
	"amber/testdata/testbed"
)

// shell is the user's environment, as env(1) takes it.
func (u *user) shell() string {
	var env []string
	for k, v := range u.with("TERM", "screen-256color", "LANG", "C.UTF-8").env {
		env = append(env, "'"+k+"="+v+"'")
	}
	return strings.Join(env, " ")
}

// newCase is a case of the user's own, with the logs of the shipped incident.
func (u *user) newCase(t *testing.T) string {
	t.Helper()
	paths, err := incidents.Unpack(filepath.Join(t.TempDir(), "incident"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(u.home, "case")
	u.run(t, "case", "new", dir).want(t, 0)
	u.run(t, append([]string{"timeline", "build", "--case", dir}, paths...)...).want(t, 0, 3)
	return dir
}

// act goes from any place to a container's action, past its plan.
func (s *screen) act(key, name, plan string) {
	s.t.Helper()
	s.keys("R")
	s.await("act on which container(.|\n)*" + name)
	s.typed(name)
	s.keys("Enter")
	s.await("what to do with")
	s.keys(key)
	if text := s.await("type yes(.|\n)*"); !strings.Contains(text, plan) {
		s.t.Fatalf("the plan does not say %q:\n%s", plan, text)
	}
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(s.text(), "leaves: yes_") && time.Now().Before(deadline) {
		s.typed("yes") // again, until keys are not taken for such as were on their way
		time.Sleep(50 * time.Millisecond)
	}
	s.keys("Enter")
	s.await(": done")
	s.keys("Escape")
	s.await("Timeline")
}

// A container is isolated, collected and released from the screen, each after its
// plan; the bundle is there to be looked at, and the custody log says who did it.
func TestScreenResponds(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "screened", script)
	dir := u.newCase(t)
	s := openScreen(t, 110, 40, u.shell(), plainBin+" tui "+dir)
	s.await(`of [\d,]+ rows`)

	s.act("i", "screened", "pause")
	if got := kernel(t, r); got != "FROZEN" {
		t.Fatalf("isolated, the container is %s:\n%s", got, s.text())
	}
	before := bundles(t, dir) // what isolating it has altered is kept too
	s.act("c", "screened", "screened")
	after := bundles(t, dir)
	if len(after) != len(before)+1 || kernel(t, r) != "FROZEN" {
		t.Fatalf("collected, there are %d bundles, and before %d; the container is %s", len(after), len(before), kernel(t, r))
	}
	s.act("r", "screened", "screened")
	if got := kernel(t, r); got != "RUNNING" {
		t.Fatalf("released, the container is %s:\n%s", got, s.text())
	}

	taken := ""
	for _, b := range after {
		if !strings.Contains(strings.Join(before, " "), b) {
			taken = b
		}
	}
	s.keys("4")
	s.await(filepath.Base(taken))
	s.keys("q")
	s.await("exit=0")
	u.run(t, "evidence", "verify", "--case", dir, filepath.Base(taken)).want(t, 0, 3)
	u.run(t, "evidence", "ls", "--case", dir, filepath.Base(taken)).says(t, "filesystem/upper/etc/evidence", "process/")
	u.run(t, "evidence", "custody", "--case", dir).says(t, "isolate", "acquire         "+filepath.Base(taken), "revert")
}

// A plan that is not agreed to changes nothing.
func TestScreenRespondsToNo(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "spared", script)
	dir := u.newCase(t)
	s := openScreen(t, 80, 24, u.shell(), plainBin+" tui "+dir)
	s.await(`of [\d,]+ rows`)
	s.keys("R")
	s.await("act on which container(.|\n)*spared")
	s.keys("Enter")
	s.await("what to do with")
	s.keys("i")
	s.await("type yes")
	s.typed("no")
	s.keys("Enter", "Escape")
	s.await("nothing was done")
	if got := kernel(t, r); got != "RUNNING" {
		t.Errorf("the container is %s", got)
	}
	s.keys("q")
	s.await("exit=0")
}

// A text that a container changed is shown beside what its image has, out of the
// content store of the containerd that runs it, and out of an image layout; where
// neither is at hand, that is said.
func TestScreenComparesWithTheImage(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	image := c.Image(t, testbed.Files(map[string]string{"etc/motd": "welcome\nto the shop\n", "etc/tool": "\x7fELF\x00one\x00"}))
	r := c.Run(t, "changed", `echo "and mallory" >> /etc/motd; printf '\177ELF\0two\0' > /etc/tool; touch /ready; exec sleep 100000`, testbed.FromImage(image))
	ready := fmt.Sprintf("/proc/%d/root/ready", r.PID)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(u.home, "case")
	u.run(t, "collect", "--case", dir, ref(r)).want(t, 0, 3)
	u.run(t, "timeline", "build", "--case", dir).want(t, 0, 3)

	s := openScreen(t, 120, 40, u.shell(), plainBin+" tui "+dir)
	s.await(`of [\d,]+ rows`)
	s.onChange("/etc/motd")
	s.keys("d")
	s.await(`the node had the same(.|\n)*\n  welcome\n  to the shop\n \+and mallory`)
	s.keys("Escape")
	s.onChange("/etc/tool")
	s.keys("d")
	s.await(`!0000000 7f 45 4c 46  00 6f 6e 65 .* 7f 45 4c 46  00 74 77 6f`)
	s.keys("Escape", "q")
	s.await("exit=0")
	u.run(t, "evidence", "custody", "--case", dir).says(t, "diff", "/etc/motd", "/etc/tool")

	// On another machine, which has the image as a layout, or has not.
	layout := filepath.Join(u.home, "layout")
	archive := filepath.Join(u.home, "image.tar")
	if out, err := c.CTR("images", "export", archive, image); err != nil {
		t.Fatalf("exporting the image: %v\n%s", err, out)
	}
	if err := os.Mkdir(layout, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-xf", archive, "-C", layout).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	away := u.with("CONTAINERD_ADDRESS", filepath.Join(u.home, "none.sock"))
	for args, want := range map[string]string{"--image " + layout: `\+and mallory`, "": `cannot be shown(.|\n)*no container runtime is found|cannot be shown(.|\n)*none.sock`} {
		s := openScreen(t, 120, 40, away.shell(), plainBin+" tui "+args+" "+dir)
		s.await(`of [\d,]+ rows|Evidence\]`)
		s.onChange("/etc/motd")
		s.keys("d")
		s.await(want)
		s.keys("Escape", "q")
		s.await("exit=0")
	}
}

// onChange opens the list of what was changed, if it is not open, and goes to a
// file in it.
func (s *screen) onChange(path string) {
	s.t.Helper()
	s.keys("4")
	text := s.await("changed against the image")
	if !strings.Contains(text, "changed  file") {
		s.keys("g", "j", "Enter")
	}
	s.await("changed  file +" + regexp.QuoteMeta(path))
	s.keys("g")
	for range 60 {
		s.keys("j")
		if s.stands(path) {
			s.keys("Enter")
			s.await("strings about diff")
			return
		}
	}
	s.t.Fatalf("no line is chosen that says %s:\n%s", path, s.text())
}

// stands tells whether the line that is chosen, by its background, holds a text.
func (s *screen) stands(text string) bool {
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for line := range strings.SplitSeq(s.tmux("capture-pane", "-p", "-e", "-t", "0"), "\n") {
			if strings.Contains(line, "48;5;24") && strings.Contains(line, " "+text+" ") {
				return true
			}
		}
	}
	return false
}

// What is dragged over with the mouse is what the command line finds between the
// same times. The mouse is off before it is switched on.
func TestScreenDrag(t *testing.T) {
	dir := incidentCase(t)
	s := openScreen(t, 140, 40, "TERM=screen-256color LANG=C.UTF-8 XDG_STATE_HOME="+t.TempDir(), plainBin+" tui "+dir)
	s.await(`of [\d,]+ rows`)
	s.keys("M")
	s.await("the mouse is on")
	for _, sgr := range []string{"\x1b[<0;41;4M", "\x1b[<32;50;4M", "\x1b[<32;60;4M", "\x1b[<0;61;4m"} { // as xterm tells it
		s.typed(sgr)
	}
	zoomed := regexp.MustCompile(`› (\d\d:\d\d:\d\d) to (\d\d:\d\d:\d\d)`)
	s.await(zoomed.String() + `(.|\n)*zoomed`)
	text := s.await(`\d of [\d,]+ rows`)
	span := zoomed.FindStringSubmatch(text)
	out, err := exec.Command(plainBin, "timeline", "query", "--case", dir, "--output", "json", "@timestamp:[2026-11-22T"+span[1]+" TO 2026-11-22T"+span[2]+"}").Output()
	if err != nil {
		t.Fatal(err)
	}
	s.await(fmt.Sprintf(`of %s rows`, thousands(strings.Count(string(out), "\n"))))
	s.keys("M")
	s.await("the mouse is off")
	s.keys("q")
	s.await("exit=0")
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// While another amber builds the timeline the screen follows it to its end.
func TestScreenFollows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "case")
	paths, err := incidents.Unpack(dir)
	if err != nil {
		t.Fatal(err)
	}
	build := func(paths ...string) int {
		cmd := exec.Command(plainBin, append([]string{"timeline", "build", "--case", dir}, paths...)...)
		if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() != 3 {
			t.Fatalf("building the timeline: %v\n%s", err, out)
		}
		out, err := exec.Command(plainBin, "timeline", "query", "--case", dir, "--output", "json").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(out), "\n")
	}
	n := build(paths[0])
	s := openScreen(t, 120, 40, "TERM=screen-256color LANG=C.UTF-8 XDG_STATE_HOME="+t.TempDir(), plainBin+" tui "+dir)
	s.await(`of ` + thousands(n) + ` rows`)
	s.keys("F")
	s.await("following")
	more := build(paths...)
	if more <= n {
		t.Fatalf("the timeline has %d rows, and had %d", more, n)
	}
	s.await(thousands(more) + ` of ` + thousands(more) + ` rows`)
	out, err := exec.Command(plainBin, "timeline", "query", "--case", dir, "--output", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var last struct {
		Time time.Time `json:"@timestamp"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	s.await(regexp.QuoteMeta(last.Time.UTC().Format("15:04:05.000")))
	s.keys("q")
	s.await("exit=0")
}

// Amber can draw the screen, and whoever does not want it pays nothing for it: no
// package of the screen's own does anything before main, and those that it is
// built on together allocate less than a frame.
func TestScreenCostsNothingAtStart(t *testing.T) {
	cmd := exec.Command(plainBin, "--version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	trace := regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, (\S+) ms clock, (\d+) bytes, (\d+) allocs$`)
	all := trace.FindAllStringSubmatch(string(out), -1)
	if len(all) < 20 {
		t.Fatalf("the trace is\n%s", out)
	}
	below := 0
	for _, line := range all {
		var bytes int
		if _, err := fmt.Sscan(line[3], &bytes); err != nil {
			t.Fatal(err)
		}
		switch name := line[1]; {
		case strings.HasPrefix(name, "amber/tui") && bytes > 0:
			t.Errorf("%s allocates %d bytes before main", name, bytes)
		case strings.HasPrefix(name, "github.com/charmbracelet/"), strings.HasPrefix(name, "github.com/muesli/"), strings.HasPrefix(name, "github.com/mattn/go-runewidth"):
			below += bytes
		case strings.HasPrefix(name, "github.com/atotto/"), strings.HasPrefix(name, "github.com/NimbleMarkets/"):
			t.Errorf("%s is linked: see docs/decisions/screen-widgets.md", name)
		}
	}
	if below > 128<<10 {
		t.Errorf("the libraries of the screen allocate %d bytes before main", below)
	}
}

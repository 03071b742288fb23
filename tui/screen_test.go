package tui

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/store"
)

// stage is a model with a real store behind it, driven as Bubble Tea drives it
// but for the terminal.
type stage struct {
	t    *testing.T
	m    *model
	mail chan tea.Msg
}

// now is when tests take place.
func now() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func newStage(t *testing.T, c Case, w, h int) *stage {
	t.Helper()
	k, err := newLook("monochrome", false)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, m: newModel(c, k, Options{Now: now}), mail: make(chan tea.Msg, 1<<16)}
	ctx, cancel := context.WithCancel(context.Background())
	s.m.asker = newAsker(ctx, func(m tea.Msg) { s.mail <- m })
	t.Cleanup(func() {
		cancel()
		s.m.asker.busy.Wait()
	})
	s.m.notes.author = "tester"
	s.update(tea.WindowSizeMsg{Width: w, Height: h})
	s.update(started{})
	s.settle()
	return s
}

func (s *stage) update(msg tea.Msg) tea.Cmd {
	_, cmd := s.m.Update(msg)
	return cmd
}

// settle delivers answers until nobody is asked any more.
func (s *stage) settle() {
	for {
		s.m.asker.busy.Wait()
		select {
		case msg := <-s.mail:
			s.update(msg)
		default:
			return
		}
	}
}

// keys presses keys: names in <>, all else as it is typed.
func (s *stage) keys(typed string) {
	s.t.Helper()
	for typed != "" {
		if typed[0] == '<' {
			name, rest, _ := strings.Cut(typed[1:], ">")
			s.update(named(s.t, name))
			typed = rest
		} else {
			s.update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(typed[:1])})
			typed = typed[1:]
		}
		s.settle()
	}
}

func named(t *testing.T, name string) tea.KeyMsg {
	for k, n := range map[tea.KeyType]string{
		tea.KeyEnter: "enter", tea.KeyEsc: "esc", tea.KeyTab: "tab", tea.KeyShiftTab: "shift+tab", tea.KeySpace: "space", tea.KeyUp: "up", tea.KeyDown: "down",
		tea.KeyPgDown: "pgdown", tea.KeyCtrlS: "ctrl+s", tea.KeyCtrlU: "ctrl+u", tea.KeyBackspace: "backspace", tea.KeyCtrlT: "ctrl+t", tea.KeyCtrlC: "ctrl+c",
	} {
		if n == name {
			return tea.KeyMsg{Type: k}
		}
	}
	t.Fatalf("no key is called %s", name)
	return tea.KeyMsg{}
}

// view is the screen, without colours, its lines checked.
func (s *stage) view() string {
	s.t.Helper()
	lines := strings.Split(s.m.View(), "\n")
	if len(lines) != s.m.h {
		s.t.Fatalf("%d lines on a screen of %d", len(lines), s.m.h)
	}
	for i, l := range lines {
		lines[i] = checkLine(s.t, l, s.m.w)
	}
	return strings.Join(lines, "\n")
}

// golden compares the screen with a file; AMBER_GOLDEN=write writes it.
func (s *stage) golden(name string) {
	s.t.Helper()
	lines := strings.Split(s.view(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	got := strings.Join(lines, "\n") + "\n"
	path := filepath.Join("testdata", fmt.Sprintf("%s-%dx%d.txt", name, s.m.w, s.m.h))
	if os.Getenv("AMBER_GOLDEN") == "write" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != string(want) {
		s.t.Errorf("%s is not\n%s\nbut\n%s", path, want, got)
	}
}

// day is when the events of the tests begin.
var day = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// small is one event of a test.
type small struct {
	after                               time.Duration
	dataset, user, action, outcome      string
	namespace, name, ip, message, extra string
	host, container                     string
	pid                                 int64
	command                             string
	file, peer                          string
	more                                map[string]string
}

// fixture are events of three sources: nine harmless ones a minute for half an
// hour, and among them what mallory does.
func fixture() (out []small) {
	verbs := []string{"get", "list", "watch"}
	for i := range 270 {
		user := fmt.Sprintf("system:serviceaccount:team-%d:deployer", i%4)
		name := fmt.Sprintf("web-%d", i%7)
		out = append(out, small{
			after: time.Duration(i) * 6700 * time.Millisecond, dataset: "kubernetes.audit_logs", user: user, action: verbs[i%3], outcome: "success",
			namespace: "shop", name: name, ip: fmt.Sprintf("10.0.0.%d", i%9), message: user + " " + verbs[i%3] + " pods shop/" + name + " → 200",
		})
	}
	return append(
		out,
		small{after: 700 * time.Second, dataset: "kubernetes.audit_logs", user: "mallory", action: "exec", outcome: "success", namespace: "shop", name: "web-3", ip: "203.0.113.9", message: "mallory exec pods/exec shop/web-3: /bin/sh → 101"},
		small{after: 702 * time.Second, dataset: "auditd.log", user: "www-data", action: "executed", outcome: "success", host: "node-1", container: "0123456789ab", pid: 4711, command: "/bin/sh -c id"},
		small{after: 705 * time.Second, dataset: "auditd.log", user: "www-data", action: "executed", outcome: "failure", host: "node-1", container: "0123456789ab", pid: 4712, command: "cat /etc/shadow"},
		small{after: 750 * time.Second, dataset: "aws.cloudtrail", user: "web-role", action: "GetObject", outcome: "success", ip: "203.0.113.9", message: "web-role GetObject s3.amazonaws.com", extra: "AKIAEXAMPLE"},
		small{after: 800 * time.Second, dataset: "kubernetes.audit_logs", user: "mallory", action: "delete", outcome: "failure", namespace: "kube-system", name: "audit", ip: "203.0.113.9", message: "mallory delete events kube-system/audit → 403"},
	)
}

// storeOf makes a store of events, whose raw records are their messages.
func storeOf(t *testing.T, events []small) *store.Store {
	t.Helper()
	dir := t.TempDir()
	w, err := store.NewWriter(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := w.File(0)
	w.Seal(file, store.File{Size: 1 << 40, Source: "test", Path: "/var/log/audit.log", Kept: true, Digest: sha256.Sum256([]byte("a test"))})
	run, err := w.Run()
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range events {
		if err := run.Append(x.event(file, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	raw := func(_ context.Context, refs []timeline.RawRef, _ []store.File) (io.ReadCloser, error) {
		i := refs[0].Ranges[0].Offset / 1000
		return io.NopCloser(strings.NewReader(fmt.Sprintf(`{"user":{"username":%q},"verb":%q,"note":%q}`, events[i].user, events[i].action, events[i].message))), nil
	}
	s, err := store.Open(dir, store.OpenOptions{Raw: raw, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (x small) event(file int32, i int) *timeline.Event {
	var e timeline.Event
	e.Reset()
	e.Time, e.End, e.Start = timeline.Time{Micros: day.Add(x.after).UnixMicro()}, timeline.NoTime, timeline.NoTime
	for f, v := range map[timeline.Field]string{
		timeline.EventDataset: x.dataset, timeline.UserName: x.user, timeline.EventAction: x.action, timeline.EventOutcome: x.outcome,
		timeline.OrchestratorNamespace: x.namespace, timeline.OrchestratorResourceName: x.name, timeline.SourceIP: x.ip, timeline.Message: x.message,
		timeline.FilePath: x.file, timeline.DestinationIP: x.peer,
		timeline.HostName: x.host, timeline.ContainerID: x.container, timeline.ProcessCommandLine: x.command, timeline.ProcessExecutable: strings.Split(x.command, " ")[0],
	} {
		e.Str(f, []byte(v))
	}
	if x.pid != 0 {
		e.Num(timeline.ProcessPID, x.pid)
		e.Num(timeline.ProcessParentPID, x.pid-1)
	}
	if x.extra != "" {
		e.More([]byte("aws.cloudtrail.user_identity.access_key_id"), []byte(x.extra))
	}
	for name, v := range x.more {
		e.More([]byte(name), []byte(v))
	}
	e.Raw = append(e.Raw, timeline.RawRef{File: file, Ranges: []timeline.Range{{Offset: int64(i) * 1000, Length: 900}}})
	return &e
}

// caseOf is a case around a store: with a bundle, and a place for notes.
func caseOf(t *testing.T, s *store.Store) Case {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "case")
	cs, err := casedir.Create(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cs.Close() })
	makeBundle(t, filepath.Join(dir, "evidence", bundleID))
	log := func(e custody.Entry) error {
		_, err := cs.Log(e)
		return err
	}
	return Case{Name: "night", Store: s, Dir: dir, Log: log, Findings: func(ctx context.Context) ([]detect.Finding, string, error) {
		found, err := findingsOf(ctx, s)
		return found, "", err
	}}
}

// findingsOf finds what mallory did.
func findingsOf(ctx context.Context, s timeline.Store) ([]detect.Finding, error) {
	var out []detect.Finding
	for i, q := range []struct{ query, title, level, tech, tactic string }{
		{"user.name:mallory AND event.action:exec", "Shell in a pod", "high", "T1609", "execution"},
		{"process.command_line:shadow", "Password hashes read", "critical", "T1003.008", "credential-access"},
		{"event.action:GetObject", "Role used from outside", "medium", "T1078.004", "initial-access"},
	} {
		where, err := parseFilter(q.query, now())
		if err != nil {
			return nil, err
		}
		page, err := s.Rows(ctx, timeline.Ask{Where: where}, "", 10)
		if err != nil || len(page.Rows) == 0 {
			return nil, fmt.Errorf("%s: %d rows: %w", q.query, len(page.Rows), err)
		}
		r := page.Rows[0]
		out = append(out, detect.Finding{
			ID: fmt.Sprint("f", i), RuleID: fmt.Sprint("r", i), Title: q.title, Level: q.level, Author: "A. Author", Techniques: []string{q.tech}, Tactics: []string{q.tactic},
			Time: r.Time, End: r.Time, Rows: []timeline.RowID{r.ID}, Entities: []string{"user.name:mallory"},
		})
	}
	return out, nil
}

// sharedStore is the fixture's store, made once.
func sharedStore(t *testing.T) *store.Store {
	t.Helper()
	return storeOf(t, fixture())
}

func (s *stage) resize(w, h int) {
	s.update(tea.WindowSizeMsg{Width: w, Height: h})
	s.settle()
}

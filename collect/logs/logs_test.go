package logs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"amber/collect/collecttest"
	"amber/container"
	"amber/evidence/record"
)

func collectLogs(t *testing.T, c container.Container) *collecttest.Recorder {
	t.Helper()
	rec := collecttest.New(t)
	must(t, New().Collect(context.Background(), c, rec))
	return rec
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLogsAndRotatedOnes(t *testing.T) {
	dir := t.TempDir()
	at := func(n string) string { return filepath.Join(dir, n) }
	must(t, os.Mkdir(at("pod"), 0o755))
	must(t, os.WriteFile(at("pod/0.log"), []byte("line\n"), 0o640))
	must(t, os.WriteFile(at("pod/0.log.20260101-000000.gz"), []byte{0x1f, 0x8b}, 0o640))
	must(t, os.WriteFile(at("pod/empty"), nil, 0o640))
	must(t, os.Symlink("pod", at("linked")))
	rec := collectLogs(t, container.Container{Logs: []string{at("pod/0.log"), at("pod/0.log"), at("pod/0.log.20260101-000000.gz"), at("pod/empty"), at("linked/0.log")}})
	if got := string(rec.Content["logs"+at("pod/0.log")]); got != "line\n" {
		t.Errorf("the log holds %q", got)
	}
	rec.Member("logs" + at("pod/0.log.20260101-000000.gz"))
	rec.Member("logs" + at("pod/empty"))
	rec.WantNote("logs"+at("linked/0.log"), "the file lies at "+at("pod/0.log"))
	if len(rec.Members) != 4 || len(rec.Misses) != 0 {
		t.Errorf("members %q, misses %q", rec.Order, rec.Misses)
	}
}

func TestWhatIsNoLog(t *testing.T) {
	dir := t.TempDir()
	at := func(n string) string { return filepath.Join(dir, n) }
	must(t, unix.Mkfifo(at("fifo"), 0o600))
	must(t, os.Symlink("/etc/shadow", at("link")))
	must(t, os.Mkdir(at("dir"), 0o700))
	rec := collectLogs(t, container.Container{Logs: []string{at("fifo"), at("link"), at("dir"), at("absent"), "relative"}})
	rec.WantMiss("logs"+at("fifo"), "is a fifo")
	rec.WantMiss("logs"+at("link"), `symbolic link to "/etc/shadow"`)
	rec.WantMiss("logs"+at("dir"), "is a dir")
	rec.WantMiss("logs"+at("absent"), "no such file")
	rec.WantMiss("logs/relative", "not an absolute path")
	if len(rec.Members) != 0 {
		t.Errorf("members %q", rec.Order)
	}
}

func TestNoLogsSayWhy(t *testing.T) {
	rec := collectLogs(t, container.Container{Notes: []string{"logs: the shim pipes them to journald"}})
	rec.WantMiss("logs", "journald")
	rec = collectLogs(t, container.Container{})
	rec.WantMiss("logs", "names no log file")
}

// growing appends to the log between its opening and its reading.
type growing struct {
	*collecttest.Recorder
	t    *testing.T
	path string
}

func (g growing) Add(m *record.Member, r io.Reader) error {
	f, err := os.OpenFile(g.path, os.O_APPEND|os.O_WRONLY, 0)
	must(g.t, err)
	_, err = f.WriteString("late\n")
	must(g.t, errors.Join(err, f.Close()))
	return g.Recorder.Add(m, r)
}

func TestALogThatGrowsIsCut(t *testing.T) {
	p := filepath.Join(t.TempDir(), "log")
	must(t, os.WriteFile(p, []byte("early\n"), 0o600))
	g := growing{collecttest.New(t), t, p}
	must(t, New().Collect(context.Background(), container.Container{Logs: []string{p}}, g))
	if got := string(g.Content["logs"+p]); got != "early\n" {
		t.Errorf("the log holds %q", got)
	}
	g.WantNote("logs"+p, "grew while it was read: cut at 6 bytes")
}

package sandbox

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is one that was seen in the sandbox.
type Process struct {
	PID        int       `json:"pid"` // in the sandbox
	Parent     int       `json:"parent"`
	Seen       time.Time `json:"seen"`
	Name       string    `json:"name"`
	Executable string    `json:"executable,omitempty"`
	Args       []string  `json:"args,omitempty"`

	order int
}

// watcher looks again and again at the helper's own /proc, where only its children
// and what they contain are.
type watcher struct {
	quit, done chan struct{}
	seen       map[string]Process
	more       int
}

const look = 5 * time.Millisecond

func watch() *watcher {
	w := &watcher{quit: make(chan struct{}), done: make(chan struct{}), seen: map[string]Process{}}
	go func() {
		defer close(w.done)
		for tick := time.NewTicker(look); ; {
			w.look()
			select {
			case <-w.quit:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *watcher) stop() ([]Process, int) {
	close(w.quit)
	<-w.done
	list := make([]Process, len(w.seen))
	for _, p := range w.seen {
		list[p.order] = p
	}
	return list, w.more
}

func (w *watcher) look() {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid > 1 {
			w.process(filepath.Join("/proc", e.Name()))
		}
	}
}

// process takes note of one that is in a PID namespace below the helper's; one
// that executes another program is another.
func (w *watcher) process(dir string) {
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return
	}
	pids := strings.Fields(field(status, "NSpid"))
	if len(pids) < 2 {
		return
	}
	cmd, _ := os.ReadFile(dir + "/cmdline")
	exe, _ := os.Readlink(dir + "/exe")
	if strings.HasPrefix(field(status, "Name"), "runc:[") {
		return // on its way in; one inside that takes this name hides in this list alone
	}
	p := Process{Seen: time.Now().UTC(), Name: field(status, "Name"), Executable: exe, order: len(w.seen)}
	p.PID, _ = strconv.Atoi(pids[1])
	p.Parent, _ = strconv.Atoi(field(status, "PPid"))
	if cmd = bytes.TrimRight(cmd[:min(len(cmd), 4096)], "\x00"); len(cmd) > 0 {
		p.Args = strings.Split(string(cmd), "\x00")
	}
	key := dir + "\x00" + exe + "\x00" + string(cmd)
	if _, ok := w.seen[key]; ok {
		return
	}
	if len(w.seen) >= mostNamed {
		w.more++
		return
	}
	w.seen[key] = p
}

func field(status []byte, name string) string {
	for _, line := range strings.Split(string(status), "\n") {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

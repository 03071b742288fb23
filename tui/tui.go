// Package tui is the screen on which a case is explored: its timeline, findings,
// processes, evidence and story.
//
// One root model has a place on the screen for everything, and plain functions
// draw the parts. Nothing is read while a key is handled: questions go to an
// asker, which answers with messages; an answer to a question that was put
// differently since is dropped by its number. See docs/tui.md.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"amber/evidence/custody"
	"amber/evidence/encrypt"
	"amber/timeline"
	"amber/timeline/detect"
	"amber/tui/background"
)

// Case is what is explored. What is nil is not there, and the screen says so.
type Case struct {
	Name  string // as the title shows it
	Key   string // by which the session is kept; empty keeps none
	Dir   string // of the case; empty where there is none
	Store timeline.Store
	// Reopen gives the timeline anew if there is a newer generation of it, and
	// nil otherwise.
	Reopen func() (timeline.Store, error)
	// Findings are what was found, in no order, and if that is not all of it a
	// sentence that says what is left out.
	Findings func(context.Context) (found []detect.Finding, left string, err error)
	// Log enters a look into evidence in the custody log.
	Log func(custody.Entry) error
	// Keys opens bundles that are encrypted; it may be nil.
	Keys *encrypt.Keyring
	// Blob opens a layer of an image by its digest, wherever one is kept here. What
	// it gives is hashed before it is shown.
	Blob func(ctx context.Context, digest string) (io.ReadCloser, error)
	// Respond acts on containers.
	Respond Responder
}

// Options of a session.
type Options struct {
	Theme string // one of Themes; empty chooses by the environment
	State string // directory where sessions are kept; empty keeps none
	Now   func() time.Time
}

// Run shows the case on the terminal until it is left.
func Run(ctx context.Context, c Case, o Options) error {
	k, err := lookFor(o.Theme)
	if err != nil {
		return err
	}
	if !background.Told || c.Store == nil {
		return errors.New("there is no timeline to show")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &terminal{File: os.Stdout}
	m := newModel(c, k, o)
	m.term = out
	with := []tea.ProgramOption{tea.WithContext(ctx), tea.WithAltScreen(), tea.WithFPS(120), tea.WithOutput(out), tea.WithoutSignalHandler()}
	if isTerminal(os.Stdin) { // tea opens another where it is not
		keys := &keyboard{File: os.Stdin}
		m.cutPaste = func() bool { return keys.cut.Swap(false) }
		with = append(with, tea.WithInput(keys))
	}
	p := tea.NewProgram(m, with...)
	m.asker = newAsker(ctx, p.Send)
	defer pauses(p)()
	_, err = p.Run()
	cancel()
	m.asker.busy.Wait()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, m.saveSession())
}

// terminal is where frames go. What does not go through a frame, such as the
// clipboard's sequence, goes between two of them.
type terminal struct {
	*os.File
	mu sync.Mutex
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.File.Write(p)
}

var _ io.Writer = (*terminal)(nil)

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// plural is "1 row" or "2 rows".
func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(n) + " " + what + "s"
}

// grouped is a number with its thousands apart.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/encrypt"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
	"amber/timeline/store"
	"amber/tui"
)

// Memory of the screen: what the store keeps decoded, and what the process may
// use before it collects garbage harder.
const (
	screenCache  = 96 << 20
	screenMemory = 300 << 20
)

func tuiCommand() *cli.Command {
	return &cli.Command{
		Name: "tui", Usage: "explore a case on the screen; press ? there for help", ArgsUsage: "[CASE]",
		Description: "What a container changed is shown against its image: layers are taken from the\n" +
			"container runtimes here, and from image layouts that --image names (as skopeo,\n" +
			"crane and podman write them).",
		Flags: append([]cli.Flag{
			caseFlag(),
			identityFlag(),
			&cli.BoolFlag{Name: "demo", Usage: "open the incident that comes with amber, in a directory of its own that is taken away again"},
			&cli.StringFlag{Name: "theme", Usage: strings.Join(tui.Themes(), ", ") + " (default: by the terminal; NO_COLOR is honoured)"},
			&cli.StringSliceFlag{Name: "image", Usage: "compare what was changed with the image in the OCI image layout `DIR`; may be given again"},
		}, runtimeFlags()...),
		Action: func(c *cli.Context) error {
			if err := exactly(c, 0, 1, "[CASE]"); err != nil {
				return err
			}
			return screen(c)
		},
	}
}

func screen(c *cli.Context) error {
	if !isTerminal(os.Stdout) || !term.IsTerminal(int(os.Stdin.Fd())) {
		return usagef("amber tui needs a terminal; amber timeline query prints rows")
	}
	debug.SetMemoryLimit(screenMemory)
	debug.SetGCPercent(100)
	dir, done, err := screenCase(c)
	if err != nil {
		return err
	}
	defer done()
	cs, err := casedir.OpenRead(dir)
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	ring, err := keyring(c)
	if err != nil {
		return err
	}
	s, err := openForScreen(dir, ring)
	if err != nil {
		return err
	}
	tellMended(s, dir)
	seen := &lookLog{cs: cs}
	blobs, err := newImages(c)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	defer blobs.close()
	shown := tui.Case{
		Name: caseName(cs), Key: cs.Dir(), Dir: cs.Dir(), Store: s, Reopen: reopener(dir, ring, s),
		Findings: func(ctx context.Context) ([]detect.Finding, string, error) { return allFindings(ctx, dir) },
		Log:      seen.log, Keys: ring, Blob: blobs.open, Respond: responder{dir, runtimeArgs(c)},
	}
	o := tui.Options{Theme: c.String("theme"), State: screenState()}
	if c.Bool("demo") {
		shown.Name, shown.Key = "demo", ""
	}
	err = tui.Run(c.Context, shown, o)
	return errors.Join(err, s.Close())
}

// screenCase is the case to show, and what is to be done when it was shown.
func screenCase(c *cli.Context) (string, func(), error) {
	if c.Bool("demo") {
		return demoCase(c.Context)
	}
	dir := c.Args().First()
	if dir == "" {
		var err error
		if dir, err = findCase(c); err != nil {
			return "", nil, fmt.Errorf("%w (amber tui --demo opens the incident that comes with amber)", err)
		}
	}
	return dir, func() {}, nil
}

func caseName(cs *casedir.Case) string {
	if t := cs.Info().Title; t != "" {
		return t
	}
	return filepath.Base(cs.Dir())
}

// openForScreen opens the timeline with one core less than there are: that one
// is the screen's.
func openForScreen(dir string, ring *encrypt.Keyring) (*store.Store, error) {
	at := filepath.Join(dir, "timeline")
	s, err := store.Open(at, store.OpenOptions{Cache: screenCache, Raw: build.Raw(at, ring), Workers: max(1, runtime.GOMAXPROCS(0)-1)})
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("the case %s has no timeline yet: amber timeline build --case %s [PATH...]", dir, dir)
	}
	return s, err
}

// reopener opens the timeline again where there is a newer generation of it.
func reopener(dir string, ring *encrypt.Keyring, first *store.Store) func() (timeline.Store, error) {
	last := first.Manifest().Generation
	return func() (timeline.Store, error) {
		man, err := store.ReadManifest(filepath.Join(dir, "timeline"))
		if err != nil || man.Generation == last {
			return nil, err
		}
		s, err := openForScreen(dir, ring)
		if err != nil {
			return nil, err
		}
		last = s.Manifest().Generation
		return s, nil
	}
}

// maxFindings are held in memory; a case with more is one for amber detect.
const maxFindings = 50_000

// allFindings reads what the rules found: where there is too much of it, the
// worse levels alone, and it says so.
func allFindings(ctx context.Context, dir string) (out []detect.Finding, left string, err error) {
	f, err := findings.Open(filepath.Join(dir, "timeline"))
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	for _, least := range []detect.Level{detect.Informational, detect.Medium, detect.High, detect.Critical} {
		if out = out[:0]; least > detect.Informational {
			left = fmt.Sprintf("more than %d findings: %s and worse alone are here; amber detect lists all", maxFindings, least)
		}
		err := f.Each(ctx, findings.Filter{Level: least}, func(one *detect.Finding) error {
			out = append(out, *one)
			if len(out) > maxFindings {
				return errTooMany
			}
			return nil
		})
		if !errors.Is(err, errTooMany) {
			return out, left, err
		}
	}
	return out, fmt.Sprintf("the first %d critical findings alone are here; amber detect lists all", len(out)), nil
}

var errTooMany = errors.New("too many findings to show")

// lookLog enters looks in the custody log, one of a kind once.
type lookLog struct {
	cs   *casedir.Case
	mu   sync.Mutex
	seen map[string]bool
}

func (l *lookLog) log(e custody.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := e.Action + "\x00" + e.Reason + "\x00" + e.Result
	if e.Evidence != nil {
		key += "\x00" + e.Evidence.ID
	}
	if l.seen[key] {
		return nil
	}
	if _, err := l.cs.Log(e); err != nil {
		return err
	}
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	l.seen[key] = true
	return nil
}

// screenState is where sessions are kept.
func screenState() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "amber", "tui")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "amber", "tui")
}

// Amber freezes a suspicious container, preserves what it was, and reads back
// what happened.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"amber/container"
	"amber/evidence/casedir"
	"amber/evidence/encrypt"
	"amber/evidence/safetext"
	"amber/isolate"
)

// memoryLimit keeps the collector's peak well under 200 MiB; see
// docs/decisions/memory.md.
const memoryLimit = 120 << 20

// gcPercent lets the heap grow to the limit rather than to twice what lives: a
// fifth of a small collection's processor time went into collecting a heap of
// a few MiB.
const gcPercent = 400

func main() {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(gcPercent)
	ctx, stop := interruptible()
	defer stop()
	err := openNodeRequest()
	if err == nil {
		err = newApp(os.Args).RunContext(ctx, os.Args)
	}
	code := exitCode(err)
	if err != nil && !printed && node == nil && asksJSON(os.Args[1:]) {
		_ = emit(os.Stdout, failureOf(err, code))
	}
	os.Exit(code)
}

// interruptible gives a context that the first interrupt ends, so that what
// was collected is sealed; the second one ends amber as usual.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "amber: interrupted: closing what was begun (again to stop at once; nothing is thawed by that)")
		cancel()
		signal.Stop(signals)
	}()
	return ctx, cancel
}

// newApp makes amber for one command line, whose first word is amber's name.
func newApp(args []string) *cli.App {
	app := &cli.App{
		Name:                 "amber",
		Usage:                "freeze a suspicious container, preserve what it was, and read back what happened",
		Version:              versionText(),
		Description:          exitCodesHelp,
		EnableBashCompletion: true,
		Suggest:              true,
		HideHelpCommand:      true,
		Commands:             commands(args),
		ExitErrHandler:       func(*cli.Context, error) {},
		OnUsageError:         badUsage,
		CommandNotFound: func(c *cli.Context, name string) {
			fmt.Fprintf(os.Stderr, "amber: there is no command %q; see amber --help\n", name)
			os.Exit(exitUsage)
		},
	}
	mapUsage(app.Commands)
	return app
}

// badUsage makes a flag that is not known a wrong command line.
func badUsage(c *cli.Context, err error, _ bool) error {
	return usagef("%w; see %s --help", err, c.Command.HelpName)
}

// mapUsage sets badUsage on every command: the library does not inherit it.
func mapUsage(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError, c.HideHelpCommand = badUsage, true
		mapUsage(c.Subcommands)
	}
}

// Exit codes, as the help lists them.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitMisses  = 3
	exitVerify  = 4
	exitRefused = 5
)

const exitCodesHelp = `Exit codes:
   0  done
   1  failed
   2  wrong usage, or an unknown or ambiguous target
   3  done, with misses or changes on the way, or an unknown signer
   4  verification failed
   5  refused for safety; nothing was touched`

// usageError is a command line that cannot be meant.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// outcome is an end that is not plain: its code, and a sentence for standard
// error that may be empty.
type outcome struct {
	code int
	text string
}

func (o outcome) Error() string { return o.text }

// exitCode prints an error and maps it to the code that the process ends with.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	var (
		usage    usageError
		out      outcome
		unknown  *container.NotFoundError
		several  *container.AmbiguousError
		refused  *isolate.RefusedError
		heldElse *isolate.HeldError
	)
	if text := safeLines(err.Error()); text != "" {
		if errors.As(err, &out) { // a name in it could begin a line that looks like one of the table's
			text = strings.ReplaceAll(text, "\n", "\n  ")
		}
		fmt.Fprintln(os.Stderr, "amber: "+text)
	}
	switch {
	case errors.As(err, &out):
		return out.code
	case errors.Is(err, encrypt.ErrDamaged), errors.Is(err, casedir.ErrLink):
		return exitVerify
	case errors.As(err, &unknown):
		printCandidates(unknown.Candidates)
		return exitUsage
	case errors.As(err, &several):
		printCandidates(several.Candidates)
		return exitUsage
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused), errors.As(err, &heldElse):
		return exitRefused
	}
	return exitFailed
}

func printCandidates(list []container.Container) {
	if len(list) == 0 {
		fmt.Fprintln(os.Stderr, "There are no containers here; amber ps shows what is seen, and by which runtime.")
		return
	}
	fmt.Fprintln(os.Stderr, "Candidates:")
	for i, c := range list {
		if i == 20 {
			fmt.Fprintf(os.Stderr, "  and %d more; see amber ps\n", len(list)-i)
			return
		}
		fmt.Fprintf(os.Stderr, "  %s  %s\n", safetext.Line(c.Ref()), safetext.Line(describe(c)))
	}
}

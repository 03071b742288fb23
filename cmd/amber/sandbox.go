package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/collect/checkpoint/sandbox"
	"amber/evidence"
	"amber/evidence/safetext"
)

const (
	actionSandbox = "sandbox"
	knowingly     = "i-know-it-runs-hostile-code"
	sandboxForm   = "ID [-- COMMAND…]"
)

// whyNot is what is said to one who has not said that he knows.
const whyNot = `refused: this runs the target's own code, as an attacker may have left it.
- It shares this machine's kernel: an exploit of the kernel's, or of runc's, gets out.
- A restored checkpoint goes on with what it had: its capabilities and its system call filter, without a user namespace.
- What runs can spoil its own memory and files, and can tell that it is watched. The evidence is not changed.
- A shell shows what is there as it is: its bytes reach your terminal.
Do it on a machine that has nothing to lose, not on the node, and not with the analyst's keys on it.
If you will: --` + knowingly

func sandboxCommand() *cli.Command {
	return &cli.Command{
		Name: "sandbox", Usage: "run what a bundle recorded in a throwaway container without a network", ArgsUsage: sandboxForm, Action: sandboxRun,
		Description: "The recorded file system (the writable layer over the image's layers, or the root that\n" +
			"collect --full took) is laid out, verified, below a scratch in memory, and the recorded\n" +
			"command, or COMMAND in its place, is run. On a terminal a shell is opened beside it; when\n" +
			"that ends, all is gone. What was seen goes into the case, below sandbox/.\n" +
			"`amber sandbox rm` takes away what killed ones have left.",
		Flags: []cli.Flag{
			caseFlag(), outputFlag(), logDirFlag(), identityFlag(),
			&cli.BoolFlag{Name: knowingly, Usage: "do it all the same"},
			&cli.BoolFlag{Name: "shell", Usage: "open a shell beside it (default: on a terminal, without COMMAND)"},
			&cli.BoolFlag{Name: "sinkhole", Usage: "a network where every name has an address and every connection is accepted, logged and left unanswered"},
			&cli.BoolFlag{Name: "restore", Usage: "have the checkpoint's processes go on; COMMAND runs beside them"},
			&cli.StringSliceFlag{Name: "content", Value: cli.NewStringSlice("/var/lib/containerd/io.containerd.content.v1.content"), Usage: "`DIR` whose blobs/sha256 hold the image: a content store, an OCI image layout"},
			&cli.StringFlag{Name: "rootfs", Usage: "`DIR` with the image's file system, where its layers are not to be had"},
			&cli.StringFlag{Name: "runc", Value: "runc", Usage: "the `PROGRAM`"},
			&cli.StringFlag{Name: "work", Value: sandbox.DefaultWork, Usage: "lay it out below `DIR`"},
			&cli.Int64Flag{Name: "memory", Value: 512, Usage: "at most so many `MIB` of memory"},
			&cli.Int64Flag{Name: "scratch", Value: 256, Usage: "at most so many `MIB` of changed files, which are in memory"},
			&cli.Int64Flag{Name: "pids", Value: 256, Usage: "at most `N` processes and threads"},
			&cli.DurationFlag{Name: "for", Value: time.Hour, Usage: "end it after this `TIME`"},
		},
		Subcommands: []*cli.Command{{
			Name: "rm", Usage: "take away what sandboxes have left whose amber was killed", Action: action(0, 0, "", sandboxRemove),
			Flags: []cli.Flag{outputFlag(), &cli.StringFlag{Name: "work", Value: sandbox.DefaultWork, Usage: "where they were laid out: `DIR`"}},
		}},
	}
}

// insideSandboxCommand is what is between amber and what it contains.
func insideSandboxCommand() *cli.Command {
	return &cli.Command{
		Name: sandbox.Verb, Hidden: true, ArgsUsage: "ORDER",
		Action: func(c *cli.Context) error {
			if err := exactly(c, 1, 1, "ORDER"); err != nil {
				return err
			}
			return sandbox.Inside(c.Context, c.Args().First())
		},
	}
}

func sandboxRemove(c *cli.Context, asJSON bool) error {
	gone, err := sandbox.Clean(c.String("work"))
	if asJSON {
		return errors.Join(emit(os.Stdout, struct {
			Removed []string `json:"removed"`
		}{gone}), err)
	}
	for _, name := range gone {
		fmt.Println("removed", safetext.Line(name))
	}
	return err
}

// sandboxArgs takes the arguments apart: what comes after -- is the sandbox's.
func sandboxArgs(c *cli.Context) (id string, command []string, err error) {
	args := c.Args().Slice()
	if i := slices.Index(args, "--"); i >= 0 {
		if args, command = args[:i], args[i+1:]; len(command) == 0 {
			return "", nil, usagef("want a command after --")
		}
	}
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return "", nil, usagef("want %s [flags] %s: flags come before the ID, a command after --", c.Command.HelpName, sandboxForm)
	}
	return args[0], command, nil
}

func sandboxRun(c *cli.Context) error {
	id, command, err := sandboxArgs(c)
	if err != nil {
		return err
	}
	asJSON, err := wantJSON(c)
	if err != nil {
		return err
	}
	if !c.Bool(knowingly) {
		return outcome{exitRefused, whyNot}
	}
	cs, err := look(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	defer sayElsewhere(cs)
	s := sandboxed{view: view{c, asJSON, cs}}
	if s.options, err = sandboxOptions(c, command, asJSON); err != nil {
		return err
	}
	b, err := s.bundle(id, actionSandbox+"-begun", strings.Join(command, " "))
	if err != nil {
		return err
	}
	defer b.Close()
	return s.run(b)
}

func sandboxOptions(c *cli.Context, command []string, asJSON bool) (o sandbox.Options, err error) {
	tty := isTerminal(os.Stdin) && isTerminal(os.Stdout)
	o = sandbox.Options{
		Work: c.String("work"), Content: c.StringSlice("content"), Rootfs: c.String("rootfs"), Runc: c.String("runc"),
		Command: command, Restore: c.Bool("restore"), Sinkhole: c.Bool("sinkhole"), Shell: c.Bool("shell") || tty && len(command) == 0 && !asJSON,
		Memory: c.Int64("memory") << 20, PIDs: c.Int64("pids"), Disk: c.Int64("scratch") << 20, Limit: c.Duration("for"), In: os.Stdin,
	}
	if o.Work, err = filepath.Abs(o.Work); err != nil {
		return o, err
	}
	for name, n := range map[string]int64{"memory": o.Memory, "pids": o.PIDs, "scratch": o.Disk, "for": int64(o.Limit)} {
		if n <= 0 {
			return o, usagef("--%s wants more than nothing", name)
		}
	}
	if o.Shell && (!tty || asJSON) {
		return o, usagef("--shell wants a terminal, and --output text")
	}
	return o, nil
}

// sandboxed is one run.
type sandboxed struct {
	view
	options sandbox.Options
	part    string // of the case: sandbox/TIME
}

func (s *sandboxed) run(b *evidence.Bundle) error {
	s.part = filepath.Join("sandbox", time.Now().UTC().Format("20060102T150405.000Z"))
	dir, err := filepath.Abs(filepath.Join(s.cs.Dir(), s.part))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("what is seen goes into the case: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("what is seen goes into the case: %w", err)
	}
	s.options.Record = dir
	closeOut, err := s.outputs(filepath.Join(dir, "output"))
	if err != nil {
		return err
	}
	r, err := sandbox.Run(s.c.Context, b, s.options)
	err = errors.Join(err, closeOut())
	if r != nil {
		if err != nil {
			r.Error = err.Error()
		}
		err = errors.Join(err, keepReport(filepath.Join(dir, "report.json"), r))
	}
	return s.finish(b, r, err)
}

// finish enters what was done, with the digests of what was recorded.
func (s *sandboxed) finish(b *evidence.Bundle, r *sandbox.Report, err error) error {
	e := logEntry(actionSandbox, b.ID(), b.Digest())
	e.Reason, e.Result = s.part, "done"
	if err != nil {
		e.Result, e.Errors = "failed", []string{err.Error()}
	}
	files, filesErr := s.cs.Files(filepath.ToSlash(s.part) + "/*")
	e.Files = files
	_, logErr := s.cs.Log(e)
	if err = errors.Join(err, filesErr, logErr); r == nil {
		return err
	}
	if s.json {
		err = errors.Join(err, emit(os.Stdout, r))
	} else {
		printSandbox(r, s.part)
	}
	if err == nil && (len(r.Missing) > 0 || r.Laid.Left > 0) {
		return outcome{code: exitMisses}
	}
	return err
}

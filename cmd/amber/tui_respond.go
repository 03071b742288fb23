package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/container"
	"amber/tui"
)

// responder acts on containers as the commands do: it runs them, in a process of
// their own, so that an act goes its whole way whatever becomes of the screen.
type responder struct {
	dir      string
	runtimes []string // the flags that name them
}

// runtimeArgs are the flags that say where the runtimes are, as they were given.
func runtimeArgs(c *cli.Context) (args []string) {
	for _, f := range runtimeFlags() {
		if name := f.Names()[0]; c.IsSet(name) {
			args = append(args, "--"+name, c.String(name))
		}
	}
	return args
}

// amber runs this program and gives what it printed.
func (r responder) amber(ctx context.Context, args ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitMisses {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("amber %s: %s", args[0], strings.TrimSpace(strings.TrimPrefix(complaints.String(), "amber: ")))
	}
	return out.String(), err
}

// Targets are the containers that ps lists.
func (r responder) Targets(ctx context.Context) ([]tui.Target, error) {
	text, err := r.amber(ctx, append([]string{"ps", "--output", "json"}, r.runtimes...)...)
	if err != nil {
		return nil, err
	}
	var rows []struct { // psRow without its risks, which are only written
		container.Container
		Target string `json:"target"`
	}
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return nil, fmt.Errorf("reading what ps printed: %w", err)
	}
	var out []tui.Target
	for _, row := range rows {
		out = append(out, tui.Target{Ref: row.Target, Name: path.Base(row.Target) + ", " + describe(row.Container)})
	}
	return out, nil
}

// Plan prints what would be done.
func (r responder) Plan(ctx context.Context, action, target string) (string, error) {
	return r.amber(ctx, r.command(action, target, true)...)
}

// Do does it.
func (r responder) Do(ctx context.Context, action, target string) (string, error) {
	return r.amber(ctx, r.command(action, target, false)...)
}

func (r responder) command(action, target string, plan bool) []string {
	args := []string{action, "--case", r.dir}
	if action == "release" {
		args = []string{"isolate", "release", "--case", r.dir}
	}
	args = append(args, r.runtimes...)
	if plan {
		return append(args, "--plan", target)
	}
	return append(args, "--yes", target) // the screen has asked
}

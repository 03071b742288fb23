package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"amber/evidence/record"
	"amber/testdata/testbed"
)

// bench is a run: a private containerd, and a folder that goes with it.
type bench struct {
	ctx   context.Context
	exe   string // the amber that is measured
	dir   string
	bed   *testbed.Containerd
	env   []string
	table table
	count int // of cases made

	image      string // of 1 GiB, once it is made
	contents   contents
	containers map[string]testbed.Running
	kept       bundle // the last full bundle
	fullTimes  fullTimes
	notes      []string // inputs that are known late
}

func newBench(ctx context.Context, exe, parent string) (*bench, error) {
	dir, err := os.MkdirTemp(parent, "amber-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{ctx: ctx, exe: filepath.Join(dir, "amber"), dir: dir, containers: map[string]testbed.Running{}}
	if err := copyProgram(exe, b.exe); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := testbed.Fetch("criu"); err != nil {
		return nil, err
	}
	if b.bed, err = testbed.Up(filepath.Join(dir, "c"), testbed.WithPath(criuBin())); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	b.env = append(b.bed.Env(), "AMBER_HOLDS="+b.path("holds"), "AMBER_KEY="+b.path("key"), "AMBER_KEY_PASSPHRASE=bench")
	if _, err := b.run(b.amber("keys", "new")); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// copyProgram makes the run measure one program, though another is built
// meanwhile.
func copyProgram(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("%w (make build)", err)
	}
	return os.WriteFile(to, data, 0o700)
}

// close takes everything down, whatever state it is in.
func (b *bench) close() error {
	return errors.Join(b.bed.Down(), os.RemoveAll(b.dir))
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// newCase names a case that is not there yet.
func (b *bench) newCase() string {
	b.count++
	return b.path(fmt.Sprintf("case-%03d", b.count))
}

func (b *bench) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Env = b.env
	return cmd
}

func (b *bench) amber(args ...string) *exec.Cmd { return b.command(b.exe, args...) }

func (b *bench) ctr(args ...string) *exec.Cmd {
	return b.command(filepath.Join(b.bed.Bin, "ctr"), args...)
}

func (b *bench) target(id string) string { return "containerd://" + b.bed.Namespace + "/" + id }

// container starts a container that sleeps, unless it was started before.
func (b *bench) container(id, image string) (testbed.Running, error) {
	if r, ok := b.containers[id]; ok {
		return r, nil
	}
	r, err := b.bed.Start(id, "exec sleep 1000000", testbed.FromImage(image))
	if err != nil {
		return r, fmt.Errorf("starting %s: %w", id, err)
	}
	b.containers[id] = r
	return r, nil
}

// root is a running container's root as a path of the host.
func root(r testbed.Running) string { return fmt.Sprintf("/proc/%d/root", r.PID) }

// merged is where containerd's shim mounted a container's root.
func (b *bench) merged(id string) string {
	return filepath.Join(b.bed.State, "io.containerd.runtime.v2.task", b.bed.Namespace, id, "rootfs")
}

// fullTimes are medians of the full collection, warm.
type fullTimes struct{ sealed, whole, step time.Duration }

func timesOf(list []both) fullTimes {
	return fullTimes{
		medianOf(list, func(p both) time.Duration { return p.a.sealed }),
		medianOf(list, func(p both) time.Duration { return p.a.Wall }),
		medianOf(list, func(p both) time.Duration { return p.a.step("filesystem") }),
	}
}

// result is what bench reads of the JSON that collect and respond print.
type result struct {
	Frozen *struct {
		Millis int64 `json:"stood_still_ms"`
	} `json:"frozen"`
	Bundles []bundle `json:"bundles"`
	Case    string   `json:"case"`
}

type bundle struct {
	ID       string        `json:"id"`
	Dir      string        `json:"dir"`
	State    string        `json:"state"`
	Members  int64         `json:"members"`
	Misses   int64         `json:"misses"`
	Plain    int64         `json:"plain_bytes"`
	Stored   int64         `json:"stored_bytes"`
	Steps    []record.Step `json:"steps"`
	Verified bool          `json:"verified"`
	Case     string        `json:"-"`
}

// collected is one collection: what it made, and what that took.
type collected struct {
	result
	spent
	bundle
	sealed time.Duration // from the start of the process until the bundle was sealed
}

// collect runs a verb of amber on a container, into a case of its own, which
// the caller removes.
func (b *bench) collect(id string, verb ...string) (collected, error) {
	var c collected
	dir := b.newCase()
	begun := time.Now()
	var err error
	if c.spent, err = b.run(b.amber(append(verb, "--output", "json", "--case", dir, b.target(id))...)); err != nil {
		return c, err
	}
	if err := json.Unmarshal(c.Out, &c.result); err != nil {
		return c, fmt.Errorf("reading what amber printed: %w", err)
	}
	if len(c.Bundles) != 1 || !c.Bundles[0].Verified {
		return c, fmt.Errorf("amber made no bundle that verifies: %s", c.Out)
	}
	c.bundle = c.Bundles[0]
	c.bundle.Case = dir
	// Taking the mark of an incomplete bundle away is the last that sealing does.
	info, err := os.Stat(c.Dir)
	if err != nil {
		return c, err
	}
	c.sealed = info.ModTime().Sub(begun)
	return c, nil
}

func (b bundle) remove() error { return os.RemoveAll(b.Case) }

// step is how long a collector ran.
func (b bundle) step(name string) time.Duration {
	for _, s := range b.Steps {
		if s.Name == name {
			return s.End.Sub(s.Start)
		}
	}
	return 0
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"amber/collect"
	"amber/collect/all"
	"amber/collect/filesystem"
	"amber/collect/memory"
	"amber/collect/metadata"
	"amber/collect/network"
	"amber/collect/room"
	"amber/container"
	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/record"
)

func collectFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.BoolFlag{Name: "full", Usage: "take the whole root file system, not only what the container changed"},
		&cli.BoolFlag{Name: "volumes", Usage: "take the mounted volumes too"},
		&cli.StringFlag{Name: "to", Usage: "- streams the bundle as a tar to standard output and spools nothing here"},
		&cli.BoolFlag{Name: "ignore-space", Usage: "spool even where the bundle may not fit"},
		tsaFlag(), ntpFlag(),
	}, join(encryptFlags(), memoryFlags(), checkpointFlags())...)
}

// acquirer makes bundles: one container, one bundle.
type acquirer struct {
	c      *cli.Context
	rts    *runtimes
	cs     *casedir.Case
	caseID string
	key    func() ssh.Signer // may be waited for; nothing is logged before
	frozen func(ref string) *record.Frozen

	only     []string // the collectors to run; nil for all
	ended    bool     // the targets' processes are gone
	recorded func()   // called when the sockets are recorded
	describe func(container.Container) container.Describer
	warn     func(string)
	log      func(custody.Entry)
}

// bundleResult is a bundle as respond and collect print it.
type bundleResult struct {
	ID       string         `json:"id"`
	Target   string         `json:"target"`
	State    evidence.State `json:"state"`
	Dir      string         `json:"dir,omitempty"`
	Streamed bool           `json:"streamed,omitempty"`
	Digest   string         `json:"digest,omitempty"`
	Root     string         `json:"members_root,omitempty"`
	Members  int64          `json:"members"`
	Misses   int64          `json:"misses"`
	Noted    int64          `json:"noted"`
	Plain    int64          `json:"plain_bytes"`
	Stored   int64          `json:"stored_bytes"`
	Steps    []record.Step  `json:"steps"`
	Verified bool           `json:"verified"`

	Clock      []custody.Offset     `json:"clock,omitempty"`      // how far it was from the right time
	Encryption *evidence.Encryption `json:"encryption,omitempty"` // for whom; nil: anybody can read it

	Times []evidence.Time `json:"times,omitempty"` // what authorities say of its time
	Error string          `json:"error,omitempty"`
}

// exit is the exit code that a bundle is worth.
func (b bundleResult) exit() int {
	switch {
	case b.Error != "":
		return exitFailed
	case b.Misses > 0 || b.Noted > 0 || b.State != evidence.Sealed:
		return exitMisses
	}
	return exitDone
}

func (b bundleResult) print(w io.Writer) {
	fmt.Fprintf(w, "bundle    %s: %s\n", safeLines(b.ID), b.State)
	for _, s := range b.Steps {
		fmt.Fprintf(w, "  %-10s  %6d members  %4d misses  %10s  %s", s.Name, s.Members, s.Misses, size(s.Bytes), s.End.Sub(s.Start).Round(time.Millisecond))
		if s.Error != "" {
			fmt.Fprintf(w, "  %s", safeLines(s.Error))
		}
		fmt.Fprintln(w)
	}
	if b.Dir != "" {
		fmt.Fprintf(w, "  in          %s\n", safeLines(b.Dir))
	}
	if b.Digest != "" {
		fmt.Fprintf(w, "  SHA256SUMS  %s\n", b.Digest)
	}
	printEncryption(w, b.Encryption)
	printClock(w, b.Clock)
	if b.Verified {
		fmt.Fprintf(w, "  verified    %s stored for %s read\n", size(b.Stored), size(b.Plain))
	}
	for _, t := range b.Times {
		fmt.Fprintf(w, "  stamped     %s by %s\n", t.Time.Format(time.RFC3339), safeLines(t.Authority))
	}
}

// bundle collects a container and seals what it gave.
func (a *acquirer) bundle(t container.Container) (bundleResult, error) {
	b := bundleResult{ID: newID(nameOf(t)), Target: t.Ref(), State: evidence.Incomplete, Steps: []record.Step{}}
	acq := a.acquisition(t)
	measured := measureClock(a.c)
	if full, err := a.rts.of(t).Get(a.c.Context, t); err != nil {
		acq.Alters = append(acq.Alters, "note: the runtime did not tell all of the container: "+err.Error())
		a.warn(fmt.Sprintf("%s: %v", t.Ref(), err))
	} else {
		t = full
	}
	w, err := a.writer(&b, t)
	if err != nil {
		return b, err
	}
	if err := a.encrypting(w, &b); err != nil {
		return b, err
	}
	stop := a.progress(w, t)
	report, runErr := collect.Run(a.c.Context, t, func(name string) (collect.Payload, error) { return w.Payload(name) },
		a.collectors(t, b.Dir)...)
	stop()
	b.Steps, b.Clock = report.Steps, measured()
	acq.Host.Clock.Measured = b.Clock
	if runErr != nil && a.c.Context.Err() == nil {
		return b, runErr
	}
	return a.seal(w, b, t, acq, report)
}

// collectors are those that are wanted; dir is where the bundle is spooled.
func (a *acquirer) collectors(t container.Container, dir string) []collect.Collector {
	mode, _ := memoryMode(a.c) // checked when the flags were read
	_, dump, _ := checkpointOptions(a.c)
	list := all.Collectors(all.Options{
		Checkpoint: a.checkpoint(dir),
		Network:    network.Options{Recorded: a.recorded},
		Memory:     memory.Options{Mode: mode, Ptrace: a.c.Bool("ptrace")},
		Filesystem: filesystem.Options{Full: a.c.Bool("full"), Volumes: a.c.Bool("volumes")},
		Metadata:   metadata.Options{Describer: a.describe(t)},
	})
	if why := a.still(t); why != nil {
		for i, c := range list {
			if c.Volatility() < collect.Filesystem {
				list[i] = collect.Absent(c, why)
			}
		}
	}
	return slices.DeleteFunc(list, func(c collect.Collector) bool {
		return a.only != nil && !slices.Contains(a.only, c.Name()) || c.Name() == "memory" && mode == memory.None || c.Name() == "checkpoint" && !dump
	})
}

func nameOf(t container.Container) string {
	if t.Name != "" {
		return t.Name
	}
	return shorten(t.ID, 12)
}

// writer begins the bundle, here or on standard output.
func (a *acquirer) writer(b *bundleResult, t container.Container) (*evidence.Writer, error) {
	switch to := a.c.String("to"); to {
	case "-":
		if isTerminal(os.Stdout) {
			return nil, usagef("--to - writes a bundle: send standard output to a file or a pipe")
		}
		b.Streamed = true
		signal.Ignore(syscall.SIGPIPE) // a receiver that is gone is an error to report, not the end
		return evidence.Stream(os.Stdout, b.ID)
	case "":
	default:
		return nil, usagef("--to %q: only - is known; a bundle is spooled in the case", to)
	}
	dir, err := a.cs.EvidenceDir(b.ID)
	if err != nil {
		return nil, err
	}
	reserve, err := a.checkSpace(dir, t)
	if err != nil {
		return nil, err
	}
	b.Dir = dir
	return evidence.Create(dir, b.ID, reserve)
}

// checkSpace compares what may be needed with what is there. Only where all
// that is on the target's disk would not fit is it measured what the bundle
// really needs, since that takes time.
func (a *acquirer) checkSpace(dir string, t container.Container) (reserve int64, err error) {
	source, images := t.Rootfs.Upper, []string{t.Rootfs.Upper, t.Rootfs.Merged}
	if t.Root != "" {
		source, images = t.Root, nil
	}
	r, err := room.Look(dir, room.Options{ImageDirs: images})
	if err != nil {
		return 0, err
	}
	if a.c.Bool("ignore-space") {
		return min(evidence.DefaultReserve, r.Free/4), nil
	}
	need, inodes := int64(0), int64(64)
	if its, err := room.Look(source, room.Options{}); source == "" || err != nil || its.Used > r.Usable {
		need = estimate(a.c.Context, t, a.c.Bool("full"))
	}
	if a.only == nil || slices.Contains(a.only, "memory") {
		need += memorySize(a.c, t)
	}
	if need+evidence.DefaultReserve <= r.Usable && (r.Inodes < 0 || inodes <= r.Inodes) {
		return evidence.DefaultReserve, nil
	}
	limit := ""
	if r.Limit != "" {
		limit = " before the kubelet evicts pods (" + r.Limit + ")"
	}
	return 0, fmt.Errorf("the bundle may need %s and %s can be used in %s%s; stream it instead:\n"+
		"  amber collect --to - %s | ssh HOST amber evidence import --case DIR -\n"+
		"or name a --case on another disk, or go on with --ignore-space", size(need+evidence.DefaultReserve), size(r.Usable), r.Dir, limit, t.Ref())
}

func (a *acquirer) acquisition(t container.Container) *record.Acquisition {
	var who custody.Entry
	if node != nil {
		who.Actor.Claimed = node.Claimed
	}
	custody.Stamp(&who)
	target, err := json.Marshal(t)
	if err != nil {
		target = []byte("null")
	}
	acq := &record.Acquisition{
		Case: a.caseID, Name: t.Ref(), Argv: os.Args, Actor: who.Actor, Target: target, Start: time.Now().UTC(),
		Host:   record.Host{Name: who.Host, Kernel: kernel(), BootID: who.BootID, Clock: who.Clock},
		Alters: alterations(t),
	}
	if v, ok := a.rts.of(t).(interface {
		Version(context.Context) (string, string, error)
	}); ok {
		if version, revision, err := v.Version(a.c.Context); err == nil {
			acq.Runtimes = []string{strings.TrimSpace(t.Runtime + " " + version + " " + revision)}
		}
	}
	if a.c.Bool("ptrace") {
		acq.Alters = append(acq.Alters, "stopped the threads by ptrace, and on cgroup v1 thawed the target until they had; memory/processes.jsonl says for how long")
	}
	acq.Alters = append(acq.Alters, checkpointAlters(a.c)...)
	if node != nil {
		acq.Alters = append(acq.Alters, node.Alters...)
	}
	if a.frozen != nil {
		acq.Frozen = a.frozen(t.Ref())
	}
	if acq.Frozen != nil {
		acq.Alters = append(acq.Alters, "froze the target "+acq.Frozen.How)
	}
	return acq
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Version[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

// streamedTo is to whom the custody log says that a streamed bundle went.
const streamedTo = "standard output"

// seal closes the bundle, signs it where there is a key, and verifies it.
func (a *acquirer) seal(w *evidence.Writer, b bundleResult, t container.Container, acq *record.Acquisition, report collect.Report) (bundleResult, error) {
	acq.Steps, acq.End, acq.Tool = report.Steps, time.Now().UTC(), tool()
	if f := acq.Frozen; f != nil {
		f.Millis = acq.End.Sub(f.From).Milliseconds()
	}
	if !b.Streamed {
		acq.Alters = append(acq.Alters, fmt.Sprintf("spooled %d bytes below %s", w.Stats().Stored, b.Dir))
	}
	if err := a.c.Context.Err(); err != nil {
		acq.Alters = append(acq.Alters, "note: the collection was interrupted; the steps say where")
		a.warn("the collection was interrupted: what was not reached is among the bundle's misses")
	}
	s, err := w.Seal(acq, evidence.SignWith(a.key()))
	b.Members, b.Misses, b.Noted, b.Plain, b.Stored = s.Stats.Members, s.Stats.Misses, s.Stats.Noted, s.Stats.Plain, s.Stats.Stored
	if err != nil {
		return b, fmt.Errorf("sealing: %w", err)
	}
	if s.SignError != nil {
		a.warn("the bundle stays unsigned: " + s.SignError.Error())
	}
	b.State, b.Digest, b.Root = s.State, s.Digest, s.Root
	e := logEntry("acquire", b.ID, s.Digest)
	e.Counterparty, e.Reason, e.Authority, e.Alterations = t.Ref(), a.c.String("reason"), a.c.String("authority"), acq.Alters
	e.Result = fmt.Sprintf("%d members, %d misses%s", b.Members, b.Misses, encryptedFor(b.Encryption))
	a.log(e)
	e = logEntry("seal", b.ID, s.Digest)
	e.After, e.Result = "sha256:"+s.Digest, string(s.State)
	if b.Streamed {
		e.Counterparty = streamedTo
	}
	a.log(e)
	if b.Streamed {
		return b, nil
	}
	return b, a.verify(&b)
}

// verify reads the bundle back: what the disk did not keep is known now.
func (a *acquirer) verify(b *bundleResult) error {
	signers, err := a.cs.Signers()
	if err != nil {
		return err
	}
	r, err := evidence.Verify(context.WithoutCancel(a.c.Context), b.Dir, evidence.VerifyOptions{Signers: signers, Demand: b.State == evidence.Sealed})
	if err != nil {
		return err
	}
	e := logEntry("verify", b.ID, r.Digest)
	e.Result = "intact"
	if !r.Intact() {
		e.Result = "failed"
		e.Errors = []string{r.Problems[0].Name + ": " + r.Problems[0].What}
	}
	a.log(e)
	if !r.Intact() {
		return outcome{exitVerify, "the bundle does not verify: " + e.Errors[0]}
	}
	b.Verified = true
	return nil
}

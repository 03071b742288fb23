// Package logs collects the log files that a container's runtime or kubelet
// keeps of it on the host.
//
// The payload holds each file at logs/ followed by its path on the host. A log
// is copied up to the size that it has when it is opened: one that is written
// to meanwhile is cut there, and its member says so.
package logs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"amber/collect"
	"amber/collect/filesystem/tree"
	"amber/container"
	"amber/container/mountinfo"
	"amber/evidence/record"
)

// New is the collector.
func New() collect.Collector { return collector{} }

type collector struct{}

func (collector) Name() string                   { return "logs" }
func (collector) Volatility() collect.Volatility { return collect.Logs }

// Collect copies the files that the runtime's adapter named.
func (collector) Collect(ctx context.Context, c container.Container, sink collect.Sink) error {
	if len(c.Logs) == 0 {
		return sink.Miss("logs", none(c))
	}
	host, err := mountinfo.Host(c.Root)
	if err != nil {
		return err
	}
	j := job{sink: sink, host: host, seen: map[string]bool{}}
	for _, name := range c.Logs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.file(name); err != nil {
			return err
		}
	}
	return nil
}

func none(c container.Container) error {
	if len(c.Notes) == 0 {
		return errors.New("the runtime names no log file of the container")
	}
	return errors.New("the runtime names no log file of the container: " + strings.Join(c.Notes, "; "))
}

type job struct {
	sink collect.Sink
	host *mountinfo.Table
	seen map[string]bool // member paths
}

// file copies one log. A link as the last element is not followed: kubelet's
// directories have them, but so has whoever can write there; the adapter names
// the file itself.
func (j *job) file(name string) error {
	member := path.Join("logs", path.Clean("/"+name))
	if j.seen[member] || member == "logs" {
		return nil
	}
	j.seen[member] = true
	fd, at, err := j.host.Open(name)
	if err != nil {
		return j.sink.Miss(member, err)
	}
	defer unix.Close(fd)
	e, err := tree.File(fd, member)
	if err != nil {
		return j.sink.Miss(member, err)
	}
	defer e.Close()
	m := e.Member
	if m.Type != record.File {
		reason := fmt.Errorf("it is a %s, not a file", m.Type)
		if m.Type == record.Symlink {
			reason = fmt.Errorf("it is a symbolic link to %q, which is not followed", m.Link)
		}
		return j.sink.Miss(member, reason)
	}
	if at != path.Clean(name) {
		m.Notes = append(m.Notes, "reached by symbolic links: the file lies at "+at)
	}
	return j.sink.Add(m, e.Body)
}

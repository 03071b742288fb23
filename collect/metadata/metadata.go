// Package metadata collects what is known about a container and its host that
// nothing else of the evidence holds.
//
// The payload holds:
//
//	metadata/container.json    container.Container, and its canonical target
//	metadata/spec.json         the OCI runtime specification, as amber read it
//	metadata/risks.json        container.Risks
//	metadata/runtime/…         the runtime's own documents, byte for byte
//	metadata/host.json         the host in short: see host
//	metadata/clock.json        how far the clock can be trusted: see clock
//	metadata/host/…            the files of the host that host.json was read from, and more
//
// Of a container on a disk (Container.Root) the host is that disk's.
package metadata

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"amber/collect"
	"amber/container"
	"amber/evidence/record"
)

// Options say who can tell more.
type Options struct {
	Describer container.Describer // the runtime, if it has documents of its own; may be nil
}

// New is the collector.
func New(o Options) collect.Collector { return &collector{o} }

type collector struct{ Options }

func (*collector) Name() string                   { return "metadata" }
func (*collector) Volatility() collect.Volatility { return collect.Metadata }

// Collect adds the documents one after the other; one that cannot be had is a
// miss.
func (o *collector) Collect(ctx context.Context, c container.Container, sink collect.Sink) error {
	j := &job{ctx: ctx, sink: sink}
	steps := []func() error{
		func() error { return j.container(c) },
		func() error { return j.runtime(o.Describer, c) },
	}
	if c.Root != "" {
		steps = append(steps, func() error { return j.offlineHost(c.Root) })
	} else {
		steps = append(steps, j.host, func() error { return j.json("clock.json", "adjtimex, clock_gettime", readClock()) }, j.files)
	}
	for _, step := range steps {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return err
		}
	}
	return nil
}

type job struct {
	ctx  context.Context
	sink collect.Sink
}

func (j *job) add(name, via string, data []byte) error {
	m := &record.Member{
		Path: "metadata/" + name, Type: record.File, Mode: 0o600, Links: 1, Size: int64(len(data)),
		ReadAt: time.Now().UTC(), Via: via,
	}
	return j.sink.Add(m, bytes.NewReader(data))
}

func (j *job) json(name, via string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return j.sink.Miss("metadata/"+name, err)
	}
	return j.add(name, via, append(data, '\n'))
}

func (j *job) container(c container.Container) error {
	err := j.json("container.json", c.Runtime, struct {
		Target string `json:"target"`
		container.Container
	}{c.Ref(), c})
	if c.Spec == nil {
		return errors.Join(err, j.sink.Miss("metadata/spec.json", errors.New("the runtime gave no OCI specification")))
	}
	return errors.Join(err, j.json("spec.json", c.Runtime, c.Spec), j.json("risks.json", "the OCI specification", container.Risks(c)))
}

// runtime keeps the runtime's own documents. Their names are paths that the
// adapter made, but are not taken on trust.
func (j *job) runtime(d container.Describer, c container.Container) error {
	if d == nil {
		return j.sink.Miss("metadata/runtime", errors.New("the runtime has no documents to give"))
	}
	docs, misses, err := d.Describe(j.ctx, c)
	if err != nil {
		if err := j.sink.Miss("metadata/runtime", fmt.Errorf("asking the runtime: %w", err)); err != nil {
			return err
		}
	}
	for _, doc := range docs {
		if err := j.document(c, doc); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(misses)) {
		if err := j.sink.Miss(documentPath(name), errors.New(misses[name])); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) document(c container.Container, doc container.Document) error {
	path := documentPath(doc.Name)
	if path == badName {
		return j.sink.Miss(path, fmt.Errorf("the document's name %q is no path", doc.Name))
	}
	return j.add(path[len("metadata/"):], c.Runtime, doc.Data)
}

const badName = "metadata/runtime/unnamed"

func documentPath(name string) string {
	if record.CheckPath(name) != nil {
		return badName
	}
	return "metadata/runtime/" + name
}

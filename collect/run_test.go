package collect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"amber/collect"
	"amber/collect/collecttest"
	"amber/container"
	"amber/evidence/record"
)

// step is a collector that does what a test wants.
type step struct {
	name string
	when collect.Volatility
	do   func(context.Context, collect.Sink) error
}

func (s step) Name() string                   { return s.name }
func (s step) Volatility() collect.Volatility { return s.when }
func (s step) Collect(ctx context.Context, _ container.Container, sink collect.Sink) error {
	return s.do(ctx, sink)
}

func add(name string) func(context.Context, collect.Sink) error {
	return func(_ context.Context, s collect.Sink) error {
		return s.Add(&record.Member{Path: name + "/f", Type: record.File, Size: 3}, strings.NewReader("abc"))
	}
}

// payloads gives each collector a recorder of its own.
func payloads(t *testing.T) (map[string]*collecttest.Recorder, func(string) (collect.Payload, error)) {
	m := map[string]*collecttest.Recorder{}
	return m, func(name string) (collect.Payload, error) {
		m[name] = collecttest.New(t)
		return m[name], nil
	}
}

func names(r collect.Report) (list []string) {
	for _, s := range r.Steps {
		list = append(list, s.Name)
	}
	return list
}

func TestRunInOrderOfVolatility(t *testing.T) {
	recs, open := payloads(t)
	r, err := collect.Run(t.Context(), container.Container{}, open,
		step{"metadata", collect.Metadata, add("metadata")},
		step{"network", collect.Network, add("network")},
		step{"filesystem", collect.Filesystem, add("filesystem")},
		step{"process", collect.Process, add("process")})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(r); !slices.Equal(got, []string{"network", "process", "filesystem", "metadata"}) {
		t.Errorf("order %q", got)
	}
	for i, s := range r.Steps {
		if s.Members != 1 || s.Bytes != 3 || s.Misses != 0 || s.Error != "" || s.End.Before(s.Start) || i > 0 && s.Start.Before(r.Steps[i-1].End) {
			t.Errorf("step %+v", s)
		}
		if recs[s.Name].Members[s.Name+"/f"] == nil {
			t.Errorf("%s kept nothing", s.Name)
		}
	}
}

func TestFailureAndPanicAreMisses(t *testing.T) {
	recs, open := payloads(t)
	r, err := collect.Run(t.Context(), container.Container{}, open,
		step{"a", 1, func(context.Context, collect.Sink) error { return errors.New("no way") }},
		step{"b", 2, func(context.Context, collect.Sink) error { return []error{}[len(recs)-2] }},
		step{"c", 3, add("c")})
	if err != nil {
		t.Fatal(err)
	}
	recs["a"].WantMiss("a", "no way")
	recs["b"].WantMiss("b", "panic: runtime error: index out of range")
	recs["b"].WantMiss("b", "run_test.go:")
	recs["c"].Member("c/f")
	if r.Steps[0].Misses != 1 || r.Steps[1].Error == "" || r.Steps[2].Error != "" {
		t.Errorf("steps %+v", r.Steps)
	}
}

func TestAFullPayloadEndsItsCollectorAlone(t *testing.T) {
	recs, open := payloads(t)
	full := func(name string) (collect.Payload, error) {
		p, err := open(name)
		if name == "a" {
			recs["a"].Full = 1
		}
		return p, err
	}
	two := func(ctx context.Context, s collect.Sink) error {
		return errors.Join(add("a")(ctx, s), s.Add(&record.Member{Path: "a/g", Type: record.File, Size: 3}, strings.NewReader("abc")))
	}
	r, err := collect.Run(t.Context(), container.Container{}, full, step{"a", 1, two}, step{"b", 2, add("b")})
	if err != nil {
		t.Errorf("the run answers %v", err)
	}
	recs["a"].WantMiss("a", record.ErrFull.Error())
	recs["b"].Member("b/f")
	if r.Steps[0].Members != 1 || r.Steps[0].Error == "" {
		t.Errorf("steps %+v", r.Steps)
	}
}

// broken is a payload that cannot be written.
type broken struct{ *collecttest.Recorder }

func (broken) Close() error { return errors.New("disk on fire") }

func TestABrokenPayloadIsTheRunsError(t *testing.T) {
	recs, open := payloads(t)
	r, err := collect.Run(t.Context(), container.Container{}, func(name string) (collect.Payload, error) {
		p, err := open(name)
		switch name {
		case "a":
			return nil, errors.New("cannot open")
		case "b":
			return broken{recs["b"]}, nil
		}
		return p, err
	}, step{"a", 1, add("a")}, step{"b", 2, add("b")}, step{"c", 3, add("c")})
	if err == nil || !strings.Contains(err.Error(), "cannot open") || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("the run answers %v", err)
	}
	if len(r.Steps) != 3 || r.Steps[0].Error == "" || r.Steps[1].Error == "" || r.Steps[2].Error != "" {
		t.Errorf("steps %+v", r.Steps)
	}
	recs["c"].Member("c/f")
}

func TestCancelledRunSaysWhatDidNotRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	recs, open := payloads(t)
	r, err := collect.Run(ctx, container.Container{}, open,
		step{"a", 1, func(ctx context.Context, s collect.Sink) error { cancel(); return ctx.Err() }},
		step{"b", 2, add("b")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the run answers %v", err)
	}
	recs["a"].WantMiss("a", "canceled")
	if len(r.Steps) != 2 || !strings.Contains(r.Steps[1].Error, "did not run") || r.Steps[1].Misses != 1 {
		t.Errorf("steps %+v", r.Steps)
	}
	recs["b"].WantMiss("b", "did not run")
}

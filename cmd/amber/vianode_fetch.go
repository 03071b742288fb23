package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"amber/evidence/safetext"
)

// fetch runs a verb on the node and takes the bundle in that it streams. The
// first one says what became of the target.
func (v *viaNode) fetch(a *agent, argv []string, first bool) (bundleResult, error) {
	ctx, cancel := context.WithCancel(v.c.Context)
	defer cancel()
	v.setSaid(nil)
	r, w := io.Pipe()
	code, ran := 0, make(chan error, 1)
	go func() {
		var err error
		code, err = a.run(ctx, nodeRequest{Argv: argv, Pod: v.target, Docs: v.pod.docs, Misses: v.pod.misses}, w, v.heard)
		ran <- errors.Join(err, w.CloseWithError(io.EOF))
	}()
	if v.introduced == nil {
		v.introduce(func() {})
	}
	got, err := takeBundle(ctx, v.response, r)
	if err != nil {
		cancel()
		_ = r.CloseWithError(err)
	}
	runErr := <-ran
	said := v.getSaid()
	if first && said != nil {
		v.takeOver(a, *said)
	}
	switch {
	case err != nil:
		return bundleResult{}, errors.Join(err, runErr)
	case runErr != nil:
		runErr = fmt.Errorf("the connection to the node broke off: %w", runErr)
	case got == nil && code != exitDone:
		return bundleResult{}, &nothingError{a.record.Node, code}
	}
	if got == nil {
		return bundleResult{}, errors.Join(errors.New("the node sent no bundle"), runErr)
	}
	v.bundles = append(v.bundles, *got)
	return bundleOf(got, said), errors.Join(runErr, got.wrong(), agrees(got, said))
}

// nothingError says that amber on the node ended with a code before it took
// anything.
type nothingError struct {
	node string
	code int
}

func (e *nothingError) Error() string {
	return fmt.Sprintf("amber on the node %s took nothing and ended with code %d; it has said why", e.node, e.code)
}

func (v *viaNode) setSaid(said *respondResult) {
	v.hears.Lock()
	defer v.hears.Unlock()
	v.said = said
}

func (v *viaNode) getSaid() *respondResult {
	v.hears.Lock()
	defer v.hears.Unlock()
	return v.said
}

// takeBundle takes a bundle in; nil where not one byte comes.
func takeBundle(ctx context.Context, r *response, in io.Reader) (*received, error) {
	buffered := bufio.NewReader(in)
	if _, err := buffered.Peek(1); errors.Is(err, io.EOF) {
		return nil, nil
	}
	got, err := receive(context.WithoutCancel(ctx), r.cs, buffered)
	if err != nil {
		return nil, fmt.Errorf("taking the bundle in: %w", err)
	}
	return &got, nil
}

// heard takes a message of the node. What it says is safe to show from here on.
func (v *viaNode) heard(m nodeMessage) {
	switch m.Kind {
	case messageCut:
		v.acting.Go(v.quarantined)
	case messageResult:
		var said respondResult
		if data, err := safeJSON(m.Body); err != nil || json.Unmarshal(data, &said) != nil {
			v.warn("what the node says of its work cannot be read")
			return
		}
		v.setSaid(&said)
	}
}

// agrees compares what arrived with what the node says that it sent.
func agrees(got *received, said *respondResult) error {
	if said == nil || len(said.Bundles) != 1 {
		return errors.New("the node does not say what it sent")
	}
	if b := said.Bundles[0]; b.Digest != got.report.Digest {
		return outcome{exitVerify, fmt.Sprintf("what arrived is not what the node says that it sent: %s, not %s", got.report.Digest, b.Digest)}
	}
	return nil
}

// bundleOf is what is known of a bundle that arrived.
func bundleOf(got *received, said *respondResult) bundleResult {
	var b bundleResult
	if said != nil && len(said.Bundles) == 1 {
		b = said.Bundles[0]
	}
	b.ID, b.State, b.Dir, b.Streamed = got.id, got.report.State, got.dir, false
	b.Digest, b.Encryption = got.report.Digest, got.report.Encryption
	if got.locked() { // what the node says of its members is all that is known
		return b
	}
	b.Root, b.Members, b.Misses, b.Noted = got.report.Root, got.report.Members, got.report.Misses, got.report.Noted
	return b
}

// safeJSON makes all strings of a document safe to show.
func safeJSON(data []byte) ([]byte, error) {
	var v any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(safeValue(v))
}

func safeValue(v any) any {
	switch v := v.(type) {
	case string:
		return safetext.Line(v)
	case []any:
		for i := range v {
			v[i] = safeValue(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = safeValue(v[k])
		}
	}
	return v
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/isolate"
)

// maxAnswer bounds what is read of the node's answer.
const maxAnswer = 64 << 20

// ask runs a verb on the node that answers with one JSON document. A code other
// than 0 comes with what was answered.
func (a *agent) ask(c *cli.Context, answer any, argv ...string) error {
	out := &limitedBuffer{most: maxAnswer}
	code, err := a.run(c.Context, nodeRequest{Argv: argv}, out, func(nodeMessage) {})
	if err != nil {
		return err
	}
	var failed error
	if code != exitDone {
		failed = outcome{code, fmt.Sprintf("amber %s on the node %s ended with code %d", strings.Join(argv[:2], " "), a.record.Node, code)}
	}
	if out.Len() == 0 {
		return failed
	}
	data, err := safeJSON(out.Bytes())
	if err == nil {
		err = json.Unmarshal(data, answer)
	}
	if err != nil {
		err = fmt.Errorf("reading the answer of the node %s: %w", a.record.Node, err)
	}
	return errors.Join(failed, err)
}

// limitedBuffer is a buffer that refuses more than so many bytes.
type limitedBuffer struct {
	bytes.Buffer
	most int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		return 0, io.ErrShortBuffer
	}
	return b.Buffer.Write(p)
}

// inCase names the node's case where it has one.
func (a *agent) inCase() []string {
	if a.record.Case == "" {
		return nil
	}
	return []string{"--case", a.record.Case}
}

// release releases what the node holds by those words; all of its case where
// there are none.
func (a *agent) release(c *cli.Context, words []string) (done []isolate.Entry, err error) {
	args := append([]string{"isolate", "release", "--yes", "--output", "json"}, a.inCase()...)
	args = append(args, forward(c, slices.Concat(forRuntimes, forHold)...)...)
	if len(words) == 0 {
		args = append(args, "--all")
	}
	return done, a.ask(c, &done, append(args, words...)...)
}

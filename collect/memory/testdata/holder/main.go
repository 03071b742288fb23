// Holder takes the memory of a container with registers, as collect/memory does
// it, and keeps nothing: for tests that kill it on the way (evidence/durable).
//
//	holder CONTAINER     in JSON
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"amber/collect/memory"
	"amber/container"
	"amber/evidence/record"
)

type nowhere struct{}

func (nowhere) Add(_ *record.Member, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func (nowhere) Miss(string, error) error { return nil }

func main() {
	var c container.Container
	err := json.Unmarshal([]byte(os.Args[1]), &c)
	if err == nil {
		err = memory.New(memory.Options{Ptrace: true}).Collect(context.Background(), c, nowhere{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "holder:", err)
		os.Exit(1)
	}
}

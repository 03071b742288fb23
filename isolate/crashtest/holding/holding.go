// Package holding is what the programs have in common that hold a target, and
// are killed while they do: see package crashtest.
package holding

import (
	"context"
	"fmt"
	"os"

	"amber/isolate"
)

// Main runs a program with its arguments.
func Main(run func(ctx context.Context, args []string) error) {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Apply holds a target by a method.
func Apply(ctx context.Context, caseDir string, m isolate.Method, target isolate.Target) error {
	p, err := m.Plan(ctx, target)
	if err != nil {
		return err
	}
	_, err = isolate.Apply(ctx, caseDir, m, p)
	return err
}

// Release releases what a case holds by a method.
func Release(ctx context.Context, caseDir string, m isolate.Method) error {
	entries, err := isolate.Load(caseDir)
	if err != nil {
		return err
	}
	_, err = isolate.Release(ctx, entries, func(string) (isolate.Method, error) { return m, nil })
	return err
}

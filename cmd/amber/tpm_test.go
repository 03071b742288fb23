package main

import (
	"github.com/rogpeppe/go-internal/testscript"

	"amber/evidence/keys/tpm/tpmtest"
)

// withTPM is "tpm NAME": a TPM of its own, whose socket is $NAME, until the
// script ends.
func withTPM(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tpm NAME")
	}
	ts.Setenv(args[0], tpmtest.New(worldOf(ts).tb).Socket)
}

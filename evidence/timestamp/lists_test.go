package timestamp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"amber/evidence/timestamp"
	"amber/evidence/timestamp/timestamptest"
)

// TestFlippedLists: whatever is kept of revocation, no bit of it may change
// where the token holds its issuers.
func TestFlippedLists(t *testing.T) {
	a := timestamptest.New(t, time.Now().Add(time.Hour))
	sum := sha256.Sum256([]byte("x"))
	got, err := timestamp.Ask(context.Background(), a.URL, sum[:])
	if err != nil || got.Token.CheckLists(got.CRLs) != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(got.CRLs) {
		changed := bytes.Clone(got.CRLs)
		changed[i/8] ^= 1 << (i % 8)
		if got.Token.CheckLists(changed) == nil {
			t.Errorf("bit %d of byte %d of %d", i%8, i/8, len(changed))
		}
	}
}

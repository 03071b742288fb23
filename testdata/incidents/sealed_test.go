package incidents_test

import (
	"os"
	"path/filepath"
	"testing"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/testdata/incidents"
)

// TestSealed: the bundles and the custody log are as the responders left them.
func TestSealed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "case")
	if _, err := incidents.Unpack(dir); err != nil {
		t.Fatal(err)
	}
	c, err := casedir.OpenRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	signers, err := c.Signers()
	if err != nil {
		t.Fatal(err)
	}
	bundles, err := os.ReadDir(filepath.Join(dir, "evidence"))
	if err != nil || len(bundles) != 2 {
		t.Fatalf("%d bundles where two are wanted: %v", len(bundles), err)
	}
	for _, b := range bundles {
		r, err := evidence.Verify(t.Context(), filepath.Join(dir, "evidence", b.Name()), evidence.VerifyOptions{Signers: signers, Demand: true, Deep: true})
		if err != nil || !r.Intact() || !r.KnownSigner() {
			t.Errorf("%s: %v %+v", b.Name(), err, r)
		}
	}
	log, err := custody.Verify(c.CustodyPath(), signers, nil)
	if err != nil || log.Lines == 0 || len(log.Problems) > 0 {
		t.Errorf("the custody log: %v %+v", err, log)
	}
}

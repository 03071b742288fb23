//go:build fault

package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"amber/evidence/encrypt"
	"amber/evidence/record"
)

// TestMain is the child of TestEncryptedCrash where that says so.
func TestMain(m *testing.M) {
	dir, to := os.Getenv("EVIDENCE_TEST_DIR"), os.Getenv("EVIDENCE_TEST_TO")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := writeEncrypted(dir, to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func writeEncrypted(dir, to string) error {
	list, err := encrypt.Custodians([]string{to}, true)
	if err != nil {
		return err
	}
	w, err := Create(dir, "e", 4096)
	if err != nil {
		return err
	}
	if _, err := w.EncryptTo(list); err != nil {
		return err
	}
	for _, name := range []string{"network", "logs"} {
		p, err := w.Payload(name)
		if err != nil {
			return err
		}
		o := file(name+"/a", []byte(name))
		if err := p.Add(o.m, extentReader(o)); err != nil {
			return err
		}
		if err := p.Close(); err != nil {
			return err
		}
	}
	_, err = w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil)
	return err
}

// TestEncryptedCrash kills the writing of an encrypted bundle before and after
// every write, sync and rename: what is there can be read by its custodian, and
// nothing is there that nobody can read. It needs the fault points: go test
// -tags fault.
func TestEncryptedCrash(t *testing.T) {
	c := newCustodian(t, "x25519")
	points := crashEncrypted(t, c, 0)
	if points < 30 {
		t.Fatalf("%d fault points", points)
	}
	t.Logf("%d fault points", points)
	for at := 1; at <= points; at++ {
		if at < 60 || at%3 == 0 { // all of the keys' and the first segment's
			crashEncrypted(t, c, at)
		}
	}
}

// crashEncrypted has a child write, kills it at a point (0: never), and checks
// what it has left. It gives the number of points passed.
func crashEncrypted(t *testing.T, c custodian, at int) (points int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e")
	list := dir + ".list"
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EVIDENCE_TEST_DIR="+dir, "EVIDENCE_TEST_TO="+c.to, "AMBER_FAULT_LIST="+list, fmt.Sprintf("AMBER_FAULT_AT=%d", at))
	// Two goroutines write: one run has a point or two more than another, and may
	// end before the last.
	if out, err := cmd.CombinedOutput(); err != nil && at == 0 {
		t.Fatalf("killed at %d: %v\n%s", at, err, out)
	}
	data, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	points = bytes.Count(data, []byte("\n"))
	if !isDir(dir) {
		return points
	}
	if r := verify(t, dir, VerifyOptions{Keys: c.ring(t)}); !r.Intact() {
		t.Errorf("killed at %d: %+v", at, r.Problems)
	}
	if _, err := os.Stat(filepath.Join(dir, "key-1.age")); err == nil {
		return points
	}
	stored, err := filepath.Glob(filepath.Join(dir, "*", "*-0000*"))
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := filepath.Glob(filepath.Join(dir, blobDir, "*"))
	if err != nil || len(stored)+len(blobs) > 0 {
		t.Errorf("killed at %d: without a custodian's key there are %q %q, %v", at, stored, blobs, err)
	}
	return points
}

package casedir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence/custody"
	"amber/evidence/durable"
)

// TestLinksAreNotFollowed: each part of a case, in turn, lies elsewhere.
func TestLinksAreNotFollowed(t *testing.T) {
	for _, name := range parts {
		if name == lockFile {
			continue // it is refused before by the case that has it open
		}
		c := newCase(t)
		path := filepath.Join(c.Dir(), name)
		outside := filepath.Join(t.TempDir(), "outside")
		if err := os.Rename(path, outside); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, path); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenRead(c.Dir()); !errors.Is(err, ErrLink) || !strings.Contains(err.Error(), name+" is a symbolic link") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLogIsNotFollowed where it becomes a link after the case was opened.
func TestLogIsNotFollowed(t *testing.T) {
	c := newCase(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, c.CustodyPath()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Log(custody.Entry{Action: "cat"}); err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
		t.Errorf("an entry goes through a link: %v", err)
	}
	if data, err := os.ReadFile(outside); err != nil || len(data) > 0 {
		t.Errorf("%q, %v", data, err)
	}
	for _, err := range custody.Entries(c.CustodyPath()) {
		if err == nil {
			t.Error("a link is read")
		}
	}
}

func TestUnlisted(t *testing.T) {
	c := newCase(t)
	if _, err := c.Log(custody.Entry{Action: "cat"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"todo.txt", "Evidence", custodyLog + ".torn-0123456789abcdef"} {
		if err := os.WriteFile(filepath.Join(c.Dir(), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Unlisted(); err != nil || !slices.Equal(got, []string{"Evidence", "todo.txt"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// sealWith puts files of a seal where a bundle would have them, and enters that.
func sealWith(t *testing.T, c *Case, action string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(c.Dir(), sealOf("e1"), name)
		if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Log(custody.Entry{Action: action, Evidence: &custody.Evidence{ID: "e1"}}); err != nil {
		t.Fatal(err)
	}
}

// TestLostSeals: what is gone stays missed, whatever is listed later, until
// somebody gives it up by his signature.
func TestLostSeals(t *testing.T) {
	c := newCase(t)
	c.Signer, _ = newSigner(t)
	sealWith(t, c, "seal", "001-sshsig")
	sealWith(t, c, "stamp", "002-rfc3161.tsr")
	if lost := c.LostSeals("e1"); len(lost) != 0 {
		t.Fatalf("%+v", lost)
	}
	gone := filepath.Join(c.Dir(), sealOf("e1"), "002-rfc3161.tsr")
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	sealWith(t, c, "sign", "003-sshsig") // its list lacks the token
	lost := c.LostSeals("e1")
	if len(lost) != 1 || lost[0].Path != sealOf("e1")+"002-rfc3161.tsr" || lost[0].What != "is gone" || lost[0].Entry != 2 {
		t.Fatalf("%+v", lost)
	}
	// Another file under its name is none of it, though a later entry lists it.
	if err := os.WriteFile(gone, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	sealWith(t, c, "sign", "004-sshsig")
	if lost := c.LostSeals("e1"); len(lost) != 1 || !strings.Contains(lost[0].What, "was c") {
		t.Fatalf("%+v", lost)
	}
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	// An entry that nobody signed gives nothing up.
	signer := c.Signer
	c.Signer = nil
	e := custody.Entry{Evidence: &custody.Evidence{ID: "e1"}, Reason: "no reason"}
	if err := c.GiveUp(e, lost); err == nil {
		t.Error("nobody gives it up")
	}
	e.Action, e.GivenUp = ActionGiveUp, []string{lost[0].Path}
	if _, err := c.Log(e); err != nil {
		t.Fatal(err)
	}
	if got := c.LostSeals("e1"); len(got) != 1 {
		t.Fatalf("given up by an entry that nobody signed: %+v", got)
	}
	c.Signer = signer
	if err := c.GiveUp(custody.Entry{Evidence: &custody.Evidence{ID: "e1"}, Reason: "the disk"}, lost); err != nil {
		t.Fatal(err)
	}
	if got := c.LostSeals("e1"); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
}

// TestAdditionCutOff: the entry is made, and a crash keeps case.json as it was.
func TestAdditionCutOff(t *testing.T) {
	c := newCase(t)
	signer, line := newSigner(t)
	c.Signer = signer
	was, err := os.ReadFile(filepath.Join(c.Dir(), infoFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddSigner(line); err != nil || c.CutOffSigners() != 0 {
		t.Fatal(err, c.CutOffSigners())
	}
	if err := os.WriteFile(filepath.Join(c.Dir(), infoFile), was, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.CutOffSigners(); got != 1 {
		t.Errorf("entry %d", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(c.Dir()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Signer = signer
	if err := c.AddSigner(line); err != nil || c.CutOffSigners() != 0 {
		t.Fatal(err, c.CutOffSigners())
	}
	known := c.KnownFiles()
	if err := c.CheckFile(known.Files[infoFile]); err != nil {
		t.Error(err)
	}
}

package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestManifestNamesAnAbsentBlob: the blob is gone and so is its line of
// SHA256SUMS, which nobody signed.
func TestManifestNamesAnAbsentBlob(t *testing.T) {
	whole := small(t, nil)
	b, err := Open(whole)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, d := range append(slices.Clone(b.manifest.Layers), b.manifest.Config) {
		name := blobDir + "/" + d.Digest.Encoded()
		dir := filepath.Join(t.TempDir(), "e")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		sums := bytes.Replace(b.sums, []byte(d.Digest.Encoded()+"  "+name+"\n"), nil, 1)
		if len(sums) == len(b.sums) {
			t.Fatalf("%s has no line for %s", sumsFile, name)
		}
		if err := os.WriteFile(filepath.Join(dir, sumsFile), sums, 0o600); err != nil {
			t.Fatal(err)
		}
		r := verify(t, dir, VerifyOptions{})
		if r.Intact() {
			t.Fatalf("%s (%s) is absent, and that passes", name, d.MediaType)
		}
		told := slices.ContainsFunc(r.Problems, func(p Problem) bool {
			return strings.Contains(p.Name+p.What, d.Digest.Encoded()) && strings.Contains(p.What, "is named by the manifest and absent")
		})
		if !told {
			t.Errorf("%s (%s) is absent, and told as %+v", name, d.MediaType, r.Problems)
		}
	}
}

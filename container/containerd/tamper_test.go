package containerd_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"amber/testdata/testbed"
)

// TestDescribeTamperedBlob: what was changed on the disk is kept as it is now,
// beside a miss that says so, and nothing is made up for what was cut off.
func TestDescribeTamperedBlob(t *testing.T) {
	const name = "image/config.json"
	ctx, bed := context.Background(), testbed.StartContainerd(t)
	bed.Run(t, "tampered", loop)
	r, c := open(t, bed), get(t, bed, bed.Namespace, "tampered")
	describe := func() ([]byte, string) {
		docs, misses, err := r.Describe(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			if d.Name == name {
				return d.Data, misses[name]
			}
		}
		return nil, misses[name]
	}
	config, miss := describe()
	if len(config) == 0 || miss != "" {
		t.Fatalf("untouched: %d bytes, miss %q", len(config), miss)
	}
	file := filepath.Join(bed.Root, "io.containerd.content.v1.content", "blobs", "sha256", digest.FromBytes(config).Encoded())
	for what, now := range map[string][]byte{
		"changed": append([]byte(" "), config[1:]...),
		"cut":     config[:len(config)/2],
	} {
		if err := os.WriteFile(file, now, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, miss := describe(); !bytes.Equal(got, now) || !strings.Contains(miss, "its digest is") {
			t.Errorf("%s: got %q, miss %q", what, got, miss)
		}
	}
}

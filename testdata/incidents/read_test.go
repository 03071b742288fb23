package incidents_test

import (
	"bytes"
	"io"
	"testing"
)

// contains reads to the end, which is when the bytes are known to be those that
// were kept.
func contains(t *testing.T, r io.ReadCloser, text string) bool {
	t.Helper()
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(data, []byte(text))
}

package story_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline/story"
)

// What is too much to be read is counted, the worst is told; what was done again
// and again is one sentence.
func TestLong(t *testing.T) {
	var b bytes.Buffer
	line := func(n, second int, verb, resource, name, sub, query, user string) {
		fmt.Fprintf(&b, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d","stage":"ResponseComplete","requestURI":"/x?%s","verb":"%s","user":{"username":"%s"},"sourceIPs":["203.0.113.5"],"objectRef":{"resource":"%s","namespace":"ns-%d","name":"%s","subresource":"%s"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-03-01T10:%02d:%02d.%06dZ"}`+"\n",
			n, query, verb, user, resource, n%5, name, sub, second/60, second%60, n)
	}
	for i := range 350 {
		line(i, i, "create", "pods", "web", "exec", fmt.Sprintf("command=id&command=%d", i), "eve")
	}
	for i := range 12 {
		line(1000+i, 400+i, "get", "secrets", fmt.Sprintf("s-%d", i), "", "", "eve")
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	st := told(t, opened(t, path), story.Options{})
	if n := len(lines(st)); n != 300 {
		t.Errorf("%d sentences", n)
	}
	var events int64
	for _, a := range st.Apart {
		if strings.Contains(a.What, "belongs to it") {
			events = a.Events
		}
	}
	if events != 62 { // 50 commands, and the secrets, which stand out less
		t.Errorf("%d events are counted as untold: %+v", events, st.Apart)
	}

	b.Reset()
	for i := range 12 {
		line(1000+i, 400+i, "get", "secrets", fmt.Sprintf("s-%d", i), "", "", "eve")
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	has(t, told(t, opened(t, path), story.Options{}), "eve read 12 secrets s-0, s-1, s-2, s-3, s-4 and 7 more in the namespaces ns-0, ns-1, ns-2, ns-3 and ns-4 from 203.0.113.5")
}

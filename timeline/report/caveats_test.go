package report

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// What a reader would take for more than it is, is said on each form: who named
// the signers, what no receipt tells, and that a verification failed.
func TestCaveats(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *Page) error{"page": HTML, "certificate": CertificateHTML, "text": CertificateMarkdown} {
		for _, c := range []struct {
			page Page
			says map[string]bool
		}{
			{Page{OwnSigners: true, NoReceipt: true}, map[string]bool{"taken from the case itself": true, "No receipt of the custody log was at hand": true, "FAILED": false, "Verification failed": false}},
			{Page{}, map[string]bool{"taken from the case itself": false, "No receipt of the custody log was at hand": false}},
			{Page{Exit: 4}, map[string]bool{map[string]string{"page": "Verification failed"}[name]: true, map[string]string{"certificate": "THE VERIFICATION FAILED", "text": "THE VERIFICATION FAILED"}[name]: true}},
			{Page{Exit: 3}, map[string]bool{map[string]string{"page": "Verified in part", "certificate": "verified in part", "text": "verified in part"}[name]: true}},
		} {
			var b bytes.Buffer
			if err := write(&b, &c.page); err != nil {
				t.Fatal(err)
			}
			for text, want := range c.says {
				if strings.Contains(b.String(), text) != want {
					t.Errorf("%s, exit %d: %q: %v, want %v", name, c.page.Exit, text, !want, want)
				}
			}
		}
	}
}

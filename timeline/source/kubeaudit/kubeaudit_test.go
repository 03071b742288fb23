package kubeaudit

import (
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", `{"Records":[{"eventVersion":"1.08"}]}`, "type=SYSCALL msg=audit(1:2):", `{"process_exec":{}}`} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

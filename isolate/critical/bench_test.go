package critical

import (
	"testing"

	"amber/isolate/isolatetest"
)

// BenchmarkCheck is a part of the way from amber's start to a frozen container.
func BenchmarkCheck(b *testing.B) {
	c := isolatetest.Start(b, []string{"sleep", "1000"}).Container()
	for b.Loop() {
		if r := check(c, Self{}); len(r.Reasons) > 0 {
			b.Fatal(r)
		}
	}
}

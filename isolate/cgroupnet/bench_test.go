package cgroupnet

import (
	"net/netip"
	"testing"

	"amber/isolate/allow"
)

// From the call until the kernel drops: planning, journaling and attaching.
func BenchmarkCut(b *testing.B) {
	holdsDir(b)
	box := newBox(b)
	m := New(Options{})
	for b.Loop() {
		e := apply1(b, m, box)
		b.StopTimer()
		release(b, m, e)
		b.StartTimer()
	}
}

// What the container's sockets pay; those of others run no program of ours.
func BenchmarkProgram(b *testing.B) {
	for name, dst := range map[string]string{"passed": ok4, "dropped": no4} {
		b.Run(name, func(b *testing.B) {
			prog, err := load(egress, "amber_test", []allow.Rule{{Prefix: netip.MustParsePrefix(ok4 + "/32")}}, nil)
			if err != nil {
				b.Skip(err)
			}
			defer prog.Close()
			_, took, err := prog.Benchmark(packet{src: me4, dst: dst, proto: 6}.frame(), b.N, b.ResetTimer)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(took.Nanoseconds()), "ns/packet")
		})
	}
}

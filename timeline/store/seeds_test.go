package store

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"amber/timeline/query"
)

// FuzzSeeds wants each seed of a piece of a text, in either case, among the
// seeds of the text.
func FuzzSeeds(f *testing.F) {
	f.Add([]byte("request 3c7f0a52-9b1e-4d6f-8a20-5e9d1c4b7f36 of ASIAQ3EGVN5R7XKTP2WD"), uint(8), uint(36))
	f.Add([]byte("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"), uint(3), uint(40))
	f.Add(bytes.Repeat([]byte("0123456789abcdef-fedcba98765432109"), 9), uint(40), uint(200))
	f.Add([]byte("a\u212answer-to-the-question-of-everything"), uint(0), uint(30))
	f.Fuzz(func(t *testing.T, text []byte, at, n uint) {
		var all seeds
		all.add(text)
		folded := query.AppendFolded(nil, text)
		at %= uint(len(folded)) + 1
		n %= uint(len(folded)) - at + 1
		for _, h := range appendSeeds(nil, folded[at:at+n]) {
			if !slices.Contains(all.list, h) {
				t.Fatalf("%q has not all seeds of its piece %q", text, folded[at:at+n])
			}
		}
	})
}

func TestDistinct(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 1000} {
		list := make([]uint32, n)
		for i := range list {
			list[i] = r.Uint32() >> r.IntN(32)
		}
		want := slices.Clone(list)
		slices.Sort(want)
		want = slices.Compact(want)
		var scratch []uint32
		if got := distinct(list, &scratch); !slices.Equal(got, want) {
			t.Errorf("of %d numbers there are %d, want %d", n, len(got), len(want))
		}
	}
}

// TestSeedsFew wants an id to have as many seeds as are paid for, and at least
// one, and a filter to leave out nearly all blocks of other ids.
func TestSeedsFew(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	id := func() []byte {
		b := make([]byte, 36)
		for i := range b {
			b[i] = "0123456789abcdef"[r.IntN(16)]
		}
		return b
	}
	var block seeds
	const ids = 8192
	for range ids {
		block.add(id())
	}
	if n := len(block.list); n < 3*ids || n > 6*ids {
		t.Errorf("%d ids have %d seeds", ids, n)
	}
	all := slices.Clone(block.list)
	filter, wrong := block.filter(), 0
	for _, h := range all {
		if !filter.has(h) {
			t.Fatalf("the seed %x is entered and not found", h)
		}
	}
	for range 1000 {
		found := appendSeeds(nil, bytes.ToLower(id()))
		if len(found) == 0 {
			t.Fatal("an id without seeds")
		}
		if !slices.ContainsFunc(found, func(h uint32) bool { return !filter.has(h) }) {
			wrong++
		}
	}
	if wrong > 20 {
		t.Errorf("of 1000 other ids %d seem to be in the block", wrong)
	}
}

package macb

import (
	"slices"
	"testing"

	"amber/timeline"
)

func TestEach(t *testing.T) {
	at := func(n int64) timeline.Time { return timeline.Time{Micros: n} }
	for _, c := range []struct {
		times Times
		want  []string
	}{
		{Times{at(2), at(3), at(2), at(1)}, []string{"...b", "m.c.", ".a.."}},
		{Times{at(1), at(1), at(1), at(1)}, []string{"macb"}},
		{Times{timeline.NoTime, at(-5), timeline.NoTime, timeline.NoTime}, []string{".a.."}},
		{Times{timeline.NoTime, timeline.NoTime, timeline.NoTime, timeline.NoTime}, nil},
	} {
		var got []string
		err := c.times.Each(func(_ timeline.Time, letters [4]byte) error {
			got = append(got, string(letters[:]))
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) || c.times.None() != (c.want == nil) {
			t.Errorf("%+v: %q, want %q", c.times, got, c.want)
		}
	}
}

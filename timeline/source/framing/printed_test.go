package framing

import "testing"

func TestPrinted(t *testing.T) {
	for line, want := range map[string]string{
		`2026-04-01T08:00:01.500000001Z stdout F {"a":1}`:      `{"a":1}`,
		`2026-04-01T08:00:01.500000001+02:00 stderr F {"a":1}`: `{"a":1}`,
		`2026-04-01T08:00:01.500000001Z stdout P {"a":1`:       `2026-04-01T08:00:01.500000001Z stdout P {"a":1`,
		`2026-04-01T08:00:01.500000001Z stdout F a{"a":1}`:     `2026-04-01T08:00:01.500000001Z stdout F a{"a":1}`,
		`2026-04-01T08:00:01Z stdout F {}`:                     `{}`,
		`{"a":"2026-04-01T08:00:01Z stdout F {}"}`:             `{"a":"2026-04-01T08:00:01Z stdout F {}"}`,
		`1`: `1`,
		``:  ``,
	} {
		if got := string(Printed([]byte(line))); got != want {
			t.Errorf("Printed(%q) = %q, want %q", line, got, want)
		}
	}
}

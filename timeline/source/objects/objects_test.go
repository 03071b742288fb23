package objects

import (
	"errors"
	"testing"

	"amber/timeline"
	"amber/timeline/source/members"
)

func TestInstant(t *testing.T) {
	for text, want := range map[string]int64{
		"1772359200": 1772359200e6, "1772359200.25": 1772359200250e3, "1772359200123": 1772359200123e3,
		"1772359200123456": 1772359200123456, "1772359200123456789": 1772359200123456,
		"2026-03-01T10:00:00Z": 1772359200e6, "2026-03-01T10:00:00.5+01:00": 1772355600500e3,
	} {
		if got, ok := Instant([]byte(text)); !ok || got.Micros != want {
			t.Errorf("%s: %d, %v, want %d", text, got.Micros, ok, want)
		}
	}
	for _, text := range []string{"", "x", "1.x", "2026-03-01T10:00:00", "99999999999999999999", "-", "9223372036854775807", "-5"} {
		if got, ok := Instant([]byte(text)); ok {
			t.Errorf("%s: %d", text, got.Micros)
		}
	}
}

func TestRead(t *testing.T) {
	p := New(members.NewTable(false, []members.Member{{Path: "t"}, {Path: "user", Field: timeline.UserName}}))
	for text, want := range map[string]timeline.Reason{
		`x`: timeline.BadSyntax, "\x00{": timeline.NotText, `{"t":`: timeline.Truncated, `{}`: timeline.TimeMissing, `{"t":"x"}`: timeline.TimeInvalid,
	} {
		err := p.Read([]byte(text))
		if err == nil {
			err = p.Time("t", 0)
		}
		var reject *timeline.RejectError
		if !errors.As(err, &reject) || reject.Reason != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	var skip *timeline.SkipError
	if err := p.Read([]byte(" ")); !errors.As(err, &skip) {
		t.Error(err)
	}
	if err := p.Read([]byte(`{"t":1,"t":2,"user":"u","more":{"a":1}}`)); err != nil || p.Time("t", 0) != nil || p.E.Time.Micros != 2e6 {
		t.Fatal(err, p.E.Time)
	}
	p.Fill([]byte(`{"more":{"a":1}}`), "x")
	if string(p.E.GetStr(timeline.UserName)) != "u" || len(p.E.Extras()) != 1 || string(p.E.GetList(timeline.Tags)[0]) != "duplicate-key" {
		t.Errorf("%+v", p.E.Extras())
	}
}

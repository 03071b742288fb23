package timeline

import (
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for _, s := range []string{
		"1970-01-01T00:00:00Z", "2026-11-22T01:57:55.673036Z", "1601-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
		"0001-01-01T00:00:00Z", "2024-02-29T12:00:00+05:30", "2022-02-08T09:23:37-11:00", "2000-03-01T00:00:00.1Z", "1969-12-31T23:59:59.9999995Z",
	} {
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		got, zone, ok := ParseTime([]byte(s))
		nanos := (want.Nanosecond()%1000 + 1000) % 1000
		if !ok || !zone || got.Micros != want.UnixMicro() || int(got.Nanos) != nanos {
			t.Errorf("%s: %+v %v %v, want %d and %d", s, got, zone, ok, want.UnixMicro(), nanos)
		}
	}
}

func TestParseTimeForms(t *testing.T) {
	for s, want := range map[string]string{
		"2022-02-08 09:23:37+11:00":        "2022-02-07T22:23:37Z",
		"2022-02-08T09:23:37+1100":         "2022-02-07T22:23:37Z",
		"2022-02-08 09:23:37.500 UTC":      "2022-02-08T09:23:37.5Z",
		"2016-12-31T23:59:60Z":             "2017-01-01T00:00:00Z",
		"2022-02-08T09:23:37,5Z":           "2022-02-08T09:23:37.5Z",
		"2022-02-08T09:23:37.12345678901Z": "2022-02-08T09:23:37.123456789Z",
	} {
		w, err := time.Parse(time.RFC3339Nano, want)
		if err != nil {
			t.Fatal(err)
		}
		got, zone, ok := ParseTime([]byte(s))
		if !ok || !zone || got.Micros != w.UnixMicro() {
			t.Errorf("%s: %+v %v %v, want %s", s, got, zone, ok, want)
		}
	}
	if got, zone, ok := ParseTime([]byte("2022-02-08T09:23:37")); !ok || zone || got.Micros != 1644312217000000 {
		t.Errorf("without a zone: %+v %v %v", got, zone, ok)
	}
	for _, s := range []string{"", "now", "2022-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2022-02-08T24:00:00Z", "2022-02-08T00:00:00.Z", "2022-02-08T00:00:00+25:00", "0000-01-01T00:00:00Z", "2022-02-08T00:00:00Zulu", "-022-02-08T00:00:00Z"} {
		if got, _, ok := ParseTime([]byte(s)); ok {
			t.Errorf("%q is %+v", s, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("2026-11-22T01:57:55.673036Z")
	f.Add("2022-02-08T09:23:37-11:00")
	f.Fuzz(func(t *testing.T, s string) {
		want, err := time.Parse(time.RFC3339Nano, s)
		got, _, ok := ParseTime([]byte(s))
		if strings.HasSuffix(s, ":60") || strings.Contains(s, "+24:") || strings.Contains(s, "-24:") {
			return // offsets that the standard library lets pass
		}
		if err == nil && len(s) >= 19 && want.Year() > 1 && want.Year() < 9999 && s[10] == 'T' && s[13] == ':' && (!ok || got.Micros != floorMicros(want)) {
			t.Errorf("%q: %+v %v, want %d", s, got, ok, want.UnixMicro())
		}
	})
}

func floorMicros(t time.Time) int64 { return t.Unix()*1e6 + int64(t.Nanosecond()/1000) }

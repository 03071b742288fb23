package mapped

import (
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

const vpn = `{"name":"vpn","format":"csv","time":{"field":"when","layouts":["02.01.2006 15:04:05","unix_ms"],"zone":"Europe/Berlin"},"id":"session",
"message":"{user} {action} from {ip}","fields":{"user.name":"user","source.ip":"ip","source.port":"port","event.action":"action","tags":"tag","vpn.session":"session"},"set":{"event.category":"network"},"rest":"vpn."}`

const app = `{"name":"app","format":"jsonl","members":["hits"],"time":{"field":"ctx.at"},"fields":{"user.name":"ctx.user","process.pid":"pid"},"rest":""}`

func source(t testing.TB, text string) *Source {
	t.Helper()
	s, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGolden(t *testing.T) {
	sourcetest.Golden(t, sure{source(t, vpn)}, "testdata/csv")
	sourcetest.Golden(t, sure{source(t, app)}, "testdata/jsonl")
}

// sure is a source that was named by the user.
type sure struct{ *Source }

func (sure) Sniff([]byte, string) int { return 100 }

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "name", `{"name":"a b"}`: "name", `{"name":"a","format":"xml"}`: "format", `{"name":"a","format":"csv"}`: "time.field",
		`{"name":"a","format":"csv","time":{"field":"t","zone":"Mars/Olympus"}}`: "zone", `{"name":"a","format":"csv","time":{"field":"t","zone":"+2"}}`: "zone",
		`{"name":"a","format":"csv","fileds":{}}`: "fileds", `{"name":"a","format":"csv","time":{"field":"t"},"separator":"::"}`: "separator",
		`{"name":"a","format":"csv","time":{"field":"t"},"set":{"process.pid":"x"}}`: "process.pid", `{"name":"a","format":"csv","time":{"field":"t"},"fields":{"a":""}}`: "empty",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a word of %s", text, err, want)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		layout, zone, text string
		micros             int64
		nanos              int16
	}{
		{"unix", "", "1772359200", 1772359200000000, 0},
		{"unix", "", "1772359200.123456789", 1772359200123456, 789},
		{"unix", "", "-0.5", -500000, 0},
		{"unix_ms", "", "1772359200123", 1772359200123000, 0},
		{"unix_us", "", "-1", -1, 0},
		{"unix_ns", "", "1772359200123456789", 1772359200123456, 789},
		{"windows", "", "0", -11644473600000000, 0},
		{"windows", "", "134167008000000001", 1772227200000000, 100},
		{"rfc3339", "", "9999-12-31T23:59:59.999999999Z", 253402300799999999, 999},
		{"rfc3339", "+02:00", "2026-03-01 12:00:00", 1772359200000000, 0},
		{"rfc3339", "+02:00", "2026-03-01T10:00:00Z", 1772359200000000, 0},
		{"Jan _2 2006 15:04:05", "UTC", "Mar  1 2026 10:00:00", 1772359200000000, 0},
		{"02/Jan/2006:15:04:05 -0700", "", "01/Mar/2026:12:00:00 +0200", 1772359200000000, 0},
	} {
		s, err := New(Map{Name: "x", Format: "csv", Time: Time{Field: "t", Layouts: []string{c.layout}, Zone: c.zone}})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := s.time([]byte(c.text))
		if want := (timeline.Time{Micros: c.micros, Nanos: c.nanos}); !ok || got != want {
			t.Errorf("%s %q: %+v %v, want %+v", c.layout, c.text, got, ok, want)
		}
	}
	for layout, text := range map[string]string{"rfc3339": "2026-03-01T10:00:00", "2006-01-02 15:04:05": "2026-03-01 10:00:00", "unix": "soon", "unix_ms": "99999999999999999", "Jan _2 15:04:05 MST": "Mar  1 10:00:00 UTC"} {
		s, err := New(Map{Name: "x", Format: "csv", Time: Time{Field: "t", Layouts: []string{layout}}})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := s.time([]byte(text)); ok {
			t.Errorf("%s %q is %+v", layout, text, got)
		}
	}
}

func fuzz(f *testing.F, text, dir string) { sourcetest.Fuzz(f, source(f, text), dir) }

func FuzzCSV(f *testing.F)   { fuzz(f, vpn, "testdata/csv") }
func FuzzLines(f *testing.F) { fuzz(f, app, "testdata/jsonl") }

func FuzzMap(f *testing.F) {
	f.Add(vpn)
	f.Add(app)
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := Parse([]byte(text)); err == nil && s.Name() == "" {
			t.Error("a map without a name")
		}
	})
}

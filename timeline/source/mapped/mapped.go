// Package mapped reads any JSON lines or CSV of which a mapping names the time
// and the fields.
package mapped

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
)

// Map says how a format is read. It is written as JSON:
//
//	{
//	  "name": "vpn",
//	  "format": "csv",
//	  "time": {"field": "when", "layouts": ["02.01.2006 15:04:05"], "zone": "Europe/Berlin"},
//	  "id": "session",
//	  "message": "{user} {action} from {ip}",
//	  "fields": {"user.name": "user", "source.ip": "ip", "event.action": "action"},
//	  "set": {"event.category": "network"},
//	  "rest": "vpn."
//	}
type Map struct {
	// Name is the source's name and its dataset.
	Name string `json:"name"`
	// Format is "jsonl" or "csv".
	Format string `json:"format"`
	// Separator of CSV; a comma where it is empty. "\t" is a tab.
	Separator string `json:"separator"`
	// Columns of CSV without a first line that names them.
	Columns []string `json:"columns"`
	// Members are the names under which a JSON object holds records in an array.
	Members []string `json:"members"`
	Time    Time     `json:"time"`
	// ID names the field that makes records one event; "" for none.
	ID string `json:"id"`
	// Message is a text in which {name} stands for a field of the record; "" is
	// all fields, as name=value.
	Message string `json:"message"`
	// Fields are columns of the timeline, or names of one's own, each with the
	// record's field; those of nested objects have dots: "client.ip".
	Fields map[string]string `json:"fields"`
	// Set are columns that are the same for all records.
	Set map[string]string `json:"set"`
	// Rest is the prefix under which all other fields are kept; where it is
	// absent they are not.
	Rest *string `json:"rest"`
}

// Time says where the time is and how it is written.
type Time struct {
	Field string `json:"field"`
	// Layouts are tried in order: Go's ("2006-01-02 15:04:05"), or "rfc3339",
	// "unix", "unix_ms", "unix_us", "unix_ns", "windows" (100 ns since 1601).
	// Where there are none it is "rfc3339".
	Layouts []string `json:"layouts"`
	// Zone is of times that have none: "UTC", "Europe/Berlin", "+02:00". Where it
	// is empty such a time is rejected.
	Zone string `json:"zone"`
}

// Source is a format that a Map describes.
type Source struct {
	m        Map
	zone     *time.Location
	rendered []piece
	wanted   map[string][]target
}

// Parse reads a Map; unknown words are a mistake.
func Parse(text []byte) (*Source, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var m Map
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("reading the map: %w", err)
	}
	s, err := New(m)
	if err != nil {
		return nil, fmt.Errorf("the map: %w", err)
	}
	return s, nil
}

// New checks a Map.
func New(m Map) (*Source, error) {
	s := &Source{m: m, wanted: map[string][]target{}}
	switch {
	case m.Name == "" || strings.ContainsFunc(m.Name, notInName):
		return nil, fmt.Errorf("name %q: want letters, digits, - and _", m.Name)
	case m.Format != "jsonl" && m.Format != "csv":
		return nil, fmt.Errorf("format %q: want jsonl or csv", m.Format)
	case m.Time.Field == "":
		return nil, errors.New("time.field is missing")
	case m.Format == "csv" && len(m.Separator) > 1:
		return nil, fmt.Errorf("separator %q: want one byte", m.Separator)
	}
	if len(m.Time.Layouts) == 0 {
		s.m.Time.Layouts = []string{"rfc3339"}
	}
	if err := s.setZone(); err != nil {
		return nil, err
	}
	if err := s.setTargets(); err != nil {
		return nil, err
	}
	s.rendered = pieces(m.Message)
	return s, nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

func (s *Source) setZone() (err error) {
	switch zone := s.m.Time.Zone; {
	case zone == "":
	case zone[0] == '+' || zone[0] == '-':
		t, err := time.Parse("-07:00", zone)
		if err != nil {
			return fmt.Errorf("zone %q: want +hh:mm, UTC or a name as Europe/Berlin", zone)
		}
		s.zone = t.Location()
	default:
		if s.zone, err = time.LoadLocation(zone); err != nil {
			return fmt.Errorf("zone %q: %w", zone, err)
		}
	}
	return nil
}

// Name implements timeline.Source.
func (s *Source) Name() string { return s.m.Name }

// Sniff implements timeline.Source: a map is chosen by the user and recognises
// nothing.
func (s *Source) Sniff([]byte, string) int { return 0 }

// Whole tells that a file can only be read from its beginning: its first line
// names the columns.
func (s *Source) Whole() bool { return s.m.Format == "csv" && len(s.m.Columns) == 0 }

// Records implements timeline.Source.
func (s *Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	if s.m.Format == "csv" {
		return delimited.CSV(ctx, r, len(s.m.Columns) > 0)
	}
	return framing.JSON{Members: s.m.Members}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (s *Source) NewParser() timeline.Parser { return &parser{src: s} }

package members

import (
	"testing"

	"amber/timeline"
)

func TestShipped(t *testing.T) {
	for record, want := range map[string]string{
		`{"@timestamp":"x","message":"{\"a\":1}"}`:                              `{"a":1}`,
		`{"_index":"i","_source":{"a":1}}`:                                      `{"a":1}`,
		`[{"_source":{"message":" {\"a\":1} "}},{"_so`:                          `{"a":1}`,
		"\ufeff" + `{"preview":false,"result":{"_raw":"{\"a\":1}"}}`:            `{"a":1}`,
		`{"log":"{\"line\":\"{\\\"_raw\\\":\\\"{\\\\\\\"a\\\\\\\":1}\\\"}\"}"}`: `{"a":1}`,
		`{"message":"text"}`:                                                    "",
		`{"message":{"data":"x"}}`:                                              "",
		`{"result":"success"}`:                                                  "",
		`{"a":{"message":"{}"}}`:                                                "",
		`{"message":"{\"a\":`:                                                   "",
		`[]`:                                                                    "",
		``:                                                                      "",
	} {
		if got := string(Shipped([]byte(record))); got != want {
			t.Errorf("%s: %q, want %q", record, got, want)
		}
	}
}

func TestBeginShipped(t *testing.T) {
	r := NewRow(testTable(false))
	for data, want := range map[string]string{
		`{"op":"own","message":"{\"op\":\"inner\"}"}`: "own",
		`{"message":"{\"op\":\"inner\"}"}`:            "inner",
		`{"x":1}`:                                     "",
	} {
		rec := timeline.Record{Data: []byte(data)}
		if err := r.BeginShipped(&rec, other); err != nil || string(r.Get(other)) != want {
			t.Errorf("%s: %q, %v", data, r.Get(other), err)
		}
		if want == "inner" && string(rec.Data) != `{"op":"inner"}` {
			t.Errorf("the record is %s", rec.Data)
		}
	}
	if err := r.BeginShipped(&timeline.Record{Data: []byte(`{"message":"{\"op\":"}`)}, other); err == nil {
		t.Error("a record that is cut is none")
	}
}

func FuzzShipped(f *testing.F) {
	f.Add([]byte(`{"_source":{"message":"{\"a\":1}"}}`))
	f.Add([]byte(`{"result":{"_raw":"{"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v := Shipped(data); v != nil && v[0] != '{' {
			t.Errorf("%q", v)
		}
	})
}

package correlate_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/source/sourcetest"
)

// paged hides that a store can stream.
type paged struct{ timeline.Store }

// What is joined of a stream is what is joined of pages, to the last link.
func TestStreamed(t *testing.T) {
	paths := map[string]string{"incident": incident, "the recorded incident": "../../testdata/incidents/webpod"}
	for name, path := range paths {
		same(t, name, path)
	}
	if testing.Short() {
		return
	}
	same(t, "shared logs", sourcetest.Data(t))
}

func same(t *testing.T, name, path string) {
	t.Helper()
	if list, _ := filepath.Glob(filepath.Join(path, "*")); len(list) == 0 {
		t.Fatalf("%s: nothing in %s", name, path)
	}
	s := built(t, path)
	streamed, err := correlate.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := correlate.Build(t.Context(), paged{s})
	if err != nil {
		t.Fatal(err)
	}
	if len(streamed.Links) == 0 {
		t.Fatalf("%s: no links", name)
	}
	if !reflect.DeepEqual(streamed.Entities, asked.Entities) || !reflect.DeepEqual(streamed.Links, asked.Links) || !reflect.DeepEqual(streamed.Lost, asked.Lost) {
		t.Errorf("%s: %d entities and %d links of a stream, %d and %d of pages", name, len(streamed.Entities), len(streamed.Links), len(asked.Entities), len(asked.Links))
	}
}

package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What came several to a record folds with what came by itself.
func TestSeveralToARecord(t *testing.T) {
	one := func(id, name string) string {
		return `{"uuid":"` + id + `","published":"2026-03-01T10:00:00.000Z","eventType":"user.session.start","actor":{"id":"1","alternateId":"` + name + `"},"displayMessage":"x"}`
	}
	a, b := one("a", "mallory"), one("b", "eve")
	dir := t.TempDir()
	hook := put(t, filepath.Join(dir, "1.json"), []byte(`{"eventType":"com.okta.event_hook","cloudEventsVersion":"0.1","source":"https://x.okta.com","data":{"events":[`+a+`,`+b+`]}}`+"\n"))
	api := put(t, filepath.Join(dir, "2.jsonl"), []byte(b+"\n"+a+"\n"))
	c := newCase(t)
	built(t, Options{Case: c, Paths: []string{hook, api}})
	list := rows(t, c)
	if len(list) != 2 || !strings.Contains(list[0], " +1 ") || !strings.Contains(list[1], " +1 ") {
		t.Errorf("%s", strings.Join(list, "\n"))
	}
}

// Rows of Parquet files and of collections, which share a range with others, are
// each there once, however often the file comes.
func TestSharedRanges(t *testing.T) {
	for path, want := range map[string]int{
		"../source/columnar/testdata/flows.parquet":            8,
		"../source/velociraptor/testdata/collection.zip":       6,
		"../source/cloudtrail/testdata/firehose-endpoint.json": 5,
	} {
		log, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c := newCase(t)
		for _, name := range []string{"a", "b"} {
			built(t, Options{Case: c, Paths: []string{put(t, filepath.Join(t.TempDir(), name), log)}})
			if list := rows(t, c); len(list) != want {
				t.Errorf("%s: %d rows, want %d:\n%s", path, len(list), want, strings.Join(list, "\n"))
			}
		}
	}
}

package correlate_test

import (
	"encoding/hex"
	"testing"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/query"
	"amber/timeline/store"
)

func rowOf(t *testing.T, s *store.Store, id timeline.RowID) timeline.Row {
	t.Helper()
	where, err := query.Parse("row_id:"+hex.EncodeToString(id[:]), query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Rows(t.Context(), timeline.Ask{Where: where, Fields: correlate.Fields()}, "", 1)
	if err != nil || len(page.Rows) != 1 {
		t.Fatalf("%x: %d rows, %v", id, len(page.Rows), err)
	}
	return page.Rows[0]
}

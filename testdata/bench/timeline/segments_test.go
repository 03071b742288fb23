package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// flat are columns of one value, listed are lists, kept are the vendors' own, in columns and in the map.
var (
	flat   = []string{"message", "event.action", "event.outcome", "event.dataset", "user.name", "user.id", "source.ip", "orchestrator.namespace", "orchestrator.resource.name", "http.response.status_code", "url.original", "cloud.account.id", "error.code", "process.command_line"}
	listed = []string{"event.category", "event.type", "tags", "user.roles"}
	kept   = []string{"kubernetes.audit.auditID", "aws.cloudtrail.event_id", "aws.cloudtrail.additional_eventdata", "kubernetes.audit.requestObject.roleRef.name"}
)

// TestDuckDBReadsSegments compares what DuckDB reads of the segments with what
// amber itself answers, row by row.
func TestDuckDBReadsSegments(t *testing.T) {
	const n = 12_000 // a full block of an index, and a part
	dir := generated(t, n)
	want := byAmber(t, dir)
	got := byDuckDB(t, dir)
	if len(got) != 2*n || len(want) != 2*n {
		t.Fatalf("DuckDB reads %d rows, amber %d of %d", len(got), len(want), 2*n)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("row %d:\nDuckDB %s\namber  %s", i, got[i], want[i])
		}
	}
}

func byAmber(t *testing.T, dir string) (rows []string) {
	t.Helper()
	for _, line := range lines(shell(t, dir, "amber timeline query --output json")) {
		var row map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		fields := []string{fmt.Sprint(row["row_id"])}
		for _, name := range slices.Concat(flat, kept) {
			fields = append(fields, name+"="+shownValue(row[name]))
		}
		for _, name := range listed {
			fields = append(fields, name+"="+joinedList(row[name]))
		}
		rows = append(rows, strings.Join(fields, "|"))
	}
	return rows
}

func shownValue(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func joinedList(v any) string {
	var parts []string
	all, _ := v.([]any)
	for _, p := range all {
		parts = append(parts, fmt.Sprint(p))
	}
	return strings.Join(parts, ",")
}

func byDuckDB(t *testing.T, dir string) (rows []string) {
	t.Helper()
	fields := []string{"lower(hex(row_id))"}
	for _, name := range flat {
		fields = append(fields, `concat('`+name+`=', "`+name+`")`)
	}
	for _, name := range kept {
		fields = append(fields, `concat('`+name+`=', `+vendor(name)+`)`)
	}
	for _, name := range listed {
		fields = append(fields, `concat('`+name+`=', array_to_string("`+name+`", ','))`)
	}
	text := "SELECT concat_ws('|', " + strings.Join(fields, ", ") + ") FROM " + segments(dir) + ` ORDER BY "@timestamp", row_id`
	for _, r := range duckRows(t, text) {
		rows = append(rows, r[0])
	}
	return rows
}

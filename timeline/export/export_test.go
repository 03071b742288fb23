package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"amber/timeline"
)

func row() timeline.Row {
	return timeline.Row{
		ID:     timeline.RowID{0xab, 15: 1},
		Time:   timeline.Time{Micros: 1_795_312_800_000_001, Nanos: 5},
		Source: timeline.Time{Micros: 1_795_312_800_000_001, Nanos: 5},
		Values: map[string]any{
			"message": "=HYPERLINK(\"x\")", "user.name": "@mallory", "event.action": "create", "event.outcome": "failure",
			"tags": []string{"-a", "b"}, "process.pid": int64(-7), "orchestrator.resource.type": "pods", "source.ip": "10.0.0.1",
			"file.path": "/a|b\n", "k8s.app": "web", "k8s.app.name": "x\x1b[31m", "error.code": "'quoted",
		},
	}
}

func write(t *testing.T, format string, fields []string) string {
	t.Helper()
	var b bytes.Buffer
	f, err := New(format, &b, fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(row()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCSV(t *testing.T) {
	out := write(t, "csv", nil)
	all, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(all) != 2 {
		t.Fatalf("%d lines: %v", len(all), err)
	}
	got := map[string]string{}
	for i, name := range all[0] {
		got[name] = all[1][i]
	}
	if strings.Join(all[0][:4], ",") != "message,timestamp,datetime,timestamp_desc" {
		t.Errorf("columns %v", all[0][:4])
	}
	for name, want := range map[string]string{
		"message": `'=HYPERLINK("x")`, "timestamp": "1795312800000001", "datetime": "2026-11-22T02:00:00.000001005Z",
		"timestamp_desc": "create", "user.name": "'@mallory", "tags": "'-a, b", "process.pid": "-7", "error.code": "''quoted",
		"file.path": `/a|b\n`, "row_id": "ab000000000000000000000000000001",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for i, c := range all[1] {
		if all[0][i] != "process.pid" && c != "" && strings.ContainsAny(c[:1], "=+-@\t\r") {
			t.Errorf("%s begins as a formula: %q", all[0][i], c)
		}
	}
	if !strings.Contains(got["extra"], `"k8s.app":"web"`) || strings.Contains(out, "\x1b") {
		t.Errorf("extra %q", got["extra"])
	}
}

func decode(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func at(m map[string]any, path ...string) any {
	var v any = m
	for _, p := range path {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = inner[p]
	}
	return v
}

func TestJSON(t *testing.T) {
	m := decode(t, write(t, "jsonl", nil))
	if m["@timestamp"] != "2026-11-22T02:00:00.000001005Z" || m["user.name"] != "@mallory" || m["source_time"] != nil {
		t.Errorf("jsonl %v", m)
	}
	m = decode(t, write(t, "ecs", nil))
	if at(m, "ecs", "version") != ecsVersion || at(m, "user", "name") != "@mallory" || at(m, "k8s", "app") != "web" ||
		m["k8s.app.name"] == nil {
		t.Errorf("ecs %v", m)
	}
	m = decode(t, write(t, "ocsf", nil))
	if m["class_uid"] != 6003.0 || m["activity_id"] != 1.0 || m["type_uid"] != 600301.0 || m["status_id"] != 2.0 ||
		at(m, "actor", "user", "name") != "@mallory" || at(m, "unmapped", "k8s.app") != "web" || m["time"] != 1795312800000.0 {
		t.Errorf("ocsf %v", m)
	}
}

func TestBodyfile(t *testing.T) {
	const want = `0|/a\x7cb\n|0|0|0|0|0|0|0|0|1795312800` + "\n"
	if got := write(t, "bodyfile", nil); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := New("xml", nil, nil); err == nil || !strings.Contains(err.Error(), "ocsf") {
		t.Error(err)
	}
}

package export

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"amber/timeline"
)

// lines writes one JSON object a line.
type lines struct {
	w    *bufio.Writer
	form func(timeline.Row) map[string]any
}

func (l *lines) Write(r timeline.Row) error {
	b, err := json.Marshal(l.form(r))
	if err != nil {
		return err
	}
	_, err = l.w.Write(append(b, '\n'))
	return err
}

func (l *lines) Close() error { return l.w.Flush() }

// stamp writes a time as RFC 3339 has it.
func stamp(t timeline.Time) string {
	return goTime(t).Format(time.RFC3339Nano)
}

func goTime(t timeline.Time) time.Time {
	return time.UnixMicro(t.Micros).Add(time.Duration(t.Nanos)).UTC()
}

// flat has the fields under their dotted names.
func flat(r timeline.Row) map[string]any {
	m := maps.Clone(r.Values)
	if m == nil {
		m = map[string]any{}
	}
	m["@timestamp"] = stamp(r.Time)
	m["row_id"] = hex.EncodeToString(r.ID[:])
	if r.Source != r.Time {
		m["source_time"] = stamp(r.Source)
	}
	if r.Folded > 0 {
		m["folded"] = r.Folded
	}
	return m
}

// ecsVersion is the version of the Elastic Common Schema that fields follow.
const ecsVersion = "8.17.0"

// ecs has the fields nested. A name that is also the beginning of another stays
// dotted, as Elasticsearch takes it.
func ecs(r timeline.Row) map[string]any {
	m := map[string]any{"ecs": map[string]any{"version": ecsVersion}}
	values := flat(r)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		nest(m, name, values[name])
	}
	return m
}

func nest(into map[string]any, name string, value any) {
	parts := strings.Split(name, ".")
	at := into
	for _, p := range parts[:len(parts)-1] {
		next, ok := at[p].(map[string]any)
		if !ok {
			if at[p] != nil {
				into[name] = value
				return
			}
			next = map[string]any{}
			at[p] = next
		}
		at = next
	}
	last := parts[len(parts)-1]
	if _, taken := at[last]; taken {
		into[name] = value
		return
	}
	at[last] = value
}

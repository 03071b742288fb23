package store

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"amber/timeline"
	"amber/timeline/query"
)

// plainRow is a row as a test keeps it.
type plainRow struct {
	id     timeline.RowID
	time   timeline.Time
	source timeline.Time
	end    timeline.Time
	values map[string][]string // texts, by name; numbers in decimal
}

func plainOf(e *timeline.Event, id timeline.RowID, skew int64) plainRow {
	r := plainRow{id: id, time: e.Time, source: e.Time, end: e.End, values: map[string][]string{}}
	r.time.Micros += skew
	for f := range timeline.NumFields {
		switch {
		case !e.Has(f):
		case f.Kind() == timeline.Long:
			n, _ := e.GetNum(f)
			r.values[f.Name()] = []string{strconv.FormatInt(n, 10)}
		case f.Kind() == timeline.Keywords:
			for _, v := range e.GetList(f) {
				r.values[f.Name()] = append(r.values[f.Name()], string(v))
			}
		default:
			r.values[f.Name()] = []string{string(e.GetStr(f))}
		}
	}
	for _, x := range e.Extras() {
		r.values[string(x.Name)] = append(r.values[string(x.Name)], string(x.Value))
	}
	return r
}

func (r plainRow) place() place { return place{time: r.time, id: r.id} }

func sortRows(rows []plainRow) {
	slices.SortFunc(rows, func(a, b plainRow) int { return a.place().compare(b.place()) })
}

// naive evaluates a query on a row, value by value.
func naive(e timeline.Expr, r plainRow) bool {
	switch e := e.(type) {
	case query.All:
		return true
	case *query.And:
		return !slices.ContainsFunc(e.Terms, func(t timeline.Expr) bool { return !naive(t, r) })
	case *query.Or:
		return slices.ContainsFunc(e.Terms, func(t timeline.Expr) bool { return naive(t, r) })
	case *query.Not:
		return !naive(e.Term, r)
	case *query.Exists:
		if e.Field.Name == nameEnd {
			return r.end != timeline.NoTime
		}
		return len(r.values[e.Field.Name]) > 0
	case *query.TimeRange:
		t := r.time
		if e.Field.Name == nameEnd {
			t = r.end
		} else if e.Field.Name == nameSource {
			t = r.source
		}
		in := func(t timeline.Time) bool {
			return (e.From == timeline.NoTime || !before(t, e.From)) && (e.To == timeline.NoTime || before(t, e.To))
		}
		return t != timeline.NoTime && in(t)
	case *query.NumberRange:
		return slices.ContainsFunc(r.values[e.Field.Name], func(v string) bool {
			n, err := strconv.ParseInt(v, 10, 64)
			return err == nil && n >= e.Lo && n <= e.Hi
		})
	case *query.TextRange:
		return slices.ContainsFunc(r.values[e.Field.Name], func(v string) bool { return e.Match([]byte(v)) })
	case *query.Match:
		return naiveMatch(e, r)
	}
	panic(fmt.Sprintf("%T", e))
}

func naiveMatch(e *query.Match, r plainRow) bool {
	if e.Field.Kind == query.RowID {
		return hex.EncodeToString(r.id[:]) == e.Pattern.Text
	}
	if e.Field.Kind != query.Any {
		return slices.ContainsFunc(r.values[e.Field.Name], func(v string) bool { return naiveValue(e.Pattern, v) })
	}
	for name, values := range r.values {
		if f, ok := timeline.FieldByName(name); ok && f.Kind() == timeline.Long {
			continue
		}
		if slices.ContainsFunc(values, func(v string) bool { return naiveValue(e.Pattern, v) }) {
			return true
		}
	}
	return false
}

func naiveValue(p *query.Pattern, v string) bool {
	switch p.Mode {
	case query.Exact:
		return v == p.Text
	case query.Contains:
		return strings.Contains(strings.ToLower(v), strings.ToLower(p.Text))
	case query.Network:
		n, err := netip.ParsePrefix(p.Text)
		a, err2 := netip.ParseAddr(v)
		if err != nil {
			want, _ := netip.ParseAddr(p.Text)
			return err2 == nil && a.Unmap() == want
		}
		return err2 == nil && n.Contains(a.Unmap())
	}
	return p.Match([]byte(v))
}

// small makes events of few values, with every kind of column, absent ones
// and ties in time among them.
func small(rnd *rand.Rand, e *timeline.Event, file int32, n int) {
	e.Reset()
	pick := func(s ...string) []byte { return []byte(s[rnd.IntN(len(s))]) }
	maybe := func() bool { return rnd.IntN(3) > 0 }
	e.Time = timeline.Time{Micros: 1_795_000_000_000_000 + int64(rnd.IntN(200))*500_000, Nanos: int16(rnd.IntN(2) * 7)}
	if rnd.IntN(50) == 0 {
		e.Time.Micros -= 400 * 365 * 86400 * 1_000_000
	}
	if maybe() {
		e.End = timeline.Time{Micros: e.Time.Micros + int64(rnd.IntN(1000)), Nanos: 3}
	}
	e.Str(timeline.EventDataset, pick("kubernetes.audit", "aws.cloudtrail", "auditd.log"))
	if maybe() {
		e.Str(timeline.UserName, pick("mallory", "alice", "Bob", "system:node:a", "Ärger", "ELÉONORE", "x\u212aelvin"))
	}
	if maybe() {
		e.Str(timeline.Message, append(pick("Login of ", "LOGOUT of ", "touched /etc/shadow by ", "Größe ändern: "), strconv.Itoa(rnd.IntN(4000))...))
	}
	if maybe() {
		e.Str(timeline.SourceIP, pick("10.0.0.1", "10.200.3.4", "192.168.1.1", "::1", "fe80::12", "not-an-address"))
	}
	for range rnd.IntN(3) {
		e.Add(timeline.Tags, pick("red", "green", "blue", "reddish"))
	}
	if maybe() {
		e.Num(timeline.ProcessPID, int64(rnd.IntN(40)-5))
	}
	e.Num(timeline.FileSize, rnd.Int64())
	for range rnd.IntN(3) {
		e.More(pick("k8s.label.app", "k8s.label.tier", "n"), pick("web", "db", "7", "70", "Web Frontend"))
	}
	e.Raw = append(e.Raw, timeline.RawRef{File: file, Ranges: []timeline.Range{{Offset: int64(n) * 100, Length: 90}}})
}

// randomQuery is a query of a few terms.
func randomQuery(rnd *rand.Rand, depth int) string {
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	if depth > 0 && rnd.IntN(3) > 0 {
		a, b := randomQuery(rnd, depth-1), randomQuery(rnd, depth-1)
		return pick("("+a+" AND "+b+")", "("+a+" OR "+b+")", "NOT "+a, "("+a+" -"+b+")")
	}
	return pick(
		"user.name:mallory", "user.name:(alice OR Bob)", "user.name:*o*", "user.name:/[a-z]+/", "user.name:nobody",
		"_exists_:user.name", "event.dataset:aws*", "message:login", "message:SHADOW", "message:größe", "message:/of 1+$/",
		"message:l*3", "tags:red", "tags:re*", "tags:(red AND blue)", "_exists_:tags", "source.ip:10.0.0.0/8",
		`source.ip:"::1"`, "source.ip:[10.0.0.1 TO 192.168.0.0]", "process.pid:>=20", "process.pid:[-3 TO 5}", "process.pid:7",
		"k8s.label.app:web", "k8s.label.app:/w.*|7/", "_exists_:k8s.label.tier", "n:[5 TO 60]", "n:>a",
		"mallory", "FRONT", "\"of 12\"", "ärger", "\"x\u212aelvin\"", "xkelvin", "eléo", "4", "e?é", "/^red/", "zzzz",
		fmt.Sprintf("@timestamp:>=%d", 1_795_000_000+rnd.IntN(110)), fmt.Sprintf("@timestamp:{%d TO %d]", 1_795_000_000, 1_795_000_001+rnd.IntN(60)),
		"@timestamp:<2000", "event.end:>=1795000050", "_exists_:event.end", "event.reason:x", "_exists_:url.original",
		"source_time:<1795000040", "file.size:>4611686018427387904")
}

// naiveFacets counts values as Facets does.
func naiveFacets(rows []plainRow, name string, n int) []timeline.Bucket {
	counts := map[string]int64{}
	for _, r := range rows {
		for _, v := range r.values[name] {
			counts[v]++
		}
	}
	var out []timeline.Bucket
	for v, c := range counts {
		out = append(out, timeline.Bucket{Key: v, Count: c})
	}
	sort.Slice(out, func(i, j int) bool {
		return out[i].Count > out[j].Count || out[i].Count == out[j].Count && out[i].Key < out[j].Key
	})
	return out[:min(n, len(out))]
}

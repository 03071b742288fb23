package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"amber/timeline"
	"amber/timeline/query"
	"amber/timeline/store"
)

// page is how many rows are wanted at first.
const page = 100

// shown are the columns of a row on a screen.
var shown = []string{"event.dataset", "user.name", "event.action", "event.outcome", "source.ip", "orchestrator.namespace", "orchestrator.resource.name", "message"}

// searched are the columns of the generated logs that a bare word looks in.
var searched = []string{
	"message", "event.action", "event.provider", "event.dataset", "event.outcome", "user.name", "user.id", "user_agent.original", "user.target.name", "source.ip",
	"orchestrator.namespace", "orchestrator.resource.type", "orchestrator.resource.name", "url.original", "process.command_line", "process.executable", "container.name",
	"cloud.provider", "cloud.account.id", "cloud.region", "cloud.service.name", "error.code", "error.message",
	"kubernetes.audit.auditID", "kubernetes.audit.level", "kubernetes.audit.stage", "kubernetes.audit.objectRef.apiGroup", "kubernetes.audit.objectRef.subresource",
	"kubernetes.audit.annotations.authorization_k8s_io/decision", "kubernetes.audit.annotations.authorization_k8s_io/reason",
	"kubernetes.audit.user.extra.authentication_kubernetes_io/pod-name",
	"aws.cloudtrail.event_id", "aws.cloudtrail.request_id", "aws.cloudtrail.event_type", "aws.cloudtrail.event_category", "aws.cloudtrail.read_only",
	"aws.cloudtrail.user_identity.type", "aws.cloudtrail.user_identity.arn", "aws.cloudtrail.user_identity.access_key_id", "aws.cloudtrail.user_identity.session_name",
	"aws.cloudtrail.user_identity.session_context.session_issuer.arn", "aws.cloudtrail.user_identity.session_context.creation_date",
	"aws.cloudtrail.user_identity.session_context.mfa_authenticated", "aws.cloudtrail.resources.arn", "aws.cloudtrail.additional_eventdata",
	"aws.cloudtrail.flattened.request_parameters.bucketName", "aws.cloudtrail.flattened.request_parameters.Host", "aws.cloudtrail.flattened.request_parameters.key",
	"tls.client.server_name", "kubernetes.audit.verb",
}

// question is asked of both, once for each of its words, so that no answer is
// known from before.
type question struct {
	what  string
	words []string
	amber func(ctx context.Context, s *store.Store, word string) ([]string, error)
	sql   func(from, word string) string
	bound time.Duration
}

// queries asks both of the same segments: warm, each word once after a first
// that is not counted, and cold, from a new process's point of view.
func (b *bench) queries() error {
	list, err := b.questions()
	if err != nil {
		return err
	}
	b.table.head(fmt.Sprintf("questions about both logs, %d rows (median of %d; other is DuckDB on amber's segments)", 2*b.events, len(list[0].words)-1))
	for _, q := range list {
		if err := b.question(q); err != nil {
			return fmt.Errorf("%s: %w", q.what, err)
		}
	}
	return nil
}

// questions picks words that occur, all over the logs.
func (b *bench) questions() ([]question, error) {
	kube, cloud := b.logs[0].peer, b.logs[1].peer
	replies, err := b.ask(
		`SELECT DISTINCT "user.name" FROM '`+kube+`' WHERE "user.name" LIKE 'user-%' ORDER BY hash("user.name") LIMIT 4`,
		`SELECT split_part(split_part("aws.cloudtrail.flattened.request_parameters.key", '/', 2), '.', 1) FROM '`+cloud+`' ORDER BY hash("aws.cloudtrail.event_id") LIMIT 4`,
	)
	if err != nil {
		return nil, err
	}
	first := func(r reply) (words []string) {
		for _, row := range r.Rows {
			words = append(words, row[0])
		}
		return words
	}
	same := slices.Repeat([]string{""}, 4)
	return []question{
		{"one user's rows, the first page", first(replies[0]), func(ctx context.Context, s *store.Store, w string) ([]string, error) {
			return rowIDs(ctx, s, "user.name:"+w, true)
		}, func(from, w string) string {
			return selectRows + from + ` WHERE "user.name" = '` + w + `' OR "user.effective.name" = '` + w + `'` + ordered
		}, 50 * time.Millisecond},
		{"free text, the first page", []string{"secrets", "endpointslices", "deployments", "argocd"}, func(ctx context.Context, s *store.Store, w string) ([]string, error) {
			return rowIDs(ctx, s, w, true)
		}, func(from, w string) string { return selectRows + from + " WHERE " + contains(w) + ordered }, 100 * time.Millisecond},
		{"a rare word, all rows", rare, complete, completeSQL, time.Second},
		{"a random id, all rows: all blocks have its trigrams", first(replies[1]), complete, completeSQL, 0},
		{"a histogram of everything, by minute", same, func(ctx context.Context, s *store.Store, _ string) ([]string, error) {
			return bars(s.Histogram(ctx, nil, time.Minute.Microseconds(), nil))
		}, func(from, _ string) string {
			return `SELECT concat(epoch_us(date_trunc('minute', "@timestamp")), ' ', count(*)) AS bar FROM ` + from + ` GROUP BY date_trunc('minute', "@timestamp") ORDER BY date_trunc('minute', "@timestamp")`
		}, 100 * time.Millisecond},
		{"the commonest 20 users of everything", same, func(ctx context.Context, s *store.Store, _ string) ([]string, error) {
			return bars(s.Facets(ctx, nil, "user.name", 20, nil))
		}, func(from, _ string) string {
			return `SELECT concat("user.name", ' ', count(*)) FROM ` + from + ` WHERE "user.name" IS NOT NULL GROUP BY "user.name" ORDER BY count(*) DESC, "user.name" LIMIT 20`
		}, 0},
	}, nil
}

func complete(ctx context.Context, s *store.Store, word string) ([]string, error) {
	return rowIDs(ctx, s, word, false)
}

func completeSQL(from, word string) string {
	return strings.TrimSuffix(selectRows+from+" WHERE "+contains(word)+ordered, limited)
}

var selectRows = `SELECT lower(hex(row_id)), "@timestamp", "` + strings.Join(shown, `", "`) + `" FROM `

const (
	limited = ` LIMIT 100`
	ordered = ` ORDER BY "@timestamp", row_id` + limited
)

// contains is what a bare word means, of the columns that are there.
func contains(word string) string {
	var terms []string
	for _, c := range searched {
		terms = append(terms, `"`+c+`" ILIKE '%`+word+`%'`)
	}
	for _, c := range []string{"user.roles", "tags", "event.category", "event.type", "map_values(extra)"} {
		if !strings.Contains(c, "(") {
			c = `"` + c + `"`
		}
		terms = append(terms, "array_to_string("+c+", chr(10)) ILIKE '%"+word+"%'")
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// rowIDs are the rows of a query, one page or all of them.
func rowIDs(ctx context.Context, s *store.Store, text string, once bool) (ids []string, err error) {
	where, err := query.Parse(text, query.Options{})
	if err != nil {
		return nil, err
	}
	ask := timeline.Ask{Where: query.Widen(where), Fields: shown}
	for from := timeline.Cursor(""); ; {
		p, err := s.Rows(ctx, ask, from, page)
		if err != nil {
			return nil, err
		}
		for _, r := range p.Rows {
			ids = append(ids, hex.EncodeToString(r.ID[:]))
		}
		if from = p.Next; once || from == "" {
			return ids, nil
		}
	}
}

func bars(p timeline.Partial, err error) (out []string, _ error) {
	for _, b := range p.Buckets {
		key := b.Key
		if b.Micro != 0 { // of a histogram
			key = fmt.Sprint(b.Micro)
		}
		out = append(out, fmt.Sprint(key, " ", b.Count))
	}
	if err == nil && !p.Done {
		err = errors.New("the answer is not exact")
	}
	return out, err
}

func (b *bench) question(q question) error {
	dir := filepath.Join(b.path("case-both"), "timeline")
	files, err := below(dir)
	if err != nil {
		return err
	}
	from := segments(b.path("case-both"))
	list := []statement{{SQL: q.sql(from, q.words[0])}}
	for _, w := range q.words[1:] {
		list = append(list, statement{SQL: q.sql(from, w)})
	}
	list = append(list, statement{SQL: q.sql(from, q.words[1]), Cold: files})
	theirs, _, err := b.duck(list...)
	if err != nil {
		return err
	}
	warm, err := b.warm(q, dir, theirs)
	if err != nil {
		return err
	}
	cold, err := b.cold(q, dir, files)
	if err != nil {
		return err
	}
	var other []time.Duration
	for _, r := range theirs[1 : len(theirs)-1] {
		other = append(other, r.time())
	}
	b.table.beside(q.what, warm, median(other), q.bound)
	coldOther := theirs[len(theirs)-1].time()
	b.table.line("  cold", text(cold), text(coldOther), fmt.Sprintf("%.2f", cold.Seconds()/coldOther.Seconds()), "")
	return nil
}

// warm asks an open store, and holds each answer against DuckDB's.
func (b *bench) warm(q question, dir string, theirs []reply) (time.Duration, error) {
	s, err := store.Open(dir, store.OpenOptions{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var times []time.Duration
	for i, w := range q.words {
		begun := time.Now()
		got, err := q.amber(b.ctx, s, w)
		times = append(times, time.Since(begun))
		if err != nil {
			return 0, err
		}
		var want []string
		for _, r := range theirs[i].Rows {
			want = append(want, r[0])
		}
		if !slices.Equal(got, want) {
			return 0, fmt.Errorf("%q: %d answers, DuckDB has %d: the first that differs is %s", w, len(got), len(want), difference(got, want))
		}
	}
	return median(times[1:]), nil
}

func difference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) {
			return "behind the end of one"
		}
		if got[i] != want[i] {
			return got[i] + ", DuckDB: " + want[i]
		}
	}
	return "none"
}

// cold opens the store and asks, with nothing of it in the page cache.
func (b *bench) cold(q question, dir string, files []string) (time.Duration, error) {
	if err := evict(files); err != nil {
		return 0, err
	}
	begun := time.Now()
	s, err := store.Open(dir, store.OpenOptions{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	_, err = q.amber(b.ctx, s, q.words[1])
	return time.Since(begun), err
}

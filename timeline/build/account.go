package build

import (
	"cmp"
	"slices"
	"sync"

	"amber/evidence/safetext"
	"amber/timeline"
	"amber/timeline/store"
)

// maxExamples is how many records are shown for a reason.
const maxExamples = 3

// account gathers what becomes of records while a build runs.
type account struct {
	mu      sync.Mutex
	files   Files
	sources map[string]*tally
	source  map[int32]string // of a raw file's number
	paths   map[int32]string
}

// tally is of one source.
type tally struct {
	files int64
	counts
	skips, rejects map[timeline.Reason]*lost
}

// counts are those that a build itself knows; what is folded and joined is the
// store's to say.
type counts struct{ read, kept, joined, skipped, rejected, events int64 }

type lost struct {
	count    int64
	examples []example
}

type example struct {
	file   int32
	path   string
	reject timeline.RejectError
}

func newAccount() *account {
	return &account{sources: map[string]*tally{}, source: map[int32]string{}, paths: map[int32]string{}}
}

// of must be called with the lock held.
func (a *account) of(source string) *tally {
	t := a.sources[source]
	if t == nil {
		t = &tally{skips: map[timeline.Reason]*lost{}, rejects: map[timeline.Reason]*lost{}}
		a.sources[source] = t
	}
	return t
}

// file begins a file that a source reads.
func (a *account) file(number int32, source, path string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files.Read++
	a.of(source).files++
	a.source[number], a.paths[number] = source, path
}

func (a *account) known() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files.Known++
}

func (a *account) empty() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files.Empty++
}

// lose counts a file that no source reads.
func (a *account) lose(path string, reason timeline.Reason, detail string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files.Unreadable++
	t := a.of("")
	t.read++
	t.rejected++
	note(t.rejects, example{path: path, reject: timeline.RejectError{Reason: reason, Detail: detail}}, 1)
}

// batch takes over what became of some records of one file.
func (a *account) batch(number int32, c counts, skipped map[timeline.Reason]int64, rejected []rejection) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.of(a.source[number])
	t.read += c.read
	t.kept += c.kept
	t.joined += c.joined
	t.skipped += c.skipped
	t.rejected += c.rejected
	t.events += c.events
	for reason, n := range skipped {
		note(t.skips, example{reject: timeline.RejectError{Reason: reason}}, n)
	}
	for _, r := range rejected {
		note(t.rejects, example{number, a.paths[number], r.RejectError}, r.records)
	}
}

// note counts a loss, and keeps the first ones by file and place, in whichever
// order they are told.
func note(all map[timeline.Reason]*lost, e example, n int64) {
	l := all[e.reject.Reason]
	if l == nil {
		l = &lost{}
		all[e.reject.Reason] = l
	}
	l.count += n
	if e.path == "" {
		return
	}
	at, _ := slices.BinarySearchFunc(l.examples, e, func(a, b example) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.reject.Range.Offset, b.reject.Range.Offset))
	})
	if at < maxExamples {
		l.examples = slices.Insert(l.examples, at, e)
		l.examples = l.examples[:min(len(l.examples), maxExamples)]
	}
}

// unchanged tells that nothing was read that the timeline does not hold.
func (a *account) unchanged() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.files.Read == 0
}

// report makes the report of what was read, and of what the store folded.
func (a *account) report(folds []store.Fold) Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := Report{Files: a.files, Sources: []SourceReport{}}
	for name, t := range a.sources {
		r.Sources = append(r.Sources, t.report(name))
	}
	slices.SortFunc(r.Sources, func(a, b SourceReport) int { return cmp.Compare(a.Source, b.Source) })
	for _, f := range folds {
		for i := range r.Sources {
			if s := &r.Sources[i]; s.Source == a.source[f.File] {
				s.Kept -= f.Joined + f.Folded
				s.Joined += f.Joined
				s.Folded += f.Folded
				s.Rows -= f.Rows
			}
		}
	}
	for _, s := range r.Sources {
		r.Total.add(s.Counts)
	}
	return r
}

func (t *tally) report(name string) SourceReport {
	return SourceReport{
		Source: name, Files: t.files,
		Counts:  Counts{Read: t.read, Kept: t.kept, Joined: t.joined, Skipped: t.skipped, Rejected: t.rejected, Rows: t.events},
		Skips:   told(t.skips),
		Rejects: told(t.rejects),
	}
}

func told(all map[timeline.Reason]*lost) (list []Lost) {
	for reason, l := range all {
		out := Lost{Reason: reason, Count: l.count}
		for _, e := range l.examples {
			out.Examples = append(out.Examples, Example{
				Path: safetext.Line(e.path), Line: e.reject.Line,
				Offset: e.reject.Range.Offset, Length: e.reject.Range.Length,
				Detail: safetext.Line(e.reject.Detail[:min(len(e.reject.Detail), 200)]),
			})
		}
		list = append(list, out)
	}
	slices.SortFunc(list, func(a, b Lost) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

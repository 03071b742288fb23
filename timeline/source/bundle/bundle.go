package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"

	"amber/evidence"
	"amber/evidence/encrypt"
	"amber/evidence/record"
	"amber/timeline"
)

// Name is what the build calls this source.
const Name = "amber-bundle"

// Bundle is one bundle as a source of records. Its records are read by one
// goroutine, and parsed by any number.
type Bundle struct {
	b      *evidence.Bundle
	about  about
	files  []File
	spans  map[string][]span
	record []byte // the acquisition record
}

// File is a blob of the bundle. RawRef.File indexes the list of them.
type File struct {
	Path   string // in the bundle's directory
	Digest string // SHA-256 of the stored bytes, in hex; empty for a blob that a crash left open
	Stored int64  // bytes
}

// span is where a blob's plain bytes lie in its stream.
type span struct {
	file          int32
	offset, plain int64
}

// about is what is said of every event of a bundle.
type about struct {
	id, host               string
	container, name        string
	image, imageDigest     string
	namespace, pod, podUID string
	runtime                string
	end                    time.Time // of the acquisition
}

// Open opens the bundle in a directory. What its digests say is checked as it is
// read; who signed is not. The keyring opens what is encrypted; one that stays
// locked has no records.
func Open(dir string, ring ...*encrypt.Keyring) (*Bundle, error) {
	b, err := evidence.Open(dir, ring...)
	if err != nil {
		return nil, err
	}
	if err := b.Locked(); err != nil {
		return nil, errors.Join(fmt.Errorf("reading bundle %s: %w", dir, err), b.Close())
	}
	s := &Bundle{b: b, spans: map[string][]span{}}
	s.list()
	if err := s.describe(); err != nil {
		return nil, errors.Join(fmt.Errorf("reading bundle %s: %w", dir, err), b.Close())
	}
	return s, nil
}

// Close ends the reading.
func (s *Bundle) Close() error { return s.b.Close() }

// ID is the bundle's id.
func (s *Bundle) ID() string { return s.b.ID() }

// Files are the blobs that records lie in.
func (s *Bundle) Files() []File { return s.files }

// NewParser makes a parser of the records of this bundle.
func (s *Bundle) NewParser() timeline.Parser { return &parser{about: &s.about} }

// acquisition is the name of the stream that the acquisition record is.
const acquisition = "acquisition"

func (s *Bundle) list() {
	for _, stream := range append([]string{evidence.IndexStream}, s.b.Payloads()...) {
		for _, seg := range s.b.Segments(stream) {
			s.add(stream, seg)
		}
	}
}

func (s *Bundle) add(stream string, seg evidence.Segment) {
	s.spans[stream] = append(s.spans[stream], span{int32(len(s.files)), seg.Offset, seg.Plain})
	s.files = append(s.files, File{seg.Path, seg.Digest, seg.Stored})
}

// Locate gives the blobs and the ranges of their plain bytes that a record of
// Records lies in.
func (s *Bundle) Locate(rec timeline.Record) []timeline.RawRef {
	spans := s.spans[streamOf(rec.Kind)]
	from, end := rec.Range.Offset, rec.Range.Offset+rec.Range.Length
	i := sort.Search(len(spans), func(i int) bool { return spans[i].offset+spans[i].plain > from })
	var refs []timeline.RawRef
	for ; i < len(spans) && spans[i].offset < end; i++ {
		lo, hi := max(from, spans[i].offset), min(end, spans[i].offset+spans[i].plain)
		refs = append(refs, timeline.RawRef{File: spans[i].file, Ranges: []timeline.Range{{Offset: lo - spans[i].offset, Length: hi - lo}}})
	}
	return refs
}

// target is what of container.Container is of use here.
type target struct {
	Runtime   string `json:"runtime"`
	Namespace string `json:"namespace"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	Image     struct{ Ref, Digest string }
	Pod       *struct{ Namespace, Name, UID, Container string }
}

// describe reads the acquisition record, which an incomplete bundle lacks.
func (s *Bundle) describe() error {
	seg, text, err := s.b.AcquisitionBlob()
	if errors.Is(err, evidence.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.add(acquisition, seg)
	s.record = text
	var a record.Acquisition
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("acquisition record: %w", err)
	}
	s.about = aboutOf(&a)
	return nil
}

func aboutOf(a *record.Acquisition) about {
	var t target
	_ = json.Unmarshal(a.Target, &t) // a target of another form says nothing of the container
	d := about{
		id: a.Evidence, host: a.Host.Name, container: t.ID, name: t.Name,
		image: t.Image.Ref, imageDigest: t.Image.Digest, runtime: t.Runtime, end: a.End,
	}
	if t.Pod != nil {
		d.namespace, d.pod, d.podUID = t.Pod.Namespace, t.Pod.Name, t.Pod.UID
		if t.Pod.Container != "" {
			d.name = t.Pod.Container
		}
	}
	return d
}

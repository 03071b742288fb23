package evidence

import (
	"encoding/json"
	"fmt"
	"sync/atomic"

	"amber/evidence/encrypt"
)

// segment is one stored blob of a stream; a line of wal.jsonl, and later a
// descriptor of the manifest.
type segment struct {
	Kind    string `json:"kind"` // media type
	Payload string `json:"payload,omitempty"`
	Ordinal int    `json:"ordinal"`
	Digest  string `json:"digest"` // hex
	Size    int64  `json:"size"`   // stored bytes, table included
	Offset  int64  `json:"offset"` // of its first plain byte in the stream
	Plain   int64  `json:"plain"`  // plain bytes
	hashes  []byte // 32 bytes for each frame, and for the table
}

// stream cuts plain bytes into frames, compresses them on all cores, and
// stores them in order as segments. One goroutine writes to it; another of its
// own stores.
type stream struct {
	kind    string
	payload string
	frame   int // plain bytes of a frame
	st      store
	comp    *compressor
	closer  *closer

	cur    *job
	plain  int64 // plain bytes taken
	queue  chan *job
	ended  chan struct{}
	err    error       // the storing goroutine's, read after ended
	failed atomic.Bool // err is set, or will be
	full   atomic.Bool // the disk is full: room was made, and no more should come

	lock    *encrypt.Lock // what encrypts each segment; nil where the bundle is not encrypted
	seg     *openSegment
	ordinal int
	offset  int64 // plain bytes stored
	closed  []segment
	onFrame func(stored, plain int)
}

func newStream(w *Writer, kind, payload string, frame int) *stream {
	s := &stream{
		kind: kind, payload: payload, frame: frame, st: w.st, comp: w.comp, closer: w.closer,
		lock: w.lock, queue: make(chan *job, cap(w.comp.free)), ended: make(chan struct{}),
		onFrame: func(stored, plain int) { w.stored.Add(int64(stored)) },
	}
	s.comp.admit()
	go s.store()
	return s
}

// space returns room for at least one plain byte; what is put there is told by
// advance.
func (s *stream) space() []byte {
	if s.cur == nil {
		s.cur = s.comp.get(s.frame)
		s.cur.quick = s.kind == TypePayload
	}
	n := len(s.cur.plain)
	return s.cur.plain[n:s.frame]
}

func (s *stream) advance(n int) {
	s.cur.plain = s.cur.plain[:len(s.cur.plain)+n]
	s.plain += int64(n)
	if len(s.cur.plain) == s.frame {
		s.flush()
	}
}

func (s *stream) write(p []byte) {
	for len(p) > 0 {
		n := copy(s.space(), p)
		s.advance(n)
		p = p[n:]
	}
}

// flush sends a frame that is not full yet.
func (s *stream) flush() {
	if s.cur == nil {
		return
	}
	if len(s.cur.plain) == 0 && s.cur.cut == nil {
		s.comp.put(s.cur)
		s.cur = nil
		return
	}
	s.queue <- s.cur
	s.comp.jobs <- s.cur
	s.cur = nil
}

// cut ends the segment here, and waits until what was written so far is stored.
func (s *stream) cut() {
	s.space()
	cut := make(chan struct{})
	s.cur.cut = cut
	s.flush()
	<-cut
}

// close stores what is left. It is durable when the closer is done with it.
func (s *stream) close() error {
	s.flush()
	close(s.queue)
	<-s.ended
	return s.err
}

// store runs in its own goroutine. After an error it goes on taking frames and
// drops them, so that nobody waits for it.
func (s *stream) store() {
	defer close(s.ended)
	for j := range s.queue {
		<-j.done
		if s.err == nil {
			if s.err = s.put(j); s.err != nil {
				s.failed.Store(true)
			}
		}
		if j.cut != nil {
			close(j.cut)
		}
		s.comp.put(j)
	}
	if s.err == nil && s.seg != nil {
		s.err = s.closeSegment()
	}
}

func (s *stream) put(j *job) error {
	if len(j.plain) > 0 {
		if err := s.putFrame(j); err != nil {
			return err
		}
	}
	if j.cut != nil && s.seg != nil {
		return s.closeSegment()
	}
	return nil
}

func (s *stream) putFrame(j *job) error {
	if s.seg != nil && (s.seg.with(int64(len(j.stored))+tableSize(len(s.seg.frames)+1)) > s.st.segmentLimit(s.kind, s.ordinal) || len(s.seg.frames) == segmentFrames) {
		if err := s.closeSegment(); err != nil {
			return err
		}
	}
	if s.seg == nil {
		p, err := s.st.part(s.partName())
		if err != nil {
			return err
		}
		if s.seg, err = newOpenSegment(s.st, p, s.lock); err != nil {
			return fmt.Errorf("storing %s: %w", s.partName(), err)
		}
		s.seg.start = s.offset
	}
	if err := s.append(j.stored); err != nil {
		return err
	}
	s.seg.frames = append(s.seg.frames, frameSize{uint32(len(j.stored)), uint32(len(j.plain))})
	s.offset += int64(len(j.plain))
	s.onFrame(len(j.stored), len(j.plain))
	return nil
}

// append stores b at the end of the segment, and notes a disk that is full.
func (s *stream) append(b []byte) error {
	return s.noted(s.seg.append(b))
}

// noted passes an error of storing on, and notes a disk that was full.
func (s *stream) noted(err error) error {
	if s.seg.sink.full {
		s.full.Store(true)
	}
	if err != nil {
		return fmt.Errorf("storing %s: %w", s.partName(), err)
	}
	return nil
}

func (s *stream) closeSegment() error {
	if err := s.append(appendTable(nil, s.seg.frames)); err != nil {
		return err
	}
	if err := s.noted(s.seg.end()); err != nil {
		return err
	}
	g := segment{
		Kind: mediaType(s.kind, s.lock), Payload: s.payload, Ordinal: s.ordinal, Digest: s.seg.sink.digest(),
		Size: s.seg.sink.size, Offset: s.seg.start, Plain: s.offset - s.seg.start, hashes: s.seg.hashes,
	}
	line, err := json.Marshal(g)
	if err != nil {
		return err
	}
	part, name := s.seg.sink.part, s.partName()
	err = s.closer.do(func() error {
		if err := part.commit(g.Digest, line); err != nil {
			return fmt.Errorf("closing %s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.closed = append(s.closed, g)
	s.seg = nil
	s.ordinal++
	return nil
}

// partName names the segment while it is written: "filesystem-00003".
func (s *stream) partName() string {
	name := s.payload
	if name == "" {
		name = membersName
	}
	return fmt.Sprintf("%s-%05d", name, s.ordinal)
}

// membersName is the name of the members index among the streams; no payload
// may have it.
const membersName = "members"

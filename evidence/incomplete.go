package evidence

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/zstd"

	"amber/evidence/encrypt"
)

// openIncomplete puts together what a bundle held when its writing was cut
// off: the segments that the log lists, and the frames that are whole of those
// that were still being written.
func (b *Bundle) openIncomplete() error {
	b.membersPlain()
	if err := b.findKeys(); err != nil {
		return err
	}
	if err := b.readWAL(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(b.root.FS(), partialDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := b.addTail(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bundle) readWAL() error {
	f, err := b.openFile(walFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			b.walTail = "the last line of " + walFile + " is cut"
			return nil
		}
		// A line that a full disk cut is no line; the one after it may be whole.
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := b.addLogged(line); err != nil {
			b.walTail = err.Error()
		}
	}
}

func (b *Bundle) addLogged(line []byte) error {
	var g segment
	if err := json.Unmarshal(line, &g); err != nil {
		return fmt.Errorf("%s: %w", walFile, err)
	}
	digest, err := hexDigest(g.Digest)
	if err != nil {
		return fmt.Errorf("%s: %w", walFile, err)
	}
	s := &storedSegment{path: blobDir + "/" + digest, digest: digest, size: g.Size, offset: g.Offset, plain: g.Plain}
	kind, encrypted := strings.CutSuffix(g.Kind, Encrypted)
	s.locked = encrypted
	switch kind {
	case TypeMembers:
		return b.members.add(g.Ordinal, s)
	case TypePayload:
		return b.payload(g.Payload).add(g.Ordinal, s)
	}
	return nil
}

// addTail adds what is whole of a segment that was not closed.
func (b *Bundle) addTail(name string) error {
	stream, ordinal, ok := strings.Cut(name, "-")
	if !ok || stream == "reserve" {
		return nil
	}
	p := b.members
	if stream != membersName {
		p = b.payload(stream)
	}
	if fmt.Sprintf("%05d", len(p.segs)) != ordinal {
		return nil // closed already, or its log line was lost: the blob has it
	}
	s := &storedSegment{path: partialDir + "/" + name, offset: p.size(), tail: true}
	info, err := b.root.Lstat(s.path)
	if err != nil {
		return err
	}
	s.size = info.Size()
	f, err := b.openTail(s.path, s.size)
	if b.locked != nil || errors.Is(err, encrypt.ErrDamaged) {
		return nil // nothing of it can be read; of a header that is cut, nothing was written
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s.frames = scanFrames(f, f.size, p.maxFrame)
	for _, fr := range s.frames {
		s.plain += int64(fr.plain)
	}
	if len(s.frames) == 0 {
		return nil
	}
	return p.add(len(p.segs), s)
}

// scanFrames finds the zstd frames that are whole at the beginning of f, by
// their block headers (RFC 8878).
func scanFrames(r io.ReaderAt, size int64, maxPlain uint32) (frames []frameSize) {
	for end := int64(0); len(frames) < segmentFrames; {
		stored, plain := frameAt(r, end, size)
		if stored == 0 || plain == 0 || plain > int64(maxPlain) {
			break
		}
		frames = append(frames, frameSize{uint32(stored), uint32(plain)})
		end += stored
	}
	return frames
}

// frameAt measures the frame at off; 0 where there is no whole one.
func frameAt(r io.ReaderAt, off, size int64) (stored, plain int64) {
	var head [zstd.HeaderMaxSize]byte
	n, _ := r.ReadAt(head[:], off)
	var h zstd.Header
	if h.Decode(head[:n]) != nil || h.Skippable || !h.HasFCS || h.HasCheckSum || h.FrameContentSize > payloadFrame {
		return 0, 0
	}
	at := off + int64(h.HeaderSize)
	for {
		var b [4]byte
		if _, err := r.ReadAt(b[:3], at); err != nil {
			return 0, 0
		}
		v := binary.LittleEndian.Uint32(b[:])
		length := int64(v >> 3)
		if v>>1&3 == 1 { // one byte, repeated
			length = 1
		}
		at += 3 + length
		if at > size || v>>1&3 == 3 {
			return 0, 0
		}
		if v&1 == 1 {
			return at - off, int64(h.FrameContentSize)
		}
	}
}

// countFrames reads how many frames a closed segment has from its footer.
func countFrames(r io.ReaderAt, size int64) (int, error) {
	var foot [tableFooter]byte
	if size < tableFooter {
		return 0, errTable
	}
	if _, err := r.ReadAt(foot[:], size-tableFooter); err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint32(foot[5:]) != seekableMagic {
		return 0, errTable
	}
	return int(binary.LittleEndian.Uint32(foot[:])), nil
}

package store

import (
	"encoding/binary"
	"hash/crc32"

	"amber/timeline/query"
)

// Random ids have all trigrams of their alphabet, so that trigrams leave every
// block to be searched for one. Seeds tell those apart: of every seedWindow
// neighbouring pieces of seedLength letters, digits and hyphens the one with the
// smallest hash. What a text has in seedSpan such characters in a row or more,
// any text that contains it has too, which is how minimizers find pieces of
// genomes; and they are few: two in thirteen characters.
const (
	seedLength = 8
	seedWindow = 12
	seedSpan   = seedLength + seedWindow - 1
)

// inID are the characters that ids are written in. In either case of letters
// they differ in one bit, which the others have set.
var inID = func() (t [256]bool) {
	for _, c := range []byte("-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// appendSeeds gives the seeds of a text, a few of them more than once.
func appendSeeds(dst []uint32, v []byte) []uint32 {
	for i := seedSpan - 1; i < len(v); {
		if !inID[v[i]] { // a long enough run has one of every seedSpan places
			i += seedSpan
			continue
		}
		start, end := i, i+1
		for start > 0 && inID[v[start-1]] {
			start--
		}
		for end < len(v) && inID[v[end]] {
			end++
		}
		if end-start >= seedSpan {
			dst = seedsOfRun(dst, v[start:end])
		}
		i = end + seedSpan
	}
	return dst
}

// seedsOfRun gives those of a run of such characters, a stretch of it at a time.
func seedsOfRun(dst []uint32, run []byte) []uint32 {
	const most = 64 // pieces of a stretch; the next one begins with the windows that this one does not have
	var hashes [most]uint32
	for {
		n := min(most, len(run)-seedLength+1)
		for i := range n {
			hashes[i] = pieceHash(run[i:])
		}
		dst = seedsOfPieces(dst, hashes[:n])
		if n < most {
			return dst
		}
		run = run[most-seedWindow+1:]
		if len(run) < seedSpan {
			return dst
		}
	}
}

// seedsOfPieces gives the last of the smallest of each window. From a window to
// the next it mostly stays.
func seedsOfPieces(dst []uint32, hashes []uint32) []uint32 {
	least := -1
	for first := 0; first+seedWindow <= len(hashes); first++ {
		last := first + seedWindow - 1
		switch {
		case least < first:
			least = first
			for i, h := range hashes[first+1 : last+1] {
				if h <= hashes[least] {
					least = first + 1 + i
				}
			}
		case hashes[last] <= hashes[least]:
			least = last
		default:
			continue
		}
		dst = append(dst, hashes[least])
	}
	return dst
}

func pieceHash(v []byte) uint32 {
	w := binary.LittleEndian.Uint64(v) | 0x2020202020202020
	w *= 0x9e3779b97f4a7c15
	w ^= w >> 29
	return uint32(w * 0xbf58476d1ce4e5b9 >> 32)
}

// seeds are those of one block.
type seeds struct {
	list    []uint32
	scratch []uint32
	recent  [1 << 10]uint32
}

// add enters a text's seeds.
func (s *seeds) add(v []byte) {
	if len(v) < seedSpan {
		return
	}
	s.scratch = appendSeeds(s.scratch[:0], v)
	if !foldsByLetter(v) {
		s.scratch = appendSeeds(s.scratch, query.AppendFolded(nil, v))
	}
	for _, h := range s.scratch {
		if at := &s.recent[h%uint32(len(s.recent))]; *at != h || h == 0 {
			*at = h
			s.list = push(s.list, h)
		}
	}
}

func (s *seeds) reset() {
	s.list = s.list[:0]
	clear(s.recent[:])
}

// seedSet is a Bloom filter of seeds: two bits of a block of bloomBlock bytes
// each. At three bits a seed one answer in four is false; an id has some four
// seeds, so that one id in two hundred is looked for in vain in a block.
type seedSet []byte

const seedBits = 3

// filter is nil where there are no seeds.
func (s *seeds) filter() seedSet {
	n := distinct(s.list, &s.scratch)
	if len(n) == 0 {
		return nil
	}
	b := make(seedSet, (len(n)*seedBits+8*bloomBlock-1)/(8*bloomBlock)*bloomBlock)
	for _, h := range n {
		block, x, y := b.bits(h)
		block[x>>3] |= 1 << (x & 7)
		block[y>>3] |= 1 << (y & 7)
	}
	return b
}

// bits are where a seed's bits are: the block, and their places in it.
func (b seedSet) bits(h uint32) (block []byte, x, y uint8) {
	w := uint64(h) * 0x9e3779b97f4a7c15
	w ^= w >> 31
	at := (w >> 32) * uint64(len(b)/bloomBlock) >> 32 * bloomBlock
	return b[at : at+bloomBlock], uint8(w), uint8(w >> 8)
}

func (b seedSet) has(h uint32) bool {
	block, x, y := b.bits(h)
	return block[x>>3]&(1<<(x&7)) != 0 && block[y>>3]&(1<<(y&7)) != 0
}

// distinct sorts numbers, by eleven bits at a time, and leaves one of each.
func distinct(list []uint32, scratch *[]uint32) []uint32 {
	from, to := list, append((*scratch)[:0], list...)
	*scratch = to
	for shift := 0; shift < 32; shift += 11 {
		var starts [1 << 11]uint32
		for _, v := range from {
			starts[v>>shift&0x7ff]++
		}
		sum := uint32(0)
		for i, n := range starts {
			starts[i] = sum
			sum += n
		}
		for _, v := range from {
			p := &starts[v>>shift&0x7ff]
			to[*p] = v
			*p++
		}
		from, to = to, from
	}
	out := from[:0]
	for i, v := range from {
		if i == 0 || v != out[len(out)-1] {
			out = append(out, v)
		}
	}
	return out
}

// seeded takes out the blocks that do not have all seeds of all texts.
func (s *segment) seeded(texts []string, blocks []bool) error {
	var want []uint32
	for _, t := range texts {
		want = appendSeeds(want, []byte(t))
	}
	if len(want) == 0 {
		return nil
	}
	off := int64(matrixSize(s.blocks()))
	var buf seedSet
	for b, e := range s.seeds {
		at := off
		off += int64(e.size)
		if !blocks[b] {
			continue
		}
		buf = append(buf[:0], make(seedSet, e.size)...)
		if e.size > 0 {
			if err := s.part(buf, at, e.sum); err != nil {
				return err
			}
		}
		for _, h := range want {
			if len(buf) == 0 || !buf.has(h) {
				blocks[b] = false
				break
			}
		}
	}
	return nil
}

// seedFilter is where a block's filter of seeds is: how many bytes, and their
// CRC.
type seedFilter struct {
	size int
	sum  uint32
}

func filterOf(b seedSet) seedFilter { return seedFilter{len(b), crc32.Checksum(b, castagnoli)} }

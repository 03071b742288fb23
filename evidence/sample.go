package evidence

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Sample says how much of a large store is read. Which files these are follows
// from the seed and their names alone: somebody who has both can repeat it.
type Sample struct {
	Share float64 // of the bytes: over 0, and 1 for all
	Seed  string
}

// ParseShare reads "10%".
func ParseShare(text string) (float64, error) {
	digits, ok := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(percent > 0 && percent <= 100) {
		return 0, fmt.Errorf("%q is no share: want a percentage such as 10%%", text)
	}
	return percent / 100, nil
}

// File is a file that may be read, and its size in bytes.
type File struct {
	Name string
	Size int64
}

// Choose gives the names of those that are read: in the order of
// SHA-256(seed, NUL, name), until they have the share of all bytes. Of files
// there is always one. A nil Sample chooses all.
func (s *Sample) Choose(files []File) map[string]bool {
	chosen := map[string]bool{}
	total := int64(0)
	for _, f := range files {
		total += f.Size
	}
	order := slices.Clone(files)
	if s != nil {
		slices.SortFunc(order, func(a, b File) int { return bytes.Compare(s.key(a.Name), s.key(b.Name)) })
	}
	read := int64(0)
	for _, f := range order {
		if s != nil && len(chosen) > 0 && float64(read) >= s.Share*float64(total) {
			break
		}
		chosen[f.Name] = true
		read += f.Size
	}
	return chosen
}

func (s *Sample) key(name string) []byte {
	sum := sha256.Sum256([]byte(s.Seed + "\x00" + name))
	return sum[:]
}

// Sampled is what a sample has left unread.
type Sampled struct {
	Share float64 `json:"share"`
	Seed  string  `json:"seed"`
	Files int     `json:"files_left"`
	Bytes int64   `json:"bytes_left"`
}

// sample takes what is not to be read from the names of files that are to be
// hashed. Only segments of payloads may be left out: all else is always read,
// and sizes are compared in any case.
func (v *verifier) sample(names []string) []string {
	if v.o.Sample == nil || v.o.Sample.Share >= 1 {
		return names
	}
	var segments []File
	for _, p := range v.b.payloads {
		for _, s := range p.segs {
			segments = append(segments, File{s.path, s.size})
		}
	}
	chosen := v.o.Sample.Choose(segments)
	left := map[string]bool{}
	v.r.Sampled = &Sampled{Share: v.o.Sample.Share, Seed: v.o.Sample.Seed}
	for _, s := range segments {
		if !chosen[s.Name] && !left[s.Name] {
			left[s.Name] = true
			v.r.Sampled.Files++
			v.r.Sampled.Bytes += s.Size
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return left[name] })
}

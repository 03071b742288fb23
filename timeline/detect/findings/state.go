package findings

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"amber/evidence/durable"
	"amber/timeline/store"
)

const (
	dirName      = "detect"
	buildingName = "building"
	stateVersion = 1
	maxState     = 64 << 20
)

// Dir is where the findings of a timeline lie, of the timeline's directory.
func Dir(timeline string) string { return filepath.Join(timeline, dirName) }

// state says what was found of which raw files. It never changes: the next one
// takes its place.
type state struct {
	Version int        `json:"version"`
	Files   int        `json:"files"`        // how many raw files the timeline has that it counts for
	Digest  string     `json:"files_sha256"` // over their digests
	Sets    []setState `json:"sets"`
}

// setState is what one set of rules found.
type setState struct {
	Name       string `json:"name"`   // "amber" or where the rules lie
	Digest     string `json:"digest"` // of the rules
	Rules      string `json:"rules"`  // the file that describes them
	Covers     []span `json:"covers"` // the raw files that it has looked at
	Batches    []part `json:"batches"`
	Correlated *part  `json:"correlated,omitempty"`
	Cut        int64  `json:"cut,omitempty"` // events of whose record not all was looked at
}

// span is raw files by their numbers.
type span struct {
	From int32 `json:"from"`
	To   int32 `json:"to"` // behind the last
}

// part is a file of hits.
type part struct {
	Name    string          `json:"name"`
	Records int64           `json:"records"`
	Rules   map[int32]int64 `json:"rules"` // how many of each
}

// covered tells whether a raw file was looked at.
func (s *setState) covered(file int32) bool {
	return slices.ContainsFunc(s.Covers, func(c span) bool { return c.From <= file && file < c.To })
}

// cover adds raw files.
func (s *setState) cover(files []int32) {
	all := slices.Clone(files)
	for _, c := range s.Covers {
		for n := c.From; n < c.To; n++ {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	s.Covers = nil
	for _, n := range slices.Compact(all) {
		if k := len(s.Covers) - 1; k >= 0 && s.Covers[k].To == n {
			s.Covers[k].To++
		} else {
			s.Covers = append(s.Covers, span{n, n + 1})
		}
	}
}

// count is how many hits of a rule there are, at most: some may be in two parts.
func (s *setState) count(rule int32) (n int64) {
	for _, p := range s.Batches {
		n += p.Rules[rule]
	}
	return n
}

func (s *state) set(name, digest string) *setState {
	for i := range s.Sets {
		if s.Sets[i].Name == name && s.Sets[i].Digest == digest {
			return &s.Sets[i]
		}
	}
	return nil
}

// names are the files that the state is made of.
func (s *state) names() map[string]bool {
	m := map[string]bool{}
	for i := range s.Sets {
		m[s.Sets[i].Rules] = true
		for _, p := range s.Sets[i].Batches {
			m[p.Name] = true
		}
		if c := s.Sets[i].Correlated; c != nil {
			m[c.Name] = true
		}
	}
	return m
}

// digestOf is over the first raw files of a timeline.
func digestOf(files []store.File) string {
	h := sha256.New()
	for i := range files {
		h.Write(files[i].Digest[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// counts tells whether the timeline holds the files that a state is of.
func (s *state) counts(files []store.File) bool {
	return s.Files >= 0 && s.Files <= len(files) && s.Digest == digestOf(files[:s.Files])
}

// load reads the latest state that counts, and its file's name; where there is
// none it is empty.
func load(dir string, files []store.File) (*state, string, error) {
	names, err := stateNames(dir)
	if err != nil {
		return nil, "", err
	}
	for _, name := range names {
		s, err := readState(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another took its place
		}
		if err != nil {
			return nil, "", err
		}
		if s.counts(files) {
			return s, name, nil
		}
	}
	return &state{Version: stateVersion}, "", nil
}

// stateNames are those of all states, the latest first.
func stateNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if isStateName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names, err
}

func stateName(generation int64) string { return fmt.Sprintf("%016d.json", generation) }

func isStateName(name string) bool {
	number, ok := strings.CutSuffix(name, ".json")
	n, err := strconv.ParseInt(number, 10, 64)
	return ok && err == nil && name == stateName(n)
}

func readState(path string) (*state, error) {
	b, err := readBounded(path, maxState)
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("reading the state of the findings, %s: %w", path, err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("the findings have format %d, this amber reads %d", s.Version, stateVersion)
	}
	for name := range s.names() {
		if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return nil, fmt.Errorf("%s names the file %q", path, name)
		}
	}
	for _, set := range s.Sets {
		for _, c := range set.Covers {
			if c.From < 0 || int(c.To) > s.Files || c.From >= c.To {
				return nil, fmt.Errorf("%s covers the files %d to %d of %d", path, c.From, c.To, s.Files)
			}
		}
	}
	return &s, nil
}

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is longer than %d bytes", path, most)
	}
	return b, err
}

func (s *state) write(dir string, generation int64) (name string, err error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	name = stateName(generation)
	if err := durable.WriteFile(filepath.Join(dir, name), append(b, '\n')); err != nil {
		return "", fmt.Errorf("writing the state of the findings: %w", err)
	}
	return name, nil
}

// sweep removes what the state does not name: what builds that were killed have
// left, and what is not current any more.
func sweep(dir string, s *state, name string) error {
	keep := s.names()
	keep[name] = true
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// newName is one that no file has.
func newName(kind string) string { return rand.Text() + kind }

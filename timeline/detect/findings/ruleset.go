package findings

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"amber/evidence/durable"
	"amber/timeline/detect"
)

// engine is a number for how rules are evaluated: another means that what was
// evaluated before does not hold any more.
const engine = 1

// RuleSet is rules that are evaluated together, and what tells them from others.
type RuleSet struct {
	Name   string // "amber", or where the rules lie
	Digest string // of their files
	*detect.Set
}

// NewRuleSet makes one of rules that were read of some files.
func NewRuleSet(name string, r detect.Rules, files ...fs.FS) (RuleSet, error) {
	h := sha256.New()
	fmt.Fprintf(h, "engine %d\n", engine)
	for _, f := range files {
		if err := addFiles(h, f); err != nil {
			return RuleSet{}, fmt.Errorf("hashing the rules of %s: %w", name, err)
		}
	}
	return RuleSet{Name: name, Digest: hex.EncodeToString(h.Sum(nil)), Set: detect.Compile(r)}, nil
}

// addFiles hashes names and contents, in the order of the names.
func addFiles(h interface{ Write([]byte) (int, error) }, files fs.FS) error {
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(h, "%q %x\n", path, sha256.Sum256(b))
		return err
	})
}

// described is a rule as a file keeps it.
type described struct {
	detect.Rule
	Kind   string `json:",omitempty"` // of a correlation
	Silent bool   `json:",omitempty"` // it is only there for correlations
}

// describe gives the rules by their numbers: matchers, then correlations.
func (s RuleSet) describe() (list []described) {
	silent := s.silent()
	for i, m := range s.Matchers {
		list = append(list, described{Rule: *m.Rule(), Silent: silent[i]})
	}
	for _, c := range s.Correlations {
		list = append(list, described{Rule: c.Rule, Kind: c.Kind})
	}
	return list
}

// silent are the matchers to which correlations refer, none of which wants them
// to give findings of their own.
func (s RuleSet) silent() map[int]bool {
	m := map[int]bool{}
	for _, generate := range []bool{false, true} {
		for _, c := range s.Correlations {
			if c.Generate != generate {
				continue
			}
			for _, ref := range c.Of {
				for _, rule := range s.Refers(ref) {
					m[int(rule)] = !generate
				}
			}
		}
	}
	return m
}

// correlated tells which matchers' hits correlations look at.
func (s RuleSet) correlated() []bool {
	used := make([]bool, len(s.Matchers))
	for _, c := range s.Correlations {
		for _, ref := range c.Of {
			for _, rule := range s.Refers(ref) {
				used[rule] = true
			}
		}
	}
	return used
}

func (s RuleSet) writeRules(dir, name string) error {
	b, err := json.Marshal(s.describe())
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, name), b)
}

func readRules(path string) (list []described, err error) {
	b, err := readBounded(path, maxState)
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err == nil && slices.ContainsFunc(list, func(d described) bool { return d.Level > detect.Critical }) {
		err = fmt.Errorf("a level that there is not")
	}
	if err != nil {
		return nil, fmt.Errorf("reading what is known of rules: %w", err)
	}
	return list, nil
}

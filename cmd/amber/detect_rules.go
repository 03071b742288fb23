package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/evidence/safetext"
	"amber/timeline/build"
	"amber/timeline/detect"
	"amber/timeline/detect/falco"
	"amber/timeline/detect/findings"
	own "amber/timeline/detect/rules"
	"amber/timeline/detect/sigma"
)

// packName is the name of amber's own set of rules.
const packName = "amber"

func pack() (findings.RuleSet, error) {
	return findings.NewRuleSet(packName, sigma.Load(own.FS()), own.FS())
}

// packDetector evaluates amber's own rules while a timeline is built. pack may
// be under way already.
func packDetector(c *cli.Context, timeline string, pack func() (findings.RuleSet, error)) (build.Watcher, error) {
	if !c.Bool("pack") {
		return nil, nil
	}
	set, err := pack()
	if err != nil {
		return nil, err
	}
	return findings.NewDetector(timeline, set), nil
}

// ruleSets are those that the flags name.
func ruleSets(c *cli.Context) (sets []findings.RuleSet, problems []detect.Problem, err error) {
	if c.Bool("pack") {
		set, err := pack()
		if err != nil {
			return nil, nil, err
		}
		sets, problems = append(sets, set), append(problems, set.Problems...)
	}
	if paths := c.StringSlice("rules"); len(paths) > 0 {
		set, err := ruleFiles(paths)
		if err != nil {
			return nil, nil, err
		}
		sets, problems = append(sets, set), append(problems, set.Problems...)
	}
	return sets, problems, nil
}

// ruleFiles reads the rules of folders and files, Sigma's and Falco's.
func ruleFiles(paths []string) (findings.RuleSet, error) {
	var all detect.Rules
	var trees []fs.FS
	var names []string
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return findings.RuleSet{}, err
		}
		tree, err := ruleTree(abs)
		if err != nil {
			return findings.RuleSet{}, usagef("--rules %s: %w", p, err)
		}
		trees, names = append(trees, tree.FS), append(names, abs)
		all = bothRules(all, tree.load(p))
	}
	return findings.NewRuleSet(strings.Join(names, ", "), all, trees...)
}

func bothRules(a, b detect.Rules) detect.Rules {
	a.Matchers = append(a.Matchers, b.Matchers...)
	a.Correlations = append(a.Correlations, b.Correlations...)
	a.Problems = append(a.Problems, b.Problems...)
	return a
}

// tree is a folder of rules, or one file of one.
type tree struct {
	fs.FS
	file bool
}

func ruleTree(path string) (tree, error) {
	info, err := os.Stat(path)
	if err != nil {
		return tree{}, err
	}
	if info.IsDir() {
		return tree{FS: os.DirFS(path)}, nil
	}
	return tree{FS: single{os.DirFS(filepath.Dir(path)), filepath.Base(path)}, file: true}, nil
}

// single is a folder in which there is one file alone.
type single struct {
	fs.FS
	name string
}

// ReadDir implements fs.ReadDirFS.
func (s single) ReadDir(dir string) ([]fs.DirEntry, error) {
	info, err := fs.Stat(s.FS, s.name)
	if err != nil || dir != "." {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}

// load reads both kinds of rules; their paths are below the one that was named.
func (t tree) load(at string) detect.Rules {
	of := func(name string) string {
		if t.file {
			return at
		}
		return filepath.Join(at, name)
	}
	falcos := falcoFiles(t.FS)
	all := sigma.Load(t.FS)
	if len(falcos) > 0 {
		all = bothRules(all, falco.LoadFiles(t.FS, falcos...))
	}
	for i := range all.Problems {
		all.Problems[i].Path = of(all.Problems[i].Path)
	}
	for _, m := range all.Matchers {
		m.Rule().Path = of(m.Rule().Path)
	}
	for _, c := range all.Correlations {
		c.Rule.Path = of(c.Rule.Path)
	}
	return all
}

// maxRuleFile is the size of the largest file of rules that is looked at.
const maxRuleFile = 8 << 20

// falcoFiles are the files that are Falco's.
func falcoFiles(tree fs.FS) (names []string) {
	_ = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if ext := path.Ext(name); err != nil || !d.Type().IsRegular() || ext != ".yaml" && ext != ".yml" {
			return nil // sigma.Load tells of what cannot be read
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxRuleFile {
			return nil
		}
		if data, err := fs.ReadFile(tree, name); err == nil && falco.IsFalco(data) {
			names = append(names, name)
		}
		return nil
	})
	return names
}

// detectLint says all that is wrong with rules.
func detectLint(c *cli.Context, asJSON bool) error {
	set, err := ruleFiles(c.Args().Slice())
	if err != nil {
		return err
	}
	unusable := 0
	for _, p := range set.Problems {
		if p.Severity != detect.Doubtful {
			unusable++
		}
		if asJSON {
			err = emitLine(os.Stdout, p)
		} else {
			_, err = fmt.Println(problemText(p))
		}
		if err != nil {
			return err
		}
	}
	if !asJSON {
		fmt.Printf("%s can be used, %d cannot\n", countText(len(set.Matchers)+len(set.Correlations), "rule"), unusable)
	}
	if unusable > 0 {
		return outcome{exitMisses, ""}
	}
	return nil
}

// problemText is "PATH:LINE: RULE: why it is not used".
func problemText(p detect.Problem) string {
	text := p.Path
	if p.Line > 0 {
		text = fmt.Sprintf("%s:%d", text, p.Line)
	}
	if p.Rule != "" {
		text += ": " + p.Rule
	}
	text += fmt.Sprintf(": %s: %s", p.Severity, p.Reason)
	if len(p.Fields) > 0 {
		text += ": " + strings.Join(p.Fields, ", ")
	}
	return safetext.Line(text)
}

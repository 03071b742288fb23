// Package amber_test guards the shape of the module: which folder may import
// which, and what no folder is called. See docs/architecture.md.
package amber_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrows says what each top-level folder may import of ours, beside itself.
var arrows = map[string][]string{
	"cmd":       {"collect", "container", "evidence", "isolate", "testdata", "timeline", "tui"}, // testdata: the incident of amber tui --demo
	"tui":       {"evidence", "timeline"},
	"timeline":  {"evidence"},
	"collect":   {"container", "evidence"},
	"isolate":   {"container", "evidence"},
	"container": {},
	"evidence":  {},
}

// forbidden are names that say nothing.
var forbidden = []string{"util", "utils", "common", "helpers", "models", "types", "pkg", "internal"}

func TestArrows(t *testing.T) {
	seen := 0
	eachGoFile(t, func(path string, f *ast.File) {
		seen++
		from := strings.Split(path, "/")[0]
		for _, spec := range f.Imports {
			to, ok := ours(spec)
			if !ok || testSupport(path) {
				continue
			}
			top := strings.Split(to, "/")[0]
			if top != from && !slices.Contains(arrows[from], top) {
				t.Errorf("%s imports amber/%s: no arrow leads from %s to %s", path, to, from, top)
			}
		}
	})
	if seen < 50 {
		t.Fatalf("only %d files were looked at: the walk is broken", seen)
	}
}

func TestNames(t *testing.T) {
	eachGoFile(t, func(path string, f *ast.File) {
		for _, e := range strings.Split(filepath.Dir(path), "/") {
			if slices.Contains(forbidden, e) {
				t.Errorf("%s: a folder called %q says nothing", path, e)
			}
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function: lists are explicit here", path)
			}
		}
	})
}

// A program that the arrows let pass must not be one that they forbid.
func TestArrowsForbid(t *testing.T) {
	for from, to := range map[string]string{"evidence": "container", "container": "evidence", "collect": "isolate", "isolate": "collect", "timeline": "collect", "tui": "collect"} {
		if slices.Contains(arrows[from], to) {
			t.Errorf("an arrow leads from %s to %s", from, to)
		}
	}
}

// testSupport is code that only tests link: it may import the testbed, and
// what it tests.
func testSupport(path string) bool {
	dir := filepath.Base(filepath.Dir(path))
	return strings.HasPrefix(path, "testdata/") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") || strings.Contains(path, "/testdata/")
}

func ours(spec *ast.ImportSpec) (string, bool) {
	path, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(path, "amber/")
}

func eachGoFile(t *testing.T, see func(path string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "demo") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || !strings.Contains(path, "/") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		see(path, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

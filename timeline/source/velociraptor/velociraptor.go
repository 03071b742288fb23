// Package velociraptor reads what Velociraptor collects: rows of artefacts as
// JSON lines, and collections as ZIP files (of offline collectors and of the
// server's exports), of which each member below results is read, and the log. What
// was uploaded is passed over: those are files, not rows.
package velociraptor

import (
	"bytes"
	"context"
	"io"
	"iter"
	"path/filepath"
	"strings"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

// Source is the source "velociraptor".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "velociraptor" }

// forms are members at the top by which rows of artefacts are known, with how
// sure they are.
var forms = [...]struct {
	sure  int
	names []string
}{
	{96, []string{"_Source"}},
	{96, []string{"_ts", "ClientId"}},
	{96, []string{"ClientId", "FlowId"}},
	{96, []string{"ClientId", "Fqdn"}},
	{96, []string{"FlowId", "Fqdn"}},
	{96, []string{"_ts", "client_time", "level", "message"}},
	{96, []string{"OSPath", "Mtime"}},
	{96, []string{"OSPath", "Size", "Mode"}},
	{96, []string{"FullPath", "Mtime", "Atime"}},
	{96, []string{"Pid", "Ppid", "CommandLine"}},
	{96, []string{"Pid", "Ppid", "Exe"}},
	{96, []string{"Laddr", "Raddr", "Pid"}},
	{60, []string{"_ts"}},
}

// Sniff implements timeline.Source. Of a ZIP file the first members' names
// decide, of rows the members at the top, or where they lie.
func (Source) Sniff(head []byte, path string) int {
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return sniffZIP(head)
	}
	for _, f := range forms {
		all := true
		for _, met := range members.Head(head, nil, f.names...) {
			all = all && met
		}
		if all {
			return f.sure
		}
	}
	if unpacked(path) && bytes.HasPrefix(bytes.TrimLeft(head, " \r\n\t"), []byte("{")) {
		return 70
	}
	return 0
}

// unpacked tells of a member of a collection that was unpacked: results of an
// artefact, whose rows may have any names.
func unpacked(path string) bool {
	dir, file := filepath.Split(path)
	if filepath.Base(dir) != "results" || filepath.Ext(file) != ".json" {
		return false
	}
	for _, kind := range [...]string{"Linux.", "Generic.", "Windows.", "MacOS.", "Server.", "Custom.", "Demo.", "Exchange.", "Elastic.", "DetectRaptor.", "Network."} {
		if strings.HasPrefix(file, kind) {
			return true
		}
	}
	return false
}

// sniffZIP looks for members that Velociraptor's archives alone have together.
func sniffZIP(head []byte) int {
	n := 0
	for _, name := range []string{"client_info.json", "collection_context.json", "uploads.json", "requests.json", "log.json", "results/", "uploads/", "Linux.Sys.", "Linux.Search.", "Generic.Client.", "Windows.System."} {
		if bytes.Contains(head, []byte(name)) {
			n++
		}
	}
	switch {
	case n >= 2:
		return 95
	case n == 1:
		return 60
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		head := make([]byte, 4)
		n, err := io.ReadFull(r, head)
		whole := io.MultiReader(bytes.NewReader(head[:n]), r)
		if err == nil && string(head) == "PK\x03\x04" {
			collection(ctx, whole, yield)
			return
		}
		for rec, err := range (framing.JSON{}).Records(ctx, whole) {
			if !yield(rec, err) {
				return
			}
		}
	}
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{Row: leaves.NewRow(table)} }

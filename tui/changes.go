package tui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/diff"

	"amber/evidence"
	"amber/evidence/record"
	"amber/tui/layer"
)

// manifestMember is the image's manifest as the runtime had it: it names the
// layers.
const manifestMember = "metadata/runtime/image/manifest.json"

// What is compared of two files, and how many lines of it line by line.
const (
	maxCompared      = 1 << 20
	maxComparedLines = 50_000
	maxManifest      = 8 << 20
)

// comparison is a file as the image has it, beside what the container made of it.
type comparison struct {
	about   []seg  // what was compared, and how far it is to be trusted
	text    string // a unified diff; empty where hex is to be shown, or nothing differs
	was, is []byte // for hex
}

// comparedMsg is a comparison, or why there is none.
type comparedMsg struct {
	v   *viewer
	got *comparison
	err error
}

// compares tells whether the image has a file where the container has changed or
// deleted one.
func (v *viewer) compares() bool {
	d := v.drift
	return d != nil && d.Was != nil && d.Was.Type == record.File && (d.Type == record.File || d.Type == record.Hardlink)
}

// compare asks for the image's file, once.
func (m *model) compare(v *viewer) {
	if v.asked || !v.compares() {
		return
	}
	v.asked = true
	open := m.c.Blob
	m.asker.ask(laneRaw, func(ctx context.Context, tell func(tea.Msg)) {
		got, err := v.b.compare(ctx, v.drift, open)
		tell(comparedMsg{v, got, err})
	})
}

func (c comparedMsg) take(m *model) error {
	c.v.compared, c.v.failed = c.got, c.err
	c.v.lay(m)
	return nil
}

// compare reads both files. That they are looked at is a custody entry.
func (b *bundle) compare(ctx context.Context, d *record.Drift, open layer.Opener) (*comparison, error) {
	if err := b.looked("diff", d.Path); err != nil {
		return nil, err
	}
	if d.Deep != 0 {
		return nil, errors.New("its path is too deep for the image to be looked through")
	}
	if open == nil {
		return nil, errors.New("nobody here keeps the layers of images")
	}
	layers, err := b.imageLayers()
	if err != nil {
		return nil, err
	}
	was, err := original(ctx, layers, open, d)
	if err != nil {
		return nil, err
	}
	is, size, err := b.made(d)
	if err != nil {
		return nil, err
	}
	return compared(d, was, is, size), nil
}

// imageLayers are the digests of the image's layers, the lowest first.
func (b *bundle) imageLayers() ([]string, error) {
	mem, err := b.Lookup(manifestMember)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && mem.Type != record.File {
		return nil, errors.New("the bundle holds no manifest of the image, so its layers have no names (Docker keeps none; what was missed says why)")
	}
	if err != nil {
		return nil, err
	}
	in, err := b.Content(mem)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(in, maxManifest))
	if err != nil {
		return nil, err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil {
		return nil, fmt.Errorf("reading the image's manifest: %w", err)
	}
	var layers []string
	for _, l := range manifest.Layers {
		layers = append(layers, l.Digest.String())
	}
	return layers, nil
}

// original is the image's file. First the layer is read that the collector found
// it in; where it is not the same there, all of them.
func original(ctx context.Context, layers []string, open layer.Opener, d *record.Drift) (*layer.File, error) {
	at := d.Path
	if d.From != "" {
		at = d.From
	}
	if n := len(layers) - d.Was.Layer + 1; d.Was.SHA256 != "" && n > 0 && n < len(layers) {
		if f, err := layer.Find(ctx, layers[:n], open, at, maxCompared); err == nil && f.SHA256 == d.Was.SHA256 {
			return f, nil
		}
	}
	return layer.Find(ctx, layers, open, at, maxCompared)
}

// made is the beginning of what the container made of the file, nothing where it
// deleted it, and its size.
func (b *bundle) made(d *record.Drift) ([]byte, int64, error) {
	if d.Change == record.Deleted {
		return nil, 0, nil
	}
	mem, err := b.Lookup(d.Member)
	if errors.Is(err, evidence.ErrNotFound) {
		return nil, 0, fmt.Errorf("the bundle does not hold %s", d.Member)
	}
	if err != nil {
		return nil, 0, err
	}
	in, err := b.Content(mem)
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(in, maxCompared))
	if err != nil {
		return nil, 0, err
	}
	size, err := in.Seek(0, io.SeekEnd)
	return data, size, err
}

// compared lays the two beside each other.
func compared(d *record.Drift, was *layer.File, is []byte, size int64) *comparison {
	c := &comparison{about: aboutOriginal(d, was)}
	if was.Size > maxCompared || size > maxCompared {
		c.note(fmt.Sprintf("only the first %s bytes of each are compared", grouped(maxCompared)))
	}
	switch {
	case d.Change == record.Deleted:
		c.note("the container deleted it: this is what the image has")
	case bytes.Equal(was.Data, is):
		c.note("the content is the same")
		return c
	}
	if !textual(was.Data) || !textual(is) || lines(was.Data)+lines(is) > maxComparedLines {
		c.was, c.is = was.Data, is
		return c
	}
	c.text = string(diff.Diff("image"+d.Path, was.Data, "container"+d.Path, is))
	return c
}

func (c *comparison) note(s string) { c.about = append(c.about, seg{s, paint{}}) }

func lines(b []byte) int { return bytes.Count(b, []byte{'\n'}) }

// aboutOriginal says where the image's file comes from, and whether it is what
// the collector saw on the node.
func aboutOriginal(d *record.Drift, was *layer.File) []seg {
	good, bad := sgr("1"), sgr("1;7")
	out := []seg{
		{fmt.Sprintf("the image has %s bytes here, in a layer that was hashed just now", grouped(was.Size)), paint{}},
		{"  file  " + was.SHA256, paint{}},
		{"  layer " + strings.TrimPrefix(was.Layer, "sha256:"), paint{}},
	}
	switch {
	case d.Was.SHA256 == "":
		return append(out, seg{"the node's own copy was not hashed when the container was collected", paint{}})
	case d.Was.SHA256 == was.SHA256:
		return append(out, seg{"the node had the same when the container was collected", good})
	}
	return append(out, seg{"the node did NOT have that when the container was collected: its copy was changed", bad}, seg{"  node  " + d.Was.SHA256, paint{}})
}

// lay are the lines of a comparison.
func (c *comparison) lay(k *look, w int) []seg {
	out := append([]seg(nil), c.about...)
	out = append(out, seg{})
	for line := range strings.SplitSeq(strings.TrimSuffix(c.text, "\n"), "\n") {
		for _, part := range reader("", line, w).lines {
			out = append(out, seg{part.text, diffPaint(k, line)})
		}
	}
	return append(out, hexBeside(k, c.was, c.is, w)...)
}

func diffPaint(k *look, line string) paint {
	switch {
	case strings.HasPrefix(line, "@@"):
		return k.Field
	case strings.HasPrefix(line, "+"):
		return k.Good
	case strings.HasPrefix(line, "-"):
		return k.Bad
	case strings.HasPrefix(line, "diff "):
		return k.Dim
	}
	return paint{}
}

package store

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"amber/evidence/canon"
	"amber/evidence/durable"
)

const (
	manifestName    = "manifest.json"
	manifestVersion = 1
	maxManifest     = 1 << 28
	segmentsDir     = "segments"
	indexDir        = "index"
	buildingDir     = "building"
)

// Manifest says what a timeline is made of. It is one line of canonical JSON
// (RFC 8785), replaced as a whole with every generation.
type Manifest struct {
	Version    int       `json:"version"`
	Generation int64     `json:"generation"`
	Segments   []Segment `json:"segments"`
	Files      []File    `json:"files"` // rows refer to them by their place here
}

// Segment is one Parquet file with its index.
type Segment struct {
	Name   string `json:"name"` // segments/NAME.parquet, index/NAME.idx
	Rows   int64  `json:"rows"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // of the Parquet file
	Index  int64  `json:"index"`  // bytes of the index
	// The shown times of the first and last row, in microseconds since 1970.
	First int64 `json:"first,string"`
	Last  int64 `json:"last,string"`
}

// File is a raw file of the timeline.
type File struct {
	Digest [32]byte
	Size   int64  // bytes as they lie on the disk
	Path   string // where it was read
	Offset int64  // of a piece of a followed file, where it began there
	Source string // the name of the source that read it
	Kept   bool   // under timeline/raw by its digest; else Path is all there is
	Skew   time.Duration
	// Written is when the file was last written, of sources that go by it
	// (timeline.Placed); the zero time of all others.
	Written time.Time
}

// fileJSON is a File as it is written. A path need not be UTF-8.
type fileJSON struct {
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`
	Path    string `json:"path,omitempty"`
	RawPath []byte `json:"path_base64,omitempty"`
	Offset  int64  `json:"offset,omitempty"`
	Source  string `json:"source"`
	Kept    bool   `json:"kept"`
	Skew    int64  `json:"skew_micros,omitempty,string"`
	Written int64  `json:"written_micros,omitempty,string"`
}

// MarshalJSON writes the digest in hexadecimal and the skew in microseconds.
func (f File) MarshalJSON() ([]byte, error) {
	j := fileJSON{
		SHA256: hex.EncodeToString(f.Digest[:]), Size: f.Size, Offset: f.Offset,
		Source: f.Source, Kept: f.Kept, Skew: f.Skew.Microseconds(),
	}
	if !f.Written.IsZero() {
		j.Written = f.Written.UnixMicro()
	}
	if isText(f.Path) {
		j.Path = f.Path
	} else {
		j.RawPath = []byte(f.Path)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *File) UnmarshalJSON(b []byte) error {
	var j fileJSON
	if err := strict(b, &j); err != nil {
		return err
	}
	sum, err := hex.DecodeString(j.SHA256)
	if err != nil || len(sum) != len(f.Digest) {
		return corrupt("a raw file with the digest %q", j.SHA256)
	}
	*f = File{
		Digest: [32]byte(sum), Size: j.Size, Path: j.Path + string(j.RawPath), Offset: j.Offset,
		Source: j.Source, Kept: j.Kept, Skew: time.Duration(j.Skew) * time.Microsecond,
	}
	if j.Written != 0 {
		f.Written = time.UnixMicro(j.Written).UTC()
	}
	return nil
}

func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// ReadManifest reads the manifest of a timeline's directory. Where there is none
// the error is fs.ErrNotExist.
func ReadManifest(dir string) (*Manifest, error) {
	f, err := os.Open(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, fmt.Errorf("opening the timeline: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, fmt.Errorf("reading the timeline's manifest: %w", err)
	}
	return parseManifest(b)
}

func parseManifest(b []byte) (*Manifest, error) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	if err := canon.Check(b); err != nil {
		return nil, corrupt("the manifest: %v", err)
	}
	var m Manifest
	if err := strict(b, &m); err != nil {
		return nil, corrupt("the manifest: %v", err)
	}
	if m.Version != manifestVersion {
		return nil, fmt.Errorf("the timeline has format %d, this amber reads %d", m.Version, manifestVersion)
	}
	for _, s := range m.Segments {
		if !isSegmentName(s.Name) || s.Rows <= 0 || s.Size <= 0 || s.Index <= 0 {
			return nil, corrupt("the manifest names the segment %q", s.Name)
		}
	}
	return &m, nil
}

// isSegmentName keeps a manifest from naming files elsewhere.
func isSegmentName(name string) bool {
	for _, c := range name {
		if (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) < 64
}

func (m *Manifest) write(dir string) error {
	b, err := canon.Marshal(m)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, manifestName), append(b, '\n'))
}

// readOrNew is the manifest, or an empty one where there is no timeline yet.
func readOrNew(dir string) (*Manifest, error) {
	m, err := ReadManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &Manifest{Version: manifestVersion, Segments: []Segment{}, Files: []File{}}, nil
	}
	return m, err
}

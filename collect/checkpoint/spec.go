package checkpoint

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/evidence"
	"amber/evidence/record"
)

// maxSpec is the bound of an OCI spec in bytes.
const maxSpec = 8 << 20

// Spec is the OCI runtime spec of a bundle's checkpoint, as the runtime had it:
// hostile, and with paths of the host that it was on.
func Spec(b *evidence.Bundle) (*specs.Spec, error) {
	data, err := specDump(b)
	if err != nil {
		return nil, err
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", specDumpName, err)
	}
	return &s, nil
}

func specDump(b *evidence.Bundle) ([]byte, error) {
	m, err := b.Lookup(dir + specDumpName)
	if err == nil && m.Type == record.File {
		return content(b, m)
	}
	if err != nil && !errors.Is(err, evidence.ErrNotFound) {
		return nil, err
	}
	if m, err = b.Lookup(archive); err != nil {
		return nil, fmt.Errorf("the checkpoint has no %s: %w", specDumpName, err)
	}
	r, err := b.Content(m)
	if err != nil {
		return nil, err
	}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the archive has no %s", specDumpName)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the archive: %w", err)
		}
		if path.Clean(h.Name) == specDumpName && h.Typeflag == tar.TypeReg {
			return bounded(t)
		}
	}
}

func content(b *evidence.Bundle, m *record.Member) ([]byte, error) {
	r, err := b.Content(m)
	if err != nil {
		return nil, err
	}
	return bounded(r)
}

func bounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSpec+1))
	if err == nil && len(data) > maxSpec {
		err = fmt.Errorf("%s has more than %d bytes", specDumpName, maxSpec)
	}
	return data, err
}

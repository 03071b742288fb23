package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"amber/evidence"
	"amber/evidence/record"
)

// manifestName is where a bundle has the manifest of the container's image.
const manifestName = "metadata/runtime/image/manifest.json"

// config copies config.dump, with what Podman wants to know besides: the image by
// its id, which is the digest of its configuration.
func (x *exporter) config() error {
	m, err := x.b.Lookup(dir + configDumpName)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && m.Type != record.File {
		x.report(configDumpName, "the bundle has none")
		return nil
	}
	if err != nil {
		return err
	}
	data, err := content(x.b, m)
	if err != nil {
		return err
	}
	var c map[string]any
	if json.Unmarshal(data, &c) == nil && c["rootfsImageID"] == nil {
		if c["rootfsImageID"], err = x.imageID(); err != nil {
			x.report(configDumpName, "Podman cannot restore it without the image's id: "+err.Error())
			delete(c, "rootfsImageID")
		}
		if data, err = json.MarshalIndent(c, "", "  "); err != nil {
			return err
		}
	}
	return x.file(configDumpName, int64(len(data)), bytes.NewReader(data))
}

func (x *exporter) imageID() (string, error) {
	m, err := x.b.Lookup(manifestName)
	if err != nil {
		return "", err
	}
	data, err := content(x.b, m)
	if err != nil {
		return "", err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil {
		return "", fmt.Errorf("%s: %w", manifestName, err)
	}
	if d := manifest.Config.Digest; d.Validate() == nil && d.Algorithm() == digest.SHA256 {
		return strings.ToLower(d.Encoded()), nil
	}
	return "", fmt.Errorf("%s names no configuration", manifestName)
}

package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"

	"amber/container"
)

// The documents that Describe gives.
const (
	docSpec      = "runtime/spec.json"      // the OCI runtime spec, byte for byte
	docContainer = "runtime/container.json" // containerd's record of the container
	docTask      = "runtime/task.json"
	docVersion   = "runtime/version.json"
	docSnapshots = "runtime/snapshots.json" // the container's snapshot, then its parents
)

// description gathers documents and misses.
type description struct {
	Records
	docs   []container.Document
	misses map[string]string
}

func (d *description) raw(name string, data []byte) {
	d.docs = append(d.docs, container.Document{Name: name, Data: data})
}

func (d *description) json(name string, v any) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		d.misses[name] = err.Error()
		return
	}
	d.raw(name, append(data, '\n'))
}

// put adds a document, or a miss where getting it failed.
func (d *description) put(name string, v any, err error) {
	if err != nil {
		d.misses[name] = err.Error()
		return
	}
	d.json(name, v)
}

// Describe gives the daemon's records of c. Spec, manifest, index, config and
// extensions are byte for byte what the daemon keeps; the records, which are
// protocol messages, are rendered as JSON.
func (r *Runtime) Describe(ctx context.Context, c container.Container) ([]container.Document, map[string]string, error) {
	ctx = namespaces.WithNamespace(ctx, c.Namespace)
	rec, err := r.client.ContainerService().Get(ctx, c.ID)
	if errdefs.IsNotFound(err) {
		return nil, nil, gone(c)
	}
	if err != nil {
		return nil, nil, r.failed("asking for container "+c.Ref(), err)
	}
	d := describe(ctx, rec, r.records())
	r.describeTask(ctx, d, c)
	version, revision, err := r.Version(ctx)
	d.put(docVersion, map[string]string{"version": version, "revision": revision, "address": r.address}, err)
	return d.docs, d.misses, nil
}

// describe gives what a container's record and all that it leads to tell.
func describe(ctx context.Context, rec containers.Container, from Records) *description {
	d := &description{Records: from, misses: map[string]string{}}
	d.record(rec)
	d.image(ctx, rec.Image)
	chain, err := d.chain(ctx, rec)
	d.put(docSnapshots, chain, err)
	return d
}

// record adds the container's record, its spec and its extensions. An
// extension's value is shown in the record as JSON where it is that.
func (d *description) record(rec containers.Container) {
	if spec := valueOf(rec.Spec); len(spec) > 0 {
		d.raw(docSpec, spec)
	} else {
		d.misses[docSpec] = "containerd keeps no spec of it"
	}
	extensions := map[string]any{}
	for name, e := range rec.Extensions {
		extensions[name] = typed(e)
	}
	d.json(docContainer, map[string]any{
		"id": rec.ID, "labels": rec.Labels, "image": rec.Image,
		"runtime":     map[string]any{"name": rec.Runtime.Name, "options": typed(rec.Runtime.Options)},
		"snapshotter": rec.Snapshotter, "snapshot_key": rec.SnapshotKey, "sandbox": rec.SandboxID,
		"created_at": rec.CreatedAt, "updated_at": rec.UpdatedAt, "extensions": extensions,
	})
}

func typed(a typeurl.Any) map[string]any {
	name := ""
	if a != nil {
		name = a.GetTypeUrl()
	}
	return map[string]any{"type_url": name, "value": value(valueOf(a))}
}

// value is JSON as it is, and anything else as bytes in base64.
func value(data []byte) any {
	if json.Valid(data) {
		return json.RawMessage(data)
	}
	return data
}

func (r *Runtime) describeTask(ctx context.Context, d *description, c container.Container) {
	process, err := r.process(ctx, c.ID)
	if err == nil && process == nil {
		err = container.ErrNotRunning
	}
	d.put(docTask, map[string]any{
		"id": process.GetID(), "pid": process.GetPid(), "status": process.GetStatus().String(),
		"stdin": process.GetStdin(), "stdout": process.GetStdout(), "stderr": process.GetStderr(),
		"terminal": process.GetTerminal(), "exit_status": process.GetExitStatus(), "exited_at": process.GetExitedAt().AsTime(),
	}, err)
}

// snapshot is one link of the chain that a container's root stands on.
type snapshot struct {
	Key     string            `json:"key"`
	Parent  string            `json:"parent,omitempty"`
	Kind    string            `json:"kind"` // active, view, committed
	Created time.Time         `json:"created"`
	Updated time.Time         `json:"updated"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// maxChain is more layers than any image may have (overlayfs: 500).
const maxChain = 1000

func (d *description) chain(ctx context.Context, rec containers.Container) ([]snapshot, error) {
	if !hasSnapshot(rec) {
		return nil, errors.New("containerd knows of no snapshot")
	}
	var chain []snapshot
	for key := rec.SnapshotKey; key != ""; {
		if len(chain) == maxChain {
			return chain, fmt.Errorf("the snapshot chain is longer than %d", maxChain)
		}
		i, err := d.Snapshot(ctx, rec.Snapshotter, key)
		if err != nil {
			return chain, fmt.Errorf("snapshot %s: %w", key, err)
		}
		chain = append(chain, snapshot{
			Key: i.Name, Parent: i.Parent, Kind: strings.ToLower(i.Kind.String()),
			Created: i.Created, Updated: i.Updated, Labels: i.Labels,
		})
		key = i.Parent
	}
	return chain, nil
}

package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"

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
	ctx = inNamespace(ctx, c.Namespace)
	resp, err := r.containers().Get(ctx, &containersapi.GetContainerRequest{ID: c.ID})
	if isNotFound(err) {
		return nil, nil, gone(c)
	}
	if err != nil {
		return nil, nil, r.failed("asking for container "+c.Ref(), err)
	}
	d := &description{misses: map[string]string{}}
	rec := resp.GetContainer()
	r.describeRecord(d, rec)
	r.describeTask(ctx, d, c)
	r.describeImage(ctx, d, rec.GetImage())
	chain, err := r.chain(ctx, rec.GetSnapshotter(), rec.GetSnapshotKey())
	d.put(docSnapshots, chain, err)
	version, revision, err := r.Version(ctx)
	d.put(docVersion, map[string]string{"version": version, "revision": revision, "address": r.address}, err)
	return d.docs, d.misses, nil
}

// describeRecord adds the container's record, its spec and its extensions. An
// extension's value is shown in the record as JSON where it is that.
func (r *Runtime) describeRecord(d *description, rec *containersapi.Container) {
	if spec := rec.GetSpec().GetValue(); len(spec) > 0 {
		d.raw(docSpec, spec)
	} else {
		d.misses[docSpec] = "containerd keeps no spec of it"
	}
	extensions := map[string]any{}
	for name, e := range rec.GetExtensions() {
		extensions[name] = any(map[string]any{"type_url": e.GetTypeUrl(), "value": value(e.GetValue())})
	}
	d.json(docContainer, map[string]any{
		"id": rec.GetID(), "labels": rec.GetLabels(), "image": rec.GetImage(),
		"runtime": map[string]any{
			"name":    rec.GetRuntime().GetName(),
			"options": map[string]any{"type_url": rec.GetRuntime().GetOptions().GetTypeUrl(), "value": value(rec.GetRuntime().GetOptions().GetValue())},
		},
		"snapshotter": rec.GetSnapshotter(), "snapshot_key": rec.GetSnapshotKey(), "sandbox": rec.GetSandbox(),
		"created_at": rec.GetCreatedAt().AsTime(), "updated_at": rec.GetUpdatedAt().AsTime(), "extensions": extensions,
	})
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

func (r *Runtime) chain(ctx context.Context, snapshotter, key string) ([]snapshot, error) {
	var chain []snapshot
	for key != "" {
		if len(chain) == maxChain {
			return chain, fmt.Errorf("the snapshot chain is longer than %d", maxChain)
		}
		resp, err := r.snapshots().Stat(ctx, &snapshotsapi.StatSnapshotRequest{Snapshotter: snapshotter, Key: key})
		if err != nil {
			return chain, fmt.Errorf("snapshot %s: %w", key, err)
		}
		i := resp.GetInfo()
		chain = append(chain, snapshot{
			Key: i.GetName(), Parent: i.GetParent(), Kind: kindName(i.GetKind()),
			Created: i.GetCreatedAt().AsTime(), Updated: i.GetUpdatedAt().AsTime(), Labels: i.GetLabels(),
		})
		key = i.GetParent()
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("containerd knows of no snapshot")
	}
	return chain, nil
}

func kindName(k snapshotsapi.Kind) string {
	switch k {
	case snapshotsapi.Kind_ACTIVE:
		return "active"
	case snapshotsapi.Kind_VIEW:
		return "view"
	case snapshotsapi.Kind_COMMITTED:
		return "committed"
	}
	return k.String()
}

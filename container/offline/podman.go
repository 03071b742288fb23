package offline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"amber/container"
	"amber/container/offline/bolt"
	"amber/container/offline/sqlite"
)

// podmanRecord is what Podman's own database has of a container: its
// configuration and its state, each as JSON.
type podmanRecord struct {
	config podmanConfig
	state  podmanLife
	docs   []container.Document
}

type podmanState map[string]podmanRecord // by id

type podmanConfig struct {
	Name    string            `json:"name"`
	Pod     string            `json:"pod"`
	LogPath string            `json:"logPath"`
	Labels  map[string]string `json:"labels"`
	Runtime string            `json:"runtime"`
	Image   string            `json:"rootfsImageName"`
}

type podmanLife struct {
	State    int       `json:"state"`
	Started  time.Time `json:"startedTime"`
	Finished time.Time `json:"finishedTime"`
	ExitCode int       `json:"exitCode"`
	PID      int       `json:"pid"`
}

// podmanStates are the numbers of libpod's define.ContainerStatus.
var podmanStates = map[int]container.State{
	1: container.Created, 2: container.Created, 3: container.Running, 4: container.Stopped, 5: container.Paused,
	6: container.Stopped, 7: container.Stopped, 8: container.Running,
}

// readPodman reads the database that is there: SQLite since Podman 4.8, which is
// elsewhere where static_dir was set, bolt before.
func readPodman(d *disk, dir string) (podmanState, error) {
	switch {
	case d.isFile(path.Join(dir, "db.sql")):
		return podmanSQLite(d, path.Join(dir, "db.sql"))
	case d.isFile(path.Join(dir, "libpod/db.sql")):
		return podmanSQLite(d, path.Join(dir, "libpod/db.sql"))
	case d.isFile(path.Join(dir, "libpod/bolt_state.db")):
		return podmanBolt(d, path.Join(dir, "libpod/bolt_state.db"))
	}
	return nil, errors.New("the database of Podman is not there")
}

func podmanBolt(d *disk, name string) (podmanState, error) {
	b := database{disk: d, name: name}
	db, err := b.open()
	if err != nil {
		return nil, err
	}
	defer b.close()
	ctr, err := db.Root().In("ctr")
	if err != nil {
		return nil, err
	}
	state := podmanState{}
	err = ctr.Each(func(e bolt.Entry) error {
		if !e.Bucket || len(state) == maxContainers {
			return nil
		}
		r := reader{}
		state.add(string(e.Key), r.value(e.Inside, "config"), r.value(e.Inside, "state"))
		return r.err
	})
	return state, err
}

func podmanSQLite(d *disk, name string) (podmanState, error) {
	file, size, err := d.private(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var log *sqlite.Log
	if wal, n, err := d.private(name + "-wal"); err == nil { // absent where Podman ended as it should
		defer wal.Close()
		log = &sqlite.Log{File: wal, Size: n}
	}
	db, err := sqlite.Open(file, size, log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	columns := func(table string) (map[string][]byte, error) {
		m := map[string][]byte{}
		err := db.Each(table, func(row map[string]any) error {
			if len(m) < maxContainers {
				m[string(bytesOf(row["ID"]))] = bytesOf(row["JSON"])
			}
			return nil
		})
		return m, err
	}
	configs, err := columns("ContainerConfig")
	lives, err2 := columns("ContainerState")
	state := podmanState{}
	for id, config := range configs {
		state.add(id, config, lives[id])
	}
	return state, errors.Join(err, err2)
}

// bytesOf is a text's: Podman stores its JSON as a blob, whatever its column says.
func bytesOf(v any) []byte {
	switch v := v.(type) {
	case []byte:
		return bytes.Clone(v)
	case string:
		return []byte(v)
	}
	return nil
}

func (p podmanState) add(id string, config, life []byte) {
	var rec podmanRecord
	for _, part := range []struct {
		name string
		data []byte
		into any
	}{{"runtime/config.json", config, &rec.config}, {"runtime/state.json", life, &rec.state}} {
		_ = json.Unmarshal(part.data, part.into) // what is of another type is left out
		if json.Valid(part.data) {
			rec.docs = append(rec.docs, container.Document{Name: part.name, Data: part.data})
		}
	}
	p[id] = rec
}

// fromPodman adds what Podman's database tells.
func (s *storageStore) fromPodman(c *container.Container) {
	state, err := s.podman()
	rec, known := state[c.ID]
	if !known {
		if err == nil {
			err = errors.New("the database of Podman does not have it: another engine's, such as Buildah's")
		}
		c.Notes = append(c.Notes, "state: "+err.Error())
		return
	}
	if len(rec.docs) < 2 {
		c.Notes = append(c.Notes, "state: what the database of Podman has of it is no JSON")
	}
	c.Labels, c.Handler = rec.config.Labels, rec.config.Runtime
	if rec.config.Name != "" {
		c.Name = rec.config.Name
	}
	st := rec.state
	c.State, c.Started = podmanStates[st.State], st.Started
	switch c.State {
	case "":
		c.State = container.Unknown
	case container.Running, container.Paused:
		c.Notes = append(c.Notes, fmt.Sprintf("state: as recorded, process %d of its host", st.PID))
	case container.Stopped:
		c.Finished, c.ExitCode = st.Finished, &st.ExitCode
	}
}

package offline

import (
	"encoding/json"
	"fmt"
	"time"

	"amber/container"
)

// crioState is CRI-O's state.json: that of the OCI runtime specification, and
// more.
type crioState struct {
	Status   string    `json:"status"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	ExitCode *int      `json:"exitCode"`
}

// fromCRIO adds what CRI-O's annotations and its record of the state tell.
func (s *storageStore) fromCRIO(c *container.Container) {
	c.Keeper = crioName
	if c.Spec != nil {
		annotated(c, c.Spec.Annotations)
	}
	var st crioState
	if err := s.json(s.userdata(c.ID, "state.json"), &st); err != nil {
		c.Notes = append(c.Notes, "state: "+err.Error())
		return
	}
	c.Started, c.Finished = st.Started, st.Finished
	switch st.Status {
	case "created":
		c.State = container.Created
	case "running":
		c.State = container.Running
	case "paused":
		c.State = container.Paused
	case "stopped":
		c.State, c.ExitCode = container.Stopped, st.ExitCode
	}
	if c.State == container.Running || c.State == container.Paused {
		c.Notes = append(c.Notes, fmt.Sprintf("state: as recorded, process %d of its host", st.PID))
	}
}

func annotated(c *container.Container, a map[string]string) {
	const crio = "io.kubernetes.cri-o."
	if name := a["io.kubernetes.container.name"]; name != "" {
		c.Name = name
	}
	if ref := a[crio+"ImageName"]; ref != "" {
		c.Image.Ref = ref
	}
	if handler := a[crio+"RuntimeHandler"]; handler != "" {
		c.Handler = handler
	}
	_ = json.Unmarshal([]byte(a[crio+"Labels"]), &c.Labels) // absent: none
	if a["io.kubernetes.pod.name"] != "" {
		c.Pod = &container.Pod{
			Namespace: a["io.kubernetes.pod.namespace"], Name: a["io.kubernetes.pod.name"], UID: a["io.kubernetes.pod.uid"],
			Container: a["io.kubernetes.container.name"], Sandbox: a[crio+"ContainerType"] == "sandbox",
		}
		if c.Pod.Sandbox {
			c.Pod.Container = ""
		}
	}
}

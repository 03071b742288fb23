package freeze

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"amber/container"
	"amber/evidence/durable/durabletest"
	"amber/isolate/crashtest"
	"amber/isolate/isolatetest"
)

// crasher runs testdata/holder, built so that it dies at a fault point.
type crasher struct {
	bin, socket string
	c           container.Container
	m           *Method
	state       func() string // of the container's cgroups
	held        string        // what that is while it is frozen
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c crasher) run(t testing.TB, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	data, err := json.Marshal(c.c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(c.bin, verb, dir, c.socket, string(data))
	return durabletest.Run(t, cmd, at)
}

func (c crasher) running() string { return strings.ReplaceAll(c.held, "frozen", "thawed") }

func (c crasher) bed() crashtest.Bed {
	return crashtest.Bed{
		Run: c.run, Method: c.m,
		Held: func(t testing.TB, dir, at string) bool {
			held := c.state() != c.running()
			if held {
				crashtest.Indexed(t, dir, at)
			}
			return held
		},
		Free: func(t testing.TB, at string) {
			if got := c.state(); got != c.running() {
				t.Errorf("%s: after the release it is %s", at, got)
			}
		},
	}
}

func (c crasher) dieApplying(t *testing.T)  { c.bed().Applying(t) }
func (c crasher) dieReleasing(t *testing.T) { c.bed().Releasing(t, 4) }

func TestCrashByCgroup(t *testing.T) {
	for name, opt := range map[string]isolatetest.Option{"version 1": isolatetest.OnlyV1(), "version 2": isolatetest.OnlyV2()} {
		t.Run(name, func(t *testing.T) {
			holdsDir(t)
			box := isolatetest.Start(t, []string{"sleep", "1000"}, opt)
			c := crasher{bin: durabletest.Build(t, "./testdata/holder"), c: box.Container(), m: New(nil, Options{}), state: box.State, held: "frozen"}
			t.Run("apply", c.dieApplying)
			t.Run("release", c.dieReleasing)
		})
	}
}

package main

import (
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/container/cri"
)

func criFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "cri-endpoint", EnvVars: []string{"CONTAINER_RUNTIME_ENDPOINT"}, Value: cri.DefaultEndpoint,
		Usage: "the socket of CRI-O, or of another runtime that kubelet speaks to; containerd is better asked itself",
	}
}

// withCRI adds the runtime that kubelet speaks to, where that is none of those
// that are asked in their own language.
func (r *runtimes) withCRI(c *cli.Context, scheme string) error {
	endpoint := c.String("cri-endpoint")
	if scheme == "docker" || scheme == "containerd" || endpoint == "" || !c.IsSet("cri-endpoint") && !socketThere(endpoint) {
		return nil
	}
	socket := filepath.Clean(strings.TrimPrefix(endpoint, "unix://"))
	for _, s := range r.sockets {
		if filepath.Clean(s) == socket {
			return nil
		}
	}
	server, err := cri.New(c.Context, endpoint)
	if err != nil {
		return err
	}
	r.add(server, socket)
	return nil
}

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"

	"amber/container/kube"
	"amber/evidence/casedir"
	"amber/evidence/custody"
)

// viaFlags are those of what can be done by a pod of amber's own on the
// target's node.
func viaFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "via-node", Usage: "work by a privileged pod of amber on the target's node, which is removed again"},
		&cli.StringFlag{Name: "via-node-image", EnvVars: []string{"AMBER_VIA_NODE_IMAGE"}, Usage: "that pod's image, which has amber as " + agentProgram + ": `NAME@sha256:...`"},
		&cli.StringFlag{Name: "via-node-namespace", Value: "kube-system", Usage: "that pod's namespace; it must admit privileged pods"},
		&cli.StringFlag{Name: "via-node-dir", Value: defaultNodeDir, Usage: "where the node keeps what is amber's"},
		&cli.DurationFlag{Name: "via-node-timeout", Value: 2 * time.Minute, Usage: "how long that pod may take to run"},
		&cli.DurationFlag{Name: "via-node-deadline", Value: 2 * time.Hour, Usage: "when the kubelet ends that pod, whatever becomes of this amber"},
	}
}

func rbacFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "via-node", Usage: "with what --via-node needs"},
		&cli.StringFlag{Name: "via-node-namespace", Value: "kube-system", Usage: "the namespace of its pod"},
	}
}

// viaRole is the role for agents.
func viaRole(c *cli.Context) ([]byte, error) {
	ns := c.String("via-node-namespace")
	if !plainName(ns) {
		return nil, usagef("--via-node-namespace %q is no name of a namespace", ns)
	}
	return kube.AgentRole(ns), nil
}

// agents makes the pods that a command works by, one for each node.
type agents struct {
	cluster   *kube.Cluster
	cs        *casedir.Case // nil where there is no case
	image     string
	namespace string
	dir       string
	timeout   time.Duration
	deadline  time.Duration

	warn func(string)
	log  func(custody.Entry)
}

// newAgents reads the flags; records are what a case knows of earlier ones.
func newAgents(c *cli.Context, cluster *kube.Cluster, records []nodeRecord) (*agents, error) {
	g := &agents{
		cluster: cluster, image: c.String("via-node-image"), namespace: c.String("via-node-namespace"), dir: c.String("via-node-dir"),
		timeout: c.Duration("via-node-timeout"), deadline: c.Duration("via-node-deadline"),
	}
	if g.image == "" && len(records) > 0 {
		g.image = records[len(records)-1].Image
	}
	if err := pinned(g.image); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(g.dir) || filepath.Clean(g.dir) != g.dir {
		return nil, usagef("--via-node-dir %q: want an absolute path", g.dir)
	}
	if !plainName(g.namespace) {
		return nil, usagef("--via-node-namespace %q is no name of a namespace", g.namespace)
	}
	if g.timeout <= 0 || g.deadline < time.Minute {
		return nil, usagef("--via-node-timeout must be more than nothing, and --via-node-deadline a minute at least")
	}
	return g, nil
}

// allowed asks, before anything is made, whether this account may.
func (g *agents) allowed(ctx context.Context) error {
	lacking, err := g.cluster.LacksForAgents(ctx, g.namespace)
	if err == nil && len(lacking) > 0 {
		err = errors.New("this account may not " + strings.Join(lacking, ", nor ") + " (amber isolate rbac --via-node prints a role that may)")
	}
	return err
}

// pinned refuses an image that may be another one tomorrow: it will be root on
// the node.
func pinned(image string) error {
	if image == "" {
		return usagef("--via-node wants the image of its pod: --via-node-image NAME@sha256:..., or AMBER_VIA_NODE_IMAGE")
	}
	name, d, _ := strings.Cut(image, "@")
	if parsed, err := digest.Parse(d); err != nil || parsed.Algorithm() != digest.SHA256 || name == "" {
		return usagef("--via-node-image %q is not pinned: it will be root on the node, so name it by its digest, NAME@sha256:...", image)
	}
	return nil
}

// plainName reports whether s can be the name of a namespace (RFC 1123).
func plainName(s string) bool {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return s != "" && len(s) <= 63 && !strings.ContainsFunc(s, odd)
}

// nodeCase is where the node keeps what belongs to a case.
func (g *agents) nodeCase() string {
	if g.cs == nil {
		return ""
	}
	return filepath.Join(g.dir, "cases", g.cs.Info().ID)
}

func newAgentName() string { return "amber-" + strings.ToLower(rand.Text()[:10]) }

// enter makes an entry of the custody log about an agent.
func (g *agents) enter(r nodeRecord, result string, alters ...string) {
	g.log(custody.Entry{Action: "agent", Counterparty: "node " + r.Node, Result: result + " " + r.Agent(), Alterations: alters})
}

// forward gives the flags of those names that stand on the command line, for
// the amber on the node.
func forward(c *cli.Context, names ...string) (args []string) {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if !slices.Contains(names, name) || !c.IsSet(name) || !written(f) {
			continue
		}
		switch v := c.Value(name).(type) {
		case bool:
			args = append(args, fmt.Sprintf("--%s=%v", name, v))
		case cli.StringSlice:
			for _, s := range v.Value() {
				args = append(args, "--"+name, s)
			}
		default:
			args = append(args, "--"+name, fmt.Sprint(v))
		}
	}
	return args
}

// The flags that concern the node, by what they are of.
var (
	forRuntimes = []string{"containerd-address", "containerd-state", "docker-host"}
	forHold     = []string{"allow", "reach", "keep-going", "kill-connections", "freeze-by", "freeze-timeout", "force-critical", "reason", "authority"}
	forBundle   = []string{"full", "volumes", "memory", "ptrace", "ntp", "checkpoint", "checkpoint-allow", "checkpoint-timeout", "reason", "authority"}
)

// claims is who asks, as far as this machine says.
func claims(cluster *kube.Cluster) map[string]string {
	var e custody.Entry
	custody.Stamp(&e)
	claimed := e.Actor.Claimed
	claimed["via_node_from"] = e.Host
	claimed["via_node_user"] = cmp.Or(e.Actor.Login, e.Actor.User)
	claimed["kubeconfig_user"] = cluster.Source().User
	for k, v := range claimed {
		if v == "" {
			delete(claimed, k)
		}
	}
	return claimed
}

// lasting is a context for what must be done although ctx has ended.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
}

// removeTimeout is how long an agent may take to be gone.
const removeTimeout = time.Minute

package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/container"
)

func psCommand() *cli.Command {
	return &cli.Command{
		Name:  "ps",
		Usage: "list the containers here, with what makes each one risky",
		Description: "All containers of all runtimes found, and with --kubeconfig or KUBECONFIG those of\n" +
			"the cluster; with --root those that a node's disk has, as recorded on it. Risks are\n" +
			"read from each container's OCI runtime spec, or its pod's; the worst comes first.",
		Flags: append([]cli.Flag{
			outputFlag(), rootFlag(),
			&cli.BoolFlag{Name: "wide", Aliases: []string{"w"}, Usage: "show all risks, and each in a sentence"},
		}, runtimeFlags()...),
		Action: action(0, 0, "without arguments", ps),
	}
}

// psRow is a container as ps prints it.
type psRow struct {
	container.Container
	Target string           `json:"target"`
	Risks  []container.Risk `json:"risks"`
}

func ps(c *cli.Context, asJSON bool) error {
	rts, err := openFor(c, container.Target{})
	if err != nil {
		return err
	}
	defer rts.close()
	if c.String("root") == "" {
		if err := rts.withCluster(c); err != nil {
			return err
		}
	}
	list, warnings := container.All(c.Context, rts.list)
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "amber: "+safeLines(w.Error()))
	}
	if len(warnings) == len(rts.list) && len(list) == 0 {
		return outcome{exitFailed, "no runtime answered"}
	}
	rows := psRows(list)
	if asJSON {
		err = emit(os.Stdout, rows)
	} else {
		err = psTable(rows, c.Bool("wide"))
	}
	if err == nil && len(warnings) > 0 {
		return outcome{exitMisses, "not all runtimes answered: the list may lack containers"}
	}
	return err
}

// psRows puts the riskiest first.
func psRows(list []container.Container) []psRow {
	rows := make([]psRow, 0, len(list))
	for _, c := range list {
		rows = append(rows, psRow{c, c.Ref(), container.Risks(c)})
	}
	worst := func(r psRow) (s container.Severity) {
		for _, k := range r.Risks {
			s = max(s, k.Severity)
		}
		return s
	}
	sort.SliceStable(rows, func(i, j int) bool {
		if a, b := worst(rows[i]), worst(rows[j]); a != b {
			return a > b
		}
		return rows[i].Target < rows[j].Target
	})
	return rows
}

func psTable(rows []psRow, wide bool) error {
	var cells [][]string
	for _, r := range rows {
		digest := r.Image.Digest
		if !wide {
			digest = shorten(strings.TrimPrefix(digest, "sha256:"), 12)
		}
		cells = append(cells, []string{
			r.Target, orDash(r.Name), podText(r.Pod), stateText(r.Container), age(r.Created), pidText(r.PID),
			orDash(r.Image.Ref), orDash(digest), riskText(r.Risks, wide),
		})
	}
	if err := table(os.Stdout, []string{"TARGET", "NAME", "POD", "STATE", "AGE", "PID", "IMAGE", "DIGEST", "RISKS"}, cells); err != nil {
		return err
	}
	if !wide {
		return nil
	}
	for _, r := range rows {
		fmt.Println()
		fmt.Println(safeLines(r.Target))
		for _, k := range r.Risks {
			fmt.Printf("  %-8s  %s\n", k.Severity, safeLines(k.What))
		}
		for _, n := range r.Notes {
			fmt.Printf("  note      %s\n", safeLines(n))
		}
	}
	return nil
}

// stateText marks a state that is only what a disk has of it.
func stateText(c container.Container) string {
	if c.Root != "" {
		return string(c.State) + " (recorded)"
	}
	return string(c.State)
}

// riskText names the risks; those that are only an absent defence are counted
// unless all are wanted.
func riskText(risks []container.Risk, wide bool) string {
	var names []string
	low := 0
	for _, k := range risks {
		if k.Severity == container.Low && !wide {
			low++
			continue
		}
		names = append(names, k.ID)
	}
	if low > 0 {
		names = append(names, fmt.Sprintf("%d low", low))
	}
	return orDash(strings.Join(names, ","))
}

// describe says in a few words what a container is.
func describe(c container.Container) string {
	words := []string{stateText(c)}
	if c.Name != "" && c.Name != c.ID {
		words = append(words, c.Name)
	}
	if c.Pod != nil {
		words = append(words, "pod "+podText(c.Pod))
	}
	if c.Image.Ref != "" {
		words = append(words, "of "+c.Image.Ref)
	}
	return strings.Join(words, ", ")
}

func podText(p *container.Pod) string {
	if p == nil {
		return "-"
	}
	s := p.Namespace + "/" + p.Name
	if p.Container != "" {
		s += "/" + p.Container
	}
	if p.Sandbox {
		s += " (sandbox)"
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func pidText(pid int) string {
	if pid == 0 {
		return "-"
	}
	return strconv.Itoa(pid)
}

func shorten(s string, n int) string { return s[:min(len(s), n)] }

// age is how long ago t was, in its largest unit.
func age(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := time.Since(t)
	switch {
	case d < 0:
		return "in the future"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

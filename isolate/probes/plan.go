package probes

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/nftables"
	corev1 "k8s.io/api/core/v1"

	"amber/container"
	"amber/container/netns"
	"amber/container/procfs"
	"amber/evidence/safetext"
	"amber/isolate"
)

// Plan looks at the pod's probes and at its network namespace. Where nothing
// can be shielded it has no steps, and its warnings say why and how long the
// frozen pod has.
func (m *Method) Plan(ctx context.Context, t isolate.Target) (isolate.Plan, error) {
	p := isolate.Plan{Method: Name, Target: t.Name, Made: time.Now().UTC()}
	for _, c := range t.Containers {
		p.Refs = append(p.Refs, c.Ref())
	}
	ref, names := podOf(t)
	if ref == nil {
		p.Warnings = append(p.Warnings, "it belongs to no pod of Kubernetes: there are no probes to answer")
		return p, nil
	}
	pod, err := m.o.Pod(ctx, ref.Namespace, ref.Name)
	switch {
	case err != nil:
		p.Warnings = append(p.Warnings, fmt.Sprintf("the probes of pod %s/%s are not known, and not answered: %v", safetext.Line(ref.Namespace), safetext.Line(ref.Name), err))
		return p, nil
	case ref.UID != "" && pod.UID != "" && string(pod.UID) != ref.UID:
		p.Warnings = append(p.Warnings, "the API server knows another pod by this name (its uid differs): the probes are not answered")
		return p, nil
	}
	d := draft{pod: pod, t: t, names: names}
	if err := d.draw(m.o); err != nil {
		p.Warnings = append(p.Warnings, d.unshielded(err)...)
		return p, nil
	}
	p.Warnings = append(p.Warnings, d.warnings...)
	if len(d.s.Ports) > 0 || len(d.s.Reset) > 0 {
		p.Steps = d.s.steps()
	}
	return p, nil
}

// podOf is the pod that a target's containers belong to, and their names in it.
func podOf(t isolate.Target) (*container.Pod, []string) {
	var pod *container.Pod
	var names []string
	for _, c := range t.Containers {
		if c.Pod == nil {
			continue
		}
		pod = c.Pod
		if !c.Pod.Sandbox && c.Pod.Container != "" {
			names = append(names, c.Pod.Container)
		}
	}
	return pod, names
}

// draft is a shield that is being planned.
type draft struct {
	pod      *corev1.Pod
	t        isolate.Target
	names    []string // of the containers that are frozen
	s        shield
	warnings []string
}

func (d *draft) warn(format string, a ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf(format, a...))
}

// probes are those of the containers that are frozen.
func (d *draft) probes() []probe {
	return slices.DeleteFunc(probesOf(d.pod), func(p probe) bool { return !slices.Contains(d.names, p.Container) })
}

// unshielded says that nothing is answered, why, and how long that lasts.
func (d *draft) unshielded(why error) []string {
	w := []string{"the probes are not answered: " + why.Error()}
	for _, p := range d.probes() {
		if p.live() && p.Via != viaExec {
			w = append(w, "budget of the frozen pod: "+p.limit().String())
		}
	}
	return w
}

func (d *draft) draw(o Options) error {
	d.s = shield{ID: newID(), Case: o.CaseID, Boot: procfs.BootID(), Deadline: time.Now().UTC().Add(o.Deadline).Round(time.Second)}
	d.s.Pod = safetext.Line(d.pod.Namespace + "/" + d.pod.Name)
	d.s.Dir = filepath.Join(RunDir(), "probes-"+d.s.ID)
	var err error
	if d.s.Exe, err = executable(o.Exe); err != nil {
		return err
	}
	if err := d.network(); err != nil {
		return err
	}
	d.sort()
	if len(d.s.Ports) > 0 {
		d.warn("only for a frozen pod: kubelet takes it for alive whatever it does, until release")
	}
	return nil
}

func executable(path string) (string, error) {
	var err error
	if path == "" {
		path, err = os.Executable()
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return "", fmt.Errorf("the program that is to answer: %w", err)
	}
	return path, nil
}

// network looks at the pod's network namespace and at the way to it.
func (d *draft) network() error {
	if d.pod.Spec.HostNetwork {
		return errors.New("it is in the host's network, where its ports cannot be told from others'")
	}
	ns, err := d.open()
	if err != nil {
		return err
	}
	defer ns.Close()
	d.s.Netns = ns.Inode
	if d.s.Owner, err = oldest(ns.Inode); err != nil {
		return err
	}
	if err := ns.Do(func() error { return knowsNft() }); err != nil {
		return err
	}
	d.s.Routes, err = routes(podAddrs(d.pod))
	return err
}

func (d *draft) open() (*netns.NS, error) {
	err := errors.New("no process of it runs")
	for _, c := range d.t.Containers {
		if c.PID <= 0 {
			continue
		}
		ns, oerr := netns.OfOwn(c.PID, 0)
		if oerr == nil {
			return ns, nil
		}
		err = oerr
	}
	return nil, err
}

// knowsNft asks whether the kernel has nf_tables in this namespace.
func knowsNft() error {
	c, err := nftables.New()
	if err == nil {
		_, err = c.ListTablesOfFamily(nftables.TableFamilyIPv4)
	}
	if err != nil {
		return fmt.Errorf("nf_tables in the pod's network namespace: %w", err)
	}
	return nil
}

// podAddrs are the pod's addresses, the one that kubelet probes first.
func podAddrs(pod *corev1.Pod) []netip.Addr {
	var all []netip.Addr
	texts := []string{pod.Status.PodIP}
	for _, ip := range pod.Status.PodIPs {
		texts = append(texts, ip.IP)
	}
	for _, text := range texts {
		a, err := netip.ParseAddr(text)
		if a = a.Unmap(); err == nil && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

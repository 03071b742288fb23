package probes

import (
	"slices"

	"amber/evidence/safetext"
)

// sort decides what becomes of each probe.
func (d *draft) sort() {
	var live, ready []probe
	for _, p := range d.probes() {
		switch {
		case d.left(p):
		case p.live():
			live = append(live, p)
		default:
			ready = append(ready, p)
		}
	}
	for _, p := range live {
		d.answer(p)
	}
	for _, p := range ready {
		d.fail(p)
	}
	d.sayReady()
}

// left warns of a probe that is not touched, and says whether it is one.
func (d *draft) left(p probe) bool {
	why := ""
	switch {
	case p.Via == viaExec && p.live():
		d.warn("%s is left alone: on a paused container it ends in an error, which kubelet ignores", p)
		return true
	case p.Via == viaExec:
		d.warn("%s ends in an error on a paused container, and kubelet then keeps what it knew last", p)
		return true
	case p.Port == 0:
		why = "its port is not known"
	case p.elsewhere(podAddrs(d.pod)):
		why = "it asks another host, " + safetext.Line(p.Host)
	default:
		return false
	}
	if p.live() {
		d.warn("%s is not answered: %s; if that fails there are %s", p, why, p.limit())
	} else {
		d.warn("%s is not made to fail: %s", p, why)
	}
	return true
}

// answer puts a liveness or startup probe to its port.
func (d *draft) answer(p probe) {
	if p.Failures == 1 {
		d.warn("%s ends the container at its first failure: one that is on its way while the pod is frozen and not yet shielded is enough", p)
	}
	for i := range d.s.Ports {
		if d.s.Ports[i].Port == p.Port {
			d.s.Ports[i].Live = append(d.s.Ports[i].Live, p)
			return
		}
	}
	d.s.Ports = append(d.s.Ports, port{Port: p.Port, Live: []probe{p}})
}

// fail lets a readiness probe fail, by the responder where it has the port.
func (d *draft) fail(p probe) {
	for i := range d.s.Ports {
		at := &d.s.Ports[i]
		if at.Port != p.Port {
			continue
		}
		at.Ready = append(at.Ready, p)
		for _, l := range at.Live {
			if !p.toldFrom(l) {
				d.warn("%s cannot be told from the %s: it will pass", p, l)
				return
			}
		}
		d.s.Unready = append(d.s.Unready, p)
		return
	}
	d.s.Unready = append(d.s.Unready, p)
	if !slices.Contains(d.s.Reset, p.Port) {
		d.s.Reset = append(d.s.Reset, p.Port)
	}
}

// sayReady warns where no probe can tell kubelet that the pod is not ready: one
// container that is not ready is enough.
func (d *draft) sayReady() {
	if len(d.s.Unready) > 0 {
		return
	}
	why := "none of its readiness probes can be made to fail"
	if !slices.ContainsFunc(d.probes(), func(p probe) bool { return p.Kind == readiness }) {
		why = "it has no readiness probe"
	}
	d.warn("%s: the pod stays ready, and Services go on sending it traffic; the kube method takes it out of them by its labels", why)
}

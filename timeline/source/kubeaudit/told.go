package kubeaudit

import (
	"amber/timeline"
	"amber/timeline/source/kubeevents"
)

// told emits the Event of Kubernetes that a request wrote, where its body is
// logged: a row of its own beside the request's, as kubectl get events would have
// given it. A patch of a few members is none.
func (p *parser) told(emit func(*timeline.Event) error) error {
	a := &p.a
	if string(a.ref.resource) != "events" || len(a.ref.sub) > 0 || !isWrite(a.verb) || a.hasCode && a.code >= 300 {
		return nil
	}
	if p.events == nil {
		p.events = kubeevents.Source{}.NewParser()
	}
	for _, body := range [...][]byte{a.responseObject, a.requestObject} {
		emitted := false
		var broken error
		err := p.events.Parse(timeline.Record{Data: body}, func(e *timeline.Event) error {
			emitted = true
			e.Str(timeline.OrchestratorCluster, p.origin.cluster)
			e.Put("kubernetes.event.audit_id", a.auditID)
			broken = emit(e)
			return broken
		})
		if broken != nil || emitted {
			return broken
		}
		_ = err // no Event, or not all of one: the request's row has the body
	}
	return nil
}

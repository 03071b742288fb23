package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"amber/evidence"
	"amber/evidence/custody"
	"amber/evidence/keys"
	kubemethod "amber/isolate/kube"
)

// takeOver takes over what the node says of the target and the measures there.
func (v *viaNode) takeOver(a *agent, said respondResult) {
	v.held = true
	v.mu.Lock()
	v.result.Frozen, v.result.Left = said.Frozen, said.Left
	v.result.Measures = append(said.Measures, v.result.Measures...)
	v.result.Warnings = append(v.result.Warnings, said.Warnings...)
	v.mu.Unlock()
	if said.Frozen != nil {
		v.enterNode(a, "frozen", "froze "+strings.Join(said.Frozen.Containers, ", "))
	}
	for _, m := range said.Measures {
		if m.State != notNeeded {
			v.enterNode(a, m.Method+": "+m.State, m.Method+" on "+v.result.Target)
		}
	}
}

// enterNode enters a measure that the node has taken.
func (v *viaNode) enterNode(a *agent, result, what string) {
	v.logLater(custody.Entry{
		Action: "isolate", Counterparty: "node " + a.record.Node, Result: result, Reason: v.c.String("reason"), Authority: v.c.String("authority"),
		Alterations: []string{what + " (by " + a.record.Agent() + "; the node keeps its journal in " + a.record.Case + ")"},
	})
}

// keep enters what arrived, and signs and verifies what is whole.
func (v *viaNode) keep() {
	v.settle()
	for _, got := range v.bundles {
		v.log(got.entry("node " + v.target.Spec.NodeName))
	}
	for i := range v.result.Bundles {
		b := &v.result.Bundles[i]
		if b.Error != "" || b.State == evidence.Incomplete {
			continue
		}
		if err := v.sign(b); err != nil {
			b.Error = err.Error()
			v.warn(err.Error())
		}
	}
}

// sign signs a bundle where there is a key, and reads it back.
func (v *viaNode) sign(b *bundleResult) error {
	if v.signer != nil && b.State == evidence.Unsigned {
		file, err := evidence.Sign(b.Dir, evidence.SignWith(v.signer))
		if err != nil {
			return fmt.Errorf("signing %s: %w", b.ID, err)
		}
		e := logEntry("sign", b.ID, b.Digest)
		e.Result = file + " by " + keys.Fingerprint(v.signer.PublicKey())
		v.log(e)
		b.State = evidence.Sealed
	}
	a := v.acquirer()
	return a.verify(b)
}

// resume releases what was held, where that is wanted and the evidence is safe.
func (v *viaNode) resume(a *agent) {
	switch {
	case !v.c.Bool("resume"):
		return
	case v.failed() || !v.held || v.c.Context.Err() != nil:
		v.warn("the evidence is not safe: the target is left " + v.result.Left)
		return
	}
	if _, err := v.rts.release(v.c.Context, v.c, v.taken); err != nil {
		v.warn("releasing: " + err.Error())
		return
	}
	if _, err := a.release(v.c, v.journals()); err != nil {
		v.warn("releasing on the node: " + err.Error())
		return
	}
	v.taken, v.result.Left = nil, "running"
	v.log(custody.Entry{Action: "revert", Result: "running", Reason: v.c.String("reason"), Alterations: []string{"running: " + v.result.Target}})
}

// journals are the ids of what the node holds for this response.
func (v *viaNode) journals() (ids []string) {
	var files []string
	if f := v.result.Frozen; f != nil {
		files = append(files, f.Journal)
	}
	for _, m := range v.result.Measures {
		if m.Method != kubemethod.Name && m.Journal != "" && m.State != notNeeded {
			files = append(files, m.Journal)
		}
	}
	for _, f := range files {
		ids = append(ids, strings.TrimSuffix(filepath.Base(f), ".jsonl"))
	}
	return ids
}

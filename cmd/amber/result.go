package main

import (
	"fmt"
	"slices"
	"time"

	"amber/evidence"
	"amber/evidence/custody"
	"amber/isolate"
	"amber/isolate/probes"
)

// respondResult is what respond prints.
type respondResult struct {
	Case     string           `json:"case"`
	Target   string           `json:"target"`
	Frozen   *frozenResult    `json:"frozen,omitempty"`
	Measures []measureResult  `json:"measures,omitempty"` // beside the freeze
	Bundles  []bundleResult   `json:"bundles"`
	Recent   *recentResult    `json:"recent,omitempty"`   // of collect --recent
	ViaNode  *nodeRecord      `json:"via_node,omitempty"` // the pod that was used, and what the node keeps
	Left     string           `json:"left"`               // frozen, running, killed: how the target was left
	Custody  *custody.Receipt `json:"custody,omitempty"`
	Warnings []string         `json:"warnings,omitempty"`
	Next     []string         `json:"next"`
	Exit     int              `json:"exit"`
}

// frozenResult is how the target came to stand still.
type frozenResult struct {
	Journal    string          `json:"journal"`
	Containers []string        `json:"containers"`
	At         time.Time       `json:"at"`
	AfterMS    int64           `json:"after_ms"` // since the process started
	Checks     []isolate.Check `json:"checks"`
	Millis     int64           `json:"stood_still_ms"`
}

// finish prints the result and gives the exit code.
func (r *response) finish() error {
	r.result.Next = r.next()
	code := exitDone
	if len(r.result.Warnings) > 0 {
		code = exitMisses
	}
	for _, b := range r.result.Bundles {
		if !r.beside { // what isolate records beside is as it is
			code = max(code, b.exit())
		}
	}
	if r.failed() {
		code = exitFailed
	}
	r.result.Exit = code
	var err error
	if node != nil {
		err = node.say(messageResult, r.result)
	} else if r.json {
		err = emit(r.out, r.result)
	} else {
		r.print()
	}
	if err != nil || code == exitDone {
		return err
	}
	return outcome{code, ""}
}

// next is what to do now.
func (r *response) next() []string {
	dir, by := r.result.Case, ""
	if r.result.ViaNode != nil {
		by = "--via-node "
	}
	var next []string
	if (len(r.taken) > 0 || by != "" && r.result.Frozen != nil) && r.result.Left != "running" && r.result.Left != "killed" {
		next = append(next, "let it run again:      amber isolate release "+by+"--case "+dir+" --all   (undoes all measures)",
			"see that it holds:     amber isolate verify "+by+"--case "+dir)
	}
	if r.result.Left == "frozen" && podOf(r.hold.Containers) != nil && !r.holds(probes.Name) {
		next = append(next, "mind the probes:       kubelet restarts a frozen pod when its liveness probes fail")
	}
	for _, b := range r.result.Bundles {
		if b.Streamed {
			next = append(next, "verify it where it is:  amber evidence verify "+b.ID)
			continue
		}
		if b.State == evidence.Unsigned {
			next = append(next, "sign it:               amber evidence sign --case "+dir+" "+b.ID)
		}
		next = append(next, "see what it changed:   amber evidence diff --case "+dir+" "+b.ID,
			"look into it:          amber evidence ls --case "+dir+" "+b.ID)
	}
	if r.result.Custody != nil {
		next = append(next, fmt.Sprintf("keep this elsewhere:   custody entry %d, hash %s (amber evidence custody --case %s --head)", r.result.Custody.Sequence, r.result.Custody.Hash, dir))
	}
	return next
}

// holds reports whether a measure was taken.
func (r *response) holds(method string) bool {
	return slices.ContainsFunc(r.taken, func(e isolate.Entry) bool { return e.Receipt.Plan.Method == method }) ||
		slices.ContainsFunc(r.result.Measures, func(m measureResult) bool { return m.Method == method && m.State == string(isolate.Held) })
}

func (r *response) print() {
	fmt.Fprintf(r.out, "case      %s\ntarget    %s: %s\n", safeLines(r.result.Case), safeLines(r.result.Target), r.result.Left)
	if f := r.result.Frozen; f != nil {
		fmt.Fprintf(r.out, "frozen    %s, %d ms after the start", f.At.Format("2006-01-02T15:04:05.000Z"), f.AfterMS)
		if f.Millis > 0 { // isolate takes nothing to wait for
			fmt.Fprintf(r.out, "; stood still for %s", time.Duration(f.Millis)*time.Millisecond)
		}
		fmt.Fprintln(r.out)
	}
	for _, m := range r.result.Measures {
		m.print(r.out)
	}
	for _, b := range r.result.Bundles {
		b.print(r.out)
	}
	if r.result.Recent != nil {
		r.result.Recent.print(r.out)
	}
	fmt.Fprintln(r.out, "next")
	for _, n := range r.result.Next {
		fmt.Fprintln(r.out, "  "+safeLines(n))
	}
}

func countText(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"amber/evidence/custody"
	"amber/evidence/keys"
)

func (r *response) warn(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Warnings = append(r.result.Warnings, strings.ToValidUTF8(text, "\ufffd"))
	fmt.Fprintln(os.Stderr, "amber: "+safeLines(text))
}

// introduce gets the key, now that the target stands still, and makes the first
// entry into the custody log with it. It asks for a passphrase, if that must be,
// and then goes on beside the collection; r.introduced is closed at its end.
// Without a key all goes on, unsigned.
func (r *response) introduce(first func()) {
	begin := beginUnlock
	if r.beside { // what isolate records is not worth a question
		begin = beginUnlockQuietly
	}
	key := begin()
	r.introduced = make(chan struct{})
	go func() {
		defer close(r.introduced)
		r.cs.Tool = tool()
		<-key.done
		r.signer, r.cs.Signer = key.signer, key.signer
		if key.err != nil && node == nil { // keys do not come to a node
			r.warn(fmt.Sprintf("the bundle stays unsigned: %v; amber evidence sign signs it later", key.err))
		} else if err := introduce(r.cs); err != nil && node == nil && !errors.Is(err, keys.ErrNoKey) {
			r.warn(err.Error())
		}
		first()
	}()
}

// key is the signer, which may be waited for; nil where there is none.
func (r *response) key() ssh.Signer {
	r.settle()
	return r.signer
}

// logHold enters that the target was frozen.
func (r *response) logHold() {
	if !r.freezes {
		return
	}
	r.mu.Lock()
	warnings := slices.Clone(r.result.Warnings)
	r.mu.Unlock()
	r.log(custody.Entry{
		Action: "isolate", Result: r.result.Left, Reason: r.c.String("reason"), Authority: r.c.String("authority"),
		Alterations: []string{"froze " + strings.Join(r.plan.Refs, ", ")}, Errors: warnings,
	})
}

// log enters an act; a log that cannot be written is said, and stops nothing.
func (r *response) log(e custody.Entry) {
	if node != nil {
		e.Actor.Claimed = node.Claimed
	}
	receipt, err := logChange(r.cs, e)
	if err != nil {
		r.warn("the custody log: " + err.Error())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Custody = &receipt
}

// logLater enters an act when there is a key to sign with: nothing waits for
// that while the target is being cut off.
func (r *response) logLater(e custody.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlogged = append(r.unlogged, e)
}

// settle waits for the key and enters what was put off.
func (r *response) settle() {
	<-r.introduced
	r.mu.Lock()
	entries := r.unlogged
	r.unlogged = nil
	r.mu.Unlock()
	for _, e := range entries {
		r.log(e)
	}
}

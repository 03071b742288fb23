package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// saved is two objects as the TPM gave them out, encrypted for itself until its
// next reset.
type saved struct {
	parent, key *object
	contexts    [2]*tpm2.TPMSContext // in that order; nil of what is in the TPM for good
}

// save is nil where the TPM does not do it: then they are loaded each time.
func save(t transport.TPM, parent, key *object) *saved {
	s := &saved{parent: parent, key: key}
	for i, o := range []*object{parent, key} {
		if o.handle>>24 != tpm2.TPMHandle(tpm2.TPMHTTransient) {
			continue
		}
		rsp, err := tpm2.ContextSave{SaveHandle: o.handle}.Execute(t)
		if err != nil {
			return nil
		}
		s.contexts[i] = &rsp.Context
	}
	return s
}

// restore puts both back, or neither.
func (s *saved) restore(t transport.TPM) (parent, key *object, err error) {
	var back [2]*object
	for i, o := range []*object{s.parent, s.key} {
		if back[i], err = o.restore(t, s.contexts[i]); err != nil {
			if i == 1 {
				err = errors.Join(err, back[0].flush(t))
			}
			return nil, nil, err
		}
	}
	return back[0], back[1], nil
}

func (o *object) restore(t transport.TPM, context *tpm2.TPMSContext) (*object, error) {
	if context == nil {
		return o, nil
	}
	rsp, err := tpm2.ContextLoad{Context: *context}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("putting a key back into the TPM: %w", err)
	}
	return &object{rsp.LoadedHandle, o.name, o.public}, nil
}

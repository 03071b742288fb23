package tpm

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"golang.org/x/sys/unix"
)

// noDevice says why a device cannot be used, and what to do.
func noDevice(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no %s (turn TPM 2.0 on in the firmware's settings, or name the TPM's device in %s)", ErrDevice, path, Variable)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: you may not open %s (join the group that owns it, which is often tss, or be root): %w", ErrDevice, path, err)
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%w: another program holds %s (%s lets several use it)", ErrDevice, path, DefaultDevice)
	case errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("%w: no TPM listens at %s (start it, or name another in %s)", ErrDevice, path, Variable)
	}
	return fmt.Errorf("%w: %s: %w", ErrDevice, path, err)
}

// explain says what a TPM's refusal means, and what to do. doing names the step.
func explain(t transport.TPM, doing string, err error) error {
	var text string
	switch {
	case errors.Is(err, tpm2.TPMRCLockout):
		return fmt.Errorf("%w: %s", ErrLockout, triesOf(t).lockedOut())
	case errors.Is(err, tpm2.TPMRCObjectMemory), errors.Is(err, tpm2.TPMRCSessionMemory), errors.Is(err, tpm2.TPMRCObjectHandles), errors.Is(err, tpm2.TPMRCSessionHandles):
		text = "its memory is full of what other programs left in it (use " + DefaultDevice + ", which keeps them apart, or start the machine anew)"
	case errors.Is(err, tpm2.TPMRCInitialize):
		text = "it was not started (a software TPM wants --flags not-need-init,startup-clear)"
	case errors.Is(err, tpm2.TPMRCFailure):
		text = "it failed its own test (switch the machine off and on)"
	}
	if text == "" {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%w: %s: %s: %w", ErrDevice, doing, text, err)
}

// wrongAuth reports whether a TPM refused a passphrase: one that counts, or that
// of something which guesses cannot lock.
func wrongAuth(err error) bool {
	return errors.Is(err, tpm2.TPMRCAuthFail) || errors.Is(err, tpm2.TPMRCBadAuth)
}

// tries is what a TPM says of wrong passphrases.
type tries struct {
	spent, most uint32
	every       time.Duration // after which one is forgotten
}

// triesOf asks for them; the zero tries where the TPM does not say.
func triesOf(t transport.TPM) (r tries) {
	rsp, err := tpm2.GetCapability{
		Capability:    tpm2.TPMCapTPMProperties,
		Property:      uint32(tpm2.TPMPTLockoutCounter),
		PropertyCount: 3,
	}.Execute(t)
	if err != nil {
		return tries{}
	}
	list, err := rsp.CapabilityData.Data.TPMProperties()
	if err != nil {
		return tries{}
	}
	for _, p := range list.TPMProperty {
		switch p.Property {
		case tpm2.TPMPTLockoutCounter:
			r.spent = p.Value
		case tpm2.TPMPTMaxAuthFail:
			r.most = p.Value
		case tpm2.TPMPTLockoutInterval:
			r.every = time.Duration(p.Value) * time.Second
		}
	}
	return r
}

func (r tries) wrong() string {
	if r.most == 0 {
		return "is wrong"
	}
	return fmt.Sprintf("is wrong (%d of the TPM's %d tries are spent; it forgets one every %v)", r.spent, r.most, r.every)
}

func (r tries) lockedOut() string {
	again := "wait"
	if r.every > 0 {
		again = fmt.Sprintf("it takes another in %v at the latest", r.every)
	}
	return "it has had too many wrong passphrases, be it for this key or another; " + again +
		", or at once after: tpm2_dictionarylockout --clear-lockout"
}

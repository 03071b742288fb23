// Package tpm keeps a signing key of ECDSA P-256 in a TPM 2.0. The TPM stores
// nothing: the key lies in a file that only it can open, in the form of
// draft-bottomley-tpm2-keys ("TSS2 PRIVATE KEY"), which openssl's tpm2 provider
// reads too. Tables and commands are those of the TCG's TPM 2.0 Library.
package tpm

import (
	"errors"
	"os"
	"time"
)

const (
	// DefaultDevice is the kernel's resource manager, which lets several programs
	// use the TPM at once and frees what they leave in it.
	DefaultDevice = "/dev/tpmrm0"
	// Variable is the environment variable that names another device.
	Variable = "AMBER_TPM"
	// MaxAuth is the most bytes a key's passphrase has: the length of its name's
	// digest, for it is given to the TPM as it is.
	MaxAuth = 32
)

// commandTimeout bounds the wait for one answer. The slowest that is asked of a
// TPM here, to derive its storage key, takes discrete ones some seconds.
const commandTimeout = time.Minute

var (
	// ErrDevice says that there is no TPM to speak to, or that it does not answer.
	ErrDevice = errors.New("the TPM cannot be used")
	// ErrAuth says that the passphrase is missing, wrong or too long.
	ErrAuth = errors.New("the passphrase of the TPM's key")
	// ErrLockout says that the TPM takes no passphrase for a while.
	ErrLockout = errors.New("the TPM is locked out")
	// ErrForeign says that this TPM cannot open the key.
	ErrForeign = errors.New("the key belongs to another TPM, or this one was cleared since it was made")
	// ErrFile says that a key file is not one of a key that can sign here.
	ErrFile = errors.New("not a TPM's signing key")
)

// Device is a TPM: a character device of the kernel's, or the unix socket of a
// software TPM's commands.
type Device struct {
	Path    string
	Timeout time.Duration // of one command; 0: a minute
}

// Default is $AMBER_TPM, or the kernel's resource manager.
func Default() Device {
	if path := os.Getenv(Variable); path != "" {
		return Device{Path: path}
	}
	return Device{Path: DefaultDevice}
}

func (d Device) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return commandTimeout
}

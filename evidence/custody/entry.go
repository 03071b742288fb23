// Package custody keeps the custody log of a case: who did what to it, one
// canonical JSON line an act, each chained to the one before and signed, or
// marked as awaiting a countersignature. docs/custody-log.md is its format.
package custody

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Awaiting stands in place of the signature of a line that nobody has signed.
// A later signed line covers it by the chain.
const Awaiting = "awaiting"

// Actions that the log itself knows; others are the callers' words ("acquire",
// "seal", "isolate", "revert", "kill", "verify", "cat", "extract", …).
const (
	ActionCountersign = "countersign" // signs, by the chain, every line before it
	ActionTorn        = "torn"        // keeps the bytes of a line that a crash cut short
)

// zeros is the previous hash of the first line.
var zeros = strings.Repeat("0", sha256.Size*2)

// Entry is one line of the log. Sequence, Previous and Signature are Append's
// to fill; digests are "sha256:" and 64 hex digits.
type Entry struct {
	Sequence     int64     `json:"sequence"`                // from 1
	Previous     string    `json:"previous"`                // SHA-256 of the line before, without its newline, in hex; zeros for the first
	Case         string    `json:"case"`                    // the case's id
	Evidence     *Evidence `json:"evidence,omitempty"`      // what was acted on; nil for the case itself
	Action       string    `json:"action"`                  // one word
	Actor        Actor     `json:"actor"`                   // who
	Counterparty string    `json:"counterparty,omitempty"`  // who gave or took: a host, a person, a bucket
	Host         string    `json:"host"`                    // where amber ran
	BootID       string    `json:"boot_id"`                 // of that host
	Time         time.Time `json:"time"`                    // UTC
	Monotonic    int64     `json:"monotonic_ns,string"`     // CLOCK_BOOTTIME; a string, for it may need more than 53 bits
	Clock        Clock     `json:"clock"`                   // what Time is worth
	Reason       string    `json:"reason,omitempty"`        // why, in the operator's words
	Authority    string    `json:"authority,omitempty"`     // by whose order: a ticket, a warrant
	Tool         Tool      `json:"tool"`                    // what did it
	Before       string    `json:"digest_before,omitempty"` // of the evidence
	After        string    `json:"digest_after,omitempty"`
	Result       string    `json:"result,omitempty"`      // "done", "failed", …
	Errors       []string  `json:"errors,omitempty"`      // what went wrong
	Alterations  []string  `json:"alterations,omitempty"` // what the act changed on the target or in the evidence
	Beside       *Anchor   `json:"beside,omitempty"`      // in a log kept beside a read-only case: the head of the case's own log
	Torn         *Torn     `json:"torn,omitempty"`        // of ActionTorn
	Signature    string    `json:"signature,omitempty"`   // base64 SSHSIG blob over the canonical line without this field, or Awaiting
}

// Evidence names a bundle of the case.
type Evidence struct {
	ID     string `json:"id"`
	Digest string `json:"digest,omitempty"`
}

// Actor is who acted. What Claimed holds is only what the environment says:
// "sudo_user", "kubeconfig_user".
type Actor struct {
	UID      int               `json:"uid"`
	User     string            `json:"user,omitempty"`      // name of UID
	LoginUID *int64            `json:"login_uid,omitempty"` // kept by the kernel since login, through sudo; nil where unset
	Login    string            `json:"login,omitempty"`     // name of LoginUID
	Claimed  map[string]string `json:"claimed,omitempty"`
}

// Clock says how far the host's clock can be trusted.
type Clock struct {
	Source       string `json:"source"`       // the kernel's clock source: "tsc", "kvm-clock"
	Method       string `json:"method"`       // how the rest was found out: "adjtimex"
	Synchronised bool   `json:"synchronised"` // a time service keeps it
	OffsetNS     int64  `json:"offset_ns"`    // that the kernel still has to correct
	MaxErrorUS   int64  `json:"max_error_us"` // as the time service estimates it
}

// Tool is the program: its version, and the SHA-256 of its own binary in hex.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256,omitempty"`
}

// Anchor names a line of a log by its hash.
type Anchor struct {
	Sequence int64  `json:"sequence"`
	Hash     string `json:"hash"`
}

// Torn is what a crash left of a line.
type Torn struct {
	Bytes  []byte `json:"bytes"` // base64 in the log
	SHA256 string `json:"sha256"`
	Size   int    `json:"size"`
}

// Entries reads a log's lines in order, for showing them. It checks no chain and
// no signature, and goes on after a line that cannot be read (the error names it).
func Entries(path string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for l, err := range lines(path) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			e, err := decode(l.bytes)
			if err == nil && l.torn {
				err = errors.New("without its end")
			}
			if err != nil {
				err = fmt.Errorf("%s: line %d: %w", path, l.number, err)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

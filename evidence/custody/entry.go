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
// A later signed line covers it by the chain, and says how many it covers so;
// that its signer vouches for what it says is told by Seen alone.
const Awaiting = "awaiting"

// Actions that the log itself knows; others are the callers' words ("acquire",
// "seal", "isolate", "revert", "kill", "verify", "cat", "extract", …).
const (
	ActionCountersign = "countersign" // says by Seen which unsigned lines its signer has looked at
	ActionTorn        = "torn"        // keeps the bytes of a line that a crash cut short
	ActionMerge       = "merge"       // names another case, by the head of its log, whose files now lie in this one
)

// zeros is the previous hash of the first line.
var zeros = strings.Repeat("0", sha256.Size*2)

// Entry is one line of the log. Sequence, Previous, Unsigned and Signature are
// Append's to fill; a Previous that is given is the head that the signer has
// looked at, and must be the log's still. Digests are "sha256:" and 64 hex digits.
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
	Files        []File    `json:"files,omitempty"`       // files of the case as they were then
	GivenUp      []string  `json:"given_up,omitempty"`    // files of a seal that are gone, and are not to be missed any more
	Joined       *Joined   `json:"joined,omitempty"`      // of ActionMerge
	Stamped      *Stamped  `json:"stamped,omitempty"`     // of ActionStampLog
	Unsigned     int64     `json:"unsigned,omitempty"`    // in a signed entry: how many that nobody signed stand between it and the signed one before
	Seen         []Run     `json:"seen,omitempty"`        // in a signed entry: unsigned ones that its signer has looked at, and vouches for
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

	Measured []Offset `json:"measured,omitempty"` // against other clocks; of acquisitions
}

// Offset is how far the clock was from the right time, as somebody says.
type Offset struct {
	By            string    `json:"by"` // "chrony", "ntp time.example"
	At            time.Time `json:"at"`
	OffsetNS      int64     `json:"offset_ns,string"`      // to be added to this clock; a string, for it may need more than 53 bits
	UncertaintyNS int64     `json:"uncertainty_ns,string"` // the offset is known to within this, either way
	Detail        string    `json:"detail,omitempty"`
	Error         string    `json:"error,omitempty"` // why there is no offset
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

// File is a file of the case as it was. One that only grows, a journal or a
// log, is told by its first Size bytes.
type File struct {
	Path   string `json:"path"` // below the case's directory
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Joined is a case that was taken into another one: its log is kept there as
// it was, up to this head.
type Joined struct {
	Case     string `json:"case"`
	Sequence int64  `json:"sequence"` // 0: it had no log
	Hash     string `json:"hash,omitempty"`
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

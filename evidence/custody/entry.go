// Package custody keeps the custody log of a case: who did what to it, one
// canonical JSON line an act, each chained to the one before and signed, or
// marked as awaiting a countersignature. docs/custody-log.md is its format.
package custody

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"amber/evidence/canon"
	"amber/evidence/keys"
	"amber/evidence/safetext"
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

// hashLine is what the next line's Previous holds.
func hashLine(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// encode gives e signed, where signer is not nil, and its line.
func encode(e Entry, signer ssh.Signer) (Entry, []byte, error) {
	e.Signature = ""
	payload, err := canon.Marshal(e)
	if err != nil {
		return e, nil, err
	}
	e.Signature = Awaiting
	if signer != nil {
		blob, err := keys.SignBlob(signer, keys.NamespaceCustody, bytes.NewReader(payload))
		if err != nil {
			return e, nil, err
		}
		e.Signature = base64.StdEncoding.EncodeToString(blob)
	}
	text, err := canon.Marshal(e)
	return e, text, err
}

// decode reads a line strictly: canonical, with all that every entry has.
func decode(line []byte) (Entry, error) {
	var e Entry
	if err := canon.Check(line); err != nil {
		return e, err
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if err := checkNames(line); err != nil {
		return e, err
	}
	if e.Sequence < 1 || len(e.Previous) != len(zeros) || e.Action == "" || e.Signature == "" {
		return e, errors.New("not an entry of a custody log")
	}
	return e, nil
}

// checkNames refuses members such as "Action", which encoding/json takes for
// "action" and other readers do not.
func checkNames(line []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return err
	}
	for name := range members {
		if strings.ContainsFunc(name, notInName) {
			return fmt.Errorf("member %q: want a lower-case name", name)
		}
	}
	return nil
}

func notInName(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }

// verifySignature checks the line's own signature and gives the key that made it.
func verifySignature(line []byte, signature string) (ssh.PublicKey, error) {
	blob, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrSignature, err)
	}
	payload, err := without(line, "signature")
	if err != nil {
		return nil, err
	}
	return keys.VerifyBlob(blob, bytes.NewReader(payload), keys.NamespaceCustody)
}

// without takes one member out of a canonical object. It keeps the members that
// this version does not know.
func without(line []byte, name string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, err
	}
	delete(members, name)
	return canon.Marshal(members)
}

// clean makes every text of e valid UTF-8 (an error may quote a name that is not)
// and its time UTC.
func (e *Entry) clean() {
	e.Time = e.Time.UTC()
	for _, s := range []*string{
		&e.Case, &e.Action, &e.Actor.User, &e.Actor.Login, &e.Counterparty, &e.Host, &e.BootID,
		&e.Reason, &e.Authority, &e.Before, &e.After, &e.Result,
	} {
		*s = valid(*s)
	}
	if e.Evidence != nil {
		e.Evidence = &Evidence{ID: valid(e.Evidence.ID), Digest: valid(e.Evidence.Digest)}
	}
	e.Errors, e.Alterations = validAll(e.Errors), validAll(e.Alterations)
	claimed := make(map[string]string, len(e.Actor.Claimed))
	for k, v := range e.Actor.Claimed {
		claimed[valid(k)] = valid(v)
	}
	e.Actor.Claimed = claimed
}

func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return safetext.Line(s)
}

func validAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = valid(s)
	}
	return out
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

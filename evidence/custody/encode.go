package custody

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"amber/evidence/canon"
	"amber/evidence/keys"
	"amber/evidence/safetext"
)

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

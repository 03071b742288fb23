package attest

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"

	"amber/evidence/canon"
)

// Stated is what a Statement says.
type Stated struct {
	Type          string            `json:"_type"`
	Subject       []Subject         `json:"subject"`
	PredicateType string            `json:"predicateType"`
	Predicate     map[string]string `json:"predicate"`
}

// Digest is a subject's digest by an algorithm; empty where there is none.
func (s Stated) Digest(subject, algorithm string) string {
	for _, x := range s.Subject {
		if x.Name == subject {
			return x.Digest[algorithm]
		}
	}
	return ""
}

// Read checks a statement that comes without its envelope, and without the
// bundle that it is about: f.Bundle is not looked at. It gives what is stated,
// and the key that signed it.
func Read(f Files) (Stated, *ecdsa.PublicKey, error) {
	pub, _, err := verifyRaw(f)
	if err != nil {
		return Stated{}, nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	s, err := parse(f.PAE)
	if err != nil {
		return Stated{}, nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return s, pub, nil
}

// parse reads signed bytes, which must be the one encoding of a Statement.
func parse(pae []byte) (s Stated, err error) {
	fields := bytes.SplitN(pae, []byte(" "), 5)
	if len(fields) != 5 || !bytes.Equal(PAE(PayloadType, fields[4]), pae) {
		return s, errors.New("the signed bytes are not those of a statement")
	}
	if err := canon.Check(fields[4]); err != nil {
		return s, err
	}
	if err := json.Unmarshal(fields[4], &s); err != nil {
		return s, err
	}
	again, err := canon.Marshal(s)
	if err == nil && (s.Type != statementType || !bytes.Equal(again, fields[4])) {
		err = errors.New("the signed bytes are not a statement of amber's form")
	}
	return s, err
}

package custody

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/canon"
	"amber/evidence/keys"
)

// Receipt says that a log had a line with this hash. Kept elsewhere and given to
// Verify, it tells that the log's tail was cut, or its lines rewritten.
type Receipt struct {
	Case      string    `json:"case"`
	Sequence  int64     `json:"sequence"`
	Hash      string    `json:"hash"`                // of the line, in hex
	Time      time.Time `json:"time"`                // of the line
	Signature string    `json:"signature,omitempty"` // base64 SSHSIG blob over the canonical form without this field, namespace amber-receipt
}

// ErrEmpty says that a log has no whole line yet.
var ErrEmpty = errors.New("the custody log is empty")

// Head gives an unsigned receipt for the last whole line of the log at path,
// reading only that line.
func Head(path string) (Receipt, error) {
	f, err := openLog(path)
	if err != nil {
		return Receipt{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Receipt{}, err
	}
	t, err := readTail(f, info.Size())
	if err != nil {
		return Receipt{}, fmt.Errorf("reading the custody log %s: %w", path, err)
	}
	r, err := receiptOf(t.last)
	if err != nil && !errors.Is(err, ErrEmpty) {
		err = fmt.Errorf("reading the custody log %s: its last line: %w", path, err)
	}
	return r, err
}

// HeadOf is Head for the text of a log.
func HeadOf(log []byte) (Receipt, error) {
	t, err := readTail(bytes.NewReader(log), int64(len(log)))
	if err != nil {
		return Receipt{}, fmt.Errorf("reading a custody log: %w", err)
	}
	return receiptOf(t.last)
}

// receiptOf gives an unsigned receipt for a line; nil is ErrEmpty.
func receiptOf(line []byte) (Receipt, error) {
	if line == nil {
		return Receipt{}, ErrEmpty
	}
	e, err := decode(line)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Case: e.Case, Sequence: e.Sequence, Hash: hashLine(line), Time: e.Time}, nil
}

// Sign gives r with a signature.
func (r Receipt) Sign(signer ssh.Signer) (Receipt, error) {
	payload, err := r.payload()
	if err != nil {
		return r, err
	}
	blob, err := keys.SignBlob(signer, keys.NamespaceReceipt, bytes.NewReader(payload))
	r.Signature = base64.StdEncoding.EncodeToString(blob)
	return r, err
}

func (r Receipt) payload() ([]byte, error) {
	r.Signature = ""
	return canon.Marshal(r)
}

// signer gives the key that signed r.
func (r Receipt) signer() (ssh.PublicKey, error) {
	blob, err := base64.StdEncoding.Strict().DecodeString(r.Signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrSignature, err)
	}
	payload, err := r.payload()
	if err != nil {
		return nil, err
	}
	return keys.VerifyBlob(blob, bytes.NewReader(payload), keys.NamespaceReceipt)
}

// Marshal gives r as one canonical JSON line.
func (r Receipt) Marshal() ([]byte, error) {
	text, err := canon.Marshal(r)
	return append(text, '\n'), err
}

// ParseReceipt reads what Marshal wrote.
func ParseReceipt(data []byte) (Receipt, error) {
	var r Receipt
	text := bytes.TrimSuffix(data, []byte("\n"))
	if err := canon.Check(text); err != nil {
		return r, fmt.Errorf("reading a receipt: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("reading a receipt: %w", err)
	}
	// encoding/json takes "Case" for "case": only what Marshal would write counts.
	again, err := canon.Marshal(r)
	if err != nil || !bytes.Equal(again, text) || r.Sequence < 1 || len(r.Hash) != len(zeros) {
		return r, errors.New("reading a receipt: not a receipt for a custody log")
	}
	return r, nil
}

// Has reports whether the log at path has that line where it says.
func Has(path string, a Anchor) (bool, error) {
	for l, err := range lines(path) {
		if err != nil {
			return false, err
		}
		if int64(l.number) == a.Sequence {
			return !l.torn && hashLine(l.bytes) == a.Hash, nil
		}
	}
	return false, nil
}

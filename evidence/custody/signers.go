package custody

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/keys"
	"amber/evidence/safetext"
)

// ActionAddSigner lets somebody sign in a case: its counterparty are the lines
// of an allowed_signers file that case.json has since.
const ActionAddSigner = "add-signer"

// Addition is such an entry. Who may sign begins with the first, which nobody
// can vouch for but those who know the key; each later one is an act of
// somebody who might sign by then.
type Addition struct {
	Entry       int64     `json:"entry"`
	Time        time.Time `json:"time"`
	Lines       []string  `json:"lines"`
	By          string    `json:"by,omitempty"` // who signed it, of those who might; empty for nobody
	Fingerprint string    `json:"fingerprint,omitempty"`
	First       bool      `json:"first,omitempty"`  // nobody might sign the log before
	Forged      bool      `json:"forged,omitempty"` // signed, and by nobody who might
}

// String tells of it in one line, safe for a terminal.
func (a Addition) String() string {
	switch {
	case a.Forged:
		return fmt.Sprintf("entry %d lets somebody sign, and its own signer %s was none who might", a.Entry, a.Fingerprint)
	case a.By != "":
		return fmt.Sprintf("entry %d, signed by %s", a.Entry, safetext.Line(a.By))
	case a.First:
		return fmt.Sprintf("entry %d, the first, which nobody before could sign", a.Entry)
	}
	return fmt.Sprintf("entry %d lets somebody sign, and nobody signed it", a.Entry)
}

// adds follows who might sign, as the log has it. pub is nil for an unsigned
// entry.
func (v *verifier) adds(number int, e Entry, pub ssh.PublicKey) {
	if e.Action != ActionAddSigner {
		return
	}
	a := Addition{Entry: e.Sequence, Time: e.Time, Lines: strings.Split(e.Counterparty, "\n")}
	lines := append(v.might, a.Lines...)
	now, err := keys.ParseSigners([]byte(strings.Join(lines, "\n")))
	if err != nil {
		v.problem(number, Changed, fmt.Sprintf("entry %d lets somebody sign by what is no list of signers: %v", e.Sequence, err))
		return
	}
	before, err := keys.ParseSigners([]byte(strings.Join(v.might, "\n")))
	if err != nil {
		return // it was told when it was added
	}
	if a.First = !before.Allow(keys.NamespaceCustody); a.First {
		before = now // who is the first names himself
	}
	if pub != nil {
		a.Fingerprint = keys.Fingerprint(pub)
		who, known := before.Lookup(pub, keys.NamespaceCustody, e.Time)
		if a.By = who; !known {
			a.Forged = true
			v.problem(number, WrongSigner, a.String())
		}
	}
	v.might = lines
	v.report.Additions = append(v.report.Additions, a)
}

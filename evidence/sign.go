package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"amber/evidence/attest"
	"amber/evidence/durable"
	"amber/evidence/keys"

	"golang.org/x/crypto/ssh"
)

// The kinds of attestations in seal/, which are its files' names behind the
// number: seal/001-sshsig, seal/002-dsse.json, …
const (
	KindSSHSIG = "sshsig"
	KindDSSE   = "dsse"

	// KindRFC3161 is a time-stamp token over one of these, which is no signature
	// of the bundle.
	KindRFC3161 = "rfc3161"
)

// The files of a statement. The envelope is written last: without it, the
// others are what was left when signing was cut off.
const (
	extPAE       = ".pae"
	extSignature = ".sig"
	extPublicKey = ".pub.pem"
	extBundle    = ".json"
)

// PredicateType is what the in-toto Statement of a seal says that it is.
const PredicateType = "urn:amber:evidence-seal:v1"

// ToSign is what a signature of a bundle covers, told in two ways.
type ToSign struct {
	Sums      []byte // the text of SHA256SUMS, for an armored SSHSIG in Namespace
	Statement []byte // an in-toto Statement of it, of the manifest and of the members' root
}

// Attestation is one signature as it lies in seal/: a file for each extension,
// in the order in which they are written.
type Attestation struct {
	Kind  string
	Files []SealFile
}

// SealFile is a file of seal/ without the number and kind that begin its name.
type SealFile struct {
	Ext  string
	Data []byte
}

// Signer makes the attestations of a bundle, the armored SSHSIG first.
type Signer func(ToSign) ([]Attestation, error)

// SignWith signs with a user's key: an SSHSIG, and a statement where the key is
// a keys.StatementSigner. No key gives no Signer.
func SignWith(s ssh.Signer) Signer {
	if s == nil {
		return nil
	}
	return func(what ToSign) ([]Attestation, error) {
		armored, err := keys.Sign(s, Namespace, bytes.NewReader(what.Sums))
		if err != nil {
			return nil, err
		}
		made := []Attestation{SSHSIG(armored)}
		if k, ok := s.(keys.StatementSigner); ok {
			files, err := attest.Sign(k.Statements(), what.Statement)
			if err != nil {
				return nil, err
			}
			made = append(made, DSSE(files))
		}
		return made, nil
	}
}

// SSHSIG is an armored signature as an attestation.
func SSHSIG(armored []byte) Attestation {
	return Attestation{KindSSHSIG, []SealFile{{"", armored}}}
}

// DSSE is a signed statement as one.
func DSSE(f attest.Files) Attestation {
	return Attestation{KindDSSE, []SealFile{{extPAE, f.PAE}, {extSignature, f.Signature}, {extPublicKey, f.PublicKey}, {extBundle, f.Bundle}}}
}

// statement is what is stated of a bundle. Without a count it is what the first
// statements said, which are still taken.
func statement(id, sumsDigest, manifestDigest, root, count string) ([]byte, error) {
	predicate := map[string]string{"evidence": id, "format": FormatVersion}
	if count != "" {
		predicate["members"] = count
	}
	return attest.Statement([]attest.Subject{
		{Name: sumsFile, Digest: map[string]string{"sha256": sumsDigest}},
		{Name: "manifest", Digest: map[string]string{"sha256": manifestDigest}},
		{Name: "members", Digest: map[string]string{"rfc6962-sha256": root}},
	}, PredicateType, predicate)
}

// toSign is what there is to sign of a bundle that is closed.
func (b *Bundle) toSign() (ToSign, error) {
	s, err := b.statement(b.manifest.Annotations[AnnotationCount])
	return ToSign{b.sums, s}, err
}

func (b *Bundle) statement(count string) ([]byte, error) {
	return statement(b.ID(), b.Digest(), strings.TrimPrefix(b.manifestName, blobDir+"/"), b.manifest.Annotations[AnnotationRoot], count)
}

// sealFile is a name in seal/ in its parts.
type sealFile struct {
	number    int
	kind, ext string
}

func parseSealName(name string) (f sealFile, ok bool) {
	if !sealName().MatchString(name) {
		return f, false
	}
	number, rest, _ := strings.Cut(strings.TrimPrefix(name, sealDir+"/"), "-")
	f.number, _ = strconv.Atoi(number)
	kind, ext, dotted := strings.Cut(rest, ".")
	if f.kind = kind; dotted {
		f.ext = "." + ext
	}
	return f, true
}

func (f sealFile) name() string { return fmt.Sprintf("%s/%03d-%s%s", sealDir, f.number, f.kind, f.ext) }

// head is the extension of the file of an attestation that is written last, and
// without which the others are what was left when it was cut off.
func head(kind string) string {
	return map[string]string{KindDSSE: extBundle, KindRFC3161: extToken}[kind]
}

// heads are the files of seal/ that stand for a signature each: those that were
// written last.
func (b *Bundle) heads() (names []string) {
	for _, name := range b.seals {
		if f, ok := parseSealName(name); !ok || f.kind != KindRFC3161 && f.ext == head(f.kind) {
			names = append(names, name)
		}
	}
	return names
}

// Attestations is how many signatures there are in seal/, whether they hold or
// not.
func (b *Bundle) Attestations() int { return len(b.heads()) }

// Sign adds attestations to the bundle in dir as the next of seal/, and gives
// the name of the first. Each file is made beside the bundle, so that a crash
// leaves nothing in there that is not part of it. Verify first: Sign also takes
// away what a crash at the end of writing has left.
func Sign(dir string, sign Signer) (string, error) {
	b, err := Open(dir)
	if err != nil {
		return "", err
	}
	defer b.Close()
	if b.State() == Incomplete {
		return "", errors.New("the bundle is incomplete: it cannot be signed")
	}
	what, err := b.toSign()
	if err != nil {
		return "", err
	}
	made, err := sign(what)
	if err != nil {
		return "", err
	}
	if b.untidy {
		if err := Tidy(dir); err != nil {
			return "", err
		}
	}
	if err := durable.MkdirAll(filepath.Join(dir, sealDir)); err != nil {
		return "", err
	}
	first, err := b.nextSeal(dir)
	if err != nil {
		return "", err
	}
	for i, a := range made {
		if err := place(dir, first+i, a); err != nil {
			return "", err
		}
	}
	return sealFile{first, made[0].Kind, made[0].Files[len(made[0].Files)-1].Ext}.name(), nil
}

// place writes an attestation into seal/.
func place(dir string, number int, a Attestation) error {
	for _, f := range a.Files {
		beside := filepath.Clean(dir) + ".seal"
		if err := durable.WriteFile(beside, f.Data); err != nil {
			return err
		}
		if err := durable.Rename(beside, filepath.Join(dir, sealFile{number, a.Kind, f.Ext}.name())); err != nil {
			return err
		}
	}
	return nil
}

// nextSeal is the number behind the last attestation in seal/. What is left
// behind that one by a process that was killed is taken away; nothing that came
// later can cover it.
func (b *Bundle) nextSeal(dir string) (int, error) {
	last, cut := 0, b.cutOff()
	for _, name := range b.seals {
		if f, _ := parseSealName(name); !slices.Contains(cut, name) {
			last = max(last, f.number)
		}
	}
	for _, name := range cut {
		if f, _ := parseSealName(name); f.number <= last {
			continue
		}
		if err := durable.Remove(filepath.Join(dir, name)); err != nil {
			return 0, err
		}
		b.seals = slices.DeleteFunc(b.seals, func(s string) bool { return s == name })
	}
	return last + 1, nil
}

// seal writes the attestations of a bundle that is being closed.
func (m *manifestBuilder) seal(made []Attestation) error {
	for i, a := range made {
		for _, f := range a.Files {
			if err := m.w.st.file(sealFile{i + 1, a.Kind, f.Ext}.name(), f.Data); err != nil {
				return err
			}
		}
	}
	return nil
}

// statementFiles reads the files that belong to the envelope of that name.
func (b *Bundle) statementFiles(name string) (f attest.Files, err error) {
	head, _ := parseSealName(name)
	for _, p := range []struct {
		ext string
		to  *[]byte
	}{{extPAE, &f.PAE}, {extSignature, &f.Signature}, {extPublicKey, &f.PublicKey}, {extBundle, &f.Bundle}} {
		part := sealFile{head.number, KindDSSE, p.ext}.name()
		if !slices.Contains(b.seals, part) {
			return f, fmt.Errorf("%s is missing", part)
		}
		if *p.to, err = b.readFile(part, maxSmall); err != nil {
			return f, err
		}
	}
	return f, nil
}

// cutOff are the files of attestations whose last file is not there.
func (b *Bundle) cutOff() (names []string) {
	for _, name := range b.seals {
		f, ok := parseSealName(name)
		if ok && !slices.Contains(b.seals, sealFile{f.number, f.kind, head(f.kind)}.name()) {
			names = append(names, name)
		}
	}
	return names
}

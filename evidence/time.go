package evidence

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"amber/evidence/durable"
	"amber/evidence/timestamp"
)

// The files of a time-stamp token, in the order in which they are written. The
// first is there where the token is over more than one signature; revocation
// data, where there was any.
const (
	extStamped = ".sums" // what is stamped: digests as sha256sum writes them
	extChain   = ".pem"
	extCRL     = ".crl"
	extToken   = ".tsr"
)

// Time is one time-stamp token of a bundle.
type Time struct {
	File      string    `json:"file"`
	Over      string    `json:"over"` // the file that it is over
	Time      time.Time `json:"time"`
	Accuracy  string    `json:"accuracy,omitempty"`
	Authority string    `json:"authority"`
	Expires   time.Time `json:"certificate_expires"`
	Trusted   bool      `json:"trusted"`
	AsOf      time.Time `json:"as_of,omitzero"`  // the time as of which it is trusted
	Doubt     string    `json:"doubt,omitempty"` // why it is not
	Odd       string    `json:"odd,omitempty"`   // what in the bundle cannot be, if it is right
}

// Stamp has an authority stamp the bundle in dir, and keeps its token as the
// next of seal/. The first tokens are over the newest statement's raw signature.
// Where there is no statement, or where the bundle has tokens of before since,
// a token is over the digests of SHA256SUMS and of all that seal/ holds: so it
// also covers the earlier tokens, before their certificates expire.
func Stamp(ctx context.Context, dir, url string, again bool) (Time, []string, error) {
	b, err := Open(dir)
	if err != nil {
		return Time{}, nil, err
	}
	defer b.Close()
	if b.State() != Sealed {
		return Time{}, nil, fmt.Errorf("the bundle is %s: there is no signature to stamp", b.State())
	}
	number, err := b.nextSeal(dir)
	if err != nil {
		return Time{}, nil, err
	}
	over, data, err := b.toStamp(number, again)
	if err != nil {
		return Time{}, nil, err
	}
	sum := sha256.Sum256(data)
	a, err := timestamp.Ask(ctx, url, sum[:])
	if err != nil {
		return Time{}, nil, err
	}
	var files []SealFile
	if strings.HasSuffix(over, extStamped) {
		files = append(files, SealFile{extStamped, data})
	}
	files = append(files, SealFile{extChain, a.Token.Chain()})
	if len(a.CRLs) > 0 {
		files = append(files, SealFile{extCRL, a.CRLs})
	}
	files = append(files, SealFile{extToken, a.Response})
	if err := durable.MkdirAll(filepath.Join(dir, sealDir)); err != nil {
		return Time{}, nil, err
	}
	t := timeOf(sealFile{number, KindRFC3161, extToken}.name(), over, a.Token)
	return t, a.Warnings, place(dir, number, Attestation{KindRFC3161, files})
}

func timeOf(file, over string, k *timestamp.Token) Time {
	t := Time{File: file, Over: over, Time: k.Time, Authority: k.Authority(), Expires: k.Expires()}
	if k.Accuracy > 0 {
		t.Accuracy = k.Accuracy.String()
	}
	return t
}

// tokens are the names of the tokens, oldest first.
func (b *Bundle) tokens() (names []string) {
	for _, name := range b.seals {
		if f, ok := parseSealName(name); ok && f.kind == KindRFC3161 && f.ext == extToken {
			names = append(names, name)
		}
	}
	return names
}

// toStamp is what a token of that number is to be over, and the file that holds
// this.
func (b *Bundle) toStamp(number int, again bool) (name string, data []byte, err error) {
	heads := b.heads()
	slices.Reverse(heads)
	for _, h := range heads {
		if f, _ := parseSealName(h); f.kind == KindDSSE && !again {
			name = sealFile{f.number, KindDSSE, extSignature}.name()
			data, err = b.readFile(name, maxSmall)
			return name, data, err
		}
	}
	data, err = b.digests(number)
	return sealFile{number, KindRFC3161, extStamped}.name(), data, err
}

// digests are those of SHA256SUMS and of every file of seal/ below a number, as
// sha256sum writes them.
func (b *Bundle) digests(below int) ([]byte, error) {
	lines := []string{b.Digest() + "  " + sumsFile + "\n"}
	for _, name := range b.seals {
		if f, ok := parseSealName(name); !ok || f.number >= below {
			continue
		}
		data, err := b.readFile(name, maxSmall)
		if err != nil {
			return nil, err
		}
		lines = append(lines, hexSum(data)+"  "+name+"\n")
	}
	return sumsText(lines), nil
}

// times checks the tokens, the newest first: what a later one covers was there
// at its time, and is looked at as of then. A token that does not hold by itself
// is a problem; one that is not trusted is in doubt, unless an authority is
// demanded and no other token is trusted.
func (v *verifier) times() {
	names := v.b.tokens()
	slices.Reverse(names)
	covered := v.at() // as of when all that is older is known to have been there
	for _, name := range names {
		t, err := v.token(name, covered)
		if err != nil {
			v.r.problem(name, "%v", err)
			continue
		}
		if t.Trusted {
			v.dated = true
			v.provedAt(t)
			if strings.HasSuffix(t.Over, extStamped) && t.Time.Before(covered) {
				covered = t.Time
			}
		}
		v.r.Times = append(v.r.Times, t)
	}
	slices.SortFunc(v.r.Times, func(a, b Time) int { return cmp.Compare(a.File, b.File) })
}

// undated is a problem where the bundle's time was to be proved, and is not.
func (v *verifier) undated() {
	switch {
	case v.o.Time == nil || v.dated:
	case len(v.r.Times) == 0:
		v.r.problem("time", "is not proved: the bundle has no time-stamp token that holds")
	default:
		v.r.problem("time", "is not proved: %s: %s", v.r.Times[0].File, v.r.Times[0].Doubt)
	}
}

// token checks one by itself, and by whom is trusted.
func (v *verifier) token(name string, at time.Time) (t Time, err error) {
	f, _ := parseSealName(name)
	response, err := v.b.readFile(name, maxSmall)
	if err != nil {
		return t, err
	}
	k, err := timestamp.Parse(response)
	if err != nil {
		return t, err
	}
	over, err := v.b.stampedBy(f.number, k)
	if err != nil {
		return t, err
	}
	part := func(ext string) string { return sealFile{f.number, KindRFC3161, ext}.name() }
	chain, err := v.b.readFile(part(extChain), maxSmall)
	if err != nil || !bytes.Equal(chain, k.Chain()) {
		return t, fmt.Errorf("%s does not hold the certificates that are in the token", part(extChain))
	}
	var crls []byte
	if slices.Contains(v.b.seals, part(extCRL)) {
		if crls, err = v.b.readFile(part(extCRL), maxSmall); err != nil {
			return t, err
		}
		if err := k.CheckLists(crls); err != nil {
			return t, fmt.Errorf("%s: %w", part(extCRL), err)
		}
	}
	t = timeOf(name, over, k)
	if v.o.Time == nil {
		t.Doubt = "no authority is known (--tsa-roots)"
	} else if err := v.o.Time.Check(k, crls, at); err != nil {
		t.Doubt = err.Error()
	} else {
		t.Trusted, t.AsOf = true, at.UTC().Truncate(time.Second)
		t.Odd = v.ahead(k.Time.Add(k.Accuracy))
	}
	return t, nil
}

// ahead tells of a host whose clock says that the bundle was taken after an
// authority had seen it.
func (v *verifier) ahead(seen time.Time) string {
	a, err := v.b.Acquisition()
	if err != nil || !a.End.After(seen.Add(time.Second)) {
		return ""
	}
	return fmt.Sprintf("the acquisition says that it ended at %s, which is later: its host's clock was ahead by %s or more", a.End.UTC().Format(time.RFC3339), a.End.Sub(seen).Round(time.Second))
}

// stampedBy names the file that a token is over: the list of digests beside it,
// which must be right, or the signature of a statement.
func (b *Bundle) stampedBy(number int, k *timestamp.Token) (string, error) {
	if list := (sealFile{number, KindRFC3161, extStamped}).name(); slices.Contains(b.seals, list) {
		data, err := b.readFile(list, maxSmall)
		if err != nil {
			return "", err
		}
		want, err := b.digests(number)
		switch sum := sha256.Sum256(data); {
		case err != nil:
			return "", err
		case !bytes.Equal(data, want):
			return "", fmt.Errorf("%s does not list the digests of SHA256SUMS and of what was in %s before", list, sealDir)
		case !bytes.Equal(sum[:], k.Digest):
			return "", fmt.Errorf("the token is over other bytes than %s", list)
		}
		return list, nil
	}
	for _, h := range b.heads() {
		f, _ := parseSealName(h)
		if f.kind != KindDSSE || f.number >= number {
			continue
		}
		sig := sealFile{f.number, KindDSSE, extSignature}.name()
		data, err := b.readFile(sig, maxSmall)
		if sum := sha256.Sum256(data); err == nil && bytes.Equal(sum[:], k.Digest) {
			return sig, nil
		}
	}
	return "", errors.New("the token is over nothing that this bundle holds")
}

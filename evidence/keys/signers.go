package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// Signers is a list of who may sign, read from lines of the form that
// ssh-keygen(1) describes under ALLOWED SIGNERS. The zero Signers knows nobody.
type Signers struct {
	lines []allowed
}

// allowed is one line: a key, and what it may sign and when.
type allowed struct {
	principals string
	key        []byte // wire form
	namespaces string // pattern list; empty allows all
	after      time.Time
	before     time.Time
}

// ReadSigners reads an allowed_signers file.
func ReadSigners(path string) (*Signers, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the allowed signers: %w", err)
	}
	defer f.Close()
	data, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("reading the allowed signers %s: %w", path, err)
	}
	s, err := ParseSigners(data)
	if err != nil {
		return nil, fmt.Errorf("reading the allowed signers %s: %w", path, err)
	}
	return s, nil
}

// ParseSigners parses an allowed_signers file. One line that cannot be parsed,
// or that names a certificate authority, refuses the whole list with the number
// of the line (from 1) and the reason.
func ParseSigners(data []byte) (*Signers, error) {
	s := &Signers{}
	for i, line := range strings.Split(string(data), "\n") {
		a, err := parseAllowed(strings.TrimSuffix(line, "\r"))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if a != nil {
			s.lines = append(s.lines, *a)
		}
	}
	return s, nil
}

// Len is the number of keys in the list.
func (s *Signers) Len() int {
	if s == nil {
		return 0
	}
	return len(s.lines)
}

// Allow reports whether anybody may sign in a namespace, now or at another time.
func (s *Signers) Allow(namespace string) bool {
	if s == nil {
		return false
	}
	return slices.ContainsFunc(s.lines, func(a allowed) bool { return a.namespaces == "" || matchList(namespace, a.namespaces) })
}

// Signer is a line of a list of who may sign.
type Signer struct {
	Principals  string    `json:"principals"`
	Type        string    `json:"type"`
	Fingerprint string    `json:"fingerprint"`
	Namespaces  string    `json:"namespaces,omitempty"` // pattern list; empty: all
	After       time.Time `json:"valid_after,omitzero"`
	Before      time.Time `json:"valid_before,omitzero"`
}

// All are the lines of the list.
func (s *Signers) All() (all []Signer) {
	if s == nil {
		return nil
	}
	for _, a := range s.lines {
		one := Signer{Principals: a.principals, Namespaces: a.namespaces, After: a.after, Before: a.before}
		if pub, err := ssh.ParsePublicKey(a.key); err == nil {
			one.Type, one.Fingerprint = pub.Type(), Fingerprint(pub)
		}
		all = append(all, one)
	}
	return all
}

// Lookup gives the principals of the lines that let pub sign in namespace at
// that time: of all, for who of them signed is more than a signature tells. A
// nil list knows nobody.
func (s *Signers) Lookup(pub ssh.PublicKey, namespace string, at time.Time) (principal string, ok bool) {
	var who []string
	for _, a := range s.of(pub) {
		if a.allows(namespace, at) && !slices.Contains(who, a.principals) {
			who = append(who, a.principals)
		}
	}
	return strings.Join(who, ","), len(who) > 0
}

func (s *Signers) of(pub ssh.PublicKey) (lines []allowed) {
	if s == nil {
		return nil
	}
	key := pub.Marshal()
	for _, a := range s.lines {
		if bytes.Equal(a.key, key) {
			lines = append(lines, a)
		}
	}
	return lines
}

// Stranger names a key that Lookup does not know, by its fingerprint; and where
// it is in the list for something else, or for another time, by that.
func (s *Signers) Stranger(pub ssh.PublicKey, namespace string, at time.Time) string {
	name := Fingerprint(pub)
	for _, a := range s.of(pub) {
		if a.namespaces != "" && !matchList(namespace, a.namespaces) {
			return fmt.Sprintf("%s, which the list has for %s, and only for %s, not for %s", name, a.principals, a.namespaces, namespace)
		}
		if !a.after.IsZero() && at.Before(a.after) {
			return fmt.Sprintf("%s, which the list has for %s, and only from %s on", name, a.principals, a.after.UTC().Format(time.RFC3339))
		}
		if !a.before.IsZero() && at.After(a.before) {
			return fmt.Sprintf("%s, which the list has for %s, and only until %s", name, a.principals, a.before.UTC().Format(time.RFC3339))
		}
	}
	return name
}

func (a allowed) allows(namespace string, at time.Time) bool {
	if a.namespaces != "" && !matchList(namespace, a.namespaces) {
		return false
	}
	return (a.after.IsZero() || !at.Before(a.after)) && (a.before.IsZero() || !at.After(a.before))
}

// SignerLine gives the line that allows pub to sign in amber's namespaces under
// the name principal ("user@host"), which may hold no space, quote or wildcard.
func SignerLine(principal string, pub ssh.PublicKey) (string, error) {
	if principal == "" || strings.ContainsFunc(principal, notInPrincipal) {
		return "", fmt.Errorf("principal %q: want a plain name such as user@host", principal)
	}
	spaces := strings.Join([]string{NamespaceBundle, NamespaceCustody, NamespaceReceipt}, ",")
	key := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(pub)), "\n")
	return fmt.Sprintf(`%s namespaces="%s" %s`, principal, spaces, key), nil
}

func notInPrincipal(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"\,*?!#`, r)
}

// parseAllowed parses one line; an empty one or a comment gives nil.
func parseAllowed(line string) (*allowed, error) {
	line = strings.TrimLeft(line, " \t")
	if line == "" || line[0] == '#' {
		return nil, nil
	}
	principals, rest, err := cutPrincipals(line)
	if err != nil {
		return nil, err
	}
	a := &allowed{principals: principals}
	if key, err := parseKey(rest); err == nil {
		a.key = key
		return a, nil
	}
	options, rest, err := cutOptions(rest)
	if err != nil {
		return nil, err
	}
	if err := a.setOptions(options); err != nil {
		return nil, err
	}
	a.key, err = parseKey(rest)
	return a, err
}

func cutPrincipals(line string) (principals, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		principals, rest, ok = strings.Cut(quoted, `"`)
		if !ok {
			return "", "", errors.New("principals: a quote without its end")
		}
	} else if i := strings.IndexAny(line, " \t"); i >= 0 {
		principals, rest = line[:i], line[i:]
	} else {
		return "", "", errors.New("principals without a key")
	}
	if principals == "" {
		return "", "", errors.New("no principals")
	}
	return principals, strings.TrimLeft(rest, " \t"), nil
}

// parseKey reads "keytype base64 [comment]". The type before the key must be the
// key's own.
func parseKey(text string) ([]byte, error) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return nil, errors.New("no key")
	}
	pub, _, options, _, err := ssh.ParseAuthorizedKey([]byte(fields[0] + " " + fields[1]))
	if err != nil || len(options) != 0 {
		return nil, errors.New("no key that can be read")
	}
	if pub.Type() != fields[0] {
		return nil, fmt.Errorf("key of type %s where %q is named", pub.Type(), fields[0])
	}
	return pub.Marshal(), nil
}

// OnlyFor gives a line of an allowed_signers file as one that allows its key to
// sign in that namespace alone; "" where it does not allow that itself.
func OnlyFor(line, namespace string) (string, error) {
	a, err := parseAllowed(line)
	if err != nil || a == nil || a.namespaces != "" && !matchList(namespace, a.namespaces) {
		return "", err
	}
	pub, err := ssh.ParsePublicKey(a.key)
	if err != nil {
		return "", err
	}
	options := fmt.Sprintf("namespaces=%q", namespace)
	for name, at := range map[string]time.Time{"valid-after": a.after, "valid-before": a.before} {
		if !at.IsZero() {
			options += fmt.Sprintf(",%s=%q", name, at.UTC().Format("20060102150405Z"))
		}
	}
	who := a.principals
	if strings.ContainsAny(who, " \t") {
		who = `"` + who + `"`
	}
	return fmt.Sprintf("%s %s %s", who, options, strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(pub)), "\n")), nil
}

package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Kinds of storage.
const (
	S3  = "s3"
	OCI = "oci"
)

// Address is a place to push to and pull from.
type Address struct {
	Kind   string // S3 or OCI
	Host   string // of a registry
	Name   string // the bucket, or the repository
	Prefix string // of all keys in the bucket
	Tag    string // of an artifact; empty: each bundle's id
	Digest string // of one, "sha256:…"
}

// ParseAddress reads s3://BUCKET[/PREFIX] or oci://HOST/REPOSITORY[:TAG|@DIGEST].
// A password in it is refused: a command line can be read by others.
func ParseAddress(text string) (Address, error) {
	kind, rest, ok := strings.Cut(text, "://")
	if !ok || kind != S3 && kind != OCI {
		return Address{}, errors.New("want s3://BUCKET[/PREFIX] or oci://HOST/REPOSITORY[:TAG]")
	}
	first, path, _ := strings.Cut(rest, "/")
	if strings.Contains(first, "@") {
		return Address{}, errors.New("an address holds no credentials: they come from the environment or the shared files")
	}
	path = strings.TrimSuffix(path, "/")
	if kind == S3 {
		if first == "" || path != "" && (!fs.ValidPath(path) || strings.ContainsFunc(path, notPlain)) {
			return Address{}, fmt.Errorf("%q: want s3://BUCKET[/PREFIX]", text)
		}
		return Address{Kind: S3, Name: first, Prefix: path}, nil
	}
	return parseReference(text, first, path)
}

var (
	repositoryForm = pattern(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = pattern(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	hostForm       = pattern(`^[A-Za-z0-9.-]+(:[0-9]+)?$|^\[[0-9a-fA-F:]+\](:[0-9]+)?$`)
)

// IsTag reports whether a bundle's id can be a tag.
func IsTag(s string) bool { return tagForm().MatchString(s) }

func parseReference(text, host, path string) (Address, error) {
	a := Address{Kind: OCI, Host: host}
	var tagged, dug bool
	path, a.Digest, dug = strings.Cut(path, "@")
	a.Name, a.Tag, tagged = strings.Cut(path, ":")
	matches := func(form func() *regexp.Regexp, s string) bool { return form().MatchString(s) }
	if !matches(hostForm, host) || !matches(repositoryForm, a.Name) || len(a.Name) > 255 ||
		tagged && !IsTag(a.Tag) || dug && !(strings.HasPrefix(a.Digest, "sha256:") && digestForm().MatchString(a.Digest[7:])) {
		return Address{}, fmt.Errorf("%q: want oci://HOST/REPOSITORY[:TAG|@sha256:DIGEST]", text)
	}
	return a, nil
}

// String is the address without a tag.
func (a Address) String() string {
	if a.Kind == OCI {
		return OCI + "://" + a.Host + "/" + a.Name
	}
	if a.Prefix == "" {
		return S3 + "://" + a.Name
	}
	return S3 + "://" + a.Name + "/" + a.Prefix
}

package remote

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"amber/evidence/canon"
	"amber/evidence/custody"
	"amber/evidence/keys"
)

// Inventory lists what one push has put somewhere. It is put last, so what it
// lists is there. Its signature (SSHSIG, namespace amber-receipt) is over its
// canonical form without it.
type Inventory struct {
	Format    int             `json:"format"`
	Kind      string          `json:"kind"`
	Case      string          `json:"case"`
	Made      time.Time       `json:"made"`
	By        string          `json:"by"`    // as the one who pushed calls himself
	Whole     bool            `json:"whole"` // the whole case, not some bundles of it
	Tool      custody.Tool    `json:"tool"`
	Evidence  []Item          `json:"evidence"`
	Files     []File          `json:"files"`              // sorted by path
	Custody   custody.Receipt `json:"custody"`            // the end of the custody log that is listed
	LeftOut   []string        `json:"left_out,omitempty"` // what is no regular file, and why it is not here
	Signature string          `json:"signature,omitempty"`
}

// Item is a bundle. Digest is that of SHA256SUMS, in hex; empty for a bundle
// that is incomplete.
type Item struct {
	ID     string `json:"id"`
	Digest string `json:"digest,omitempty"`
}

const (
	inventoryFormat = 1
	inventoryKind   = "amber-inventory"

	// MaxInventory bounds an inventory, in bytes.
	MaxInventory = 256 << 20
	maxFiles     = 1 << 21
	maxPath      = 1024
)

// Seal fills in what every inventory has, sorts it, and signs it where signer is
// not nil; it gives its text.
func (v Inventory) Seal(signer ssh.Signer) ([]byte, error) {
	v.Format, v.Kind, v.Signature = inventoryFormat, inventoryKind, ""
	v.Made = v.Made.UTC().Truncate(time.Second)
	slices.SortFunc(v.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	if err := CheckFiles(v.Files); err != nil {
		return nil, err
	}
	payload, err := canon.Marshal(v)
	if err != nil || signer == nil {
		return payload, err
	}
	blob, err := keys.SignBlob(signer, keys.NamespaceReceipt, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	v.Signature = base64.StdEncoding.EncodeToString(blob)
	return canon.Marshal(v)
}

// ParseInventory reads what Seal wrote, from a storage that may lie: what it
// gives has paths that lead nowhere else, and each of them once.
func ParseInventory(data []byte) (*Inventory, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("the inventory %w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	if len(data) > MaxInventory {
		return nil, bad("it has more than %d bytes", MaxInventory)
	}
	if err := canon.Check(data); err != nil {
		return nil, bad("%v", err)
	}
	v := &Inventory{}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, bad("%v", err)
	}
	if v.Kind != inventoryKind || v.Format != inventoryFormat {
		return nil, bad("it is %q of format %d", v.Kind, v.Format)
	}
	if !caseForm().MatchString(v.Case) {
		return nil, bad("%q is no case", v.Case)
	}
	if err := CheckFiles(v.Files); err != nil {
		return nil, bad("%v", err)
	}
	// encoding/json takes "Files" for "files": only what Seal would write counts.
	if again, err := canon.Marshal(v); err != nil || !bytes.Equal(again, data) {
		return nil, bad("it is not in its one form")
	}
	return v, nil
}

var (
	caseForm   = pattern(`^[0-9]{8}T[0-9]{6}Z-[a-z0-9]{6}$`)
	digestForm = pattern(`^[0-9a-f]{64}$`)
)

// pattern is compiled when it is needed: nothing is to come between the start of
// the process and the freeze.
func pattern(s string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(s) })
}

// Signer gives the key that signed an inventory; nil where it is not signed.
func (v *Inventory) Signer() (ssh.PublicKey, error) {
	if v.Signature == "" {
		return nil, nil
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(v.Signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrSignature, err)
	}
	unsigned := *v
	unsigned.Signature = ""
	payload, err := canon.Marshal(unsigned)
	if err != nil {
		return nil, err
	}
	return keys.VerifyBlob(blob, bytes.NewReader(payload), keys.NamespaceReceipt)
}

// Below gives the files in a directory of the case, with paths from there on.
func (v *Inventory) Below(dir string) (list []File) {
	for _, f := range v.Files {
		if rest, ok := strings.CutPrefix(f.Path, dir+"/"); ok {
			list = append(list, File{rest, f.SHA256, f.Size})
		}
	}
	return list
}

// CheckFiles refuses paths that lead out of a directory, that a terminal or a
// file system takes for another, that come twice or are not in order, and sizes
// and digests that are none.
func CheckFiles(files []File) error {
	if len(files) > maxFiles {
		return fmt.Errorf("it names %d files", len(files))
	}
	last := ""
	dirs := map[string]bool{}
	for _, f := range files {
		switch {
		case !fs.ValidPath(f.Path) || f.Path == "." || len(f.Path) > maxPath || !utf8.ValidString(f.Path) || strings.ContainsFunc(f.Path, notPlain):
			return fmt.Errorf("%q is no path within a case", f.Path)
		case f.Path <= last:
			return fmt.Errorf("%q comes twice, or out of order", f.Path)
		case f.Size < 0 || !digestForm().MatchString(f.SHA256):
			return fmt.Errorf("%q has no size or no SHA-256", f.Path)
		case strings.HasSuffix(f.Path, partial):
			return fmt.Errorf("%q has the name of a file that is arriving", f.Path)
		}
		last = f.Path
		for i := range len(f.Path) {
			if f.Path[i] == '/' {
				dirs[f.Path[:i]] = true
			}
		}
	}
	for _, f := range files {
		if dirs[f.Path] {
			return fmt.Errorf("%q is a file and a directory", f.Path)
		}
	}
	return nil
}

func notPlain(r rune) bool { return !unicode.IsPrint(r) || r == '\\' }

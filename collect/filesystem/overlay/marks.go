// Package overlay reads the layers of an overlay file system as the kernel does
// (Documentation/filesystems/overlayfs.rst): whiteouts, opaque directories,
// redirects, and files of which only the metadata was copied up.
package overlay

import (
	"strings"

	"amber/evidence/record"
)

// Prefixes of the extended attributes that an overlay keeps its marks in. Which
// one counts is the mount's choice; the other one is data that anyone may write.
const (
	Trusted = "trusted.overlay."
	User    = "user.overlay." // option userxattr
	Fuse    = "user.fuseoverlayfs."
)

// Marks is what a layer's entry says of the layers below.
type Marks struct {
	Whiteout     bool   // nothing is there, whatever is below
	Opaque       bool   // nothing from below shows through
	Redirect     string // absolute, or a name in the same directory: what is below is there
	MetadataOnly bool   // a file whose content is below
}

// Read finds the marks of a member of a layer. prefix is one of the constants.
func Read(m *record.Member, prefix string) Marks {
	k := Marks{Whiteout: m.Type == record.CharDev && m.DevMajor == 0 && m.DevMinor == 0}
	for _, x := range m.Xattrs {
		name, ok := strings.CutPrefix(x.Name, prefix)
		if !ok {
			continue
		}
		switch name {
		case "whiteout":
			k.Whiteout = k.Whiteout || m.Type == record.File && m.Size == 0
		case "opaque":
			k.Opaque = m.Type == record.Dir && string(x.Value) == "y"
		case "redirect":
			k.Redirect = redirect(string(x.Value))
		case "metacopy":
			k.MetadataOnly = m.Type == record.File
		}
	}
	return k
}

// redirect refuses what the kernel would not have written.
func redirect(s string) string {
	s = strings.TrimRight(s, "\x00")
	name := strings.TrimPrefix(s, "/")
	if s == name && strings.Contains(s, "/") || record.CheckPath(name) != nil {
		return ""
	}
	return s
}

// Own says whether an extended attribute is an overlay's, not the container's.
func Own(name, prefix string) bool { return strings.HasPrefix(name, prefix) }

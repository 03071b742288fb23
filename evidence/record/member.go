// Package record holds the schemas of what amber writes into a bundle and
// reads again later.
package record

import "time"

// Type is the type of a member, in words that need no octal.
type Type string

const (
	File       Type = "file"
	Dir        Type = "dir"
	Symlink    Type = "symlink"
	Hardlink   Type = "hardlink" // Link names the member that holds the bytes
	FIFO       Type = "fifo"
	SocketFile Type = "socket" // in the index only: tar has no such type
	CharDev    Type = "char"
	BlockDev   Type = "block"
	Miss       Type = "miss" // wanted and not had; Reason says why
)

// Extent is a run of data in a sparse file: bytes from the file's start, in
// whole units (ExtentUnit) but at the file's end.
type Extent struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// Xattr is an extended attribute. Value is its bytes; the index line keeps
// values over 1 KiB as their SHA-256 (the tar header has them whole).
type Xattr struct {
	Name  string
	Value []byte

	sum  string // of a value that the line does not hold, as read from it
	size int64
}

// Member is one object in a bundle: what a collector knows of it, and what the
// writer adds. It is one line of the members index.
//
// Path is relative, slash-separated, begins with the payload's name and holds
// no empty, "." or ".." element; it may hold any byte but NUL and, in an
// element, slash. Times are exact to the nanosecond; zero where unknown.
type Member struct {
	Path      string
	Type      Type
	Mode      uint32 // permission bits with setuid 04000, setgid 02000, sticky 01000
	UID, GID  uint32
	Links     uint64 // number of hard links
	Inode     uint64
	Size      int64    // logical size in bytes of a File
	Link      string   // target of a Symlink (raw), or path of the member that a Hardlink means
	DevMajor  uint32   // CharDev, BlockDev
	DevMinor  uint32   //
	Extents   []Extent // data of a sparse File; nil for one that is stored whole. An empty non-nil list is all hole.
	Atime     time.Time
	Mtime     time.Time
	Ctime     time.Time
	Btime     time.Time
	Xattrs    []Xattr // sorted by name
	XattrsCut bool    // the line holds the first of them alone; the tar header has all
	ReadAt    time.Time
	Via       string   // how it was read where that is not plain: "statx", "map_files", "sock_diag", …
	Notes     []string // what went wrong or changed while it was read
	Reason    string   // of a Miss

	// Filled in by the writer.
	SHA256      [32]byte // of the logical bytes of a File; of the extents alone where HashExtents
	HashExtents bool     // the file has more than 1 GiB of holes, so its digest covers its extents alone
	Payload     string   // payload that holds its tar entry; empty for a Miss or Socket
	Offset      int64    // of its tar header, in the payload's plain bytes
	Data        int64    // of its content, in the payload's plain bytes
	Nonce       [16]byte
}

// Stored is the number of content bytes that a bundle keeps of a File: its
// size, or that of its extents.
func (m *Member) Stored() int64 {
	if m.Extents == nil {
		return m.Size
	}
	n := int64(0)
	for _, e := range m.Extents {
		n += e.Length
	}
	return n
}

package proc

import (
	"bytes"
	"strconv"
	"strings"
)

// FDInfo is what /proc/PID/fdinfo/N says first of every kind of file.
type FDInfo struct {
	Position int64
	Flags    string // octal, as the kernel wrote it
	Mount    int    // mount id; 0 where absent
	Inode    uint64 // since Linux 5.14; 0 where absent
	OK       bool   // pos and flags were there
}

// ParseFDInfo takes any bytes. Only the first line of each key counts: what
// follows is the file's own (eventfd, epoll, inotify, …).
func ParseFDInfo(b []byte) FDInfo {
	var f FDInfo
	seen := map[string]bool{}
	for line := range bytes.Lines(b) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), ":")
		if !ok || seen[key] {
			continue
		}
		seen[key] = true
		value = strings.TrimSpace(value)
		switch key {
		case "pos":
			n, err := strconv.ParseInt(value, 10, 64)
			f.Position, seen["pos ok"] = n, err == nil
		case "flags":
			f.Flags = value
		case "mnt_id":
			f.Mount, _ = strconv.Atoi(value) // stays 0, as where it is absent
		case "ino":
			f.Inode, _ = strconv.ParseUint(value, 10, 64)
		}
	}
	f.OK = seen["pos ok"] && f.Flags != ""
	return f
}

// Mode is how the file was opened: "r", "w", "rw" or "path" (O_PATH); "" where
// the flags are no octal number.
func (f FDInfo) Mode() string {
	flags, err := strconv.ParseUint(f.Flags, 8, 64)
	if err != nil {
		return ""
	}
	if flags&0o10000000 != 0 { // O_PATH
		return "path"
	}
	return [4]string{"r", "w", "rw", "rw"}[flags&3]
}

// ParseSocket gives the inode number of "socket:[N]".
func ParseSocket(target string) (uint64, bool) {
	s, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	s, ok = strings.CutSuffix(s, "]")
	n, err := strconv.ParseUint(s, 10, 64)
	return n, ok && err == nil
}

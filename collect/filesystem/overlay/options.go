package overlay

import (
	"strconv"
	"strings"
)

// Dirs are the directories of an overlay mount.
type Dirs struct {
	Upper, Work string
	Lower       []string // topmost first; data-only layers last
	UserXattr   bool
}

// ParseOptions reads the options of an overlay's superblock as
// /proc/PID/mountinfo shows them: octal escapes of that file's, and beneath
// them the backslashes that an overlay wants before colons.
func ParseOptions(super string) Dirs {
	var d Dirs
	for o := range strings.SplitSeq(super, ",") {
		name, value, _ := strings.Cut(o, "=")
		value = unescape(value)
		switch name {
		case "upperdir":
			d.Upper = value
		case "workdir":
			d.Work = value
		case "lowerdir":
			d.Lower = append(d.Lower, splitDirs(value)...)
		case "lowerdir+", "datadir+":
			d.Lower = append(d.Lower, value)
		case "userxattr":
			d.UserXattr = true
		}
	}
	return d
}

// splitDirs cuts at colons that no backslash stands before, and drops the
// backslashes. Two colons come before data-only layers.
func splitDirs(s string) []string {
	var out []string
	var dir []byte
	end := func() {
		if len(dir) > 0 {
			out = append(out, string(dir))
		}
		dir = nil
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			dir = append(dir, s[i])
		case s[i] == ':':
			end()
		default:
			dir = append(dir, s[i])
		}
	}
	end()
	return out
}

// unescape undoes octal escapes and leaves other backslashes alone.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

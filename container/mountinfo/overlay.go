package mountinfo

import "strings"

// Overlay is what the options of an overlay mount say.
type Overlay struct {
	Upper, Work string
	Lower       []string // topmost first; data-only layers last
	UserXattr   bool
}

// ParseOverlay reads the options of an overlay's superblock (Mount.Super) as
// /proc/PID/mountinfo shows them: octal escapes of that file's, and beneath
// them the backslashes that an overlay wants before colons.
func ParseOverlay(super string) Overlay {
	var d Overlay
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

package sigma

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"amber/timeline"
	"amber/timeline/detect"
)

// What is derived from the columns of an event.
const (
	derivedUser      = "=user"      // user.name; where only the id is known, root's
	derivedHashes    = "=hashes"    // SHA256=…
	derivedInitiated = "=initiated" // the connection was begun here
	derivedTime      = "=time"      // the event's, in UTC
	written          = "=written"   // a file was opened to be written, or not merely opened
)

// derive appends the values of a derived field. Their texts last as long as the
// event's.
func derive(dst []detect.Value, v detect.View, name string) []detect.Value {
	switch name {
	case derivedUser:
		return user(dst, v)
	case derivedHashes:
		n := len(dst)
		dst = v.Column(dst, "process.hash.sha256")
		for i := n; i < len(dst); i++ {
			dst[i].Text = append([]byte("SHA256="), dst[i].Text...)
		}
	case derivedInitiated:
		n := len(dst)
		dst = v.Column(dst, "network.direction")
		for i := n; i < len(dst); i++ {
			dst[i] = detect.Value{Kind: detect.Bool, Text: truth(string(dst[i].Text) == "egress" || string(dst[i].Text) == "outbound")}
		}
	case derivedTime:
		if t := v.Event().Time; t != timeline.NoTime {
			at := time.UnixMicro(t.Micros).Add(time.Duration(t.Nanos)).UTC()
			dst = append(dst, detect.Value{Text: at.AppendFormat(nil, time.RFC3339Nano)})
		}
	case derivedStem, derivedQuery:
		return requested(dst, v, name)
	case derivedExtension:
		return extension(dst, v)
	case derivedName:
		return namesAsked(dst, v)
	case derivedVerdict, derivedBlocked:
		return verdicts(dst, v, name == derivedBlocked)
	case written:
		return append(dst, detect.Value{Kind: detect.Bool, Text: truth(writes(dst[len(dst):], v))})
	}
	return dst
}

func truth(b bool) []byte {
	if b {
		return view("true")
	}
	return view("false")
}

func user(dst []detect.Value, v detect.View) []detect.Value {
	n := len(dst)
	if dst = v.Column(dst, "user.name"); len(dst) > n {
		return dst
	}
	dst = v.Column(dst, "user.id")
	for i := n; i < len(dst); i++ {
		if string(dst[i].Text) == "0" {
			dst[i] = detect.Value{Text: view("root")}
		}
	}
	return dst
}

// writes tells of an event of the audit log, Tracee or sysdig that opened a file whether
// it was to write it: by the call's flags, or because the file was made. Other events are
// those that change a file. Room is overwritten.
func writes(room []detect.Value, v detect.View) bool {
	if a := v.Column(room, "event.action"); len(a) != 1 || string(a[0].Text) != "opened-file" {
		return true
	}
	call := v.Column(room, "auditd.data.syscall")
	if len(call) == 0 {
		return slices.ContainsFunc(v.Column(room, "tracee.args.flags"), func(f detect.Value) bool { return writingByName(f.Text) }) ||
			slices.ContainsFunc(v.Column(room, "sysdig.evt.info"), func(f detect.Value) bool { return writingInDetail(f.Text) }) ||
			slices.ContainsFunc(v.Column(room, "sysdig.evt.args"), func(f detect.Value) bool { return writingInDetail(f.Text) })
	}
	flags := ""
	switch string(call[0].Text) {
	case "open":
		flags = "auditd.data.a1"
	case "openat", "open_by_handle_at":
		flags = "auditd.data.a2"
	case "openat2": // they are behind a pointer
	default:
		return true // creat, truncate and their kin
	}
	for _, f := range v.Values(room, "nametype") {
		if string(f.Text) == "CREATE" {
			return true
		}
	}
	if flags == "" {
		return false
	}
	for _, f := range v.Column(room, flags) {
		if writing(f.Text) {
			return true
		}
	}
	return false
}

// writing reads flags of open(2) in hexadecimal: O_WRONLY, O_RDWR, O_CREAT.
func writing(hex []byte) bool {
	n := 0
	for _, c := range hex[max(0, len(hex)-4):] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return false
		}
	}
	return n&0o103 != 0
}

// writingByName reads flags of open(2) as Tracee writes them: by their names, or
// as a decimal number.
func writingByName(flags []byte) bool {
	if n, err := strconv.Atoi(string(flags)); err == nil {
		return n&0o103 != 0
	}
	return bytes.Contains(flags, []byte("O_WRONLY")) || bytes.Contains(flags, []byte("O_RDWR")) || bytes.Contains(flags, []byte("O_CREAT"))
}

// writingInDetail reads what sysdig says of a call that opened a file:
// "fd=3(<f>/etc/x) name=/etc/x flags=262(O_TRUNC|O_CREAT|O_WRONLY) mode=0644".
func writingInDetail(detail []byte) bool {
	fd, found := bytes.CutPrefix(detail, []byte("fd="))
	if !found {
		_, fd, found = bytes.Cut(detail, []byte(" fd="))
	}
	if !found || bytes.HasPrefix(fd, []byte{'-'}) { // the call's beginning, or an error
		return false
	}
	_, flags, _ := bytes.Cut(detail, []byte(" flags="))
	flags, _, _ = bytes.Cut(flags, []byte{' '})
	return writingByName(flags)
}

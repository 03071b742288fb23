package falco

import (
	"bytes"
	"path"

	"amber/timeline/detect"
)

// descriptorField is what is known of the file or the connection of a call.
func descriptorField(field string) accessor {
	switch field {
	case "fd.name":
		return descriptorName
	case "fs.path.name":
		return filePath
	case "fd.directory":
		return mapped(filePath, dirname)
	case "fd.filename":
		return mapped(filePath, basename)
	case "fd.typechar":
		return descriptorType("f", "d", "4", "6")
	case "fd.type":
		return descriptorType("file", "directory", "ipv4", "ipv6")
	case "fd.sockfamily":
		return mapped(column("destination.ip", "source.ip"), func(buf, _ []byte) ([]byte, bool) {
			return append(buf, "ip"...), true
		})
	case "fd.ip", "fd.net":
		return both("source.ip", "destination.ip")
	case "fd.port":
		return both("source.port", "destination.port")
	case "fd.sip", "fd.snet":
		return column("destination.ip")
	case "fd.cip", "fd.cnet":
		return column("source.ip")
	case "fd.sport":
		return column("destination.port")
	case "fd.cport":
		return column("source.port")
	case "fd.rip", "fd.rnet":
		return side("destination.ip", "source.ip")
	case "fd.lip", "fd.lnet":
		return side("source.ip", "destination.ip")
	case "fd.rport":
		return side("destination.port", "source.port")
	case "fd.lport":
		return side("source.port", "destination.port")
	case "fd.l4proto":
		return column("network.transport")
	case "fd.sip.name", "fd.rip.name":
		return column("destination.domain")
	}
	return nil
}

// both are two columns, one of which is enough.
func both(a, b string) accessor {
	return func(s *scratch, v detect.View) bool {
		s.vals = v.Column(s.vals, a)
		s.vals = v.Column(s.vals, b)
		return len(s.vals) > 0
	}
}

// side is a column by the direction of the connection.
func side(outwards, inwards string) accessor {
	return func(s *scratch, v detect.View) bool {
		s.more = v.Column(s.more[:0], "network.direction")
		name := outwards
		if len(s.more) > 0 && string(s.more[0].Text) == "ingress" {
			name = inwards
		}
		s.vals = v.Column(s.vals, name)
		return len(s.vals) > 0
	}
}

// filePath is the file's path without "." and "..", as Falco has it.
func filePath(s *scratch, v detect.View) bool {
	if s.vals = v.Column(s.vals, "file.path"); len(s.vals) == 0 {
		return false
	}
	last := &s.vals[len(s.vals)-1]
	if bytes.Contains(last.Text, []byte("/.")) || bytes.Contains(last.Text, []byte("//")) {
		last.Text = []byte(path.Clean(string(last.Text)))
	}
	return true
}

// descriptorName is a file's path, or a connection as Falco writes one.
func descriptorName(s *scratch, v detect.View) bool {
	if filePath(s, v) {
		return true
	}
	s.more = s.more[:0]
	for _, name := range []string{"source.ip", "source.port", "destination.ip", "destination.port"} {
		s.more = v.Column(s.more, name)
	}
	if len(s.more) != 4 {
		return false
	}
	start := len(s.buf)
	for i, between := range []string{":", "->", ":", ""} {
		s.buf = append(append(s.buf, s.more[i].Text...), between...)
	}
	s.built(start)
	return true
}

// descriptorType tells files, directories and addresses apart.
func descriptorType(file, dir, v4, v6 string) accessor {
	return func(s *scratch, v detect.View) bool {
		s.more = v.Column(s.more[:0], "destination.ip")
		if len(s.more) == 0 {
			s.more = v.Column(s.more, "source.ip")
		}
		if len(s.more) > 0 {
			if bytes.IndexByte(s.more[0].Text, ':') >= 0 {
				s.addString(v6)
			} else {
				s.addString(v4)
			}
			return true
		}
		if s.more = v.Column(s.more, "file.path"); len(s.more) == 0 {
			return false
		}
		if flags, ok := openFlags(s, v); ok && flags&0o200000 != 0 {
			s.addString(dir)
		} else {
			s.addString(file)
		}
		return true
	}
}

package correlate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"amber/timeline"
)

// placement joins pod, container, image and node where one record names them.
func (b *builder) placement(r *row) {
	container := b.entity(Ref{Container, containerName(r.field(timeline.ContainerID))}, r)
	node := b.entity(Ref{Node, r.field(timeline.HostName)}, r)
	if container != none {
		if e := &b.g.Entities[container]; e.Label == "" {
			e.Label = strings.Clone(r.field(timeline.ContainerName))
		}
	}
	const why = "one record names both"
	inside := container
	if pod := r.target(); pod.Kind == Pod {
		p := b.entity(pod, r)
		b.link(InPod, container, p, Certain, why, r)
		inside = p
	}
	b.link(OnNode, inside, node, Certain, why, r)
	if image := r.field(timeline.ContainerImageName); image != "" {
		b.link(RunsImage, container, b.entity(Ref{Image, image}, r), Certain, why, r)
	}
	if instance := r.field(timeline.CloudInstanceID); instance != "" {
		b.link(OnNode, node, b.entity(Ref{Instance, instance}, r), Certain, why, r)
	}
}

// listener is a process that a socket of its waits in.
type listener struct {
	container, host, pid int32 // the first two are interned
	port                 int64
	row                  timeline.RowID
	time                 timeline.Time
}

// listens notes what waits for connections.
func (b *builder) listens(r *row, action string, pid int32) {
	switch action {
	case "socket-listening", "listen-for-connections", "bound-socket":
	default:
		return
	}
	port, _ := r.number(timeline.DestinationPort)
	if port == 0 {
		return
	}
	if len(b.ports) >= maxRequests {
		b.lost["listening sockets"]++
		return
	}
	n := &b.g.names
	b.ports = append(b.ports, listener{n.id(containerName(r.field(timeline.ContainerID))), n.id(r.field(timeline.HostName)), pid, port, r.ID, r.Time})
}

// connection joins an address to the container or the node that it is of, and
// to those that it was reached from.
func (b *builder) connection(r *row, action string) {
	switch action {
	case "connected-to", "sent-to", "connection-seen", "flow-started", "flow-seen":
		b.reached(r)
	}
}

func (b *builder) reached(r *row) {
	own, there := address(r.field(timeline.SourceIP)), address(r.field(timeline.DestinationIP))
	inside := b.inside(r)
	if own != "" && !isLocal(own) && r.text("network.direction") != "ingress" {
		why := "a connection made inside has it for its own address"
		b.link(HasAddress, inside, b.entity(Ref{Address, own}, r), Likely, why, r)
	}
	if there != "" && !isLocal(there) {
		b.link(Reached, inside, b.entity(Ref{Address, there}, r), Certain, "the record says so", r)
	}
}

// inside is the pod, the container or the node that an event happened in.
func (b *builder) inside(r *row) int32 {
	if pod := r.target(); pod.Kind == Pod {
		return b.entityAt(pod, r.Time)
	}
	if container := containerName(r.field(timeline.ContainerID)); container != "" {
		return b.entityAt(Ref{Container, container}, r.Time)
	}
	return b.entityAt(Ref{Node, r.field(timeline.HostName)}, r.Time)
}

// IsPublic tells addresses of the Internet from those of a cluster or a
// machine; documentation's own count as public.
func IsPublic(s string) bool {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return false
	}
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	return !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified() && !shared.Contains(a)
}

// writeKey is a file that a process wrote, or of a bundle's drift, whose writer
// is not known, that a container has.
type writeKey struct {
	proc      int32
	container int32 // of drift
	path      int32
}

// write is the first time that it did.
type write struct {
	time  timeline.Time
	row   timeline.RowID
	count int64
}

func (w write) with(o write) write {
	n := w.count + o.count
	if before(o.time, w.time) || o.time == w.time && slices.Compare(o.row[:], w.row[:]) < 0 {
		w = o
	}
	w.count = n
	return w
}

// file notes what was written.
func (b *builder) file(r *row, proc int32, action string) {
	path := r.field(timeline.FilePath)
	if path == "" || r.failed() || !isWrite(r, action) {
		return
	}
	key := writeKey{proc: proc, path: b.g.names.id(path)}
	if strings.HasPrefix(r.field(timeline.EventDataset), "amber.file") {
		key = writeKey{proc: none, path: key.path, container: b.g.names.id(containerName(r.field(timeline.ContainerID)))}
	} else if proc == none {
		return
	}
	old, ok := b.written[key]
	if !ok && len(b.written) >= maxFiles {
		b.lost["files that were written"]++
		return
	}
	w := write{r.Time, r.ID, 1}
	if ok {
		w = old.with(w)
	}
	b.written[key] = w
}

func isWrite(r *row, action string) bool {
	switch action {
	case "wrote-to-file", "renamed", "linked", "created-file":
		return true
	case "file-created", "file-modified":
		return r.text("amber.drift") == "added" || r.text("amber.drift") == "changed"
	case "opened-file":
		return opensForWriting(r)
	}
	return false
}

// opensForWriting reads the flags of open and openat, which auditd has in
// hexadecimal and Falco in words.
func opensForWriting(r *row) bool {
	if flags := r.text("falco.output_fields.evt.arg.flags"); flags != "" {
		return strings.Contains(flags, "O_WRONLY") || strings.Contains(flags, "O_RDWR") || strings.Contains(flags, "O_CREAT")
	}
	text := ""
	switch r.text("auditd.data.syscall") {
	case "creat":
		return true
	case "open":
		text = r.text("auditd.data.a1")
	case "openat":
		text = r.text("auditd.data.a2")
	}
	flags, err := strconv.ParseUint(text, 16, 64)
	const wronly, rdwr, create = 1, 2, 0x40
	return err == nil && flags&(wronly|rdwr|create) != 0
}

// place is where a path means the same file.
type place struct{ container, host, path int32 }

// settleFiles joins files that were written to what was run of them later.
func (b *builder) settleFiles() {
	t := &b.procs
	at := map[place][]writeKey{}
	for key := range b.written {
		p := place{container: key.container, path: key.path}
		if key.proc != none {
			p = placeOf(&t.all[key.proc], key.path)
		}
		at[p] = append(at[p], key)
	}
	for i := range t.all {
		p := &t.all[i]
		if !p.known {
			continue
		}
		b.ranFile(at[placeOf(p, p.exe)], int32(i), p.exe, Certain, "the file that was run has the path that was written, in the same container")
		if script, ok := t.names.find(scriptOf(t.names.text(p.exe), t.names.text(p.cmd))); ok && script != 0 {
			b.ranFile(at[placeOf(p, script)], int32(i), script, Likely, "an interpreter was given the path that was written")
		}
	}
}

// placeOf is where a process sees a path: in its container, else on its host.
func placeOf(p *proc, path int32) place {
	if p.container != 0 {
		return place{container: p.container, path: path}
	}
	return place{host: p.host, path: path}
}

func (b *builder) ranFile(writes []writeKey, i, path int32, sure Sure, why string) {
	t := &b.procs
	p := &t.all[i]
	for _, key := range writes {
		w := b.written[key]
		if w.time.Micros > p.start || key.proc == i {
			continue
		}
		if p.inherited && sure > Likely {
			sure, why = Likely, why+", as far as its parents tell the container"
		}
		file := b.entityAt(Ref{File, fileName(t.names.text(p.container), t.names.text(p.host), t.names.text(path))}, w.time)
		if key.proc != none {
			b.linkRow(Wrote, b.processEntity(key.proc), file, Certain, "one record names both", w.time, w.row)
		}
		b.linkRow(RunAs, file, b.processEntity(i), sure, why, p.first, p.row).also(w.row)
	}
}

// scriptOf is the file that an interpreter is given, "" where there is none.
func scriptOf(exe, command string) string {
	if !hasPrefixAny(baseName(exe), "sh", "bash", "dash", "ash", "zsh", "busybox", "python", "perl", "ruby", "node", "php") {
		return ""
	}
	words := strings.Fields(command)
	if baseName(exe) == "busybox" && len(words) > 0 && !slices.Contains([]string{"sh", "ash", "busybox"}, baseName(words[0])) {
		return "" // an applet
	}
	for i, w := range words {
		if i > 0 && strings.HasPrefix(w, "/") && w != exe {
			return w
		}
		if i > 0 && strings.HasPrefix(w, "-") {
			return ""
		}
	}
	return ""
}

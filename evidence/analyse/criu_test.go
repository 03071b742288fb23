package analyse

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/checkpoint-restore/go-criu/v8/crit/images/fdinfo"
	skinet "github.com/checkpoint-restore/go-criu/v8/crit/images/sk-inet"
	"google.golang.org/protobuf/proto"

	"amber/evidence/record"
)

// realImages are those of a real checkpoint by CRIU 4.1.1 of a shell that
// counts, without the pages.
func realImages(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/images/*.img")
	must(t, err)
	files := map[string][]byte{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		must(t, err)
		files[filepath.Base(p)] = b
	}
	return files
}

func inArchive(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "checkpoint/" + name, Size: int64(len(data))}))
		_, err := w.Write(data)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// checkpointOf reads an archive.
func checkpointOf(archive []byte) *Checkpoint {
	im := &images{files: map[string]Part{}, content: func(*record.Member) (io.ReaderAt, error) { return bytes.NewReader(archive), nil }}
	im.find(&record.Member{Path: checkpointArchive, Type: record.File, Size: int64(len(archive))})
	c := &Checkpoint{im: im, Bad: im.bad}
	c.read()
	im.memories()
	_, _ = c.Environ(1)
	return c
}

func TestCheckpointInAnArchive(t *testing.T) {
	c := checkpointOf(inArchive(t, realImages(t)))
	if len(c.Processes) != 2 {
		t.Fatalf("%d processes; %v", len(c.Processes), c.Bad)
	}
	p := c.Processes[0]
	if p.PID != 1 || p.Comm != "sh" || p.Exe == nil || p.Exe.Link != "/bin/busybox" || len(p.Files) != 3 || p.Cwd != "/" || p.UIDs == nil {
		t.Errorf("%+v %+v", p, p.Exe)
	}
	if c.Processes[1].PPID != 1 {
		t.Errorf("%+v", c.Processes[1])
	}
	// The pages are not among the files, and that is all that is wrong.
	for _, err := range c.Bad {
		if !strings.Contains(err.Error(), "pages") {
			t.Error(err)
		}
	}
}

// What an image claims is held against what is there.
func TestHostileImages(t *testing.T) {
	huge := func(magic uint32, length uint32) []byte {
		b := binary.LittleEndian.AppendUint32(nil, magicCommon)
		b = binary.LittleEndian.AppendUint32(b, magic)
		return binary.LittleEndian.AppendUint32(b, length)
	}
	run := []byte{8, 0x80, 0x80, 0x02, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x20, 4} // pages without end
	pages := append(binary.LittleEndian.AppendUint32(append(huge(magicPagemap, 2), 8, 1), uint32(len(run))), run...)
	for name, change := range map[string]func(map[string][]byte){
		"a message of 4 GiB":       func(f map[string][]byte) { f["pstree.img"] = huge(magicPstree, 1<<32-1) },
		"pages that are not there": func(f map[string][]byte) { f["pagemap-1.img"] = pages },
		"another image's magic":    func(f map[string][]byte) { f["mm-1.img"] = f["core-1.img"] },
		"half an image":            func(f map[string][]byte) { f["files.img"] = f["files.img"][:len(f["files.img"])/2] },
		"no image":                 func(f map[string][]byte) { f["core-1.img"] = nil },
	} {
		files := realImages(t)
		change(files)
		if c := checkpointOf(inArchive(t, files)); len(c.Bad) == 0 {
			t.Errorf("%s: nothing is said", name)
		}
	}
}

// An entry of an archive that claims terabytes is not believed.
func TestArchiveThatClaimsTerabytes(t *testing.T) {
	var b bytes.Buffer
	must(t, tar.NewWriter(&b).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "checkpoint/pages-1.img", Size: 5 << 40}))
	c := checkpointOf(b.Bytes())
	if len(c.Bad) == 0 || !strings.Contains(c.Bad[0].Error(), "claims 5497558138880 bytes") {
		t.Errorf("%v", c.Bad)
	}
}

// Sockets of the internet's, written by go-criu's types: addresses come as
// words, one by one.
func TestInetSocketsOfACheckpoint(t *testing.T) {
	four := &skinet.InetSkEntry{
		Id: proto.Uint32(901), Ino: proto.Uint32(77), Family: proto.Uint32(2), Type: proto.Uint32(1), Proto: proto.Uint32(6), State: proto.Uint32(1),
		SrcPort: proto.Uint32(40000), DstPort: proto.Uint32(443), SrcAddr: []uint32{0x0200000a}, DstAddr: []uint32{0x071200cb},
	}
	six := &skinet.InetSkEntry{
		Id: proto.Uint32(902), Ino: proto.Uint32(78), Family: proto.Uint32(10), Type: proto.Uint32(2), Proto: proto.Uint32(17), State: proto.Uint32(7),
		SrcPort: proto.Uint32(53), SrcAddr: []uint32{0xb80d0120, 0, 0, 0x01000000}, DstAddr: []uint32{0, 0, 0, 0},
	}
	files := realImages(t)
	for _, e := range []*skinet.InetSkEntry{four, six} {
		files["files.img"] = appendEntry(t, files["files.img"], &fdinfo.FileEntry{Type: fdinfo.FdTypes_INETSK.Enum(), Id: e.Id, Isk: e})
	}
	files["fdinfo-2.img"] = appendEntry(t, files["fdinfo-2.img"], &fdinfo.FdinfoEntry{Id: proto.Uint32(901), Flags: proto.Uint32(0), Type: fdinfo.FdTypes_INETSK.Enum(), Fd: proto.Uint32(9)})
	c := checkpointOf(inArchive(t, files))
	if len(c.Sockets) != 2 {
		t.Fatalf("%+v; %v", c.Sockets, c.Bad)
	}
	a, b := c.Sockets[0], c.Sockets[1]
	if a.Family != "inet" || a.Protocol != "tcp" || a.State != "established" || a.Local != "10.0.0.2" || a.Remote != "203.0.18.7" || a.LocalPort != 40000 || a.RemotePort != 443 ||
		len(a.Owners) != 1 || a.Owners[0].PID != 1 || a.Owners[0].FD != 9 {
		t.Errorf("%+v", a)
	}
	if b.Family != "inet6" || b.Protocol != "udp" || b.Type != "dgram" || b.Local != "2001:db8::1" || b.Remote != "::" || len(b.Owners) != 0 {
		t.Errorf("%+v", b)
	}
}

// appendEntry adds a message to an image.
func appendEntry(t *testing.T, image []byte, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
	must(t, err)
	return append(binary.LittleEndian.AppendUint32(bytes.Clone(image), uint32(len(b))), b...)
}

func FuzzCheckpoint(f *testing.F) {
	files := realImages(f)
	f.Add(inArchive(f, files))
	files["pages-1.img"], files["pages-2.img"] = make([]byte, 80<<10), make([]byte, 72<<10)
	f.Add(inArchive(f, files))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, archive []byte) {
		c := checkpointOf(archive)
		Tree(c.Processes)
		for _, p := range c.Processes {
			if p.PID <= 0 {
				t.Errorf("process %d", p.PID)
			}
		}
	})
}

func FuzzImage(f *testing.F) {
	for name, b := range realImages(f) {
		f.Add(name, b)
	}
	base := realImages(f)
	f.Fuzz(func(_ *testing.T, name string, b []byte) {
		im := &images{files: map[string]Part{}, content: func(m *record.Member) (io.ReaderAt, error) {
			if m.Path == name {
				return bytes.NewReader(b), nil
			}
			return bytes.NewReader(base[m.Path]), nil
		}}
		for other, data := range base {
			im.files[other] = Part{&record.Member{Path: other}, 0, int64(len(data))}
		}
		im.files[name] = Part{&record.Member{Path: name}, 0, int64(len(b))}
		c := &Checkpoint{im: im}
		c.read()
		im.memories()
		_, _ = c.Environ(1)
	})
}

package evidence_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence"
	"amber/evidence/keys"
	"amber/evidence/record"
	"amber/evidence/stocktest"
)

// TestDocumentedCommands runs the commands of docs/bundle-format.md, word for
// word: on a bundle, where each must succeed, and on copies that were tampered
// with, where each must fail. They run in a chroot that holds their programs
// and no amber, unless they need python3 or this is not root.
func TestDocumentedCommands(t *testing.T) {
	blocks := shellBlocks(t, "../docs/bundle-format.md")
	functions, ok := blocks["# manifest: the manifest's file, checked. plain TYPE [PAYLOAD]: a stream, its segments checked."]
	if !ok || len(blocks) < 8 {
		t.Fatalf("docs/bundle-format.md has %d blocks, and the functions among them: %v", len(blocks), ok)
	}
	stocktest.Need(t, documentedTools)
	bundle, signers := sealedBundle(t)
	stock := stockRoot(t)
	for title, block := range blocks {
		tamperings, known := tampered[title]
		if block == functions {
			continue
		}
		if !known {
			t.Errorf("no tampering is listed for the block %q", title)
		}
		t.Run(strings.Trim(title, "# ."), func(t *testing.T) {
			root := stock
			if strings.Contains(block, "python3") {
				root = plainRoot(t)
			}
			w := documented{root: root, signers: signers, script: functions + block}
			w.run(t, bundle, func(*testing.T, string) {}, true)
			for _, tamper := range tamperings {
				w.run(t, bundle, tamper, false)
			}
		})
	}
}

var documentedTools = []string{
	"sh", "cat", "cut", "find", "head", "jq", "openssl", "sha256sum", "sort", "ssh-keygen", "tail", "tar", "zstd",
}

// tampering changes a copy of the bundle.
type tampering func(t *testing.T, dir string)

// tampered lists for each block what it must notice.
var tampered = map[string][]tampering{
	"# Nothing that was sealed has changed,": {
		flip("oci-layout"), flip("index.json"), flip("README.txt"), flip("blobs/sha256/*"), flip("SHA256SUMS"),
		add("blobs/sha256/" + strings.Repeat("0", 64)), add("more"), remove("README.txt"),
	},
	"# Who signed it?": {flip("SHA256SUMS"), flip("seal/001-sshsig"), remove("seal/001-sshsig")},
	"# The same by openssl: the statement is signed with the signer's own key, which": {
		flip("SHA256SUMS"), flip("seal/002-dsse.pae"), flip("seal/002-dsse.sig"), flip("seal/002-dsse.pub.pem"), flipPayload, remove("seal/002-dsse.sig"),
	},
	"# What is in it, and how was it taken?":                                               {flip("index.json"), flipHolding(`"artifactType"`), flipHolding(`"argv"`)},
	"# A payload as a tar.":                                                                {flipLayer("filesystem")},
	"# What could not be had, and what was noted.":                                         {flipLayer("members")},
	"# One file, against the digest that the index has for it.":                            {flipLayer("filesystem"), flipLayer("members")},
	"# All files of a payload that are not sparse, by their places, whatever their names.": {flipLayer("filesystem"), flipLayer("members")},
	"# The Merkle root, as RFC 6962 has it.":                                               {flipLayer("members"), flipHolding(`"artifactType"`)},
	"# Every frame against the frames blob, and the paths blob against the index.": {
		flipLayer("filesystem"), flipLayer("members"), flipLayer("paths"), flipLayer("frames"),
	},
}

// flipPayload changes what the envelope holds, and leaves it an envelope.
func flipPayload(t *testing.T, dir string) {
	name := filepath.Join(dir, "seal/002-dsse.json")
	data, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, bytes.Replace(data, []byte(`"payload":"ey`), []byte(`"payload":"eyAg`), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// documented is a block to be run.
type documented struct {
	root    string // what is / to it
	signers string // text of an allowed_signers file
	script  string
}

// run runs the block on a copy of the bundle that tamper has changed.
func (d documented) run(t *testing.T, bundle string, tamper tampering, want bool) {
	t.Helper()
	work, err := os.MkdirTemp(filepath.Join(d.root, "tmp"), "amber-docs-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	dir := filepath.Join(work, "bundle")
	err = errors.Join(os.CopyFS(dir, os.DirFS(bundle)), os.Mkdir(filepath.Join(work, "out"), 0o700),
		os.WriteFile(filepath.Join(work, "signers"), []byte(d.signers), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	tamper(t, dir)
	in := stocktest.Inside(d.root, work)
	cmd := stocktest.Shell(d.root, dir, d.script,
		"PATH=/usr/bin:/bin:"+os.Getenv("PATH"), "SIGNERS="+in+"/signers", "WHO=ana@laptop", "OUT="+in+"/out")
	out, err := cmd.CombinedOutput()
	if (err == nil) != want {
		t.Errorf("success is %v, want %v: %v\n%.2000q", err == nil, want, err, out)
	}
}

// shellBlocks gives the shell blocks of a document by their first lines.
func shellBlocks(t *testing.T, file string) map[string]string {
	t.Helper()
	blocks := map[string]string{}
	for _, block := range stocktest.Blocks(t, file) {
		title, _, _ := strings.Cut(block, "\n")
		blocks[title] = block
	}
	return blocks
}

// sealedBundle makes a bundle with what the format has in it, signed, and the
// allowed signer's line.
func sealedBundle(t *testing.T) (dir, signers string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "bundle")
	w, err := evidence.Create(dir, "20261122T033000Z-shop-abcdef", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"process", "filesystem"} {
		p, err := w.Payload(name)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, p, name)
	}
	signer, line := newSigner(t)
	s, err := w.Seal(&record.Acquisition{Argv: []string{"amber", "collect"}, Target: []byte("null"), Name: "containerd://x/shop"}, signer)
	if err != nil || s.State != evidence.Sealed {
		t.Fatal(s.State, err, s.SignError)
	}
	return dir, line
}

func fill(t *testing.T, p *evidence.Payload, name string) {
	t.Helper()
	tmp := name + "/upper/tmp"
	mtime := time.Date(2026, 11, 22, 3, 30, 0, 123456789, time.UTC)
	add := func(m *record.Member, content string) {
		m.Mode, m.Mtime, m.Size = 0o644, mtime, max(m.Size, int64(len(content)))
		if err := p.Add(m, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	add(&record.Member{Path: tmp, Type: record.Dir}, "")
	add(&record.Member{Path: tmp + "/loot.txt", Type: record.File}, "db_password=hunter2\n")
	add(&record.Member{Path: tmp + "/caf\xe9\n", Type: record.File, Xattrs: []record.Xattr{{Name: "user.note", Value: []byte{0, 1}}}}, "not UTF-8")
	add(&record.Member{Path: tmp + "/long-" + strings.Repeat("x", 200), Type: record.Symlink, Link: "../../.."}, "")
	add(&record.Member{Path: tmp + "/sparse", Type: record.File, Size: 1 << 20, Extents: []record.Extent{{Offset: 4096, Length: 512}}}, strings.Repeat("s", 512))
	add(&record.Member{Path: tmp + "/big", Type: record.File}, strings.Repeat("a line of a larger file\n", 100_000))
	for i := range 300 { // several frames of the index
		add(&record.Member{Path: fmt.Sprintf("%s/many/%d", tmp, i), Type: record.File}, fmt.Sprint(i))
	}
	if err := errors.Join(p.Miss(name+"/gone", io.ErrUnexpectedEOF), p.Close()); err != nil {
		t.Fatal(err)
	}
}

func newSigner(t *testing.T) (evidence.Signer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if _, err := keys.New(path, []byte("x"), "ana@laptop"); err != nil {
		t.Fatal(err)
	}
	s, err := keys.Unlock(path, func() ([]byte, error) { return []byte("x"), nil })
	if err != nil {
		t.Fatal(err)
	}
	p256, err := keys.StatementKey(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, k := range []ssh.PublicKey{s.PublicKey(), p256} {
		line, err := keys.SignerLine("ana@laptop", k)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return evidence.SignWith(s), strings.Join(lines, "\n") + "\n"
}

// stockRoot is what is / to the documented programs.
func stockRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("a chroot needs root: the commands run where amber may be found")
		return "/"
	}
	return stocktest.Root(t, documentedTools)
}

func plainRoot(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	return "/"
}

// flip flips a bit in the middle of each file that matches.
func flip(pattern string) tampering {
	return func(t *testing.T, dir string) {
		names, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, name := range names {
			stocktest.Flip(t, name)
		}
	}
}

// flipHolding flips a bit of the JSON blob that holds a text.
func flipHolding(text string) tampering {
	return func(t *testing.T, dir string) {
		names, _ := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
		for _, name := range names {
			if data, _ := os.ReadFile(name); bytes.HasPrefix(data, []byte("{")) && bytes.Contains(data, []byte(text)) {
				stocktest.Flip(t, name)
				return
			}
		}
		t.Fatalf("no blob holds %s", text)
	}
}

// flipLayer flips a bit of the last blob of a payload, or of another kind.
func flipLayer(kind string) tampering {
	return func(t *testing.T, dir string) { stocktest.Flip(t, stocktest.Layer(t, dir, kind)) }
}

func add(name string) tampering {
	return func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(name string) tampering {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

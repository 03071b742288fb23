package harness

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/stocktest"
	"amber/timeline"
	"amber/timeline/store"
)

// auditorTools are what docs/auditor.md says that it needs: a shell, coreutils,
// ssh-keygen, openssl, tar, zstd.
var auditorTools = []string{
	"sh", "cat", "cmp", "cut", "fold", "head", "ls", "sort", "tail", "tr", "stat", "base64", "basenc", "sha256sum",
	"ssh-keygen", "openssl", "tar", "zstd",
}

// noticed lists for each block, by its number, what it must notice: changes to a
// copy of the case.
var noticed = map[string][]func(w *walk){
	"1": {
		flip("evidence/*/oci-layout"), flip("evidence/*/index.json"), flip("evidence/*/README.txt"), flip("evidence/*/blobs/sha256/*"),
		flip("evidence/*/SHA256SUMS"), put("blobs/sha256/" + strings.Repeat("0", 64)), put("more"), lose("evidence/*/README.txt"),
	},
	"2":  {flip("evidence/*/SHA256SUMS"), flip("evidence/*/seal/001-sshsig"), lose("evidence/*/seal/001-sshsig")},
	"3":  {flip("evidence/*/SHA256SUMS"), flip("evidence/*/seal/002-dsse.pae"), flip("evidence/*/seal/002-dsse.sig"), flip("evidence/*/seal/002-dsse.pub.pem"), otherPayload},
	"4":  {flip("evidence/*/seal/002-dsse.sig"), lose("evidence/*/seal/003-rfc3161.tsr"), otherToken},
	"5":  {edit("custody.jsonl", `"action":"import"`, `"action":"export"`), swapLines, dropLine, flipSignature},
	"6":  {cutLog, flipLast("custody.jsonl")},
	"7":  {flip("evidence/*/SHA256SUMS"), cutLog},
	"9":  {flipLayer("filesystem")},
	"10": {flipLayer("filesystem"), flipLayer("members")},
	"11": {flipLayer("members")},
	"12": {flipLayer("members"), edit("evidence/*/seal/002-dsse.pae", `rfc6962-sha256":"`, `rfc6962-sha256":"0`)},
	"13": {flip("journal/*.jsonl"), flip("timeline/manifest.json"), flip("timeline/detect/*.hits"), lose("journal/*.jsonl"), launderTimeline},
	"14": {flip("timeline/segments/*.parquet"), flip("timeline/raw/*")},
	"15": {flip("timeline/raw/*")},
	"17": {flip("evidence/*/key-*.age"), flip("evidence/*/blobs/sha256/*"), wrongKeys},
	"16": {dropLast("cases/*/custody.jsonl"), flipLast("cases/*/custody.jsonl")},
}

// TestAuditor runs the commands of docs/auditor.md, word for word, in a chroot
// that holds their programs and no amber: on a case, where each must succeed,
// and on copies that were tampered with, where each must fail.
func TestAuditor(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a chroot needs root")
	}
	stocktest.Need(t, auditorTools)
	f := newFixture(t)
	f.prepare(t)
	merged := filepath.Join(f.home, "merged")
	f.amber(t, "case", "merge", "--to", merged, f.dir, f.other).want(t, "merge", 0)
	encrypted := f.encrypted(t)
	blocks, functions := auditorBlocks(t)
	if len(blocks) != len(noticed) {
		t.Fatalf("docs/auditor.md has %d blocks, %d are known here", len(blocks), len(noticed))
	}
	root := stocktest.Root(t, auditorTools)
	aged := buildAge(t, filepath.Join(root, "bin/age"))
	for number, block := range blocks {
		t.Run(number, func(t *testing.T) {
			w := &walk{t: t, f: f, root: root, from: f.dir, script: block}
			switch number {
			case "9", "10", "11", "12":
				w.script = functions + block
			case "15":
				w.env = f.aRecord(t)
			case "16":
				w.from = merged
			case "17":
				w.from, w.script = encrypted, functions+block
				if !aged {
					t.Skip("age could not be built")
				}
			}
			w.run(func(*walk) {}, true)
			for i, tamper := range noticed[number] {
				w.what = fmt.Sprintf("tampering %d", i)
				w.run(tamper, false)
			}
		})
	}
}

var numbered = regexp.MustCompile(`^# ([0-9]+)\.`)

// auditorBlocks are the shell blocks of the document by their numbers, and the
// functions that some begin with.
func auditorBlocks(t *testing.T) (blocks map[string]string, functions string) {
	t.Helper()
	blocks = map[string]string{}
	for _, block := range stocktest.Blocks(t, "../../docs/auditor.md") {
		if m := numbered.FindStringSubmatch(block); m != nil {
			blocks[m[1]] = block
		}
	}
	functions = blocks["8"]
	delete(blocks, "8")
	if functions == "" {
		t.Fatal("docs/auditor.md has no functions")
	}
	return blocks, functions
}

// walk is a block to be run on copies of a case.
type walk struct {
	t      *testing.T
	f      *fixture
	root   string // what is / to it
	from   string // the case
	script string
	env    []string
	what   string

	dir string // the copy
}

func (w *walk) run(tamper func(*walk), want bool) {
	w.t.Helper()
	work, err := os.MkdirTemp(filepath.Join(w.root, "tmp"), "walk-")
	must(w.t, err)
	defer os.RemoveAll(work)
	w.dir = filepath.Join(work, "case")
	must(w.t, os.CopyFS(w.dir, os.DirFS(w.from)))
	for name, from := range map[string]string{"signers": w.f.signers, "receipt": w.f.receipt, "roots": w.f.roots, "identity": w.f.identity} {
		write(w.t, filepath.Join(work, name), read(w.t, from))
	}
	must(w.t, os.Mkdir(filepath.Join(work, "out"), 0o700))
	tamper(w)
	in := stocktest.Inside(w.root, work)
	cmd := stocktest.Shell(w.root, w.dir, w.script, append([]string{
		"PATH=/bin", "LC_ALL=C", "SIGNERS=" + in + "/signers", "WHO=" + w.f.who, "RECEIPT=" + in + "/receipt", "ROOTS=" + in + "/roots", "IDENTITY=" + in + "/identity", "OUT=" + in + "/out",
	}, w.env...)...)
	out, err := cmd.CombinedOutput()
	if (err == nil) != want {
		w.t.Errorf("%s: success is %v, want %v: %v\n%.3000s", w.what, err == nil, want, err, out)
	}
}

// match are the files of the copy, of which there must be some.
func (w *walk) match(pattern string) []string {
	w.t.Helper()
	names, err := filepath.Glob(filepath.Join(w.dir, pattern))
	if err != nil || len(names) == 0 {
		w.t.Fatalf("%s matches nothing: %v", pattern, err)
	}
	return names
}

func flip(pattern string) func(*walk) {
	return func(w *walk) {
		for _, name := range w.match(pattern) {
			stocktest.Flip(w.t, name)
		}
	}
}

func put(name string) func(*walk) {
	return func(w *walk) { write(w.t, filepath.Join(w.dir, "evidence", w.f.bundles[0], name), []byte("x")) }
}

func lose(pattern string) func(*walk) {
	return func(w *walk) { must(w.t, os.Remove(w.match(pattern)[0])) }
}

func edit(pattern, old, now string) func(*walk) {
	return func(w *walk) {
		changed := false
		for _, name := range w.match(pattern) {
			data := read(w.t, name)
			after := bytes.Replace(data, []byte(old), []byte(now), 1)
			changed = changed || !bytes.Equal(data, after)
			write(w.t, name, after)
		}
		if !changed {
			w.t.Fatalf("%s: no %s", pattern, old)
		}
	}
}

// otherPayload changes what the envelope holds, and leaves it an envelope.
func otherPayload(w *walk) {
	edit("evidence/*/seal/002-dsse.json", `"payload":"ey`, `"payload":"eyAg`)(w)
}

// otherToken puts the token's answer over other data: another signature.
func otherToken(w *walk) {
	name := w.match("evidence/*/seal/002-dsse.sig")[0]
	write(w.t, name, read(w.t, filepath.Join(w.f.dir, "evidence", w.f.bundles[1], "seal/002-dsse.sig")))
}

func lines(w *walk, pattern string) (string, [][]byte) {
	name := w.match(pattern)[0]
	return name, bytes.SplitAfter(bytes.TrimSuffix(read(w.t, name), []byte("\n")), []byte("\n"))
}

func swapLines(w *walk) {
	name, l := lines(w, "custody.jsonl")
	l[1], l[2] = l[2], l[1]
	write(w.t, name, append(bytes.Join(l, nil), '\n'))
}

func dropLine(w *walk) {
	name, l := lines(w, "custody.jsonl")
	write(w.t, name, append(bytes.Join(append(l[:2:2], l[3:]...), nil), '\n'))
}

func cutLog(w *walk) {
	name, l := lines(w, "custody.jsonl")
	write(w.t, name, bytes.Join(l[:2], nil))
}

func dropLast(pattern string) func(*walk) {
	return func(w *walk) {
		for _, name := range w.match(pattern) {
			data := bytes.TrimSuffix(read(w.t, name), []byte("\n"))
			write(w.t, name, data[:bytes.LastIndexByte(data, '\n')+1])
		}
	}
}

func flipLast(pattern string) func(*walk) {
	return func(w *walk) {
		for _, name := range w.match(pattern) {
			data := read(w.t, name)
			data[bytes.LastIndexByte(data[:len(data)-1], '\n')+20] ^= 1
			write(w.t, name, data)
		}
	}
}

// launderTimeline changes the timeline and enters that, signed by nobody.
func launderTimeline(w *walk) {
	name := w.match("timeline/manifest.json")[0]
	write(w.t, name, append(read(w.t, name), '\n'))
	cs, err := casedir.OpenRead(w.dir)
	must(w.t, err)
	defer cs.Close()
	files, err := cs.Files(casedir.Timeline...)
	must(w.t, err)
	_, err = cs.Log(custody.Entry{Action: "detect", Result: "done", Files: files})
	must(w.t, err)
}

// flipSignature changes a signature of the log alone.
func flipSignature(w *walk) {
	name := w.match("custody.jsonl")[0]
	data := read(w.t, name)
	at := bytes.LastIndex(data, []byte(`"signature":"`)) + 200
	data[at] = map[bool]byte{true: 'B', false: 'A'}[data[at] == 'A']
	write(w.t, name, data)
}

// flipLayer flips a bit of a blob of a payload, or of another kind.
func flipLayer(kind string) func(*walk) {
	return func(w *walk) {
		stocktest.Flip(w.t, stocktest.Layer(w.t, filepath.Join(w.dir, "evidence", w.f.bundles[0]), kind))
	}
}

// aRecord is where the record of some row lies.
func (f *fixture) aRecord(t *testing.T) []string {
	t.Helper()
	s, err := store.Open(filepath.Join(f.dir, "timeline"), store.OpenOptions{})
	must(t, err)
	defer s.Close()
	page, err := s.Rows(t.Context(), timeline.Ask{}, "", 1)
	must(t, err)
	refs, err := s.Refs(t.Context(), page.Rows[0].ID)
	must(t, err)
	digest, at := s.Manifest().Files[refs[0].File].Digest, refs[0].Ranges[0]
	return []string{"FILE=" + hex.EncodeToString(digest[:]), fmt.Sprint("OFFSET=", at.Offset), fmt.Sprint("LENGTH=", at.Length)}
}

// buildAge builds the age of the module that amber uses.
func buildAge(t *testing.T, to string) bool {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", to, "filippo.io/age/cmd/age")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("building age: %v\n%s", err, out)
	}
	return err == nil
}

// encrypted is a case with a bundle for two custodians, the second of whom is
// the auditor.
func (f *fixture) encrypted(t *testing.T) string {
	t.Helper()
	var to []string
	for range 2 {
		id, err := age.GenerateX25519Identity()
		must(t, err)
		to = append(to, id.Recipient().String())
		f.identity = filepath.Join(f.home, "identity")
		write(t, f.identity, []byte(id.String()+"\n"))
	}
	tar := filepath.Join(f.home, "encrypted.tar")
	f.stream(t, tar, "20261122T040000Z-till-stuvwx", 9, to...)
	dir := filepath.Join(f.home, "encrypted")
	f.amber(t, "case", "new", dir).want(t, "case new", 0)
	f.amber(t, "evidence", "import", "--case", dir, tar).want(t, "import", 0)
	f.amber(t, "case", "verify", "--case", dir, "--signers", f.signers, "--identity", f.identity).want(t, "verify", 0)
	return dir
}

// wrongKeys puts another file in the place of the custodians' keys.
func wrongKeys(w *walk) {
	for _, name := range w.match("evidence/*/key-*.age") {
		write(w.t, name, read(w.t, filepath.Join(w.dir, "case.json")))
	}
}

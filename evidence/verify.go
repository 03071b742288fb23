package evidence

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"amber/evidence/attest"
	"amber/evidence/encrypt"
	"amber/evidence/keys"
	"amber/evidence/record"
	"amber/evidence/timestamp"

	"golang.org/x/crypto/ssh"
)

// VerifyOptions says how far Verify goes and whom it trusts.
type VerifyOptions struct {
	Signers *keys.Signers    // whose signatures count; nil: nobody is known
	Demand  bool             // a signature of a known signer must be there
	Time    *timestamp.Trust // whose tokens count; nil: no authority is known
	At      time.Time        // as of when these, and who may sign, are looked at; zero: now
	Keys    *encrypt.Keyring // opens what is encrypted; nil: that is not looked into
	Deep    bool             // decode every member and hash it, too
	Count   *atomic.Int64    // bytes done, for progress; may be nil
	Sample  *Sample          // how much of the payloads is hashed; nil: all. Not with Deep
}

// Problem is one thing that is not as it was sealed.
type Problem struct {
	Name string `json:"name"` // the file, payload or member
	What string `json:"what"`
}

// Signature is one file of seal/.
type Signature struct {
	File        string `json:"file"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Principal   string `json:"principal,omitempty"`
	Known       bool   `json:"known"`
	Stranger    string `json:"stranger,omitempty"` // who that is where nobody is known by it: the fingerprint, and what the list has it for

	pub ssh.PublicKey
}

// Report is what Verify found. No problems and a known signer is the only
// outcome that needs no further word.
type Report struct {
	ID         string      `json:"id"`
	State      State       `json:"state"`
	Digest     string      `json:"digest,omitempty"` // of SHA256SUMS
	Root       string      `json:"members_root,omitempty"`
	Members    int64       `json:"members"`
	Misses     int64       `json:"misses"`
	Noted      int64       `json:"noted"`
	Files      int         `json:"files"`
	Bytes      int64       `json:"bytes"` // stored bytes hashed
	Deep       bool        `json:"deep"`
	Plain      int64       `json:"plain_bytes,omitempty"` // member bytes hashed, where deep
	Unfinished []string    `json:"unfinished,omitempty"`  // of an incomplete bundle: what was cut off
	Signatures []Signature `json:"signatures"`
	Times      []Time      `json:"times,omitempty"`
	Problems   []Problem   `json:"problems"`
	Encryption *Encryption `json:"encryption,omitempty"`
	Sampled    *Sampled    `json:"sampled,omitempty"` // what was not read
}

// Intact reports whether nothing of what is there was changed.
func (r *Report) Intact() bool { return len(r.Problems) == 0 }

// KnownSigner reports whether somebody known signed it.
func (r *Report) KnownSigner() bool {
	for _, s := range r.Signatures {
		if s.Known {
			return true
		}
	}
	return false
}

func (r *Report) problem(name, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{name, fmt.Sprintf(format, args...)})
}

// Verify checks a bundle in a directory. A bundle that cannot be opened is a
// problem of the report, too; the error is for what says nothing about the
// bundle (no such directory, a cancelled context).
func Verify(ctx context.Context, dir string, o VerifyOptions) (*Report, error) {
	r := &Report{Signatures: []Signature{}, Problems: []Problem{}, Deep: o.Deep}
	b, err := Open(dir, o.Keys)
	if errors.Is(err, fs.ErrNotExist) && b == nil && !isDir(dir) {
		return nil, err
	}
	if err != nil {
		r.openFailed(ctx, dir, err, o)
		return r, ctx.Err()
	}
	defer b.Close()
	v := verifier{b: b, r: r, o: o}
	r.ID, r.State = b.ID(), b.state
	v.encryption()
	if b.state == Incomplete {
		v.incomplete(ctx)
		if o.Demand {
			r.problem("signature", "is missing: the bundle is incomplete")
		}
		return r, ctx.Err()
	}
	r.Digest = b.Digest()
	v.files(ctx)
	v.signatures()
	v.times()
	v.demanded()
	v.undated()
	v.structure()
	switch {
	case !r.Intact() || b.locked != nil:
	case o.Deep:
		v.deep(ctx)
	default:
		v.index(ctx, func(*record.Member) {})
	}
	return r, ctx.Err()
}

// openFailed goes on without the manifest: the files can be hashed all the
// same, and name what was changed.
func (r *Report) openFailed(ctx context.Context, dir string, why error, o VerifyOptions) {
	b, err := openFiles(dir)
	if err != nil {
		r.problem(dir, "%v", why)
		return
	}
	defer b.Close()
	r.State = b.state
	r.Digest = b.Digest()
	v := verifier{b: b, r: r, o: o}
	v.files(ctx)
	v.signatures()
	v.times()
	v.demanded()
	v.undated()
	if r.Intact() {
		r.problem(dir, "%v", why)
	}
}

type verifier struct {
	b    *Bundle
	r    *Report
	o    VerifyOptions
	line map[string]string // file → digest, of SHA256SUMS
	got  []byte            // the tar header of a member, and what it should be
	want []byte            //
	sum  *logicalSum       // of a member
	own  map[string]*plain // the payloads, of one that reads beside others

	dated bool // a token that is trusted says when
}

// They are compiled when they are needed: nothing is to come between the start
// of the process and the freeze.
var (
	sumsLine   = pattern(`^([0-9a-f]{64})  ([!-~]+)$`)
	sealedName = pattern(`^(oci-layout|index\.json|README\.txt|key-[1-9][0-9]?\.age|blobs/sha256/[0-9a-f]{64})$`)
	sealName   = pattern(`^seal/[0-9]{3}-(sshsig|dsse\.(pae|sig|pub\.pem|json)|rfc3161\.(sums|pem|crl|tsr))$`)
)

func pattern(s string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(s) })
}

// files compares the directory with SHA256SUMS, both ways, and hashes all.
func (v *verifier) files(ctx context.Context) {
	v.line = v.readSums()
	seen := v.walk()
	names := make([]string, 0, len(v.line))
	for name := range v.line {
		if !seen[name] {
			v.r.problem(name, "is missing")
			continue
		}
		names = append(names, name)
	}
	v.hashAll(ctx, v.sample(names))
}

// readSums reads SHA256SUMS, which has one form only.
func (v *verifier) readSums() map[string]string {
	sums := map[string]string{}
	text, ok := strings.CutSuffix(string(v.b.sums), "\n")
	if !ok {
		v.r.problem(sumsFile, "does not end in a line end")
	}
	last := ""
	for l := range strings.SplitSeq(text, "\n") {
		f := sumsLine().FindStringSubmatch(l)
		switch {
		case f == nil || !sealedName().MatchString(f[2]):
			v.r.problem(sumsFile, "has a line that no bundle has: %q", l)
		case f[2] <= last:
			v.r.problem(sumsFile, "is not in order at %q", f[2])
		case strings.HasPrefix(f[2], blobDir) && !strings.HasSuffix(f[2], f[1]):
			v.r.problem(f[2], "%s lists another digest than its name", sumsFile)
		default:
			sums[f[2]], last = f[1], f[2]
		}
	}
	for _, must := range []string{layoutFile, indexFile, readmeFile} {
		if sums[must] == "" {
			v.r.problem(must, "is not listed in %s", sumsFile)
		}
	}
	return sums
}

// walk finds what is there and must not be.
func (v *verifier) walk() map[string]bool {
	seen := map[string]bool{}
	err := fs.WalkDir(v.b.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			v.r.problem(name, "%v", err)
		case v.b.untidy && leftover(name):
			v.r.Unfinished = append(v.r.Unfinished, name+" was not taken away when the bundle was closed")
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			if name != "." && name != "blobs" && name != blobDir && name != sealDir {
				v.r.problem(name, "is a directory that no bundle has")
				return fs.SkipDir
			}
		case d.Type()&fs.ModeSymlink != 0:
			v.r.problem(name, "is a symbolic link: it is not followed")
		case !d.Type().IsRegular():
			v.r.problem(name, "is not a regular file")
		case v.line[name] != "":
			seen[name] = true
		case name != sumsFile && !sealName().MatchString(name):
			v.r.problem(name, "is not listed in %s", sumsFile)
		}
		return nil
	})
	if err != nil {
		v.r.problem(".", "%v", err)
	}
	return seen
}

var hashBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// hashAll hashes files on all cores.
func (v *verifier) hashAll(ctx context.Context, names []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan string)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			buf := hashBuffers.Get().(*[]byte)
			defer hashBuffers.Put(buf)
			for name := range next {
				sum, n, err := v.hashFile(name, *buf)
				mu.Lock()
				v.r.Files++
				v.r.Bytes += n
				switch {
				case err != nil:
					v.r.problem(name, "%v", err)
				case sum != v.line[name]:
					v.r.problem(name, "was changed: its SHA-256 is %s%s", sum, v.b.damage(name))
				}
				mu.Unlock()
			}
		})
	}
	for _, name := range v.largestFirst(names) {
		if ctx.Err() != nil {
			break
		}
		next <- name
	}
	close(next)
	wg.Wait()
}

// largestFirst is an order in which no core is left with a large file at the end.
func (v *verifier) largestFirst(names []string) []string {
	size := make(map[string]int64, len(names))
	for _, name := range names {
		if info, err := v.b.root.Lstat(name); err == nil {
			size[name] = info.Size()
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(size[b], size[a]), strings.Compare(a, b))
	})
	return names
}

func (v *verifier) hashFile(name string, buf []byte) (string, int64, error) {
	f, err := v.b.openFile(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, v.counted(struct{ io.Reader }{f}), buf)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

func (v *verifier) counted(r io.Reader) io.Reader {
	if v.o.Count == nil {
		return r
	}
	return &countingReader{r, v.o.Count}
}

type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// signatures checks the files of seal/. A signature that does not hold is a
// problem; one of somebody unknown is not, unless one is demanded.
func (v *verifier) signatures() {
	for _, name := range v.b.heads() {
		pub, err := v.signature(name)
		if err != nil {
			v.r.problem(name, "%v", err)
			continue
		}
		s := Signature{File: name, Fingerprint: keys.Fingerprint(pub), pub: pub}
		s.look(v.o.Signers, v.at())
		v.r.Signatures = append(v.r.Signatures, s)
	}
	for _, name := range v.b.cutOff() {
		v.r.Unfinished = append(v.r.Unfinished, name+" is of a signature or a time-stamp that was not finished: it proves nothing")
	}
}

// at is as of when the bundle is looked at.
func (v *verifier) at() time.Time {
	if v.o.At.IsZero() {
		return time.Now()
	}
	return v.o.At
}

// look says whose a signature is, as of a time at which it was there.
func (s *Signature) look(signers *keys.Signers, at time.Time) {
	if s.Principal, s.Known = signers.Lookup(s.pub, Namespace, at); s.Known {
		s.Stranger = ""
	} else if s.Stranger == "" {
		s.Stranger = signers.Stranger(s.pub, Namespace, at)
	}
}

// provedAt looks at the signatures that a trusted token covers once more, as of
// its time: a signer's time may be over, and what was signed before stays so.
func (v *verifier) provedAt(t Time) {
	token, _ := parseSealName(t.File)
	for i := range v.r.Signatures {
		s := &v.r.Signatures[i]
		f, _ := parseSealName(s.File)
		if covered := strings.HasSuffix(t.Over, extStamped) && f.number < token.number; covered || t.Over == (sealFile{f.number, f.kind, extSignature}).name() {
			if !s.Known {
				s.look(v.o.Signers, t.Time)
			}
		}
	}
}

// demanded is a problem where a signature is demanded, and nobody known made
// one.
func (v *verifier) demanded() {
	if !v.o.Demand || v.r.KnownSigner() {
		return
	}
	what := "is missing: nobody signed this bundle"
	if n := len(v.r.Signatures); n > 0 {
		what = fmt.Sprintf("by an allowed signer is missing; the bundle is signed by %s", v.r.Signatures[0].Stranger)
	}
	v.r.problem("signature", "%s", what)
}

// signature checks one attestation and gives the key that made it.
func (v *verifier) signature(name string) (ssh.PublicKey, error) {
	f, ok := parseSealName(name)
	if !ok {
		return nil, errors.New("is a kind of seal that this amber does not know")
	}
	if f.kind == KindDSSE {
		return v.statement(name)
	}
	armored, err := v.b.readFile(name, maxSmall)
	if err != nil {
		return nil, err
	}
	pub, err := keys.Verify(armored, bytes.NewReader(v.b.sums), Namespace)
	if err != nil {
		return nil, fmt.Errorf("the signature does not hold: %w", err)
	}
	return pub, nil
}

// statement checks an envelope, what lies beside it, and that it states what is
// true of this bundle.
func (v *verifier) statement(name string) (ssh.PublicKey, error) {
	files, err := v.b.statementFiles(name)
	if err != nil {
		return nil, err
	}
	what, err := v.b.toSign()
	if err != nil {
		return nil, err
	}
	if first, err := v.b.statement(""); err == nil && bytes.Equal(files.PAE, attest.PAE(attest.PayloadType, first)) {
		what.Statement = first
	}
	pub, err := attest.Verify(files, what.Statement)
	if err != nil {
		return nil, fmt.Errorf("the statement does not hold: %w", err)
	}
	return ssh.NewPublicKey(pub)
}

// structure checks that the manifest and the files tell the same story.
func (v *verifier) structure() {
	named := map[string]bool{layoutFile: true, indexFile: true, readmeFile: true}
	for _, k := range v.b.keys {
		named[k.Name] = true
	}
	v.keyFiles()
	note := func(hexDigest string, size int64) {
		name := blobDir + "/" + hexDigest
		named[name] = true
		if v.line[name] == "" {
			v.r.problem(name, "is named by the manifest and absent")
			return
		}
		if info, err := v.b.root.Lstat(name); err == nil && info.Size() != size {
			v.r.problem(name, "has %d bytes, the manifest says %d", info.Size(), size)
		}
	}
	for _, d := range v.b.manifest.Layers {
		note(d.Digest.Encoded(), d.Size)
	}
	note(v.b.manifest.Config.Digest.Encoded(), v.b.manifest.Config.Size)
	for name := range v.line {
		if !named[name] && name != v.b.manifestName {
			v.r.problem(name, "is sealed, but the manifest does not name it")
		}
	}
}

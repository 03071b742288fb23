// Package stocktest runs the commands of a document word for word where stock
// programs are and amber is not: in a chroot of them and of what they need.
package stocktest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Need skips the test where one of the tools is not installed.
func Need(t testing.TB, tools []string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the documented commands need %s, which is not installed", tool)
		}
	}
}

// Root makes a root that holds the tools in /bin, and a /tmp. It needs root.
func Root(t testing.TB, tools []string) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"bin", "tmp", "dev", "etc"} {
		check(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for _, tool := range tools {
		path, err := exec.LookPath(tool)
		check(t, err)
		install(t, root, path, filepath.Join("bin", tool))
	}
	// ssh-keygen wants to know who it is, openssl its own file, and all /dev/null.
	check(t, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/:/bin/sh\n"), 0o644))
	for _, name := range []string{"usr/lib/ssl/openssl.cnf", "etc/ssl/openssl.cnf"} {
		check(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
		check(t, os.WriteFile(filepath.Join(root, name), nil, 0o644))
	}
	check(t, unix.Mknod(filepath.Join(root, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	check(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), "amber") {
			t.Errorf("the chroot holds %s", path)
		}
		return err
	}))
	return root
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// install copies a program and the libraries that ldd names.
func install(t testing.TB, root, from, to string) {
	t.Helper()
	copyFile(t, from, filepath.Join(root, to))
	out, err := exec.Command("ldd", from).CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("not a dynamic executable")) {
		t.Fatalf("ldd %s: %v\n%s", from, err, out)
	}
	for _, m := range library.FindAllSubmatch(out, -1) {
		copyFile(t, string(m[1]), filepath.Join(root, string(m[1])))
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, 0o755))
	}
	check(t, err)
}

// Inside is what a path below root is called by what runs there.
func Inside(root, path string) string {
	return "/" + strings.TrimPrefix(path, strings.TrimSuffix(root, "/")+"/")
}

// Shell is a script that is run in a folder below root, and ends at its first
// command that fails. A root of "/" is no chroot.
func Shell(root, dir, script string, env ...string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-euc", "cd "+Inside(root, dir)+"\n"+script)
	cmd.Env = env
	if root != "/" {
		cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Chroot: root}, "/"
	}
	return cmd
}

var fence = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// Blocks are the shell blocks of a document.
func Blocks(t testing.TB, document string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	check(t, err)
	var blocks []string
	for _, m := range fence.FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(m[1]))
	}
	return blocks
}

var layer = regexp.MustCompile(`\{("annotations":\{[^}]*\},)?"digest":"sha256:([0-9a-f]{64})","mediaType":"application/vnd\.amber\.evidence\.([a-z]+)\.`)

// Layer is the file of a bundle's last blob of a payload, or of another kind.
func Layer(t testing.TB, bundle, kind string) string {
	t.Helper()
	blobs := filepath.Join(bundle, "blobs/sha256")
	entries, err := os.ReadDir(blobs)
	check(t, err)
	blob := ""
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(blobs, e.Name()))
		check(t, err)
		for _, m := range layer.FindAllSubmatch(data, -1) {
			if string(m[3]) == kind || bytes.Contains(m[1], []byte(`"vnd.amber.payload":"`+kind+`"`)) {
				blob = string(m[2])
			}
		}
	}
	if blob == "" {
		t.Fatalf("no blob of %s in %s", kind, bundle)
	}
	return filepath.Join(blobs, blob)
}

// Flip flips a bit in the middle of a file.
func Flip(t testing.TB, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	check(t, err)
	data[len(data)/2] ^= 1
	check(t, os.WriteFile(name, data, 0o600))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

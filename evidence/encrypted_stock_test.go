package evidence

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stockAge is age's own program: that of this machine, or built from its module.
func stockAge(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("age"); err == nil {
		return path
	}
	path := filepath.Join(t.TempDir(), "age")
	if out, err := exec.Command("go", "build", "-o", path, "filippo.io/age/cmd/age").CombinedOutput(); err != nil {
		t.Skipf("age is not installed, and cannot be built: %v\n%s", err, out)
	}
	return path
}

// The commands of docs/encryption.md, by age, zstd and tar alone.
func TestEncryptedStockTools(t *testing.T) {
	for _, tool := range []string{"sha256sum", "zstd", "tar", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	program := stockAge(t)
	for _, kind := range []string{"x25519", "ssh"} {
		c := newCustodian(t, kind)
		dir := encrypted(t, many(50), nil, newCustodian(t, "x25519"), c)
		b, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		var segments []string
		for _, s := range b.Segments("filesystem") {
			segments = append(segments, s.Path)
		}
		b.Close()
		cmd := exec.Command("sh", "-ec", `
			sha256sum -c --quiet --strict SHA256SUMS
			"$AGE" -d -i "$IDENTITY" key-2.age > "$OUT/key"
			for s in "$@"; do "$AGE" -d -i "$OUT/key" "$s"; done | zstd -dc > "$OUT/tar"
			tar -xOf "$OUT/tar" filesystem/small`, "sh")
		cmd.Args = append(cmd.Args, segments...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AGE="+program, "IDENTITY="+c.file, "OUT="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), "hello\n") {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
	}
}

package checkpoint

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What WriteImages and Spec give is what runc restores: the process goes on
// counting from where it stood. (It runs code of this test's, not an
// attacker's.)
func TestRuncRestores(t *testing.T) {
	w := newWorld(t)
	c := w.run(t, "again", counts)
	must(t, w.rt.Pause(t.Context(), c))
	k := bundleOf(t, c, w.options())
	stood, err := strconv.Atoi(count(c.PID))
	must(t, err)
	dir := t.TempDir()
	images, work, bundle := filepath.Join(dir, "images"), filepath.Join(dir, "work"), filepath.Join(dir, "bundle")
	for _, d := range []string{images, work, bundle} {
		must(t, os.Mkdir(d, 0o700))
	}
	must(t, WriteImages(t.Context(), k.b, images))
	spec, err := Spec(k.b)
	must(t, err)
	root := filepath.Join(bundle, "rootfs")
	must(t, os.Mkdir(root, 0o755))
	overlay := "lowerdir=" + c.Rootfs.Upper + ":" + strings.Join(c.Rootfs.Lower, ":") + ",upperdir=" + filepath.Join(dir, "upper") + ",workdir=" + filepath.Join(dir, "overlay")
	must(t, os.Mkdir(filepath.Join(dir, "upper"), 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "overlay"), 0o755))
	must(t, w.rt.Kill(t.Context(), c))
	must(t, unix.Mount("overlay", root, "overlay", 0, overlay))
	defer func() { must(t, unix.Unmount(root, unix.MNT_DETACH)) }()
	spec.Root.Path = root
	spec.Linux.CgroupsPath = filepath.Join("/", w.tb.Namespace, "restored")
	text, err := json.Marshal(spec)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600))
	runc := func(args ...string) ([]byte, error) {
		cmd := exec.Command(filepath.Join(w.tb.Bin, "runc"), append([]string{"--root", filepath.Join(dir, "runc")}, args...)...)
		cmd.Env = w.tb.Env()
		out, err := os.Create(filepath.Join(dir, "out"))
		must(t, err)
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out // not pipes, which the container would hold
		err = cmd.Run()
		said, _ := os.ReadFile(out.Name())
		return said, err
	}
	defer func() { _, _ = runc("delete", "--force", "restored") }()
	if out, err := runc("restore", "--detach", "--image-path", images, "--work-path", work, "--bundle", bundle, "restored"); err != nil {
		log, _ := os.ReadFile(filepath.Join(work, "restore.log"))
		t.Fatalf("runc restore: %v\n%s\n%s", err, out, log[max(0, len(log)-3000):])
	}
	until(t, func() bool {
		text, _ := os.ReadFile(filepath.Join(root, "count"))
		n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return n > stood && n < stood+10_000
	})
}

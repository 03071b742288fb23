//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

// handover is a case with a bundle, and real storage that it is pushed to.
type handover struct {
	u      *user
	dir    string // the case
	id     string
	s3, at string // the bucket, the registry
}

func newHandover(t *testing.T) *handover {
	t.Helper()
	m, r := testbed.StartMinIO(t), testbed.StartRegistry(t)
	u := newHastyUser(t, &testbed.Containerd{})
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": "http://" + m.Host, "AWS_ACCESS_KEY_ID": testbed.MinIOKey, "AWS_SECRET_ACCESS_KEY": testbed.MinIOSecret} {
		u.env[name] = value
	}
	h := &handover{u: u, dir: filepath.Join(u.home, "case"), id: "20261122T000000Z-shop-abcdef", s3: "s3://bucket", at: "oci://" + r.Host + "/shop"}
	u.run(t, "case", "new", h.dir).want(t, 0)
	h.bundle(t)
	u.run(t, "evidence", "sign", "--case", h.dir).want(t, 0)
	keys := u.run(t, "keys", "show").want(t, 0).out
	lines := keys[strings.Index(keys, "allowed_signers):\n")+len("allowed_signers):\n"):]
	if err := os.WriteFile(filepath.Join(u.home, "signers"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	u.run(t, "evidence", "push", "--case", h.dir, "--make-bucket", "s3://bucket/first").want(t, 0)
	return h
}

// bundle writes one into the case.
func (h *handover) bundle(t *testing.T) {
	t.Helper()
	w, err := evidence.Create(filepath.Join(h.dir, "evidence", h.id), h.id, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logs", "network"} {
		p, err := w.Payload(name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(name+": a line\n", 5000)
		if err := p.Add(&record.Member{Path: name + "/a", Type: record.File, Mode: 0o600, Size: int64(len(text))}, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(&record.Acquisition{}, nil); err != nil {
		t.Fatal(err)
	}
}

// pulls gets the bundle into a new case and verifies it there.
func (h *handover) pulls(t *testing.T, to string, address ...string) result {
	t.Helper()
	r := h.u.run(t, append([]string{"evidence", "pull", "--case", to, "--signers", filepath.Join(h.u.home, "signers"), "--tries", "1"}, address...)...)
	if r.code == 0 {
		h.u.run(t, "evidence", "verify", "--case", to, "--signers", filepath.Join(h.u.home, "signers"), h.id).want(t, 0)
	}
	return r
}

// makeDir makes what would else be made by the first of several runs, which must
// all pass the same points.
func makeDir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// chosen are the points at which a verb is killed: of each kind of step the
// first and the last, for one blob is like another.
func chosen(points []string) []int {
	first, last := map[string]int{}, map[string]int{}
	for i, p := range points {
		if last[kind(p)] = i + 1; first[kind(p)] == 0 {
			first[kind(p)] = i + 1
		}
	}
	var list []int
	for i, p := range points {
		if n := i + 1; n == first[kind(p)] || n == last[kind(p)] {
			list = append(list, n)
		}
	}
	return list
}

// TestPushKilled kills a push at every kind of step: what is there can be pulled whole,
// or cannot be pulled at all, and the next push goes on.
func TestPushKilled(t *testing.T) {
	h := newHandover(t)
	for name, address := range map[string]func(n int) (push, pull []string){
		"s3": func(n int) ([]string, []string) {
			a := h.s3 + "/" + itoa(n)
			return []string{a}, []string{a}
		},
		"oci": func(n int) ([]string, []string) {
			a := h.at + "/n" + itoa(n)
			return []string{a}, []string{a + ":" + h.id}
		},
	} {
		t.Run(name, func(t *testing.T) {
			nothing, whole := 0, 0
			pushing := func(push []string) []string {
				return append([]string{"evidence", "push", "--case", h.dir, "--parallel", "1"}, push...)
			}
			push, _ := address(0)
			r, all := h.u.dieAt(t, 0, pushing(push)...)
			r.want(t, 0)
			mustPass(t, all, map[string]string{"s3": "put object", "oci": "put manifest"}[name], "write custody.jsonl")
			for _, n := range chosen(all) {
				push, pull := address(n)
				args := pushing(push)
				r, points := h.u.dieAt(t, n, args...)
				if !r.died() {
					t.Fatalf("it outlived point %d", n)
				}
				to := filepath.Join(h.u.home, "got", name, itoa(n))
				if got := h.pulls(t, to, pull...); got.code == 0 {
					whole++
				} else {
					nothing++
					got.want(t, 1, 4)
					if len(bundles(t, to)) != 0 {
						t.Fatalf("killed at %s: half a bundle was pulled", points[len(points)-1])
					}
				}
				h.u.run(t, args...).want(t, 0)
				h.pulls(t, to, pull...).want(t, 0)
			}
			if nothing < 5 || whole < 1 {
				t.Errorf("%d kills left nothing to pull, %d all of it", nothing, whole)
			}
			t.Logf("%d kills left nothing to pull, %d all of it", nothing, whole)
			h.u.run(t, "evidence", "custody", "--case", h.dir).want(t, 0)
		})
	}
}

// TestPullKilled kills a pull at every step: what is in its place is whole, and
// the next pull goes on.
func TestPullKilled(t *testing.T) {
	h := newHandover(t)
	h.u.run(t, "evidence", "push", "--case", h.dir, h.at).want(t, 0)
	signers := filepath.Join(h.u.home, "signers")
	for name, address := range map[string]string{"s3": h.s3 + "/first", "oci": h.at + ":" + h.id} {
		t.Run(name, func(t *testing.T) {
			there := 0
			pulling := func(n int) (string, []string) {
				to := filepath.Join(h.u.home, "into", name, itoa(n))
				makeDir(t, filepath.Dir(to))
				return to, []string{"evidence", "pull", "--case", to, "--signers", signers, "--parallel", "1", address}
			}
			_, args := pulling(0)
			r, all := h.u.dieAt(t, 0, args...)
			r.want(t, 0)
			mustPass(t, all, "rename blob", "rename BUNDLE")
			for _, n := range chosen(all) {
				to, args := pulling(n)
				r, points := h.u.dieAt(t, n, args...)
				if !r.died() {
					t.Fatalf("it outlived point %d", n)
				}
				if list := bundles(t, to); len(list) == 1 {
					there++
					report, err := evidence.Verify(t.Context(), filepath.Join(to, "evidence", list[0]), evidence.VerifyOptions{})
					if err != nil || !report.Intact() || report.State != evidence.Sealed {
						t.Fatalf("killed at %s: %v, %v", points[len(points)-1], report, err)
					}
				}
				h.u.run(t, args...).want(t, 0)
				h.u.run(t, "evidence", "verify", "--case", to, "--signers", signers).want(t, 0)
			}
			if there == 0 {
				t.Error("no kill came after the bundle was in its place")
			}
		})
	}
	t.Run("whole", func(t *testing.T) {
		pulling := func(n int) (string, []string) {
			to := filepath.Join(h.u.home, "whole", itoa(n), "case")
			makeDir(t, filepath.Dir(to))
			return to, []string{"evidence", "pull", "--to", to, "--signers", signers, "--parallel", "1", h.s3 + "/first"}
		}
		_, args := pulling(0)
		r, all := h.u.dieAt(t, 0, args...)
		r.want(t, 0)
		mustPass(t, all, "rename case")
		for _, n := range chosen(all) {
			to, args := pulling(n)
			if r, _ := h.u.dieAt(t, n, args...); !r.died() {
				t.Fatalf("it outlived point %d", n)
			}
			if _, err := os.Lstat(to); err != nil {
				h.u.run(t, args...).want(t, 0)
			}
			h.u.run(t, "evidence", "verify", "--case", to, "--signers", signers).want(t, 0)
		}
	})
}

package cgroup

import (
	"os"
	"slices"
	"strings"
	"testing"

	"amber/container/mountinfo"
	"amber/container/procfs"
	"amber/isolate/isolatetest"
)

func TestChoose(t *testing.T) {
	for data, want := range map[string]Paths{
		"6:freezer:/a\n4:memory:/b\n0::/c:d\n": {V1: "/a", V2: "/c:d"},
		"3:cpu,freezer:/x\n":                   {V1: "/x"},
		"0::/gone (deleted)\n":                 {},
		"1:name=freezer:/no\n":                 {},
		"":                                     {},
		"0::relative\n:::\n5:freezer\n0:freezer:": {},
	} {
		if got := choose(procfs.ParseCgroups([]byte(data))); got != want {
			t.Errorf("%q: %+v, want %+v", data, got, want)
		}
	}
}

func TestOwn(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 4)
	for _, tc := range []struct{ name, hint, id, want string }{
		{"/ns/web", "/ns/web", "web", "/ns/web"},
		{"/ns/web/init.scope", "/ns/web", "web", "/ns/web"},
		{"/outer/ns/web/x", "/ns/web", "web", "/outer/ns/web"},
		{"/my-web/web", "/my-web/web", "web", "/my-web/web"},
		{"/my-web/web/x", "", "web", "/my-web/web"},
		{"/my-web", "", "web", "/my-web"},
		{"/system.slice/docker-" + long + ".scope/init", "system.slice:docker:" + long, long, "/system.slice/docker-" + long + ".scope"},
		{"/kubepods/pod1/cri-containerd-" + long + ".scope/x/y", "", long, "/kubepods/pod1/cri-containerd-" + long + ".scope"},
		{"/docker/" + long + "/a", "", long, "/docker/" + long},
		{"/a/b", "", "", "/a/b"},
		{"/a/b", "::", "", "/a/b"},
	} {
		if got := Own(tc.name, tc.hint, tc.id); got != tc.want {
			t.Errorf("Own(%q, %q, %q) = %q, want %q", tc.name, tc.hint, tc.id, got, tc.want)
		}
	}
}

const mountTable = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
38 31 0:34 /docker/x /mnt rw,relatime shared:1 - cgroup cgroup rw,freezer
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`

func TestPlaces(t *testing.T) {
	table := mountinfo.Parse([]byte(mountTable))
	if got := places(table, 1, "/docker/x/y"); !slices.Equal(got, []string{"/sys/fs/cgroup/freezer/docker/x/y", "/mnt/y"}) {
		t.Error(got)
	}
	if got := places(table, 1, "/docker/xy"); !slices.Equal(got, []string{"/sys/fs/cgroup/freezer/docker/xy"}) {
		t.Error(got)
	}
	if got := places(table, 2, "/a"); !slices.Equal(got, []string{"/sys/fs/cgroup/unified/a"}) {
		t.Error(got)
	}
}

func FuzzPaths(f *testing.F) {
	f.Add("6:freezer:/a/b\n0::/c\n", "/ns/id", "id")
	f.Add("0::/system.slice/docker-ab.scope\n", "system.slice:docker:ab", "ab")
	f.Fuzz(func(t *testing.T, data, hint, id string) {
		p := choose(procfs.ParseCgroups([]byte(data)))
		for _, name := range []string{p.V1, p.V2} {
			if own := Own(name, hint, id); !strings.HasPrefix(name, own) {
				t.Errorf("Own(%q) = %q, which is not above it", name, own)
			}
		}
	})
}

func FuzzPlaces(f *testing.F) {
	f.Add(mountTable, "/docker/x/y")
	f.Add("a b c d e f - cgroup2 x y", "/")
	f.Fuzz(func(t *testing.T, data, name string) {
		for _, v := range []int{1, 2} {
			places(mountinfo.Parse([]byte(data)), v, name)
		}
	})
}

func TestStates(t *testing.T) {
	for s, want := range map[string]State{"THAWED": Thawed, "FREEZING": Freezing, "FROZEN": Frozen} {
		if got, err := parseV1(s); err != nil || got != want {
			t.Error(s, got, err)
		}
	}
	if _, err := parseV1("x"); err == nil {
		t.Error("a state that is none was taken")
	}
	for _, tc := range []struct {
		asked, events string
		want          State
	}{
		{"0", "populated 1\nfrozen 0", Thawed},
		{"1", "populated 1\nfrozen 0", Freezing},
		{"1", "populated 1\nfrozen 1", Frozen},
		{"0", "populated 1\nfrozen 1\n", Frozen}, // by a cgroup above it
	} {
		if got := parseV2(tc.asked, tc.events); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

func TestFindBelievesOnlyTheKernel(t *testing.T) {
	b := isolatetest.Start(t, []string{"sleep", "1000"})
	groups, err := Find(b.PID, "", b.ID)
	if err != nil || len(groups) != len(strings.Fields(b.State())) {
		t.Fatal(groups, err)
	}
	for _, g := range groups {
		if pids, err := g.Pids(); err != nil || !slices.Contains(pids, b.PID) {
			t.Error(g, pids, err)
		}
		// A cgroup made anew at the same path is another one.
		old := g
		old.Inode--
		if same, gone := old.Same(); same || gone {
			t.Error("a cgroup of another inode passes for the same")
		}
		if same, _ := g.Same(); !same {
			t.Error("the cgroup is not the same as itself")
		}
		old.Dir += "-none"
		if _, gone := old.Same(); !gone {
			t.Error("a cgroup that is not there is not gone")
		}
	}
	if _, err := locate(1, "/../x", os.Getpid()); err == nil {
		t.Error("a path outside of the namespace was followed")
	}
}

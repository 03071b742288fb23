package container

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container/mountinfo"
	"amber/container/procfs"
)

const (
	hybrid = `25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw
26 25 0:23 / /sys/fs/cgroup/freezer rw,relatime shared:1 - cgroup cgroup rw,freezer
27 25 0:24 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
28 25 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
29 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`
	unified = "29 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	partial = "29 25 0:26 /kubepods/pod1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
)

func TestLocate(t *testing.T) {
	for _, test := range []struct{ name, groups, table, want string }{
		{
			"hybrid", "9:freezer:/ns/id\n4:cpu,cpuacct:/ns/id\n1:name=systemd:/ns/id\n0::/ns/id\n", hybrid,
			"/sys/fs/cgroup/freezer/ns/id /sys/fs/cgroup/cpu,cpuacct/ns/id /sys/fs/cgroup/systemd/ns/id /sys/fs/cgroup/unified/ns/id",
		},
		{"unified", "0::/system.slice/cri-containerd-abc.scope\n", unified, "/sys/fs/cgroup/system.slice/cri-containerd-abc.scope"},
		{"the root", "0::/\n", unified, "/sys/fs/cgroup"},
		{"a part of the tree", "0::/kubepods/pod1/c1\n", partial, "/sys/fs/cgroup/c1"},
		{"out of the part", "0::/kubepods/pod2/c1\n", partial, ""},
		{"a name that begins alike", "0::/kubepods/pod11/c1\n", partial, ""},
		{"out of our namespace", "0::/../../other\n", unified, ""},
		{"not mounted", "9:freezer:/x\n", unified, ""},
		{"a colon in the name", "0::/a:b\n", unified, "/sys/fs/cgroup/a:b"},
		{"rubbish", "x\n::\n\n9:\n", hybrid, ""},
	} {
		var dirs []string
		for _, g := range locate(procfs.ParseCgroups([]byte(test.groups)), mountinfo.Parse([]byte(test.table))) {
			dirs = append(dirs, g.Dir)
		}
		if got := strings.Join(dirs, " "); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestCGroupsOfThisProcess(t *testing.T) {
	groups, err := CGroups(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if len(groups) == 0 {
		t.Skip("no cgroup hierarchy is mounted here")
	}
	for _, g := range groups {
		if _, err := os.Stat(filepath.Join(g.Dir, "cgroup.procs")); err != nil {
			t.Error(err)
		}
	}
}

func FuzzLocate(f *testing.F) {
	f.Add("9:freezer:/ns/id\n0::/ns/id\n", hybrid)
	f.Add("0::/../x\n", unified)
	f.Add("0::/kubepods/pod1/c1\n", partial)
	f.Fuzz(func(t *testing.T, groups, table string) {
		mounts := mountinfo.Parse([]byte(table))
		for _, g := range locate(procfs.ParseCgroups([]byte(groups)), mounts) {
			inside := false
			for _, m := range mounts.Mounts {
				inside = inside || under(g.Dir, filepath.Join(m.Point))
			}
			if !inside {
				t.Errorf("%q leads to %q, out of every hierarchy", g.Path, g.Dir)
			}
		}
	})
}

func FuzzRisks(f *testing.F) {
	f.Add([]byte(`{"process":{"capabilities":{"bounding":["CAP_SYS_ADMIN"]}},"mounts":[{"source":"/","type":"bind"}]}`))
	f.Add([]byte(`{"linux":{"namespaces":[{"type":"pid","path":"/proc/1/ns/pid"}],"resources":{"devices":[{"allow":true,"type":"b"}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s specs.Spec
		if json.Unmarshal(data, &s) != nil {
			return
		}
		for i, r := range Risks(Container{ID: "x", Spec: &s}) {
			if r.ID == "" || r.What == "" || r.Severity < Low || r.Severity > Critical {
				t.Errorf("risk %d is %+v", i, r)
			}
		}
	})
}

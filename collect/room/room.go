// Package room tells whether evidence can be spooled on this host: whether it
// fits, and whether the kubelet would then evict the very pod that is held.
package room

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Defaults of the kubelet's hard eviction thresholds on Linux, in percent.
const (
	defaultNodefs  = 10
	defaultImagefs = 15
	defaultInodes  = 5
)

// Options say where to look; the zero value is this host.
type Options struct {
	KubeletDir string // /var/lib/kubelet
	ImageDirs  []string
}

// Room is what a directory's file system has for us.
type Room struct {
	Dir     string `json:"dir"`
	Free    int64  `json:"free_bytes"`        // what an ordinary user could take
	Usable  int64  `json:"usable_bytes"`      // before the kubelet would evict
	Used    int64  `json:"used_bytes"`        // by all that is on that file system
	Inodes  int64  `json:"usable_inodes"`     // the same, of inodes; -1 where the file system does not count them
	Limit   string `json:"limit,omitempty"`   // the threshold that makes Usable less than Free
	Unknown string `json:"unknown,omitempty"` // what could not be read
}

// Look measures the file system that dir is on, or its nearest parent that is
// there.
func Look(dir string, o Options) (Room, error) {
	if o.KubeletDir == "" {
		o.KubeletDir = "/var/lib/kubelet"
	}
	dir, st, err := statfs(dir)
	if err != nil {
		return Room{}, fmt.Errorf("measuring the space in %s: %w", dir, err)
	}
	bs := int64(st.Bsize)
	r := Room{Dir: dir, Free: int64(st.Bavail) * bs, Used: int64(st.Blocks-st.Bfree) * bs, Inodes: -1}
	if st.Files > 0 {
		r.Inodes = int64(st.Ffree)
	}
	r.Usable = r.Free
	r.kubelet(st, o)
	return r, nil
}

func statfs(dir string) (string, *unix.Statfs_t, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return dir, nil, err
	}
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil || dir == "/" || err != unix.ENOENT {
			return dir, &st, err
		}
		dir = filepath.Dir(dir)
	}
}

// kubelet takes off what must stay free, where this is a node and dir is on a
// file system that its kubelet watches.
func (r *Room) kubelet(st *unix.Statfs_t, o Options) {
	var watched []string
	if same(r.Dir, o.KubeletDir) {
		watched = append(watched, "nodefs")
	}
	for _, d := range o.ImageDirs {
		if same(r.Dir, d) && isDir(o.KubeletDir) {
			watched = append(watched, "imagefs")
			break
		}
	}
	if len(watched) == 0 {
		return
	}
	set, err := thresholds(filepath.Join(o.KubeletDir, "config.yaml"))
	if err != nil {
		r.Unknown = "the kubelet's configuration: " + err.Error() + "; its defaults are assumed"
	}
	total := int64(st.Blocks) * int64(st.Bsize)
	for _, w := range watched {
		keep, text := set.keep(w+".available", total)
		if usable := max(r.Free-keep, 0); usable < r.Usable {
			r.Usable, r.Limit = usable, text
		}
		if w == "nodefs" && r.Inodes >= 0 {
			keep, _ := set.keep("nodefs.inodesFree", int64(st.Files))
			r.Inodes = max(r.Inodes-keep, 0)
		}
	}
}

func isDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

func same(a, b string) bool {
	var sa, sb unix.Stat_t
	return unix.Stat(a, &sa) == nil && unix.Stat(b, &sb) == nil && sa.Dev == sb.Dev
}

// signals are thresholds by signal: "nodefs.available" → "10%" or "1Gi".
type signals map[string]string

// thresholds reads evictionHard of a kubelet configuration. Only that block is
// understood; anything else in the file is passed over.
func thresholds(file string) (signals, error) {
	set := signals{}
	f, err := os.Open(file)
	if os.IsNotExist(err) {
		return set, nil
	}
	if err != nil {
		return set, err
	}
	defer f.Close()
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if line[0] != ' ' {
			inside = strings.HasPrefix(line, "evictionHard:")
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if inside && ok {
			set[strings.Trim(key, `"'`)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return set, nil
}

// keep is how much of total a signal wants left free, and the signal in words.
func (s signals) keep(signal string, total int64) (int64, string) {
	value, ok := s[signal]
	if !ok && len(s) == 0 { // a block that is given replaces all defaults
		value = map[string]string{
			"nodefs.available": strconv.Itoa(defaultNodefs) + "%", "imagefs.available": strconv.Itoa(defaultImagefs) + "%",
			"nodefs.inodesFree": strconv.Itoa(defaultInodes) + "%",
		}[signal]
	}
	n, err := amount(value, total)
	if err != nil {
		return 0, ""
	}
	return n, signal + "<" + value
}

// amount reads "10%" of total, or a Kubernetes quantity of bytes.
func amount(s string, total int64) (int64, error) {
	if p, ok := strings.CutSuffix(s, "%"); ok {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil || f < 0 || f > 100 {
			return 0, fmt.Errorf("%q is no percentage", s)
		}
		return int64(f / 100 * float64(total)), nil
	}
	for suffix, unit := range map[string]float64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			f, err := strconv.ParseFloat(n, 64)
			return int64(f * unit), err
		}
	}
	return strconv.ParseInt(s, 10, 64)
}

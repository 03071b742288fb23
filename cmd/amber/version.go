package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"amber/evidence/custody"
)

// Set by the linker; see the Makefile.
var (
	version = "dev"
	commit  = ""
	date    = ""
)

func versionText() string {
	return fmt.Sprintf("%s (commit %s, built %s, %s %s/%s)", version, orUnknown(buildSetting(commit, "vcs.revision")),
		orUnknown(buildSetting(date, "vcs.time")), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func buildSetting(linked, key string) string {
	if linked != "" {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// tool is what records say of this program. It hashes the executable, which
// takes a moment: never before a freeze.
var tool = sync.OnceValue(func() custody.Tool {
	t := custody.Tool{Name: "amber", Version: version}
	if c := buildSetting(commit, "vcs.revision"); c != "" {
		t.Version += "+" + c
	}
	if f, err := os.Open("/proc/self/exe"); err == nil {
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err == nil {
			t.SHA256 = hex.EncodeToString(h.Sum(nil))
		}
	}
	return t
})

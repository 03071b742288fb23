package nft

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/isolate/isolatetest"
	"amber/isolate/reach/reachtest"
)

// A single thread that has gone into another network namespace is found, and
// that namespace is one of the target's homes.
func TestThreadInANamespaceOfItsOwn(t *testing.T) {
	ns := reachtest.NewNS(t)
	tid, done := make(chan int), make(chan struct{})
	go func() {
		_ = ns.Do(func() error { tid <- unix.Gettid(); <-done; return nil })
	}()
	id := <-tid
	isolatetest.Until(t, "the thread's namespace to be found", func() bool {
		return slices.ContainsFunc(apart(os.Getpid()), func(one int) bool { // the thread that made it may be there still
			h, err := homeOf(one)
			return err == nil && h.Inode == ns.Inode
		})
	})
	if h, err := homeOf(id); err != nil || h.Inode != ns.Inode || h.PID != id {
		t.Errorf("home %+v %v, want namespace %d", h, err, ns.Inode)
	}
	close(done)
	runtime.KeepAlive(ns)
	if _, err := homeOf(os.Getpid()); err == nil {
		t.Errorf("the host's namespace is taken for a home, not %v", netns.ErrHost)
	}
}

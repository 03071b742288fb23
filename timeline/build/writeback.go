package build

import (
	"os"

	"golang.org/x/sys/unix"
)

// backSize is the number of bytes after which the kernel is asked to write.
const backSize = 8 << 20

// writeBack has the kernel write a copy to the disk while the rest of it comes,
// so that the disk works beside the parsing and the sync at the end is short.
// Asking may take as long as the disk does: a goroutine of its own asks.
type writeBack struct {
	f        *os.File
	n, asked int64
	parts    chan extent // nil as long as there is little
}

type extent struct{ off, size int64 }

// wrote tells of bytes behind those before. It never waits: what the disk is too
// busy for is asked for with what comes next.
func (w *writeBack) wrote(n int64) {
	w.n += n
	if w.n-w.asked < backSize {
		return
	}
	if w.parts == nil {
		w.parts = make(chan extent, 1)
		go w.run()
	}
	select {
	case w.parts <- extent{w.asked, w.n - w.asked}:
		w.asked = w.n
	default:
	}
}

// run asks until the end, or until the copy is closed. What fails here fails at
// the sync, where it counts.
func (w *writeBack) run() {
	conn, err := w.f.SyscallConn()
	if err != nil {
		return
	}
	for p := range w.parts {
		_ = conn.Control(func(fd uintptr) {
			_ = unix.SyncFileRange(int(fd), p.off, p.size, unix.SYNC_FILE_RANGE_WRITE)
		})
	}
}

// end is called once, behind the last bytes.
func (w *writeBack) end() {
	if w.parts != nil {
		close(w.parts)
	}
}

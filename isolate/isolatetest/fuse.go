package isolatetest

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
)

// Mute mounts a FUSE file system on dir that never answers: whoever looks up a
// name in it waits for ever. It returns the descriptor of /dev/fuse that
// serves it; when that is closed everybody gets an error.
func Mute(dir string) (*os.File, error) {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	opts := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", f.Fd())
	if err := syscall.Mount("amber-mute", dir, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, opts); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("mounting a FUSE file system: %w", err)
	}
	if err := greet(int(f.Fd())); err != nil {
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// greet answers FUSE_INIT (struct fuse_init_out of linux/fuse.h), without
// which the kernel sends nothing else.
func greet(fd int) error {
	req := make([]byte, 1<<17)
	if _, err := syscall.Read(fd, req); err != nil {
		return fmt.Errorf("reading FUSE_INIT: %w", err)
	}
	out := make([]byte, 16+64)
	binary.NativeEndian.PutUint32(out[0:], uint32(len(out)))
	copy(out[8:16], req[8:16]) // the request's number
	binary.NativeEndian.PutUint32(out[16:], 7)
	binary.NativeEndian.PutUint32(out[20:], 31)
	binary.NativeEndian.PutUint32(out[16+20:], 4096) // max_write
	_, err := syscall.Write(fd, out)
	return err
}

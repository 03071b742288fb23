package memory

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BenchmarkRead compares the two ways to read another's memory, on our own.
func BenchmarkRead(b *testing.B) {
	const size = 256 << 20
	from, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	must(b, err)
	defer func() { must(b, unix.Munmap(from)) }()
	f, err := os.Open("/proc/self/mem")
	must(b, err)
	defer f.Close()
	buf := make([]byte, chunkSize)
	for name, read := range map[string]func(at uintptr) (int, error){
		"mem": func(at uintptr) (int, error) { return pread(int(f.Fd()), buf, int64(at)) },
		"process_vm_readv": func(at uintptr) (int, error) {
			local := []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}
			return unix.ProcessVMReadv(os.Getpid(), local, []unix.RemoteIovec{{Base: at, Len: len(buf)}}, 0)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				for at := uintptr(0); at < size; at += chunkSize {
					if n, err := read(uintptr(unsafe.Pointer(&from[0])) + at); n != chunkSize || err != nil {
						b.Fatalf("%d bytes, %v", n, err)
					}
				}
			}
		})
	}
}

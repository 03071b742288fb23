package proc

import (
	"bytes"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A table that is read without asking for its end must be the one that is read
// with it, however many pages it fills.
func TestReadTable(t *testing.T) {
	if _, err := os.Stat("/proc/thread-self/net/tcp"); err != nil {
		t.Skip("no TCP here:", err)
	}
	for range 9 {
		var open []net.Listener
		for range 25 { // 150 bytes each
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, l)
			t.Cleanup(func() { l.Close() })
		}
		if err := sameTable(open); err != nil {
			t.Error(err)
		}
	}
}

// sameTable looks for the newest, which the kernel may list anywhere.
func sameTable(open []net.Listener) error {
	table, err := readAt(unix.AT_FDCWD, "/proc/thread-self/net/tcp", 1<<24, 512)
	if err != nil {
		return err
	}
	for _, l := range open {
		if !bytes.Contains(table, portHex(l)) {
			return &net.AddrError{Err: "this listener is not in the table", Addr: l.Addr().String()}
		}
	}
	return nil
}

func portHex(l net.Listener) []byte {
	const digits = "0123456789ABCDEF"
	p := l.Addr().(*net.TCPAddr).Port
	return []byte{':', digits[p>>12&15], digits[p>>8&15], digits[p>>4&15], digits[p&15], ' '}
}

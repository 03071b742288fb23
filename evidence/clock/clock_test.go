package clock

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ahead is an NTP server whose clock is ahead of this one's; change may spoil
// its answers.
func ahead(t *testing.T, by time.Duration, change func([]byte)) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		p := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(p)
			if err != nil {
				return
			}
			if n < ntpSize {
				continue
			}
			a := make([]byte, ntpSize)
			a[0], a[1], a[2], a[3] = 4<<3|4, 2, p[2], 0xec
			binary.BigEndian.PutUint32(a[4:], 1<<16/100) // root delay 10 ms
			binary.BigEndian.PutUint32(a[8:], 1<<16/200) // root dispersion 5 ms
			copy(a[12:], "TEST")
			copy(a[24:32], p[40:48])
			now := time.Now().Add(by)
			for _, at := range []int{16, 32, 40} {
				binary.BigEndian.PutUint32(a[at:], uint32(now.Unix()+ntpEpoch))
				binary.BigEndian.PutUint32(a[at+4:], uint32(uint64(now.Nanosecond())<<32/1e9))
			}
			if change != nil {
				change(a)
			}
			_, _ = c.WriteTo(a, from)
		}
	}()
	return c.LocalAddr().String()
}

// The offset that is measured is the server's, within what is said to be sure.
func TestNTP(t *testing.T) {
	for _, by := range []time.Duration{0, 5 * time.Second, -time.Hour, 40 * 365 * 24 * time.Hour} {
		o := ntp(context.Background(), ahead(t, by, nil))
		if o.Error != "" {
			t.Fatalf("%v: %s", by, o.Error)
		}
		off, sure := time.Duration(o.OffsetNS), time.Duration(o.UncertaintyNS)
		if sure < 9*time.Millisecond || (off-by).Abs() > sure {
			t.Errorf("%v ahead: %v ± %v (%s)", by, off, sure, o.Detail)
		}
	}
}

func TestNTPRefuses(t *testing.T) {
	for say, change := range map[string]func([]byte){
		"does not answer as a server": func(a []byte) { a[0] = 4<<3 | 3 },
		"does not know the time":      func(a []byte) { a[1] = 0 },
		"know the time (stratum 2)":   func(a []byte) { a[0] |= 3 << 6 },
		"answers with no time":        func(a []byte) { clear(a[40:48]) },
		"i/o timeout":                 func(a []byte) { a[24] ^= 1 }, // it answers something else
	} {
		if o := ntp(context.Background(), ahead(t, 0, change)); !strings.Contains(o.Error, say) {
			t.Errorf("%s: %+v", say, o)
		}
	}
}

// A server that is not there is told; a time service that is not there is not.
func TestMeasure(t *testing.T) {
	all := Measure(context.Background(), []string{ahead(t, time.Minute, nil), "127.0.0.1:1"})
	var told []string
	for _, o := range all {
		if strings.HasPrefix(o.By, "ntp ") {
			told = append(told, fmt.Sprint(o.Error == ""))
		}
	}
	if strings.Join(told, " ") != "true false" {
		t.Errorf("%+v", all)
	}
}

func TestTimesyncd(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "synchronized")
	if timesyncd(mark) != nil {
		t.Error("it is not there, and told")
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o := timesyncd(mark); o == nil || !strings.HasPrefix(o.Detail, "set the clock last at 20") {
		t.Errorf("%+v", o)
	}
}

// A real chronyd, which may not touch the clock, is asked what it makes of a
// server that is ahead.
func TestChrony(t *testing.T) {
	program, err := exec.LookPath("chronyd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/chronyd")
	}
	if err != nil || os.Getuid() != 0 {
		t.Skip("chronyd is not installed, or this is not root")
	}
	const by = 3 * time.Second
	server := ahead(t, by, nil)
	_, port, _ := net.SplitHostPort(server)
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	command := l.LocalAddr().String()
	_, at, _ := net.SplitHostPort(command)
	l.Close()
	dir := t.TempDir()
	conf := strings.Join([]string{
		"server 127.0.0.1 port " + port + " iburst minpoll -4 maxpoll -4", "port 0", "cmdport " + at, "bindcmdaddress 127.0.0.1", "bindcmdaddress /",
		"pidfile " + filepath.Join(dir, "pid"), "cmdallow 127.0.0.1", "",
	}, "\n")
	file := filepath.Join(dir, "chrony.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-x", "-d", "-u", "root", "-f", file)
	var said strings.Builder
	cmd.Stderr, cmd.Stdout = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if _, err := strconv.Atoi(at); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		o := chrony(context.Background(), command)
		if o != nil && o.Error == "" {
			off, sure := time.Duration(o.OffsetNS), time.Duration(o.UncertaintyNS)
			if (off - by).Abs() > sure+500*time.Millisecond {
				t.Errorf("%v ± %v, want %v (%s)", off, sure, by, o.Detail)
			}
			t.Logf("%v ± %v (%s)", off, sure, o.Detail)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v\n%s", o, said.String())
		}
	}
}

// Numbers as chrony writes them: an exponent of 7 bits, a coefficient of 25.
func TestChronyFloat(t *testing.T) {
	for x, want := range map[uint32]float64{
		0: 0, 1 << 23: 0.25, 1<<25 | 1<<23: 0.5, 3<<25 | 1<<23: 2, 1<<25 | 3<<23: -0.5, 127<<25 | 1<<23: 0.125,
	} {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], x)
		if got := chronyFloat(b[:]); got != want {
			t.Errorf("%08x: %v, want %v", x, got, want)
		}
	}
}

func FuzzParseTracking(f *testing.F) {
	p := make([]byte, chronySize)
	p[0], p[1], p[7] = chronyVersion, chronyReply, chronyTracked
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < 28 {
			t.Skip()
		}
		if o, err := parseTracking(p); err == nil && o == nil {
			t.Error("neither an offset nor an error")
		}
	})
}

func FuzzParseNTP(f *testing.F) {
	f.Add(make([]byte, ntpSize))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < ntpSize {
			t.Skip()
		}
		now := time.Now()
		if s, err := parseNTP(p, now, now.Add(time.Millisecond)); err == nil && (s.stratum < 1 || s.delay < 0) {
			t.Error(s)
		}
	})
}

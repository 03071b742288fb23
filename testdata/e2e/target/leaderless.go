package main

import (
	"net"
	"strconv"
	"strings"
	"time"

	"amber/container/procfs/procfstest"
)

// leaderless goes on without its first thread: to whoever asks by its number
// alone, it is a zombie that has neither memory nor files nor a network.
func leaderless(args []string) error {
	secret = []byte(strings.Join([]string{"amber", "leaderless", "secret"}, "-") + "\x00")
	if err := procfstest.EndLeader(); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if err := say("/count", strconv.Itoa(n)); err != nil {
			return err
		}
		if c, err := net.DialTimeout("tcp", args[0], 100*time.Millisecond); err == nil {
			_, _ = c.Write(secret[:6])
			c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

package probes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"amber/container/procfs"
	"amber/isolate"
)

// Verify asks as kubelet does, from the host's network namespace: liveness and
// startup probes must pass, readiness probes fail. It looks at the responder
// and at the tables too.
func (m *Method) Verify(ctx context.Context, r isolate.Receipt) ([]isolate.Check, error) {
	var checks []isolate.Check
	var s *shield
	for _, st := range r.Steps {
		var err error
		if s, err = decode(st); err != nil {
			return checks, err
		}
		if st.Action == actionAnswer {
			checks = append(checks, s.responderCheck())
		} else {
			checks = append(checks, s.tableCheck())
		}
	}
	if s == nil {
		return checks, nil
	}
	checks = append(checks, s.tryAll(ctx)...)
	if late := Overdue(r, time.Now()); late != "" {
		checks = append(checks, isolate.Check{Name: "deadline of the shield of " + s.Pod, OK: true, Got: late})
	}
	return checks, nil
}

// responderCheck is right when the responder runs, and is the program that was
// started.
func (s *shield) responderCheck() isolate.Check {
	c := isolate.Check{Name: "the probe responder of " + s.Pod + " runs"}
	id, err := readPID(s.pidFile())
	if err != nil {
		c.Got = err.Error()
		return c
	}
	c.Got, c.OK = s.alive(id)
	return c
}

func (s *shield) alive(id identity) (string, bool) {
	who := fmt.Sprintf("pid %d", id.PID)
	is, err := identityOf(id.process)
	switch {
	case id.Boot != procfs.BootID() || !procfs.Alive(id.PID, id.Start) || errors.Is(err, fs.ErrNotExist): // the last: its threads are ending
		return who + " has ended: " + s.lastLine(), false
	case err != nil:
		return err.Error(), false
	case is != id:
		return who + " runs another program", false
	}
	var exe unix.Stat_t
	if err := unix.Stat(s.Exe, &exe); err != nil || exe.Dev != id.Dev || exe.Ino != id.Ino {
		who += " (" + s.Exe + " was replaced since)"
	}
	return who, true
}

// tableCheck is right when the tables are as they were put in.
func (s *shield) tableCheck() isolate.Check {
	c := isolate.Check{Name: "the nft table " + s.table() + " is as it was put in"}
	ns, err := s.namespace()
	if err != nil {
		c.Got = err.Error()
		return c
	}
	defer ns.Close()
	err = ns.Do(func() error {
		digest, err := s.compare()
		c.Got = "rules sha256:" + digest
		return err
	})
	if c.OK = err == nil; !c.OK {
		c.Got = err.Error()
	}
	return c
}

// tryAll tries every probe at once.
func (s *shield) tryAll(ctx context.Context) []isolate.Check {
	type attempt struct {
		p    probe
		pass bool
	}
	var all []attempt
	for _, p := range s.Ports {
		for _, l := range p.Live {
			all = append(all, attempt{l, true})
		}
	}
	for _, p := range s.Unready {
		all = append(all, attempt{p, false})
	}
	checks := make([]isolate.Check, len(all)*len(s.Routes))
	var wg sync.WaitGroup
	for i, a := range all {
		for j, r := range s.Routes {
			wg.Go(func() {
				c := &checks[i*len(s.Routes)+j]
				got, err := a.p.try(ctx, r)
				c.Name, c.OK, c.Got = fmt.Sprintf("%s at %s passes", a.p, r.Pod), (err == nil) == a.pass, got
				if !a.pass {
					c.Name = fmt.Sprintf("%s at %s fails", a.p, r.Pod)
				}
				if err != nil {
					c.Got = err.Error()
				}
			})
		}
	}
	wg.Wait()
	return checks
}

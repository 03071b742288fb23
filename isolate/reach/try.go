package reach

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	again   = 300 * time.Millisecond // between two datagrams of one attempt
	longest = 30 * time.Second       // that attempts go on, whoever forgets them
)

// Running are attempts under way.
type Running struct {
	probes []*probe
	start  time.Time
	done   chan struct{}

	mu    sync.Mutex
	event int // an eventfd that ends them, -1 where there is none
	ended bool
}

// Try makes all attempts at once and waits until each has an answer, at most
// for timeout. The results are in the attempts' order.
func Try(ctx context.Context, from Place, attempts []Attempt, timeout time.Duration) []Result {
	return Begin(ctx, from, attempts).Results(time.Now().Add(timeout))
}

// Begin makes all attempts at once and returns before they have answers, so
// that the caller's own work is not delayed. What from stands on must stay
// until Results. They end with ctx, and after half a minute by themselves.
func Begin(ctx context.Context, from Place, attempts []Attempt) *Running {
	r := &Running{start: time.Now(), done: make(chan struct{}), event: -1}
	for _, a := range attempts {
		r.probes = append(r.probes, newProbe(a))
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		r.end("no eventfd: " + err.Error())
		r.ended = true
		close(r.done)
		return r
	}
	r.event = fd
	stop := context.AfterFunc(ctx, r.cancel)
	go func() {
		defer close(r.done)
		defer stop()
		r.run(from)
	}()
	return r
}

// Results ends the attempts, at once where all have answers and otherwise at
// the deadline: what is unanswered by then is not known to work. It may be
// called once.
func (r *Running) Results(deadline time.Time) []Result {
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	select {
	case <-r.done:
	case <-late.C:
		r.cancel()
		<-r.done
	}
	results := make([]Result, len(r.probes))
	for i, p := range r.probes {
		results[i] = p.res
	}
	return results
}

// cancel wakes the poll for the last time.
func (r *Running) cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		_, _ = unix.Write(r.event, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

func (r *Running) run(from Place) {
	r.begin(from)
	limit, next := r.start.Add(longest), time.Now().Add(again)
	for r.pending() && time.Now().Before(limit) {
		stopped, err := r.poll(time.Until(next))
		if err != nil {
			r.end("polling: " + err.Error())
		}
		if stopped {
			break
		}
		if !time.Now().Before(next) {
			r.resend()
			next = time.Now().Add(again)
		}
	}
	r.end(fmt.Sprintf("no answer in %v", time.Since(r.start).Round(time.Millisecond)))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	_ = unix.Close(r.event)
}

// begin makes the sockets of all attempts that can be made.
func (r *Running) begin(from Place) {
	var want []Socket
	var who []*probe
	for _, p := range r.probes {
		s, err := p.socket()
		if err != nil {
			p.untried(err)
			continue
		}
		want, who = append(want, s), append(who, p)
	}
	for i, m := range from(want) {
		who[i].begin(m)
	}
}

func (r *Running) pending() bool {
	for _, p := range r.probes {
		if !p.done {
			return true
		}
	}
	return false
}

// poll waits for something to happen; stopped says that the results are wanted.
func (r *Running) poll(wait time.Duration) (stopped bool, err error) {
	fds := []unix.PollFd{{Fd: int32(r.event), Events: unix.POLLIN}}
	var who []*probe
	for _, p := range r.probes {
		if !p.done {
			fds, who = append(fds, unix.PollFd{Fd: int32(p.fd), Events: p.events()}), append(who, p)
		}
	}
	_, err = unix.Poll(fds, int(max(wait, 0)/time.Millisecond)+1)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for i, p := range who {
		if fds[i+1].Revents != 0 {
			p.ready()
		}
	}
	return fds[0].Revents != 0, nil
}

func (r *Running) resend() {
	for _, p := range r.probes {
		p.send()
	}
}

// end finishes what has no answer.
func (r *Running) end(why string) {
	for _, p := range r.probes {
		p.finish(false, why)
	}
}

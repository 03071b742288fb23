package main

import (
	"fmt"
	"net"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"amber/container/netns"
)

const (
	cutRuns    = 20
	floodCount = 100_000
	knock      = 100 * time.Microsecond // between two packets while the cut is waited for
)

// quarantine measures the network cut on a container of its own, from which
// this process sends: it has a socket in the container's network namespace.
func (b *bench) quarantine() error {
	const id = "cut"
	r, err := b.bed.Start(id, "exec sleep 1000000")
	if err != nil {
		return err
	}
	n, err := b.newNetwork()
	if err != nil {
		return err
	}
	defer n.close()
	inside, err := netns.OfOwn(r.PID, 0)
	if err != nil {
		return err
	}
	var nodes []*node
	for i := range 4 { // the container, its peer, and two others of the host
		ns := inside
		if i > 0 {
			if ns, err = netns.New(func() error { return nil }); err != nil {
				return err
			}
		}
		k, err := n.join(ns)
		if err != nil {
			return err
		}
		nodes = append(nodes, k)
	}
	b.table.head("9. quarantine: the network cut at the node")
	w := &wire{b: b, id: id, pid: r.PID, from: nodes[0], to: nodes[1]}
	if err := w.open(); err != nil {
		return err
	}
	if err := w.cuts(); err != nil {
		return err
	}
	if err := w.flood(); err != nil {
		return err
	}
	return w.others(nodes[2], nodes[3])
}

// wire is a stream of small packets from the container to its peer.
type wire struct {
	b        *bench
	id       string
	pid      int // of the container
	from, to *node
	out      *net.UDPConn
	dest     *net.UDPAddr
	got      atomic.Int64
	last     atomic.Int64 // when the last one came, in nanoseconds
}

func (w *wire) open() error {
	in, err := w.to.udp(7007)
	if err != nil {
		return err
	}
	if err := in.SetReadBuffer(32 << 20); err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 64)
		for {
			if _, err := in.Read(buf); err != nil {
				return
			}
			w.got.Add(1)
			w.last.Store(time.Now().UnixNano())
		}
	}()
	w.dest = &net.UDPAddr{IP: w.to.ip.AsSlice(), Port: 7007}
	w.out, err = w.from.udp(0)
	return err
}

func (w *wire) send() { _, _ = w.out.WriteToUDP([]byte("x"), w.dest) }

// knocking sends until stop is closed.
func (w *wire) knocking(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(knock):
			w.send()
		}
	}
}

// cuts is how long after the start of the process the last packet arrives.
func (w *wire) cuts() error {
	for _, k := range []struct {
		what   string
		flags  []string
		target time.Duration
	}{
		{"from the start of isolate --method nft until the last packet", []string{"--method", "nft"}, 150 * time.Millisecond},
		{"the same of isolate, which freezes first", nil, 0},
	} {
		var list []time.Duration
		for i := range cutRuns + 1 {
			d, err := w.cut(k.flags)
			if err != nil {
				return err
			}
			if i > 0 { // the first is to warm up
				list = append(list, d)
			}
		}
		target := ""
		if k.target > 0 {
			target = fmt.Sprintf("< %s, %s", text(k.target), met(median(list) < k.target))
		}
		w.b.table.line(k.what, fmt.Sprintf("%s (%s to %s)", text(median(list)), text(slices.Min(list)), text(slices.Max(list))), target)
	}
	w.b.notes = append(w.b.notes, fmt.Sprintf("quarantine: median of %d after one to warm up; a packet every %s or so", cutRuns, knock))
	return nil
}

func (w *wire) cut(flags []string) (time.Duration, error) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { w.knocking(stop) })
	defer wg.Wait()
	defer close(stop)
	if err := w.passes(); err != nil {
		return 0, err
	}
	dir := w.b.newCase()
	p, err := begin(w.b.isolate(dir, w.id, flags...))
	if err != nil {
		return 0, err
	}
	if _, err := p.end(); err != nil {
		return 0, err
	}
	last := time.Unix(0, w.last.Load())
	time.Sleep(20 * time.Millisecond)
	if again := time.Unix(0, w.last.Load()); again.After(last) {
		return 0, fmt.Errorf("a packet arrives %s after amber said that the container is cut off", again.Sub(last))
	}
	_, err = w.b.run(w.b.release(dir))
	return last.Sub(p.begun), err
}

// passes waits until packets arrive.
func (w *wire) passes() error {
	before, limit := w.got.Load(), time.Now().Add(5*time.Second)
	for w.got.Load() < before+5 {
		if time.Now().After(limit) {
			return fmt.Errorf("nothing arrives, though nothing is cut off")
		}
		w.send()
		time.Sleep(time.Millisecond)
	}
	return nil
}

// flood sends many packets before, under and after quarantine.
func (w *wire) flood() error {
	var arrived [3]int64
	dir := w.b.newCase()
	for i, cmd := range []*exec.Cmd{nil, w.b.isolate(dir, w.id, "--method", "nft"), w.b.release(dir)} {
		if cmd != nil {
			if _, err := w.b.run(cmd); err != nil {
				return err
			}
		}
		time.Sleep(100 * time.Millisecond) // what is on its way arrives
		before := w.got.Load()
		for k := range floodCount {
			w.send()
			if k%200 == 199 { // the receiver is a process too
				time.Sleep(500 * time.Microsecond)
			}
		}
		time.Sleep(200 * time.Millisecond)
		arrived[i] = w.got.Load() - before
	}
	w.b.table.line(fmt.Sprintf("of %d packets arrive before, under and after it", floodCount),
		fmt.Sprintf("%d, %d, %d", arrived[0], arrived[1], arrived[2]),
		"all, 0, all, "+met(arrived == [3]int64{floodCount, 0, floodCount}))
	return nil
}

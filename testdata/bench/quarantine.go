package main

import (
	"fmt"
	"net"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"amber/container/netns"
)

const (
	cutRuns     = 20
	floodCount  = 100_000
	slicesOf    = 40
	sliceLength = 100 * time.Millisecond
	knock       = 100 * time.Microsecond // between two packets while the cut is waited for
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
			if ns, err = newNS(); err != nil {
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

// floodFrom sends small packets from the network namespace of a process, until
// it is killed.
func floodFrom(pid int, to string) error {
	ns, err := netns.OfOwn(pid, 0)
	if err != nil {
		return err
	}
	defer ns.Close()
	var c net.Conn
	if err := ns.Do(func() error { c, err = net.Dial("udp4", to); return err }); err != nil {
		return err
	}
	for {
		_, _ = c.Write([]byte("x"))
		time.Sleep(knock)
	}
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

// others is what two other namespaces get through, by turns without and under
// the quarantine, while the container is silent and while it floods.
func (w *wire) others(a, z *node) error {
	for _, flooding := range []bool{false, true} {
		var without, under []float64
		stop := make(chan struct{})
		var wg sync.WaitGroup
		if flooding {
			// A process of its own, as a container is: in this one it would
			// take turns with the stream.
			cmd := exec.Command("/proc/self/exe", "-flood", fmt.Sprint(w.pid), "-to", w.dest.String())
			if err := cmd.Start(); err != nil {
				return err
			}
			wg.Go(func() { <-stop; _ = cmd.Process.Kill(); _ = cmd.Wait() })
		}
		s, err := openStream(a, z)
		for i := 0; err == nil && i < slicesOf; i++ {
			dir := w.b.newCase()
			without = append(without, s.slice())
			if _, err = w.b.run(w.b.isolate(dir, w.id, "--method", "nft")); err != nil {
				break
			}
			under = append(under, s.slice())
			_, err = w.b.run(w.b.release(dir))
		}
		close(stop)
		wg.Wait()
		if err != nil {
			return err
		}
		s.close()
		what := "throughput of two others while it is silent, under it and without"
		if flooding {
			what = "the same while it sends all the time"
		}
		u, o := medianFloat(under), medianFloat(without)
		w.b.table.rows = append(w.b.table.rows, [5]string{"  " + what, fmt.Sprintf("%.0f MB/s", u), fmt.Sprintf("%.0f MB/s", o), fmt.Sprintf("%.3f", u/o), "≥ 0.99, " + met(u/o >= 0.99)})
	}
	w.b.notes = append(w.b.notes, fmt.Sprintf("quarantine: throughput is the median of %d slices of %s each, by turns", slicesOf, sliceLength))
	return nil
}

// stream is a TCP connection that is always full.
type stream struct {
	in, out net.Conn
	bytes   atomic.Int64
}

func openStream(a, z *node) (s *stream, err error) {
	s = &stream{}
	var l net.Listener
	err = z.ns.Do(func() error {
		l, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: z.ip.AsSlice()})
		return err
	})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	to, _ := l.Addr().(*net.TCPAddr)
	if err = a.ns.Do(func() error { s.out, err = net.DialTCP("tcp4", nil, to); return err }); err != nil {
		return nil, err
	}
	if s.in, err = l.Accept(); err != nil {
		return nil, err
	}
	go func() {
		buf := make([]byte, 1<<16)
		for {
			if _, err := s.out.Write(buf); err != nil {
				return
			}
		}
	}()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := s.in.Read(buf)
			s.bytes.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	return s, nil
}

// slice is the rate over a short time, in MB/s. What amber has just written is
// left to reach the disk before: it is not the quarantine that costs that.
func (s *stream) slice() float64 {
	unix.Sync()
	time.Sleep(sliceLength)
	before, begun := s.bytes.Load(), time.Now()
	time.Sleep(sliceLength)
	return float64(s.bytes.Load()-before) / 1e6 / time.Since(begun).Seconds()
}

func (s *stream) close() { _, _ = s.in.Close(), s.out.Close() }

func medianFloat(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	slicesOf    = 800
	sliceLength = 80 * time.Millisecond
	settle      = 20 * time.Millisecond // after amber's hooks were taken off or put on
)

// others is what two other namespaces get through, by turns under the
// quarantine and without, while the container is silent and while it floods.
//
// Each end is a process of its own that stays on one core, and the flood and
// whoever receives it stay on the sender's: where the scheduler is free, the
// ends of the stream come to lie differently from slice to slice, and that is
// worth more than what is measured here.
func (w *wire) others(from, to *node) error {
	stream, err := pair(from, to, "tcp", 5001, 0, 1)
	if err != nil {
		return err
	}
	defer stream.end()
	for _, flooding := range []bool{false, true} {
		what := "throughput of two others while it is silent, under it and without"
		if flooding {
			flood, err := pair(w.from, w.to, "udp", 7008, 0, 0)
			if err != nil {
				return err
			}
			defer flood.end()
			what = "the same while it sends all the time"
		}
		m, err := w.slices(to)
		if err != nil {
			return err
		}
		w.b.table.rows = append(w.b.table.rows, [5]string{"  " + what, fmt.Sprintf("%.0f MB/s", m.under), fmt.Sprintf("%.0f MB/s", m.without), fmt.Sprintf("%.3f", m.ratio), fmt.Sprintf("≥ 0.99, %s (± %.3f)", met(m.ratio >= 0.99), m.error)})
	}
	w.b.notes = append(w.b.notes, fmt.Sprintf("quarantine: throughput in %d slices of %s under amber's hooks, each against one beside it in which the kernel has taken them off (its table is dormant, its programs are detached), which of the two is first by chance; the ratio is the mean of the middle 80 %%, with its standard error twice; sender and flood on one core, receiver on the other", slicesOf, sliceLength))
	return nil
}

// rates are medians in MB/s, and the ratio of them: neighbours in time alone
// are compared, as the machine drifts by more than what is measured here.
type rates struct{ under, without, ratio, error float64 }

// slices compares what passes under the cut with what passes while the kernel
// has its hooks off. Amber runs once, before: between two slices nothing is
// written and no process starts, so that they can be short, and many.
func (w *wire) slices(at *node) (m rates, err error) {
	dir := w.b.newCase()
	if _, err := w.b.run(w.b.isolate(dir, w.id, "--method", "nft")); err != nil {
		return m, err
	}
	defer func() {
		_, rerr := w.b.run(w.b.release(dir))
		err = errors.Join(err, rerr)
	}()
	h, err := hooks(w.from.link)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := w.proven(h); err != nil {
		return m, err
	}
	unix.Sync() // what amber wrote reaches the disk before
	cut, open, ratios := make([]float64, slicesOf), make([]float64, slicesOf), make([]float64, slicesOf)
	for i := range slicesOf {
		arms := []struct {
			on   bool
			rate []float64
		}{{true, cut}, {false, open}}
		first := rand.IntN(2)
		for k := range arms {
			arm := arms[(first+k)%2]
			if err := h.put(arm.on); err != nil {
				return m, err
			}
			arm.rate[i] = at.rate()
		}
		ratios[i] = cut[i] / open[i]
	}
	m.under, m.without = medianFloat(cut), medianFloat(open)
	m.ratio, m.error = middle(ratios)
	return m, h.put(true)
}

// proven holds the hooks to what they are for: packets pass without them alone.
func (w *wire) proven(h *hook) error {
	for _, on := range []bool{true, false, true} {
		if err := h.put(on); err != nil {
			return err
		}
		time.Sleep(settle)
		before := w.got.Load()
		for range 100 {
			w.send()
			time.Sleep(knock)
		}
		time.Sleep(settle)
		if passed := w.got.Load() > before; passed == on {
			return fmt.Errorf("amber's hooks are on: %v; packets pass: %v", on, passed)
		}
	}
	return nil
}

// middle is the mean of the middle 80 %, and twice its standard error.
func middle(list []float64) (mean, twice float64) {
	sorted := slices.Sorted(slices.Values(list))
	sorted = sorted[len(sorted)/10 : len(sorted)-len(sorted)/10]
	for _, v := range sorted {
		mean += v / float64(len(sorted))
	}
	var sum float64
	for _, v := range sorted {
		sum += (v - mean) * (v - mean)
	}
	return mean, 2 * math.Sqrt(sum) / float64(len(sorted))
}

// rate is what a node receives over a slice, in MB/s.
func (k *node) rate() float64 {
	time.Sleep(settle)
	before, begun := k.received(), time.Now()
	time.Sleep(sliceLength)
	return float64(k.received()-before) / 1e6 / time.Since(begun).Seconds()
}

// received is what the host's side of the node's link has sent to it, in bytes.
func (k *node) received() (n uint64) {
	b, err := os.ReadFile("/sys/class/net/" + k.link + "/statistics/tx_bytes")
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscan(string(b), &n)
	return n
}

// ends are the two processes of a traffic.
type ends []*exec.Cmd

func (e ends) end() {
	for _, cmd := range e {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// pair starts traffic between two nodes: a process that sends on one core, one
// that receives on another.
func pair(from, to *node, network string, port, sender, receiver int) (e ends, err error) {
	addr := netip.AddrPortFrom(to.ip, uint16(port)).String()
	for _, p := range []struct {
		at   *node
		role string
		core int
	}{{to, "receive", receiver}, {from, "send", sender}} {
		cmd, err := p.at.start(p.core, p.role, network, addr)
		if err != nil {
			e.end()
			return nil, err
		}
		e = append(e, cmd)
	}
	return e, nil
}

// start runs an end of a traffic in the node's namespace, and waits until it
// says that it is ready.
func (k *node) start(core int, role, network, addr string) (cmd *exec.Cmd, err error) {
	cmd = exec.Command("/proc/self/exe", "-traffic", strings.Join([]string{role, network, addr, fmt.Sprint(core)}, ","))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := k.ns.Do(cmd.Start); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s over %s: %w", role, network, err), cmd.Process.Kill(), cmd.Wait())
	}
	return cmd, nil
}

// traffic is such a process: what is "receive" or "send", the network, the
// address and the core. It ends when it is killed.
func traffic(what string) error {
	f := strings.Split(what, ",")
	if len(f) != 4 {
		return fmt.Errorf("what traffic is %q?", what)
	}
	var core int
	if _, err := fmt.Sscan(f[3], &core); err != nil {
		return err
	}
	if err := stay(core); err != nil {
		return err
	}
	if f[0] == "receive" {
		return receive(f[1], f[2])
	}
	return send(f[1], f[2])
}

// stay keeps every thread of this process on one core; those to come are
// started by these.
func stay(core int) error {
	var set unix.CPUSet
	set.Set(core)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		var tid int
		if _, err := fmt.Sscan(t.Name(), &tid); err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &set); err != nil {
			return err
		}
	}
	return nil
}

func receive(network, addr string) error {
	if network == "udp" {
		c, err := net.ListenPacket(network, addr)
		if err != nil {
			return err
		}
		fmt.Print("!")
		buf := make([]byte, 64)
		for {
			if _, _, err := c.ReadFrom(buf); err != nil {
				return err
			}
		}
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		return err
	}
	fmt.Print("!")
	c, err := l.Accept()
	if err != nil {
		return err
	}
	for buf := make([]byte, 1<<16); ; {
		if _, err := c.Read(buf); err != nil {
			return err
		}
	}
}

func send(network, addr string) error {
	c, err := net.Dial(network, addr)
	if err != nil {
		return err
	}
	fmt.Print("!")
	for buf := make([]byte, 1<<16); ; {
		if network == "udp" {
			_, _ = c.Write(buf[:1]) // it is refused while nobody receives
			time.Sleep(knock)
		} else if _, err := c.Write(buf); err != nil {
			return err
		}
	}
}

func medianFloat(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

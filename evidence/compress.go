package evidence

import (
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// job is one frame on its way: plain bytes in, a zstd frame out. The slices go
// back to the pool when it is written.
type job struct {
	plain, stored []byte
	quick         bool          // speed before size
	cut           chan struct{} // not nil: its segment ends here, and then the channel is closed
	done          chan struct{}
}

// compressor turns frames into zstd frames on all cores. Frames are
// independent, so their order is the writer's matter. At most 3 frames a core,
// and one for each stream to fill, exist at a time, which bounds the memory.
type compressor struct {
	jobs chan *job
	free chan *job
	wg   sync.WaitGroup
}

func newCompressor() (*compressor, error) {
	cores := max(runtime.GOMAXPROCS(0), 1)
	n := 3 * cores
	c := &compressor{jobs: make(chan *job, n), free: make(chan *job, n+maxStreams)}
	for range n {
		c.free <- &job{}
	}
	for range cores {
		small, err := newEncoder()
		if err != nil {
			return nil, err
		}
		quick, err := newEncoder(zstd.WithNoEntropyCompression(true))
		if err != nil {
			return nil, err
		}
		c.wg.Add(1)
		go c.work(small, quick)
	}
	return c, nil
}

func newEncoder(more ...zstd.EOption) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, append([]zstd.EOption{
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(payloadFrame), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true),
	}, more...)...)
}

func (c *compressor) work(small, quick *zstd.Encoder) {
	defer c.wg.Done()
	for j := range c.jobs {
		enc := small
		if j.quick {
			enc = quick
		}
		j.stored = enc.EncodeAll(j.plain, j.stored[:0])
		close(j.done)
	}
}

// get waits for a free frame; its plain slice is empty and has room for size.
func (c *compressor) get(size int) *job {
	j := <-c.free
	if cap(j.plain) < size {
		j.plain = make([]byte, 0, size)
	}
	j.plain, j.cut = j.plain[:0], nil
	j.done = make(chan struct{})
	return j
}

func (c *compressor) put(j *job) { c.free <- j }

// maxStreams is the number of streams that a bundle may have.
const maxStreams = 64

// admit makes room for the frame that one stream more fills: else all frames
// could be held by streams that wait for another.
func (c *compressor) admit() { c.free <- &job{} }

func (c *compressor) close() {
	close(c.jobs)
	c.wg.Wait()
}

// Package clock measures how far this host's clock is from the right time, and
// how sure that is. It never sets it.
package clock

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"amber/evidence/custody"
)

// limit is how long all measurements together may take.
const limit = 3 * time.Second

// Measure asks the chrony of this host, notes when systemd-timesyncd last set
// the clock, and asks NTP servers (HOST or HOST:PORT; none are asked that are
// not named). A server that does not answer is a measurement with an error; a
// time service that is not there is none.
func Measure(ctx context.Context, servers []string) []custody.Offset {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	list := make([]*custody.Offset, 2+len(servers))
	var wg sync.WaitGroup
	wg.Go(func() { list[0] = chrony(ctx, chronyAddress) })
	wg.Go(func() { list[1] = timesyncd(timesyncdMark) })
	for i, s := range servers {
		wg.Go(func() { list[2+i] = ntp(ctx, s) })
	}
	wg.Wait()
	var all []custody.Offset
	for _, o := range list {
		if o != nil {
			all = append(all, *o)
		}
	}
	return all
}

// timesyncdMark is touched by systemd-timesyncd when it has set the clock. Its
// offset is not kept where it can be read.
const timesyncdMark = "/run/systemd/timesync/synchronized"

func timesyncd(mark string) *custody.Offset {
	info, err := os.Stat(mark)
	if err != nil {
		return nil
	}
	return &custody.Offset{
		By: "systemd-timesyncd", At: time.Now().UTC(),
		Detail: "set the clock last at " + info.ModTime().UTC().Format(time.RFC3339), Error: "it does not keep its offset where it can be read",
	}
}

// measured is an offset in the form that is recorded.
func measured(by string, offset, uncertainty time.Duration, detail string, args ...any) *custody.Offset {
	return &custody.Offset{
		By: by, At: time.Now().UTC(), OffsetNS: offset.Nanoseconds(), UncertaintyNS: uncertainty.Nanoseconds(), Detail: fmt.Sprintf(detail, args...),
	}
}

func failed(by string, err error) *custody.Offset {
	return &custody.Offset{By: by, At: time.Now().UTC(), Error: err.Error()}
}

package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/client"
)

// events are those of a container that the daemon still has in memory, which
// keeps the last 256 of all: a line of JSON each. None is no error.
func (r *Runtime) events(ctx context.Context, id string) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	now := time.Now()
	stream := r.client.Events(ctx, client.EventsListOptions{
		Since: "0", Until: fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond()), Filters: client.Filters{}.Add("container", id),
	})
	var lines bytes.Buffer
	for {
		select {
		case m := <-stream.Messages:
			data, err := json.Marshal(m)
			if err != nil {
				return lines.Bytes(), err
			}
			lines.Write(append(data, '\n'))
		case err := <-stream.Err:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return lines.Bytes(), err
		}
	}
}

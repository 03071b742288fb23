package evidence

import (
	"testing"
	"time"
)

// A closer that was given nothing ends, however soon it is told to.
func TestCloserEndsAtOnce(t *testing.T) {
	for range 1000 {
		c := newCloser(true)
		ended := make(chan error, 1)
		go func() { ended <- c.wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it waits for ever")
		}
	}
}

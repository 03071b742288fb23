package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// selected is how the theme "dark" marks the chosen row.
const selected = "\x1b[48;5;24;38;5;231m"

func (s *session) measure(keys int) error {
	for _, step := range []func() error{
		s.firstScreen,
		func() error { return s.keysWhile("a key to its frame, while the timeline is counted", keys, false) },
		func() error { return s.filter("event.action:delete") },
		func() error { return s.filter("*0a1* AND event.outcome:failure") },
		func() error { return s.filter("quokka") },
		func() error { return s.filter("") },
		func() error { return s.keysWhile("a key to its frame, nothing else to do", keys, true) },
		s.end,
		s.report,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// rowTime is how a row of the list begins.
var rowTime = regexp.MustCompile(`\d\d:\d\d:\d\d\.\d{3}`)

// firstScreen waits for a list full of rows.
func (s *session) firstScreen() error {
	at, err := s.await(30*time.Second, func(seen []byte) bool { return len(rowTime.FindAll(seen, 12)) >= 10 })
	if err != nil {
		return err
	}
	fmt.Printf("%-52s %7.0f ms\n", "start to the first screen with rows", ms(at.Sub(s.begun)))
	return nil
}

// keysWhile presses a key and waits for the frame that shows what it did: j for
// the chosen row moved, or t, which draws every row anew with other times, where
// there may be no further row yet.
func (s *session) keysWhile(what string, keys int, idle bool) error {
	if idle {
		if err := s.counted(); err != nil {
			return err
		}
	}
	var took []float64
	key, shows := "t", "times are"
	if idle {
		key, shows = "j", selected
	}
	for i := range keys {
		if !idle && i%15 == 0 { // another question of the whole timeline, of one's own filter each time
			if _, err := s.send(fmt.Sprintf("/\x15user.name:*team-%d*\r", i)); err != nil {
				return err
			}
			if _, err := s.await(10*time.Second, contains(selected)); err != nil {
				return err
			}
			s.settle(30 * time.Millisecond)
		}
		s.drain()
		sent, err := s.send(key)
		if err != nil {
			return err
		}
		at, err := s.await(10*time.Second, contains(shows))
		if err != nil {
			return err
		}
		took = append(took, ms(at.Sub(sent)))
		s.settle(7 * time.Millisecond)
	}
	slices.Sort(took)
	fmt.Printf("%-52s %7.1f ms median, %.1f p90, %.1f p99, %.1f most (%d keys)\n", what, took[len(took)/2], took[len(took)*90/100], took[len(took)*99/100], took[len(took)-1], len(took))
	return nil
}

// settle lets time pass as between two keys that a person presses.
func (s *session) settle(d time.Duration) { time.Sleep(d) }

// counted waits until nothing is counted any more.
func (s *session) counted() error {
	quiet := 0
	for range 600 {
		time.Sleep(100 * time.Millisecond)
		if s.drain() {
			quiet = 0
		} else if quiet++; quiet > 15 {
			return nil
		}
	}
	return fmt.Errorf("the count does not end")
}

// filter asks for something, and measures until its first row and until its
// count is exact.
func (s *session) filter(query string) error {
	if err := s.counted(); err != nil {
		return err
	}
	if _, err := s.send("x"); err != nil {
		return err
	}
	if err := s.counted(); err != nil {
		return err
	}
	if query == "" {
		return nil
	}
	if _, err := s.send("g/\x15" + query); err != nil {
		return err
	}
	if err := s.counted(); err != nil {
		return err
	}
	sent, err := s.send("\r")
	if err != nil {
		return err
	}
	first, err := s.await(60*time.Second, contains(selected)) // rows are on the screen again
	if err != nil {
		return err
	}
	counted, all := first, first
	for quiet := 0; quiet < 10; {
		select {
		case f := <-s.frames:
			all = f.at
			if bytes.Contains(f.text, []byte("counting")) {
				quiet = 0
			}
			if bytes.Contains(f.text, []byte("at least")) {
				counted = f.at
			}
		case <-time.After(100 * time.Millisecond):
			quiet++
		}
	}
	fmt.Printf("%-52s %7.0f ms; count exact after %.0f ms, bars and values after %.0f ms\n", "filter "+query+": first rows", ms(first.Sub(sent)), ms(counted.Sub(sent)), ms(all.Sub(sent)))
	return nil
}

// end goes to the last row and back to the first.
func (s *session) end() error {
	for _, key := range []string{"G", "g"} {
		s.drain()
		sent, err := s.send(key)
		if err != nil {
			return err
		}
		at, err := s.await(10*time.Second, contains(selected))
		if err != nil {
			return err
		}
		fmt.Printf("%-52s %7.0f ms\n", "key "+key+", to an end of all events", ms(at.Sub(sent)))
		s.settle(300 * time.Millisecond)
	}
	return nil
}

func (s *session) report() error {
	peak, own, err := s.memory()
	fmt.Printf("%-52s %7d MiB at most resident, %d MiB its own now\n", "memory", peak, own)
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

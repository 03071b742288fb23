package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"amber/container"
)

// nodeVersion is the version of what an amber on a workstation and the one
// that it runs on a node say to each other.
const nodeVersion = 1

// nodeRequest is what the workstation wants of the amber on the node: one line
// of JSON on standard input. It carries what only the workstation may ask the
// API for; no key and no credential is in it.
type nodeRequest struct {
	Version int      `json:"version"`
	Channel string   `json:"channel"` // random: begins the lines of standard error that are messages
	Dir     string   `json:"dir"`     // where the node keeps what is amber's
	Argv    []string `json:"argv"`    // without the program's name

	Pod     *corev1.Pod          `json:"pod,omitempty"`
	Docs    []container.Document `json:"docs,omitempty"` // the API's records of the pod
	Misses  map[string]string    `json:"misses,omitempty"`
	Alters  []string             `json:"alters,omitempty"`  // what it took to get here
	Claimed map[string]string    `json:"claimed,omitempty"` // who asks, as the workstation says
}

// maxRequest bounds a request; a pod's records have some hundred kilobytes.
const maxRequest = 64 << 20

func (q *nodeRequest) check() error {
	if q.Version != nodeVersion {
		return fmt.Errorf("the two ambers do not understand each other: the workstation's speaks version %d, that of the image %d; use an image of the same release", q.Version, nodeVersion)
	}
	if q.Channel == "" || q.Dir == "" || len(q.Argv) == 0 {
		return errors.New("the request from the workstation is not whole")
	}
	return nil
}

// node is the request that this amber was started for by the one before it in
// the agent; nil anywhere else.
var node *nodeRequest

// requestVariable names the descriptor that the request is read from.
const requestVariable = "AMBER_NODE_REQUEST"

// openNodeRequest reads the request, if there is one.
func openNodeRequest() error {
	text, ok := os.LookupEnv(requestVariable)
	if !ok {
		return nil
	}
	_ = os.Unsetenv(requestVariable)
	fd, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("%s: %w", requestVariable, err)
	}
	unix.CloseOnExec(int(fd))
	f := os.NewFile(uintptr(fd), "request")
	defer f.Close()
	var q nodeRequest
	if err := json.NewDecoder(io.LimitReader(f, maxRequest)).Decode(&q); err != nil {
		return fmt.Errorf("reading the workstation's request: %w", err)
	}
	if err := q.check(); err != nil {
		return err
	}
	node = &q
	return nil
}

// Messages of the amber on the node.
const (
	messageCut    = "cut"    // the measures are taken
	messageResult = "result" // a respondResult
)

type nodeMessage struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body,omitempty"`
}

// say sends a message to the workstation; elsewhere it does nothing.
func (q *nodeRequest) say(kind string, body any) error {
	if q == nil {
		return nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	line, err := json.Marshal(nodeMessage{kind, data})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stderr, "%s %s\n", q.Channel, line)
	return err
}

// maxNodeLine bounds a line of the node's standard error.
const maxNodeLine = 16 << 20

// nodeLines takes the node's standard error apart: messages, and text for people.
type nodeLines struct {
	channel string
	message func(nodeMessage)
	text    func(line string)

	mu   sync.Mutex
	rest []byte
}

func (l *nodeLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		l.rest = rest
		l.line(line)
	}
	if len(l.rest) > maxNodeLine {
		return 0, fmt.Errorf("the node sends a line of more than %d bytes", maxNodeLine)
	}
	return len(p), nil
}

// end hands over what came without a line's end.
func (l *nodeLines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.line(l.rest)
	}
	l.rest = nil
}

func (l *nodeLines) line(line []byte) {
	body, ok := bytes.CutPrefix(line, []byte(l.channel+" "))
	var m nodeMessage
	if !ok || json.Unmarshal(body, &m) != nil {
		l.text(string(line))
		return
	}
	l.message(m)
}

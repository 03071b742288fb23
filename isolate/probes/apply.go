package probes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"amber/container/netns"
	"amber/isolate"
)

// Apply starts the responder and, once it answers, redirects the probes to it.
// Where it fails half way what was done stays, to be reverted.
func (m *Method) Apply(ctx context.Context, p isolate.Plan, rec isolate.Recorder) (isolate.Receipt, error) {
	a := &application{rec: rec, r: isolate.Receipt{Plan: p, Start: time.Now().UTC()}}
	err := a.run(ctx, p)
	a.r.End = time.Now().UTC()
	return a.r, err
}

// application is one run of Apply.
type application struct {
	rec isolate.Recorder
	r   isolate.Receipt
}

func (a *application) run(ctx context.Context, p isolate.Plan) error {
	if len(p.Steps) == 0 {
		return nil
	}
	s, err := decode(p.Steps[0])
	if err != nil {
		return err
	}
	ns, err := s.namespace()
	if err != nil {
		return err
	}
	defer ns.Close()
	sockets, err := s.listen(ns)
	if err != nil {
		return err
	}
	defer closeAll(sockets)
	return a.take(ctx, s, ns, sockets)
}

// take takes the steps, which are worded anew: the responder's ports are known
// only now.
func (a *application) take(ctx context.Context, s *shield, ns *netns.NS, sockets []*os.File) error {
	for _, st := range s.steps() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.rec.Intend(st); err != nil {
			return err
		}
		a.r.Steps = append(a.r.Steps, st)
		note, err := s.do(ctx, st.Action, ns, sockets)
		if err = a.done(isolate.Outcome{ID: st.ID, Changed: true, Note: note}, err); err != nil {
			return err
		}
	}
	return nil
}

// do takes one step and says what became of it.
func (s *shield) do(ctx context.Context, action string, ns *netns.NS, sockets []*os.File) (note string, err error) {
	if action == actionAnswer {
		if err := s.start(ctx, sockets); err != nil {
			return "", err
		}
		id, err := readPID(s.pidFile())
		return fmt.Sprintf("pid %d, started at tick %d, its log is %s", id.PID, id.Start, s.logFile()), err
	}
	if err := s.redirect(ns); err != nil {
		return "", err
	}
	digest := ""
	err = ns.Do(func() (err error) { digest, err = s.compare(); return err })
	return "rules sha256:" + digest, err
}

func (a *application) done(o isolate.Outcome, err error) error {
	if err != nil {
		o.Err = err.Error()
	}
	a.r.Outcomes = append(a.r.Outcomes, o)
	return errors.Join(err, a.rec.Done(o))
}

package nft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"

	"amber/evidence/durable"
	"amber/isolate"
)

// bufferSize is what a batch of the largest ruleset and its acknowledgements
// need of a socket.
const bufferSize = 8 << 20

// application is one run of Apply.
type application struct {
	rec  isolate.Recorder
	r    isolate.Receipt
	next int // the id of the next step
}

// Apply puts the table of each namespace in force, in one transaction: the
// kernel takes all of it or nothing. Where that fails for one namespace it goes
// on with the others. Guarding the links, and noting what all other tables are,
// come behind the drop, so that they cost no time before it.
func (m *Method) Apply(ctx context.Context, p isolate.Plan, rec isolate.Recorder) (isolate.Receipt, error) {
	a := &application{rec: rec, r: isolate.Receipt{Plan: p, Start: time.Now().UTC()}, next: 1}
	err := a.run(ctx, p)
	a.r.End = time.Now().UTC()
	return a.r, err
}

func (a *application) run(ctx context.Context, p isolate.Plan) error {
	if len(p.Steps) == 0 {
		return errors.New("the plan has no steps")
	}
	b, err := decode(p.Steps[0])
	if err != nil {
		return err
	}
	// Time may have passed since the plan was made: links are looked at again.
	k, err := lookAt(b.Homes, b.Allow)
	if err != nil {
		return fmt.Errorf("%s is not what it was when the plan was made: %w", p.Target, err)
	}
	defer k.close()
	steps, err := b.steps(k)
	if err != nil {
		return err
	}
	if err := a.intend(steps...); err != nil {
		return err
	}
	var errs []error
	for _, s := range steps {
		errs = append(errs, a.take(ctx, k, s))
	}
	return errors.Join(errs...)
}

// intend journals steps before they are taken.
func (a *application) intend(steps ...isolate.Step) error {
	if err := a.rec.Intend(steps...); err != nil {
		return err
	}
	a.r.Steps = append(a.r.Steps, steps...)
	a.next += len(steps)
	return nil
}

func (a *application) done(o isolate.Outcome, err error) error {
	if err != nil {
		o.Err = err.Error()
	}
	a.r.Outcomes = append(a.r.Outcomes, o)
	return errors.Join(err, a.rec.Done(o))
}

// take puts one namespace's table in force, and guards its links.
func (a *application) take(ctx context.Context, k *look, s isolate.Step) error {
	b, err := decode(s)
	if err != nil {
		return err
	}
	if s.Action == actionNone {
		return a.done(isolate.Outcome{ID: s.ID, Note: "there is nothing to cut"}, nil)
	}
	if err := ctx.Err(); err != nil {
		return a.done(isolate.Outcome{ID: s.ID}, err)
	}
	fd := k.spaces[b.Space].FD()
	sock, err := dial(fd)
	if err != nil {
		return a.done(isolate.Outcome{ID: s.ID}, err)
	}
	defer sock.close()
	gen, _ := sock.generation()
	err = b.enforce(fd)
	if err != nil {
		return a.done(isolate.Outcome{ID: s.ID}, fmt.Errorf("putting the table %s in force: %w", b.Table, err))
	}
	// The drop holds: all else may take its time.
	err = a.done(isolate.Outcome{ID: s.ID, Changed: true, Note: "in force"}, nil)
	return errors.Join(err, a.guard(k.spaces[b.Space].NS, b), a.note(b, sock, gen))
}

// connect opens a connection of google/nftables into a namespace.
func connect(fd int) (*nftables.Conn, error) {
	big := func(c *netlink.Conn) error {
		return errors.Join(c.SetReadBuffer(bufferSize), c.SetWriteBuffer(bufferSize))
	}
	c, err := nftables.New(nftables.WithNetNSFd(fd), nftables.AsLasting(), nftables.WithSockOptions(big))
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	return c, nil
}

// enforce sends the table as one transaction.
func (b before) enforce(fd int) error {
	c, err := connect(fd)
	if err != nil {
		return err
	}
	defer c.CloseLasting()
	if err := b.table().add(c, b.Table); err != nil {
		return err
	}
	durable.Point("before nft transaction")
	err = c.Flush()
	durable.Point("after nft transaction")
	return err
}

// note journals what all other tables are.
func (a *application) note(b before, sock socket, gen uint32) error {
	n := note{Boot: b.Boot, Space: b.Space}
	var now uint32
	var err error
	if n.Others, now, err = others(sock); err != nil {
		n.Err = err.Error()
	}
	n.Exact = err == nil && now == gen+1 // the one transaction since was ours
	s := isolate.Step{ID: a.next, Action: actionNote, Object: b.object(), Volatile: true}
	s.What = "changes nothing: notes a digest of all other tables, by which the release shows that they are as they were"
	s.Before, _ = json.Marshal(n) // strings and numbers
	if err := a.intend(s); err != nil {
		return err
	}
	return a.done(isolate.Outcome{ID: s.ID, Note: n.String()}, nil)
}

func (n note) String() string {
	switch {
	case n.Err != "":
		return "not known: " + n.Err
	case !n.Exact:
		return "others changed their tables meanwhile: noted as they are now"
	}
	return "noted"
}

package nft

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// digest is the SHA-256 of what tables say, without handles and counts, so
// that what was meant and what the kernel has can be compared.
func digest(tables ...table) (string, error) {
	h := sha256.New()
	for _, t := range tables {
		if err := t.write(h); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (t table) write(w io.Writer) error {
	fmt.Fprintf(w, "table %d\n", t.family)
	for _, s := range slices.SortedFunc(slices.Values(t.sets), func(a, b set) int { return strings.Compare(a.name, b.name) }) {
		addrs := slices.Clone(s.addrs)
		slices.SortFunc(addrs, func(a, b addr) int { return a.Compare(b) })
		fmt.Fprintf(w, "set %q %v %v\n", s.name, s.v6, addrs)
	}
	for _, c := range slices.SortedFunc(slices.Values(t.chains), func(a, b chain) int { return strings.Compare(a.name, b.name) }) {
		fmt.Fprintf(w, "chain %q", c.name)
		if c.hook != nil {
			fmt.Fprintf(w, " %d %d %q %d", *c.hook, c.priority, c.device, c.policy)
		}
		fmt.Fprintln(w)
		for _, r := range c.rules {
			if err := r.write(w, t.family); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r rule) write(w io.Writer, f nftables.TableFamily) error {
	fmt.Fprintf(w, "rule %q\n", commentOf(comment(r.comment)))
	for _, e := range r.exprs {
		switch x := e.(type) {
		case *expr.Counter:
			e = &expr.Counter{}
		case *expr.Lookup:
			c := *x
			c.SetID = 0 // known within a batch only
			e = &c
		}
		data, err := expr.Marshal(byte(f), e)
		if err != nil {
			return fmt.Errorf("writing an expression: %w", err)
		}
		fmt.Fprintf(w, "%x\n", data)
	}
	return nil
}

// errGone says that a table is not there.
var errGone = errors.New("the table is gone")

// errDormant says that a table is there and switched off.
var errDormant = errors.New("the table is switched off (dormant)")

// read reads all tables of the name back from the kernel, in the order in which
// they were made.
func (b before) read(c *nftables.Conn, s socket) ([]table, error) {
	all, err := b.there(c)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errGone
	}
	var out []table
	for _, at := range all {
		t, err := readTable(c, s, at)
		if err != nil {
			return nil, fmt.Errorf("reading the table %s: %w", b.Table, err)
		}
		out = append(out, t)
	}
	return out, nil
}

func readTable(c *nftables.Conn, s socket, at *nftables.Table) (t table, err error) {
	t.family = at.Family
	// tableFromMsg reads the flags in the host's order; they are big-endian.
	if at.Flags != 0 {
		return t, errDormant
	}
	if t.sets, err = readSets(c, at); err != nil {
		return t, err
	}
	chains, err := s.dump(unix.NFT_MSG_GETCHAIN, nil)
	if err != nil {
		return t, err
	}
	for _, o := range chains {
		if o.family != uint8(at.Family) || o.table() != at.Name {
			continue
		}
		ch, err := readChain(c, at, o)
		if err != nil {
			return t, err
		}
		t.chains = append(t.chains, ch)
	}
	return t, nil
}

func readChain(c *nftables.Conn, at *nftables.Table, o object) (chain, error) {
	ch := chain{name: o.text(unix.NFTA_CHAIN_NAME), device: strings.Join(o.devices(), " ")}
	if hook := get(o.attrs, unix.NFTA_CHAIN_HOOK); hook != nil {
		ch.hook = nftables.ChainHookRef(nftables.ChainHook(number(get(hook, unix.NFTA_HOOK_HOOKNUM))))
		ch.priority = nftables.ChainPriority(int32(number(get(hook, unix.NFTA_HOOK_PRIORITY))))
		ch.policy = nftables.ChainPolicy(number(o.get(unix.NFTA_CHAIN_POLICY)))
	}
	rules, err := c.GetRules(at, &nftables.Chain{Name: ch.name, Table: at})
	if err != nil {
		return ch, err
	}
	for _, r := range rules {
		ch.rules = append(ch.rules, rule{comment: commentOf(r.UserData), exprs: r.Exprs})
	}
	return ch, nil
}

func readSets(c *nftables.Conn, at *nftables.Table) ([]set, error) {
	all, err := c.GetSets(at)
	if err != nil {
		return nil, err
	}
	var out []set
	for _, s := range all {
		elems, err := c.GetSetElements(s)
		if err != nil {
			return nil, err
		}
		out = append(out, setOf(s, elems))
	}
	return out, nil
}

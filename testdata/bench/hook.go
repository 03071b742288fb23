package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// dormant is the flag of a table whose hooks the kernel takes off
// (NFT_TABLE_F_DORMANT, linux/netfilter/nf_tables.h). The library that amber
// makes its tables with has no word for it.
const dormant = 1

// hook is what amber's network cut hangs on.
type hook struct {
	conn   *netlink.Conn
	tables []*nftables.Table
	guard  *guard
}

// hooks finds what amber put on a device: programs, and the table that they are
// named after. Another's table may be deleted at any moment, and setting its
// flags would make it anew.
func hooks(device string) (*hook, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, err
	}
	all, err := c.ListTables()
	if err != nil {
		return nil, err
	}
	h := &hook{}
	if h.guard, err = guards(device); err != nil {
		return nil, err
	}
	for _, t := range all {
		if strings.HasPrefix(t.Name, "amber-"+h.guard.of) {
			h.tables = append(h.tables, t)
		}
	}
	if len(h.tables) == 0 {
		return nil, errors.New("no table of amber's is found")
	}
	h.conn, err = netlink.Dial(unix.NETLINK_NETFILTER, nil)
	return h, err
}

// close leaves the hooks as they are.
func (h *hook) close() error { return errors.Join(h.conn.Close(), h.guard.close()) }

// put has the kernel put the hooks on, or take them off: the guard, which drops
// all where there is no table, comes last and goes first.
func (h *hook) put(on bool) error {
	if !on {
		if err := h.guard.put(false); err != nil {
			return err
		}
	}
	if err := h.tabled(on); err != nil || !on {
		return err
	}
	return h.guard.put(true)
}

// tabled has the kernel hook the tables, or take their hooks off.
func (h *hook) tabled(on bool) error {
	for _, t := range h.tables {
		flags := t.Flags | dormant
		if on {
			flags &^= dormant
		}
		if err := h.flag(t, flags); err != nil {
			return fmt.Errorf("setting the flags of the table %s: %w", t.Name, err)
		}
	}
	return nil
}

// flag is a batch of one change, which the kernel answers once.
func (h *hook) flag(t *nftables.Table, flags uint32) error {
	attrs, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: []byte(t.Name + "\x00")},
		{Type: unix.NFTA_TABLE_FLAGS, Data: binary.BigEndian.AppendUint32(nil, flags)},
	})
	if err != nil {
		return err
	}
	// Behind each netlink head: family, version, and the resource in the network's order.
	edge := []byte{unix.AF_UNSPEC, 0, 0, unix.NFNL_SUBSYS_NFTABLES}
	if _, err := h.conn.SendMessages([]netlink.Message{
		{Header: netlink.Header{Type: unix.NFNL_MSG_BATCH_BEGIN, Flags: netlink.Request}, Data: edge},
		{
			Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE, Flags: netlink.Request | netlink.Acknowledge},
			Data:   append([]byte{byte(t.Family), 0, 0, 0}, attrs...),
		},
		{Header: netlink.Header{Type: unix.NFNL_MSG_BATCH_END, Flags: netlink.Request}, Data: edge},
	}); err != nil {
		return err
	}
	_, err = h.conn.Receive() // the kernel's error, if there is one
	return err
}

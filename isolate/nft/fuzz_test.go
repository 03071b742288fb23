package nft

import (
	"encoding/json"
	"strings"
	"testing"

	"amber/isolate"
	"amber/isolate/attached"
)

// What is read of the kernel's answers, in which other people's names stand.
func FuzzObject(f *testing.F) {
	f.Add(uint8(3), []byte{12, 0, 1, 0, 'a', 'm', 'b', 'e', 'r', '-', 0, 0})
	f.Add(uint8(6), []byte{8, 0, 4, 0x80, 4, 0, 1, 0})
	f.Add(uint8(9), []byte{0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		o := object{kind: uint16(kind), attrs: b}
		_ = o.ours()
		_ = o.devices()
		if got := len(o.canonical()); got > 2*len(b) {
			t.Errorf("%d bytes of %d", got, len(b))
		}
	})
}

func FuzzComment(f *testing.F) {
	f.Add([]byte{0, 3, 'a', 'b', 0})
	f.Add([]byte{1, 0, 0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(commentOf(b)) > len(b) {
			t.Error("longer than what it was read from")
		}
	})
}

func FuzzTunName(f *testing.F) {
	f.Add([]byte("pos:\t0\niff:\ttap0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(tunName(b)) > len(b) {
			t.Error("longer than what it was read from")
		}
	})
}

// A guard of a journal that somebody wrote into is amber's by name, and makes no
// program that panics.
func FuzzDecodeGuard(f *testing.F) {
	f.Add([]byte(`{"boot":"b","space":1,"device":"veth0","index":2,"id":3,"name":"amber_00","tag":"0011223344556677"}`))
	f.Add([]byte(`{"device":"a name that is longer than a device's","name":"cil_from"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := decodeGuard(isolate.Step{Action: actionGuard, Before: json.RawMessage(data)})
		if err != nil {
			return
		}
		if !strings.HasPrefix(g.Name, attached.Prefix) {
			t.Errorf("the program %q is taken", g.Name)
		}
		if named(g.Device) == nil {
			places{}.assemble(g.Device, 0)
		}
	})
}

// A journal that somebody wrote into makes no ruleset that panics, and names
// no table but amber's.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"table":"amber-00","links":[{"mac":"02:00:00:00:00:01","own":["10.0.0.1"],"guard":"bridge"}],"allow":["10.0.0.0/8:1/tcp"],"ports":[80]}`))
	f.Add([]byte(`{"table":"filter"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decode(isolate.Step{Action: actionDrop, Before: json.RawMessage(data)})
		if err != nil {
			return
		}
		if len(b.Table) < len(prefix) || b.Table[:len(prefix)] != prefix {
			t.Errorf("the table %q is taken", b.Table)
		}
		_, _ = digest(b.table())
	})
}

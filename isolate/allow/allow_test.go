package allow

import "testing"

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.0/8":         "10.0.0.0/8",
		"10.1.2.3":           "10.1.2.3/32",
		"10.1.2.3:443":       "10.1.2.3/32:443/tcp",
		"10.1.2.0/24:53/udp": "10.1.2.0/24:53/udp",
		"10.1.2.0/24:443":    "10.1.2.0/24:443/tcp",
		"10.1.2.3/ICMP":      "10.1.2.3/32/icmp",
		"10.1.2.0/24/tcp":    "10.1.2.0/24/tcp",
		"fd00::1":            "fd00::1/128",
		"fd00::/8":           "fd00::/8",
		"[fd00::/8]:53/udp":  "[fd00::/8]:53/udp",
		"[fd00::1]:443":      "[fd00::1/128]:443/tcp",
		"[fd00::1]":          "fd00::1/128",
		"fd00::1/icmp":       "fd00::1/128/icmpv6",
		"::ffff:10.0.0.1":    "10.0.0.1/32",
	} {
		r, err := Parse(in)
		if err != nil || r.String() != want {
			t.Errorf("%q: %q, %v; want %q", in, r, err, want)
			continue
		}
		if again, err := Parse(r.String()); err != nil || again != r {
			t.Errorf("%q does not come back: %v %v", r, again, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, in := range []string{
		"", "x", "10.0.0.0/33", "10.9.9.9/8", "[fd00::1/8]:53", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:443/icmp", "10.0.0.1/gre", "10.0.0.1/icmpv6",
		"[fd00::1", "[fd00::1]443", "fe80::1%eth0", "::ffff:10.0.0.1/120", "10.0.0.1:", "10.0.0.1/", ":443", "10.0.0.0/8:", "10.0.0.0/33:80", "fd00::/8:80", "example.org:443",
	} {
		if r, err := Parse(in); err == nil {
			t.Errorf("%q is taken for %q", in, r)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[fd00::/8]:53/udp")
	f.Add("10.1.2.3:443/tcp")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(r.String()); err != nil || again != r {
			t.Errorf("%q is %q, which is read as %q, %v", s, r, again, err)
		}
	})
}

package probes

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// compare reads the tables back and reports whether they are what was put in.
// Called in the pod's network namespace.
func (s *shield) compare() (digest string, err error) {
	c, err := nftables.New()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, f := range families() {
		listed, err := c.ListChainsOfTableFamily(f.id)
		if err != nil {
			return "", fmt.Errorf("listing chains: %w", err)
		}
		found := map[string]*nftables.Chain{}
		for _, ch := range listed {
			if ch.Table.Name == s.table() {
				found[ch.Name] = ch
			}
		}
		want := s.chains(f)
		if len(found) != len(want) {
			return "", fmt.Errorf("it has %d chains instead of %d", len(found), len(want))
		}
		for _, w := range want {
			text, err := w.compare(c, found[w.Name])
			if err != nil {
				return "", fmt.Errorf("chain %s: %w", w.Name, err)
			}
			sum.Write(text)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

// compare checks one chain, and gives its rules as the kernel encodes them.
func (w chain) compare(c *nftables.Conn, got *nftables.Chain) ([]byte, error) {
	if got == nil {
		return nil, errors.New("it is gone")
	}
	if got.Type != w.Type || got.Hooknum == nil || *got.Hooknum != *w.Hooknum || got.Priority == nil || *got.Priority != *w.Priority {
		return nil, errors.New("its hook is another")
	}
	rules, err := c.GetRules(w.Table, w.Chain)
	if err != nil {
		return nil, err
	}
	if len(rules) != len(w.rules) {
		return nil, fmt.Errorf("it has %d rules instead of %d", len(rules), len(w.rules))
	}
	var all []byte
	for i, r := range rules {
		is, err := encode(w.Table.Family, r.Exprs)
		if err != nil {
			return nil, err
		}
		want, err := encode(w.Table.Family, w.rules[i])
		if err != nil {
			return nil, err
		}
		if is != want {
			return nil, fmt.Errorf("rule %d is not the one that was put in", i+1)
		}
		all = append(all, is...)
	}
	return all, nil
}

func encode(f nftables.TableFamily, exprs []expr.Any) (string, error) {
	var all []byte
	for _, e := range exprs {
		b, err := expr.Marshal(byte(f), e)
		if err != nil {
			return "", fmt.Errorf("encoding a rule: %w", err)
		}
		all = append(all, b...)
	}
	return string(all), nil
}

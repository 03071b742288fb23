package main

import (
	"fmt"
	"strings"
)

// compare holds amber's rows against DuckDB's: how many, and of each column a
// sum of hashes, which no order changes. Both files are read by DuckDB.
func (b *bench) compare() error {
	for _, l := range b.logs {
		var amber, peer, distinct []string
		for _, c := range l.peers {
			amber, peer = append(amber, checksum(c.amber)), append(peer, checksum(c.peer))
			distinct = append(distinct, "count(DISTINCT "+c.peer+")")
		}
		replies, err := b.ask(
			"SELECT count(*), "+strings.Join(amber, ", ")+" FROM "+segments(l.built),
			"SELECT count(*), "+strings.Join(peer, ", ")+" FROM '"+l.peer+"'",
			"SELECT "+strings.Join(distinct, ", ")+" FROM '"+l.peer+"'",
		)
		if err != nil {
			return err
		}
		if err := b.agree(l, replies[0].Rows[0], replies[1].Rows[0]); err != nil {
			return err
		}
		var counts []string
		for i, c := range l.peers {
			counts = append(counts, short(c.peer)+" "+replies[2].Rows[0][i])
		}
		b.note("cardinality", l.name+": "+strings.Join(counts, ", "))
	}
	return nil
}

func (b *bench) agree(l *logFile, amber, peer []string) error {
	if amber[0] != peer[0] {
		return fmt.Errorf("%s: %s rows, DuckDB has %s", l.name, amber[0], peer[0])
	}
	var differ []string
	for i, c := range l.peers {
		if amber[i+1] != peer[i+1] {
			differ = append(differ, short(c.peer))
		}
	}
	if differ != nil {
		return fmt.Errorf("%s: these columns differ from DuckDB's: %s", l.name, strings.Join(differ, ", "))
	}
	b.note("compared", fmt.Sprintf("%s: %s rows and the checksums of %d columns are the same", l.name, amber[0], len(l.peers)))
	return nil
}

func checksum(expr string) string {
	return "sum(hash((" + expr + ")::VARCHAR)::HUGEINT)"
}

func short(expr string) string {
	if strings.HasPrefix(expr, "CASE") {
		return "message (of the plain rows)"
	}
	return strings.Trim(strings.TrimSuffix(strings.TrimPrefix(expr, "epoch_us("), ")"), `"`)
}

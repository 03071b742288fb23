package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	trigrams  = 1 << 18 // bits that an index has for each block
	blockRows = 8192
)

// sizes tells what lies on the disk, without the raw.
func (b *bench) sizes() error {
	for _, l := range b.logs {
		b.table.head("on the disk, " + l.name + " (bytes an event)")
		if err := b.size(l); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) size(l *logFile) error {
	paths, err := below(filepath.Join(l.built, "timeline"))
	if err != nil {
		return err
	}
	var parquet, index int64
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		switch filepath.Ext(p) {
		case ".parquet":
			parquet += info.Size()
		case ".idx":
			index += info.Size()
		}
	}
	replies, err := b.ask("SELECT path_in_schema, sum(total_compressed_size)::BIGINT AS n FROM parquet_metadata('"+filepath.Join(l.built, "timeline/segments/*.parquet")+"') GROUP BY ALL ORDER BY n DESC",
		"SELECT sum((num_rows + "+strconv.Itoa(blockRows-1)+") // "+strconv.Itoa(blockRows)+")::BIGINT FROM parquet_file_metadata('"+filepath.Join(l.built, "timeline/segments/*.parquet")+"')")
	if err != nil {
		return err
	}
	blocks, err := strconv.ParseInt(replies[1].Rows[0][0], 10, 64)
	if err != nil {
		return err
	}
	peer, err := os.Stat(l.peer)
	if err != nil {
		return err
	}
	each := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/float64(b.events)) }
	tri := blocks * trigrams / 8
	filters := index - tri
	ids, largest := columnSizes(replies[0].Rows, []string{"row_id", "event.id"}, each)
	own, _ := columnSizes(replies[0].Rows, l.ids, each)
	random := int64(16 * len(l.ids) * b.events)
	b.table.line("segments | DuckDB's file", each(parquet), each(peer.Size()), fmt.Sprintf("%.2f", float64(parquet)/float64(peer.Size())), "")
	b.table.line("index: trigrams", each(tri), "", "", "")
	b.table.line("index: filters of row ids and of the seeds of ids", each(filters), "", "", "")
	b.table.line("columns row_id and event.id", each(ids), "", "", "")
	b.table.line(fmt.Sprintf("columns of the record's own random ids (%d, 16 bytes each if they were not text)", len(l.ids)), each(own), "", "", "")
	rest := parquet + filters - ids
	bound := func(n int64) string { return "< 60, " + met(n < int64(60*b.events)) }
	b.table.line("columns of ids and trigrams aside", each(rest-own), "", "", bound(rest-own))
	b.table.line("the same without the filters that find ids", each(rest-own-filters), "", "", bound(rest-own-filters))
	b.table.line("columns of ids and trigrams aside, but for what ids take beyond their 16 bytes", each(rest-random), "", "", "")
	b.table.line("row_id, event.id and trigrams aside", each(rest), "", "", "")
	b.note("largest", l.name+": "+largest)
	return nil
}

// columnSizes adds up some columns, and names the largest ten of all.
func columnSizes(rows [][]string, wanted []string, each func(int64) string) (sum int64, largest string) {
	var text []string
	for i, r := range rows {
		n, _ := strconv.ParseInt(r[1], 10, 64)
		if slices.Contains(wanted, r[0]) {
			sum += n
		}
		if i < 10 {
			text = append(text, r[0]+" "+each(n))
		}
	}
	return sum, strings.Join(text, ", ")
}

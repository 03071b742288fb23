package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
)

// statement is what DuckDB is asked. Cold are files that are put out of the
// page cache beforehand.
type statement struct {
	SQL  string
	Cold []string
}

// reply is what it said, every value as text, and how long that took. Seconds
// have the rows fetched.
type reply struct {
	Rows    [][]string
	Seconds float64
}

func (r reply) time() time.Duration { return time.Duration(r.Seconds * 1e9) }

// threads are DuckDB's, whatever the machine has.
const threads = 2

// openDuck is a database in memory with one connection.
func openDuck(ctx context.Context) (*sql.DB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	for _, set := range []string{fmt.Sprintf("SET threads = %d", threads), "SET preserve_insertion_order = false", "SET TimeZone = 'UTC'", "SET parquet_metadata_cache = true"} {
		if _, err := db.ExecContext(ctx, set); err != nil {
			return nil, fmt.Errorf("%s: %w", set, err)
		}
	}
	return db, nil
}

// serveDuck runs a list of statements, in a process of its own so that its
// memory is not amber's, nor the other way round.
func serveDuck(ctx context.Context, in io.Reader, out io.Writer) error {
	var list []statement
	if err := json.NewDecoder(in).Decode(&list); err != nil {
		return err
	}
	db, err := openDuck(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	replies := []reply{}
	for _, s := range list {
		if len(s.Cold) > 0 {
			_ = db.Close()
			if err := evict(s.Cold); err != nil {
				return err
			}
			if db, err = openDuck(ctx); err != nil {
				return err
			}
		}
		begun := time.Now()
		rows, err := fetch(ctx, db, s.SQL)
		if err != nil {
			return fmt.Errorf("%w in %s", err, s.SQL)
		}
		replies = append(replies, reply{Rows: rows, Seconds: time.Since(begun).Seconds()})
	}
	return json.NewEncoder(out).Encode(replies)
}

// fetch runs one statement and reads all that it gives.
func fetch(ctx context.Context, db *sql.DB, text string) (out [][]string, err error) {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, to := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		to[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = fmt.Sprint(v)
		}
		out = append(out, line)
	}
	return out, rows.Err()
}

// used is what a process took.
type used struct {
	took time.Duration
	cpu  time.Duration
	peak int64 // bytes of memory
}

// duck runs statements in a child.
func (b *bench) duck(list ...statement) ([]reply, used, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, used{}, err
	}
	in, err := json.Marshal(list)
	if err != nil {
		return nil, used{}, err
	}
	cmd := exec.CommandContext(b.ctx, exe, "-duckdb")
	cmd.Stdin = bytes.NewReader(in)
	out, u, err := measure(cmd)
	if err != nil {
		return nil, u, err
	}
	var replies []reply
	return replies, u, json.Unmarshal(out, &replies)
}

// ask runs statements whose times do not count.
func (b *bench) ask(texts ...string) ([]reply, error) {
	var list []statement
	for _, s := range texts {
		list = append(list, statement{SQL: s})
	}
	replies, _, err := b.duck(list...)
	return replies, err
}

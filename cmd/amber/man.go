//go:build !urfave_cli_no_docs

package main

import "github.com/urfave/cli/v2"

// manual has the library write the page. What that is written with prepares
// itself whenever amber starts, before a container is frozen too, so that
// make build has it write the page once: see man_written.go.
func manual(app *cli.App) (string, error) { return app.ToMan() }

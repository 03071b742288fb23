//go:build urfave_cli_no_docs

package main

import (
	_ "embed"

	"github.com/urfave/cli/v2"
)

//go:embed amber.8
var manualPage string

// manual is the page that the library wrote when amber was built.
func manual(*cli.App) (string, error) { return manualPage, nil }

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"amber/container"
)

const bashCompletion = `_amber() {
  local cur words
  cur="${COMP_WORDS[COMP_CWORD]}"
  if [[ "$cur" == -* ]]; then
    words=$("${COMP_WORDS[@]:0:$COMP_CWORD}" "$cur" --generate-bash-completion 2>/dev/null)
  else
    words=$("${COMP_WORDS[@]:0:$COMP_CWORD}" --generate-bash-completion 2>/dev/null)
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _amber amber
`

const zshCompletion = `#compdef amber
_amber() {
  local -a opts
  opts=("${(@f)$(${words[@]:0:#words[@]-1} --generate-bash-completion 2>/dev/null)}")
  compadd -a opts
}
compdef _amber amber
`

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a completion script", ArgsUsage: "bash|zsh|fish",
		Description: "  source <(amber completion bash)",
		Action: func(c *cli.Context) error {
			switch shell := c.Args().First(); shell {
			case "bash":
				fmt.Print(bashCompletion)
			case "zsh":
				fmt.Print(zshCompletion)
			case "fish":
				script, err := wholeApp().ToFishCompletion()
				if err != nil {
					return err
				}
				fmt.Print(script)
			default:
				return usagef("want amber completion bash, zsh or fish")
			}
			return nil
		},
		BashComplete: func(*cli.Context) { fmt.Println("bash\nzsh\nfish") },
	}
}

func manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "print the manual page (amber man | man -l -)",
		Action: func(c *cli.Context) error {
			page, err := manual(wholeApp())
			if err != nil {
				return err
			}
			_, err = fmt.Print(page)
			return err
		},
	}
}

// completeTargets offers the containers that are here, and flags.
func completeTargets(c *cli.Context) {
	cli.DefaultCompleteWithFlags(c.Command)(c)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	rts, err := openRuntimes(c, "")
	if err != nil {
		return
	}
	defer rts.close()
	list, _ := container.All(ctx, rts.list)
	for _, t := range list {
		fmt.Fprintln(os.Stdout, safeLines(t.Ref()))
	}
}

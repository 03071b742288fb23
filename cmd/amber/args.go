package main

import (
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// action wraps a command: it checks the number of arguments (most -1 means any)
// and the flags that every verb has, before do is called.
func action(least, most int, form string, do func(c *cli.Context, asJSON bool) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := exactly(c, least, most, form); err != nil {
			return err
		}
		asJSON, err := wantJSON(c)
		if err != nil {
			return err
		}
		return do(c, asJSON)
	}
}

// viewing wraps a command that looks into a case.
func viewing(least, most int, form string, do func(v view) error) cli.ActionFunc {
	return action(least, most, form, func(c *cli.Context, asJSON bool) error {
		cs, err := look(c)
		if err != nil {
			return err
		}
		defer cs.Close()
		defer sayElsewhere(cs)
		return do(view{c, asJSON, cs})
	})
}

// exactly checks the number of arguments, and that no flag hides among them.
func exactly(c *cli.Context, least, most int, form string) error {
	if err := flagsFirst(c); err != nil {
		return err
	}
	if n := c.NArg(); n < least || most >= 0 && n > most {
		return usagef("want %s %s", c.Command.HelpName, form)
	}
	return nil
}

// flagsFirst refuses a flag that comes after the arguments, with the command
// as it would be right: the library takes such a flag for an argument.
func flagsFirst(c *cli.Context) error {
	var flags, plain []string
	args := c.Args().Slice()
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "-" || !strings.HasPrefix(a, "-") {
			plain = append(plain, a)
			continue
		}
		flags = append(flags, a)
		if takesValue(c, a) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	if len(flags) == 0 {
		return nil
	}
	given := given(c)
	return usagef("flags come before the arguments: %s", strings.Join(append(append(append([]string{c.Command.HelpName}, given...), flags...), plain...), " "))
}

// takesValue reports whether the flag a of the command wants a value of its own.
func takesValue(c *cli.Context, a string) bool {
	name := strings.TrimLeft(a, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range c.Command.Flags {
		for _, n := range f.Names() {
			if n == name {
				_, isBool := f.(*cli.BoolFlag)
				return !isBool
			}
		}
	}
	return false
}

// given are the flags that came before the arguments, as they were written, and
// not those that the environment has set.
func given(c *cli.Context) []string {
	var out []string
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if !c.IsSet(name) || !written(f) {
			continue
		}
		if _, isBool := f.(*cli.BoolFlag); isBool {
			out = append(out, "--"+name)
			continue
		}
		switch v := c.Value(name).(type) {
		case string:
			out = append(out, "--"+name, v)
		case cli.StringSlice:
			for _, s := range v.Value() {
				out = append(out, "--"+name, s)
			}
		}
	}
	return out
}

// written reports whether a flag stands on the command line.
func written(f cli.Flag) bool {
	return slices.ContainsFunc(os.Args, func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		return strings.HasPrefix(arg, "-") && slices.Contains(f.Names(), name)
	})
}

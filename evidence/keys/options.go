package keys

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// cutOptions parts the options from the key: they end at the first space that
// is not within double quotes.
func cutOptions(text string) (options, rest string, err error) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '"':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && (text[i] == ' ' || text[i] == '\t'):
			return text[:i], strings.TrimLeft(text[i:], " \t"), nil
		}
	}
	if quoted {
		return "", "", errors.New("options: a quote without its end")
	}
	return "", "", errors.New("no key that can be read")
}

// setOptions reads comma-separated options; names are case-insensitive, values
// stand in double quotes, and no option may come twice.
func (a *allowed) setOptions(options string) error {
	seen := map[string]bool{}
	for {
		name, value, rest, err := cutOption(options)
		if err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("option %s twice", name)
		}
		seen[name] = true
		if err := a.set(name, value); err != nil {
			return err
		}
		if rest == "" {
			break
		}
		if options = rest[1:]; rest[0] != ',' {
			return fmt.Errorf("no comma after option %s", name)
		}
	}
	if !a.after.IsZero() && !a.before.IsZero() && !a.after.Before(a.before) {
		return errors.New("valid-after is not before valid-before")
	}
	return nil
}

func (a *allowed) set(name, value string) (err error) {
	switch name {
	case "cert-authority":
		return errors.New("cert-authority: certificates are not taken; list the signers' own keys")
	case "namespaces":
		if value == "" {
			return errors.New("namespaces: the list is empty")
		}
		a.namespaces = value
	case "valid-after":
		a.after, err = parseTime(value)
	case "valid-before":
		a.before, err = parseTime(value)
	default:
		return fmt.Errorf("unknown option %q", name)
	}
	return err
}

// cutOption takes name or name="value" off the front; \" stands for a quote.
func cutOption(options string) (name, value, rest string, err error) {
	end := strings.IndexAny(options, "=,")
	if end < 0 {
		return strings.ToLower(options), "", "", nil
	}
	name = strings.ToLower(options[:end])
	if options[end] == ',' {
		return name, "", options[end:], nil
	}
	text, ok := strings.CutPrefix(options[end+1:], `"`)
	if !ok {
		return "", "", "", fmt.Errorf("option %s: the value stands in no quotes", name)
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return name, b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '"':
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", "", fmt.Errorf("option %s: a quote without its end", name)
}

// parseTime reads YYYYMMDD[Z], YYYYMMDDHHMM[Z] or YYYYMMDDHHMMSS[Z]: UTC with
// the Z, the system's time zone without, as ssh-keygen has it.
func parseTime(s string) (time.Time, error) {
	digits, utc := strings.CutSuffix(s, "Z")
	layout, ok := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}[len(digits)]
	zone := time.Local
	if utc {
		zone = time.UTC
	}
	if ok {
		if t, err := time.ParseInLocation(layout, digits, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]", s)
}

// matchList matches name against an ssh pattern list (comma-separated, with *
// and ?, a pattern that begins with ! excludes).
func matchList(name, list string) bool {
	found := false
	for _, pattern := range strings.Split(list, ",") {
		pattern, not := strings.CutPrefix(pattern, "!")
		if !matchPattern(name, pattern) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// matchPattern leaves the work to path.Match, with what ssh knows not as special
// made plain and slashes, which a * of ssh matches, made ordinary.
func matchPattern(name, pattern string) bool {
	plain := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `/`, "\x00")
	ok, err := path.Match(plain.Replace(pattern), strings.ReplaceAll(name, "/", "\x00"))
	return ok && err == nil
}

package falco

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// The language that is implemented is that of Falco's engine 0.57. Newer files
// are read too, because their fields and operators are checked one by one.
const engineMinor = 57

// engineVersion checks required_engine_version: a number (engine 26 is 0.26.0)
// or a semantic version.
func engineVersion(it *item, tell func(detect.Problem)) error {
	s, err := it.text("required_engine_version")
	if err != nil {
		return err
	}
	minor, err := engineNumber(s)
	if err != nil {
		return err
	}
	if minor > engineMinor {
		tell(detect.Problem{Path: it.path, Line: it.line, Severity: detect.Doubtful, Reason: fmt.Sprintf("the file is for Falco's engine %s; the language of 0.%d.0 is known here", s, engineMinor)})
	}
	return nil
}

func engineNumber(s string) (int, error) {
	wrong := fmt.Errorf("required_engine_version is a number or a semantic version, not %q", s)
	if n, err := strconv.ParseUint(s, 10, 16); err == nil {
		return int(n), nil
	}
	parts := strings.SplitN(s, ".", 3)
	if len(parts) != 3 {
		return 0, wrong
	}
	major, err1 := strconv.ParseUint(parts[0], 10, 8)
	minor, err2 := strconv.ParseUint(parts[1], 10, 16)
	if err1 != nil || err2 != nil {
		return 0, wrong
	}
	return int(major)*100_000 + int(minor), nil
}

// pluginVersions checks the form of required_plugin_versions. Nothing depends on
// the versions: no plugin is loaded, the fields are amber's own.
func pluginVersions(it *item) error {
	n := it.keys["required_plugin_versions"]
	if n.Kind != yaml.SequenceNode {
		return errors.New("required_plugin_versions has to be a list")
	}
	for _, k := range n.Content {
		if err := pluginVersion(it.path, resolved(k), true); err != nil {
			return err
		}
	}
	return nil
}

func pluginVersion(path string, n *yaml.Node, alternatives bool) error {
	it, err := newItem(path, n)
	if err != nil {
		return err
	}
	for _, key := range []string{"name", "version"} {
		if _, err := name(&it, key); err != nil {
			return fmt.Errorf("required_plugin_versions: a plugin's %q is missing", key)
		}
	}
	others := it.keys["alternatives"]
	if others == nil || !alternatives {
		return nil
	}
	if others.Kind != yaml.SequenceNode {
		return errors.New("a plugin's alternatives have to be a list")
	}
	for _, k := range others.Content {
		if err := pluginVersion(path, resolved(k), false); err != nil {
			return err
		}
	}
	return nil
}

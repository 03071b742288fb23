package main

import "testing"

// A verb that is made alone must be the one that its name promises, and be in
// the help.
func TestCommands(t *testing.T) {
	all := commands([]string{"amber"})
	if len(all) != len(verbs()) {
		t.Fatalf("%d of %d commands without a verb", len(all), len(verbs()))
	}
	for i, v := range verbs() {
		one := commands([]string{"amber", v.name, "--help"})
		if len(one) != 1 || one[0].Name != v.name || all[i].Name != v.name {
			t.Errorf("%s makes %d commands, the first of them %s; %s in the help", v.name, len(one), one[0].Name, all[i].Name)
		}
		for _, alias := range one[0].Aliases {
			t.Errorf("%s is also %s, which would not be found alone", v.name, alias)
		}
	}
}

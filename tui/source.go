package tui

import "strings"

// sources are the datasets that have a letter and a colour of their own.
func sources() []struct{ prefix, letter string } {
	return []struct{ prefix, letter string }{
		{"kubernetes", "K"}, {"aws", "C"}, {"auditd", "A"}, {"falco", "F"}, {"cilium", "T"}, {"amber", "B"},
	}
}

// source is the letter and the colour of a dataset.
func (k *look) source(dataset string) (string, paint) {
	for i, s := range sources() {
		if strings.HasPrefix(dataset, s.prefix) {
			return s.letter, k.Sources[i]
		}
	}
	if dataset == "" {
		return "-", k.Sources[7]
	}
	letter := strings.ToUpper(dataset[:1])
	if !plain(letter) {
		letter = "?"
	}
	sum := 0
	for i := range len(dataset) {
		sum += int(dataset[i])
	}
	return letter, k.Sources[6+sum%2]
}

// level is the colour of a log's or a finding's level.
func (k *look) level(name string) paint {
	switch strings.ToLower(name) {
	case "critical", "emergency", "alert", "fatal", "crit":
		return k.Levels[4]
	case "high", "error", "err":
		return k.Levels[3]
	case "medium", "warning", "warn":
		return k.Levels[2]
	case "low", "notice":
		return k.Levels[1]
	}
	return k.Levels[0]
}

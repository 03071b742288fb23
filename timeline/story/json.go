package story

import (
	"encoding/hex"
	"encoding/json"

	"amber/timeline/store"
)

// MarshalJSON writes the whole story: times as RFC 3339, rows in hexadecimal.
func (st *Story) MarshalJSON() ([]byte, error) {
	type section struct {
		Tactic    string      `json:"tactic"`
		Name      string      `json:"name"`
		Sentences []*Sentence `json:"sentences"`
	}
	out := struct {
		Title    string    `json:"title"`
		From     string    `json:"from,omitempty"`
		Begin    string    `json:"begin,omitempty"`
		End      string    `json:"end,omitempty"`
		Actors   []Party   `json:"actors"`
		Targets  []Party   `json:"targets"`
		Sections []section `json:"sections"`
		Apart    []Apart   `json:"not_part_of_this_story"`
		Notes    []string  `json:"notes,omitempty"`
	}{Title: st.Title, From: st.From, Actors: orEmpty(st.Actors), Targets: orEmpty(st.Targets), Sections: []section{}, Apart: orEmpty(st.Apart), Notes: st.Notes}
	if len(st.Sections) > 0 {
		out.Begin, out.End = store.FormatTime(st.Begin), store.FormatTime(st.End)
	}
	for i := range st.Sections {
		s := section{Tactic: st.Sections[i].Tactic, Name: st.Sections[i].Name}
		for j := range st.Sections[i].Sentences {
			s.Sentences = append(s.Sentences, &st.Sections[i].Sentences[j])
		}
		out.Sections = append(out.Sections, s)
	}
	return json.Marshal(out)
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// MarshalJSON writes a party by its kind and name.
func (p Party) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind   string `json:"kind"`
		Name   string `json:"name"`
		Events int64  `json:"events"`
	}{string(p.Kind), p.Name, p.Count})
}

// MarshalJSON writes a count of what is not told.
func (a Apart) MarshalJSON() ([]byte, error) {
	out := struct {
		What   string `json:"what"`
		Events int64  `json:"events"`
		Level  string `json:"level,omitempty"`
		First  string `json:"first,omitempty"`
		Last   string `json:"last,omitempty"`
	}{What: a.What, Events: a.Events}
	if a.Level > 0 {
		out.Level, out.First, out.Last = a.Level.String(), store.FormatTime(a.First), store.FormatTime(a.Last)
	}
	return json.Marshal(out)
}

type entityJSON struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// MarshalJSON writes a sentence as text and by its parts.
func (s *Sentence) MarshalJSON() ([]byte, error) {
	out := struct {
		Text       string       `json:"text"`
		Sure       string       `json:"sure"`
		Because    string       `json:"because,omitempty"`
		Tie        string       `json:"possibly_part_because,omitempty"`
		Level      string       `json:"level"`
		Techniques []string     `json:"techniques,omitempty"`
		Rules      []string     `json:"rules,omitempty"`
		Findings   []string     `json:"findings,omitempty"`
		First      string       `json:"first"`
		Last       string       `json:"last"`
		Events     int64        `json:"events"`
		Rows       []string     `json:"rows"`
		Raw        []Raw        `json:"raw,omitempty"`
		Entities   []entityJSON `json:"entities"`
		Commands   []string     `json:"commands,omitempty"`
	}{
		Text: s.Plain(), Sure: s.Sure.String(), Because: s.Because, Tie: s.Tie, Level: s.Level.String(), Techniques: s.Techniques, Rules: s.Rules, Findings: s.Findings,
		First: store.FormatTime(s.First), Last: store.FormatTime(s.Last), Events: s.Count, Rows: []string{}, Raw: s.Raw, Entities: []entityJSON{},
	}
	for _, id := range s.Rows {
		out.Rows = append(out.Rows, hex.EncodeToString(id[:]))
	}
	for _, r := range s.Text {
		switch {
		case r.Code:
			out.Commands = append(out.Commands, r.Text)
		case r.Kind != "":
			out.Entities = append(out.Entities, entityJSON{string(r.Kind), r.Text})
		}
	}
	return json.Marshal(out)
}

// MarshalJSON writes a raw reference.
func (r Raw) MarshalJSON() ([]byte, error) {
	type span struct {
		Offset int64 `json:"offset"`
		Length int64 `json:"length"`
	}
	out := struct {
		File   string `json:"sha256"`
		Path   string `json:"path"`
		Ranges []span `json:"ranges"`
	}{File: r.File, Path: r.Path}
	for _, x := range r.Ranges {
		out.Ranges = append(out.Ranges, span{x.Offset, x.Length})
	}
	return json.Marshal(out)
}

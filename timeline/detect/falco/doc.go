// Package falco reads Falco's rule files as they are published and makes
// Matchers of their rules.
//
//	Load       files → lists, macros, rules, with append and override applied
//	parse      a condition → a tree, by hand-written recursive descent
//	expand     macros and lists put in their places, exceptions added
//	plan       the tree for one dataset: what its events can tell of each field
//
// The language is that of https://falco.org/docs/rules; docs/falco-rules.md says
// where amber differs, which fields each dataset gives, and what becomes of a
// comparison whose field an event does not tell.
package falco

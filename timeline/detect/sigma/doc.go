// Package sigma reads Sigma rules (https://github.com/SigmaHQ/sigma-specification,
// version 2.1) and makes Matchers and Correlations of them.
//
//	chunk.go, document.go, load.go    YAML, bounded, with the lines of what is wrong
//	metadata.go, detection.go,
//	condition.go, correlation.go,
//	filter.go                         rules as they are written
//	modifier.go, values.go            a field's modifiers, and the tests that they make
//	logsource.go, taxonomy.go         which datasets a rule means, and what its fields are there
//	build.go, require.go              the rule as it is evaluated, once for each dataset
//	matcher.go, state.go, audit.go    its evaluation
//
// docs/sigma.md says what each part of the specification comes to here.
package sigma

// Package sigma reads Sigma rules (https://github.com/SigmaHQ/sigma-specification,
// version 2.1) and makes Matchers and Correlations of them.
//
//	document.go, load.go          YAML, bounded, with the lines of what is wrong
//	metadata.go, detection.go,
//	modifier.go, condition.go     a rule as it is written
//	logsource.go, taxonomy.go     which datasets it means, and what its fields are there
//	build.go, node.go             the rule as it is evaluated, once for each dataset
//
// docs/sigma.md says what each part of the specification comes to here.
package sigma

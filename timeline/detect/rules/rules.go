// Package rules is amber's own pack: rules in Sigma form for incidents in
// containers, clusters and clouds, each with a technique of MITRE ATT&CK, why it
// matters and what to do.
//
//	kubernetes/   the API server's audit log
//	cloudtrail/   AWS
//	gcp/ azure/   their audit logs, the directory's sign-ins
//	okta/ github/ who signs in, and whose code is built
//	webserver/    requests to web servers
//	linux/        processes, files and connections of hosts and containers
//	bundle/       what amber collected
//
// Beside Sigma's own keys a rule has why and response. Rules whose names begin
// with base_ are parts of correlations and give no findings of their own.
// docs/coverage.md shows which techniques they cover.
package rules

import (
	"embed"
	"io/fs"
)

//go:embed kubernetes cloudtrail gcp azure okta github webserver linux bundle
var files embed.FS

// FS is the pack, for sigma.Load.
func FS() fs.FS { return files }

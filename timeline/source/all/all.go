// Package all is the explicit list of the sources of logs.
package all

import (
	"amber/timeline"
	"amber/timeline/source/auditd"
	"amber/timeline/source/azure"
	"amber/timeline/source/bundle"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/falco"
	"amber/timeline/source/gcp"
	"amber/timeline/source/github"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/okta"
	"amber/timeline/source/tetragon"
)

// Sources are all that recognise a file by its content. Bundles are directories
// and no sources: the build opens them.
func Sources() []timeline.Source {
	return []timeline.Source{
		kubeaudit.Source{},
		cloudtrail.Source{},
		gcp.Source{},
		azure.Source{},
		okta.Source{},
		github.Source{},
		auditd.Source{},
		falco.Source{},
		tetragon.Source{},
		bundle.Custody{},
	}
}

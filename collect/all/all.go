// Package all is the list of collectors.
package all

import (
	"amber/collect"
	"amber/collect/checkpoint"
	"amber/collect/filesystem"
	"amber/collect/logs"
	"amber/collect/memory"
	"amber/collect/metadata"
	"amber/collect/network"
	"amber/collect/process"
)

// Options are those of all collectors. The zero value is of use.
type Options struct {
	Network    network.Options
	Process    process.Options
	Memory     memory.Options
	Checkpoint checkpoint.Options
	Filesystem filesystem.Options
	Metadata   metadata.Options
}

// Collectors are all there are; collect.Run puts them in order.
func Collectors(o Options) []collect.Collector {
	return []collect.Collector{
		network.New(o.Network),
		process.New(o.Process),
		memory.New(o.Memory),
		checkpoint.New(o.Checkpoint),
		filesystem.New(o.Filesystem),
		logs.New(),
		metadata.New(o.Metadata),
	}
}

// Package tetragon reads the JSON events that Tetragon exports (api/v1's
// GetEventsResponse with protobuf names): one a line, as "tetra getevents -o
// json" and the export file have them, or indented.
//
// A record is an object with the event under the name of its kind
// ("process_exec", "process_kprobe", …) beside node_name and time.
// docs/event-schema/tetragon.md has the mapping.
package tetragon

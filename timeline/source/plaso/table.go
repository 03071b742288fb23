package plaso

import (
	"amber/timeline"
	"amber/timeline/source/leaves"
)

// The leaves that the code asks for, by their places in a table.
const (
	stamp = iota
	datetime
	described
	said
	date
	clock
	zone
	dataType
	macb
	labels
	desc
	short
	user
	host
	id
	display
	file
	request
	remote
	port
	numAsked
)

// Leaves are those of plaso, and of what is made of its timelines. With them the
// tables of several formats begin.
func Leaves() []leaves.Leaf {
	return append(make([]leaves.Leaf, 0, numAsked+40), []leaves.Leaf{
		stamp:     {Path: "timestamp", Hide: true},
		datetime:  {Path: "datetime", Hide: true},
		described: {Path: "timestamp_desc type"},
		said:      {Path: "message", Hide: true},
		date:      {Path: "date", Hide: true},
		clock:     {Path: "time", Hide: true},
		zone:      {Path: "timezone", Hide: true},
		dataType:  {Path: "data_type sourcetype source_long", Field: timeline.EventProvider},
		macb:      {Path: "MACB", Hide: true},
		labels:    {Path: "tag tag.labels", Field: timeline.Tags},
		desc:      {Path: "desc", Hide: true},
		short:     {Path: "short"},
		user:      {Path: "username user user_name requester", Field: timeline.UserName},
		host:      {Path: "hostname host computer_name", Field: timeline.HostName},
		id:        {Path: "__ts_id _id", Field: timeline.EventID},
		display:   {Path: "display_name"},
		file:      {Path: "filename file_path path", Hide: true},
		request:   {Path: "http_request"},
		remote:    {Path: "remote_name", Hide: true},
		port:      {Path: "port"},
		{Path: "user_sid", Field: timeline.UserID},
		{Path: "sha256_hash", Field: timeline.FileHash},
		{Path: "file_size", Field: timeline.FileSize},
		{Path: "ip_address src_ip source_ip remote_address caller_ip", Field: timeline.SourceIP},
		{Path: "src_port source_port", Field: timeline.SourcePort},
		{Path: "dst_ip destination_ip", Field: timeline.DestinationIP},
		{Path: "dst_port destination_port", Field: timeline.DestinationPort},
		{Path: "pid", Field: timeline.ProcessPID},
		{Path: "reporter process_name", Field: timeline.ProcessName},
		{Path: "exe executable", Field: timeline.ProcessExecutable},
		{Path: "command command_line", Field: timeline.ProcessCommandLine},
		{Path: "http_request_method", Field: timeline.HTTPMethod},
		{Path: "http_response_code", Field: timeline.HTTPStatus},
		{Path: "http_request_user_agent user_agent", Field: timeline.UserAgent},
		{Path: "url", Field: timeline.URL},
		{Path: "container_id container_identifier", Field: timeline.ContainerID},
		{Path: "container_name", Field: timeline.ContainerName},
		{Path: "http_response_bytes", Field: timeline.NetworkBytes},
		{Path: "severity", Field: timeline.LogLevel},
		{Path: "pathspec", Whole: true},
		{Path: "date_time", Whole: true},
		{Path: "__type__ __container_type__ tag.__type__ tag.__container_type__", Hide: true},
	}...)
}

var table = &leaves.Table{Prefix: "plaso.", Leaves: Leaves()}

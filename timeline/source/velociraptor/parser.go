package velociraptor

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/leaves"
	"amber/timeline/source/macb"
)

// The leaves that the code asks for, by their places in the table.
const (
	collected = iota
	origin
	modified
	accessed
	changed
	born
	happened
	created
	client
	said
	filePath
	name
	commandLine
	level
	result
	method
	logins
	port
	dockerID
	dockerNames
	dockerImage
	ownerName
	ownerLine
	ownerExe
)

// table has the columns of the artefacts that are collected most; all others are
// velociraptor.NAME.
var table = &leaves.Table{Prefix: "velociraptor.", Columns: true, Leaves: []leaves.Leaf{
	collected:   {Path: "_ts"},
	origin:      {Path: "_Source Artifact ArtifactName", Hide: true},
	modified:    {Path: "Mtime MTime mtime LastModified Stat.Mtime"},
	accessed:    {Path: "Atime ATime atime Stat.Atime"},
	changed:     {Path: "Ctime CTime ctime Stat.Ctime"},
	born:        {Path: "Btime BTime btime Stat.Btime"},
	happened:    {Path: "EventTime Timestamp timestamp TimeStamp Time time login_time LoginTime Date System.TimeCreated.SystemTime TimeCreated client_time visit_time last_visit_time LastExecution"},
	created:     {Path: "CreateTime CreatedTime Created StartTime start_time"},
	client:      {Path: "ClientId client_id"},
	said:        {Path: "Message message Line Msg", Hide: true},
	filePath:    {Path: "OSPath FullPath Path _FullPath File OSPath.Path", Field: timeline.FilePath},
	name:        {Path: "Name Process ProcessName", Field: timeline.ProcessName},
	commandLine: {Path: "CommandLine Cmdline CmdLine Command login_Cmd", Field: timeline.ProcessCommandLine},
	level:       {Path: "level", Field: timeline.LogLevel},
	result:      {Path: "Result"},
	method:      {Path: "Method"},
	logins:      {Path: "login_Type"},
	port:        {Path: "Port"},
	dockerID:    {Path: "Id"},
	dockerNames: {Path: "Names"},
	dockerImage: {Path: "Image"},
	ownerName:   {Path: "ProcInfo.Name"},
	ownerLine:   {Path: "ProcInfo.CommandLine"},
	ownerExe:    {Path: "ProcInfo.Exe"},
	{Path: "Pid PID login_PID", Field: timeline.ProcessPID},
	{Path: "Ppid PPid ParentPid", Field: timeline.ProcessParentPID},
	{Path: "Exe exe Executable ProcessPath", Field: timeline.ProcessExecutable},
	{Path: "Cwd CWD", Field: timeline.ProcessWorkingDirectory},
	{Path: "Username User UserName user login_User AccountName", Field: timeline.UserName},
	{Path: "Uid UID UserId", Field: timeline.UserID},
	{Path: "Hash.SHA256 SHA256 Upload.sha256", Field: timeline.FileHash},
	{Path: "Size", Field: timeline.FileSize},
	{Path: "Mode", Field: timeline.FileMode},
	{Path: "Laddr.IP LocalAddr SourceIP IpAddr IP login_IpAddr", Field: timeline.SourceIP},
	{Path: "Laddr.Port LocalPort SourcePort", Field: timeline.SourcePort},
	{Path: "Raddr.IP RemoteAddr DestIP", Field: timeline.DestinationIP},
	{Path: "Raddr.Port RemotePort DestPort", Field: timeline.DestinationPort},
	{Path: "Fqdn Hostname", Field: timeline.HostName},
	{Path: "ContainerId ContainerID", Field: timeline.ContainerID},
	{Path: "Url URL visited_url", Field: timeline.URL},
}}

type parser struct {
	leaves.Row
	about about
}

// about is what is known of a row from where it stands.
type about struct {
	artefact, client, host, session []byte
	made                            timeline.Time
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if rec.Kind == passed {
		return &timeline.SkipError{Reason: timeline.Foreign}
	}
	if err := p.Begin(rec.Data); err != nil {
		return err
	}
	p.standing(&rec)
	t, times, err := p.times()
	if err != nil {
		return err
	}
	sub := int32(0)
	if rec.Kind == row {
		sub = int32(rec.Line<<2) & (1<<30 - 1)
	}
	if times.None() {
		p.row(t)
		p.E.Sub = sub
		return emit(&p.E)
	}
	first := true
	return times.Each(func(at timeline.Time, letters [4]byte) error {
		if !first { // the event was the emitted one's
			if err := p.Begin(rec.Data); err != nil {
				return err
			}
		}
		first = false
		p.row(at)
		macb.Classify(&p.E, letters)
		p.E.Put("file.macb", p.Text.Keep(letters[:]))
		p.E.Sub = sub
		sub++
		return emit(&p.E)
	})
}

// standing takes the collection's head apart.
func (p *parser) standing(rec *timeline.Record) {
	p.about = about{made: timeline.NoTime, artefact: p.Get(origin)}
	rest := rec.Group
	for i := range 5 {
		var part []byte
		part, rest, _ = bytes.Cut(rest, []byte{0})
		if len(part) == 0 {
			continue
		}
		switch i {
		case 0:
			p.about.artefact = part
		case 1:
			p.about.client = part
		case 2:
			p.about.host = part
		case 3:
			p.about.session = part
		case 4:
			if n, ok := jsonscan.ParseInt(part); ok && n > 0 {
				p.about.made = timeline.Time{Micros: n}
			}
		}
	}
}

package bundle

import (
	"strings"
	"time"

	"amber/evidence/record"
	"amber/timeline"
)

// maxHistory bounds the entries of an image's history that are read.
const maxHistory = 100_000

// image reads an OCI image configuration: when it was made, and each layer.
func (p *parser) image(doc []byte) (timeline.Reason, string) {
	var c struct {
		Created time.Time `json:"created"`
		Author  string    `json:"author"`
		History []struct {
			Created    time.Time `json:"created"`
			CreatedBy  string    `json:"created_by"`
			Comment    string    `json:"comment"`
			EmptyLayer bool      `json:"empty_layer"`
		} `json:"history"`
	}
	if why, text := decode(doc, &c); why != "" {
		return why, text
	}
	if len(c.History) > maxHistory {
		return timeline.Oversize, "the image's history"
	}
	none := p.at("amber.image", "image-created", c.Created, func(e *timeline.Event) { e.Str(timeline.UserName, []byte(c.Author)) })
	for _, h := range c.History {
		miss := p.at("amber.image", "image-layer-created", h.Created, func(e *timeline.Event) {
			e.Str(timeline.ProcessCommandLine, []byte(h.CreatedBy))
			e.Put("amber.image.comment", []byte(h.Comment))
			if h.EmptyLayer {
				e.PutConst("amber.image.empty_layer", "true")
			}
		})
		none = none && miss
	}
	if none {
		return timeline.Foreign, "" // a reproducible build has no times
	}
	return "", ""
}

// at makes an event of a time that may be absent; true is that it was.
func (p *parser) at(dataset, action string, at time.Time, fill func(*timeline.Event)) (absent bool) {
	if at.IsZero() {
		p.skip()
		return true
	}
	e := p.begin(dataset, action, at)
	kinds(e, "host", "info")
	fill(e)
	p.send()
	return false
}

// container reads container.json, what the runtime said.
func (p *parser) container(doc []byte) (timeline.Reason, string) {
	var c struct {
		Created, Started time.Time
		State            string
	}
	if why, text := decode(doc, &c); why != "" {
		return why, text
	}
	fill := func(e *timeline.Event) { e.Put("amber.container.state", []byte(c.State)) }
	none := p.at("amber.container", "container-created", c.Created, fill)
	if p.at("amber.container", "container-started", c.Started, fill) && none {
		return timeline.Foreign, ""
	}
	return "", ""
}

// inspect reads the runtime's own document of the container: Docker's says when
// it last ended.
func (p *parser) inspect(doc []byte) (timeline.Reason, string) {
	var c struct {
		RestartCount int
		State        struct {
			FinishedAt time.Time
			ExitCode   int64
			OOMKilled  bool
			Error      string
		}
	}
	if why, _ := decode(doc, &c); why != "" || c.State.FinishedAt.Year() <= 1 {
		return timeline.Foreign, "" // another runtime's
	}
	p.at("amber.container", "container-exited", c.State.FinishedAt, func(e *timeline.Event) {
		e.Num(timeline.ProcessExitCode, c.State.ExitCode)
		e.Str(timeline.ErrorMessage, []byte(c.State.Error))
		e.Put("amber.container.restarts", number(int64(c.RestartCount)))
		if c.State.OOMKilled {
			e.AddConst(timeline.Tags, "oom-killed")
		}
	})
	return "", ""
}

// acquisition reads the acquisition record: the whole, the freeze, each step.
func (p *parser) acquisition(doc []byte) (timeline.Reason, string) {
	var a record.Acquisition
	if why, text := decode(doc, &a); why != "" {
		return why, text
	}
	who := func(e *timeline.Event) {
		e.Str(timeline.UserName, []byte(a.Actor.User))
		e.Str(timeline.UserID, number(int64(a.Actor.UID)))
		e.Put("user.audit.name", []byte(a.Actor.Login))
	}
	p.at("amber.acquisition", "acquired-evidence", a.Start, func(e *timeline.Event) {
		who(e)
		e.End = instant(a.End)
		e.Str(timeline.ProcessCommandLine, []byte(strings.Join(a.Argv, " ")))
		e.Put("amber.alterations", []byte(strings.Join(a.Alters, "; ")))
		e.Put("amber.members", number(a.Members))
		e.Put("amber.misses", number(a.Misses))
		e.Put("amber.tool.version", []byte(a.Tool.Version))
		e.Put("amber.tool.sha256", []byte(a.Tool.SHA256))
	})
	p.frozen(a.Frozen, who)
	for _, s := range a.Steps {
		p.at("amber.acquisition", "collected", s.Start, func(e *timeline.Event) { step(e, s) })
	}
	return "", ""
}

func step(e *timeline.Event, s record.Step) {
	e.End = instant(s.End)
	e.Put("amber.step", []byte(s.Name))
	e.Put("amber.members", number(s.Members))
	e.Put("amber.misses", number(s.Misses))
	e.Str(timeline.ErrorMessage, []byte(s.Error))
	if s.Error != "" {
		e.Const(timeline.EventOutcome, "failure")
	} else {
		e.Const(timeline.EventOutcome, "success")
	}
}

func (p *parser) frozen(f *record.Frozen, who func(*timeline.Event)) {
	if f == nil {
		p.skip()
		p.skip()
		return
	}
	fill := func(e *timeline.Event) {
		who(e)
		e.Put("amber.frozen.how", []byte(f.How))
		e.Put("amber.frozen.before", []byte(f.Before))
	}
	p.at("amber.acquisition", "froze-container", f.From, fill)
	p.at("amber.acquisition", "thawed-container", f.Until, fill)
}

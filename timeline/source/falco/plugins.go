package falco

import (
	"bytes"
	"net/netip"

	"amber/timeline"
)

// audit maps the fields of the Kubernetes audit plugin.
func (p *parser) audit(key, v []byte) bool {
	e := &p.ev
	switch string(key) {
	case "ka.verb":
		e.Str(timeline.EventAction, v)
	case "ka.user.name":
		e.Str(timeline.UserName, v)
	case "ka.user.groups":
		p.list(timeline.UserRoles, v)
	case "ka.impuser.name":
		e.Str(timeline.UserEffectiveName, v)
	case "ka.target.name":
		e.Str(timeline.OrchestratorResourceName, v)
	case "ka.target.namespace":
		e.Str(timeline.OrchestratorNamespace, v)
	case "ka.target.resource":
		e.Str(timeline.OrchestratorResourceType, v)
	case "ka.cluster.name":
		e.Str(timeline.OrchestratorCluster, v)
	case "ka.uri":
		e.Str(timeline.URL, v)
	case "ka.useragent":
		e.Str(timeline.UserAgent, v)
	case "ka.response.code":
		return p.num(timeline.HTTPStatus, v)
	case "ka.response.reason":
		e.Str(timeline.ErrorMessage, v)
	case "ka.sourceips":
		p.list(timeline.RelatedIP, v)
		if ips := e.GetList(timeline.RelatedIP); len(ips) > 0 {
			e.Str(timeline.SourceIP, ips[0])
		}
	default:
		return false
	}
	return true
}

// cloud maps the fields of the CloudTrail plugin.
func (p *parser) cloud(key, v []byte) bool {
	e := &p.ev
	e.Const(timeline.CloudProvider, "aws")
	switch string(key) {
	case "ct.name":
		e.Str(timeline.EventAction, v)
	case "ct.user":
		e.Str(timeline.UserName, v)
	case "ct.user.arn":
		e.Str(timeline.UserID, v)
	case "ct.user.accountid":
		e.Str(timeline.CloudAccountID, v)
	case "ct.region":
		e.Str(timeline.CloudRegion, v)
	case "ct.src":
		e.Str(timeline.CloudServiceName, v)
	case "ct.srcip":
		p.address(timeline.SourceIP, v)
	case "ct.srcdomain":
		e.Str(timeline.SourceDomain, v)
	case "ct.useragent":
		e.Str(timeline.UserAgent, v)
	case "ct.error":
		e.Const(timeline.EventOutcome, "failure")
		e.Str(timeline.ErrorCode, v)
	case "ct.errormessage":
		e.Str(timeline.ErrorMessage, v)
	default:
		return false
	}
	return true
}

// list reads "(a,b)" or "a,b".
func (p *parser) list(f timeline.Field, v []byte) {
	v = bytes.Trim(v, "()[] ")
	for w := range bytes.SplitSeq(v, []byte(",")) {
		p.ev.Add(f, bytes.Trim(w, ` "`))
	}
}

// address sets a column to an address, or the domain beside it to what is none.
func (p *parser) address(f timeline.Field, v []byte) {
	ip, err := netip.ParseAddr(string(v))
	if err != nil {
		if f == timeline.SourceIP {
			p.ev.Str(timeline.SourceDomain, v)
		}
		return
	}
	p.ev.Str(f, v)
	if !ip.IsUnspecified() {
		p.ev.Add(timeline.RelatedIP, v)
	}
}

// tags keeps all, and tells MITRE's apart.
func (p *parser) tags() {
	s := &p.s
	if s.Kind() != '[' {
		s.Skip()
		return
	}
	var tactics []byte
	for ok := s.Array(); ok; ok = s.NextElement() {
		v := s.Text()
		p.ev.Add(timeline.Tags, v)
		if technique(v) {
			p.ev.Add(timeline.TechniqueID, v)
		}
		if tactic, ok := bytes.CutPrefix(v, []byte("mitre_")); ok {
			if len(tactics) > 0 {
				tactics = append(tactics, ',')
			}
			tactics = append(tactics, tactic...)
		}
	}
	p.ev.Put("threat.tactic.name", tactics)
}

// technique reports T1059 and T1059.004.
func technique(v []byte) bool {
	if len(v) != 5 && (len(v) != 9 || v[5] != '.') || v[0] != 'T' {
		return false
	}
	for i, c := range v[1:] {
		if i != 4 && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

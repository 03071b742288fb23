package kubeaudit

import (
	"amber/timeline/source/jsonscan"
)

// audit is one event of the log, before it becomes a row. Its slices are parts
// of the record.
type audit struct {
	kind, apiVersion                 []byte
	level, auditID, stage, verb, uri []byte
	agent                            []byte
	user, acting                     user // acting is who is impersonated
	ips                              [][]byte
	ref                              reference
	code                             int64
	hasCode                          bool
	statusText, statusReason         []byte
	requestObject, responseObject    []byte
	received, stageTime, time        []byte // time is v1beta1's and older
	notes                            []pair
	objects                          [len(objectNames)][]byte
	seen                             uint32 // keys, by the bits below
	twice                            bool   // one of them came again

	// GKE tells the outcome so, and not the response's code.
	ended   bool
	failure string
	utc     bool // its times are UTC though they have no zone
}

// objectNames are of those objects of the event in which rules look for what has no
// column; audit.objects has them as they are written.
var objectNames = [...]string{"user", "impersonatedUser", "objectRef", "responseStatus", "requestObject", "responseObject", "annotations"}

const (
	inUser = iota
	inActing
	inRef
	inStatus
	inRequest
	inResponse
	inNotes
)

type user struct {
	name, uid []byte
	groups    [][]byte
	extra     []pair
}

type pair struct{ key, value []byte }

type reference struct {
	resource, namespace, name, uid, group, version, sub []byte
}

// Bits of seen.
const (
	seenLevel = 1 << iota
	seenID
	seenStage
	seenURI
	seenVerb
	seenUser
	seenActing
	seenIPs
	seenAgent
	seenRef
	seenStatus
	seenRequest
	seenResponse
	seenReceived
	seenStageTime
	seenNotes

	marks = seenID | seenStage | seenURI | seenVerb | seenLevel // what nothing else has
)

func (u *user) reset() { *u = user{groups: u.groups[:0], extra: u.extra[:0]} }

func (a *audit) reset() {
	a.user.reset()
	a.acting.reset()
	*a = audit{user: a.user, acting: a.acting, ips: a.ips[:0], notes: a.notes[:0]}
}

func (a *audit) once(bit uint32) {
	a.twice = a.twice || a.seen&bit != 0
	a.seen |= bit
}

// read scans one event, or what wraps one. Of keys that come twice the last
// counts, as with the API server's own decoder.
func (a *audit) read(s *jsonscan.Scanner) error {
	for ok := s.Object(); ok; ok = s.NextMember() {
		key, at := s.Key(), s.Offset()
		switch string(key) {
		case "kind":
			a.kind = s.Text()
		case "apiVersion":
			a.apiVersion = s.Text()
		case "level":
			a.once(seenLevel)
			a.level = s.Text()
		case "auditID":
			a.once(seenID)
			a.auditID = s.Text()
		case "stage":
			a.once(seenStage)
			a.stage = s.Text()
		case "requestURI":
			a.once(seenURI)
			a.uri = s.Text()
		case "verb":
			a.once(seenVerb)
			a.verb = s.Text()
		case "user":
			a.once(seenUser)
			a.user.read(s)
			a.objects[inUser] = s.Since(at)
		case "impersonatedUser":
			a.once(seenActing)
			a.acting.read(s)
			a.objects[inActing] = s.Since(at)
		case "sourceIPs":
			a.once(seenIPs)
			a.ips = texts(s, a.ips[:0])
		case "userAgent":
			a.once(seenAgent)
			a.agent = s.Text()
		case "objectRef":
			a.once(seenRef)
			a.ref.read(s)
			a.objects[inRef] = s.Since(at)
		case "responseStatus":
			a.once(seenStatus)
			a.status(s)
			a.objects[inStatus] = s.Since(at)
		case "requestObject":
			a.once(seenRequest)
			a.requestObject = s.Raw()
			a.objects[inRequest] = a.requestObject
		case "responseObject":
			a.once(seenResponse)
			a.responseObject = s.Raw()
			a.objects[inResponse] = a.responseObject
		case "requestReceivedTimestamp":
			a.once(seenReceived)
			a.received = s.Text()
		case "stageTimestamp":
			a.once(seenStageTime)
			a.stageTime = s.Text()
		case "annotations":
			a.once(seenNotes)
			a.notes = pairs(s, a.notes[:0])
			a.objects[inNotes] = s.Since(at)
		case "timestamp", "time":
			a.time = s.Text()
		default:
			s.Skip()
		}
	}
	return s.End()
}

func (u *user) read(s *jsonscan.Scanner) {
	u.reset()
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "username":
			u.name = s.Text()
		case "uid":
			u.uid = s.Text()
		case "groups":
			u.groups = texts(s, u.groups[:0])
		case "extra":
			u.extra = pairs(s, u.extra[:0])
		default:
			s.Skip()
		}
	}
}

func (r *reference) read(s *jsonscan.Scanner) {
	*r = reference{}
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "resource":
			r.resource = s.Text()
		case "namespace":
			r.namespace = s.Text()
		case "name":
			r.name = s.Text()
		case "uid":
			r.uid = s.Text()
		case "apiGroup":
			r.group = s.Text()
		case "apiVersion":
			r.version = s.Text()
		case "subresource":
			r.sub = s.Text()
		default:
			s.Skip()
		}
	}
}

func (a *audit) status(s *jsonscan.Scanner) {
	if !isObject(s) {
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "code":
			a.code, a.hasCode = s.Int()
		case "message":
			a.statusText = s.Text()
		case "reason":
			a.statusReason = s.Text()
		default:
			s.Skip()
		}
	}
}

// isObject passes what is none.
func isObject(s *jsonscan.Scanner) bool {
	if s.Kind() == '{' {
		return true
	}
	s.Skip()
	return false
}

// Bounds of lists: what is beyond them stays in the raw record.
const (
	maxList  = 256
	maxPairs = 64
)

// texts reads an array of strings; a single string is one of one.
func texts(s *jsonscan.Scanner, to [][]byte) [][]byte {
	if s.Kind() != '[' {
		if t := s.Text(); len(t) > 0 {
			to = append(to, t)
		}
		return to
	}
	for ok := s.Array(); ok; ok = s.NextElement() {
		if t := s.Text(); len(to) < maxList {
			to = append(to, t)
		}
	}
	return to
}

// pairs reads an object of strings; where a value is an array, each element
// makes a pair.
func pairs(s *jsonscan.Scanner, to []pair) []pair {
	if !isObject(s) {
		return to
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := s.Key()
		if s.Kind() != '[' {
			to = appendPair(to, key, s.Text())
			continue
		}
		for ok := s.Array(); ok; ok = s.NextElement() {
			to = appendPair(to, key, s.Text())
		}
	}
	return to
}

func appendPair(to []pair, key, value []byte) []pair {
	if len(to) < maxPairs {
		to = append(to, pair{key, value})
	}
	return to
}

package cloudtrail

import (
	"amber/timeline/source/jsonscan"
)

// trail is one event as it is written. Its slices are parts of the record.
type trail struct {
	version, time, source, name, region []byte
	address, agent                      []byte
	errorCode, errorMessage             []byte
	requestID, id, kind, category       []byte
	sharedID, account, readOnly         []byte
	endpoint, endpointAccount           []byte
	consoleCredential                   []byte
	apiVersion                          []byte
	request, response, additional       []byte // JSON
	details, addendum, context          []byte
	who                                 identity
	resources                           [][]byte // ARNs, and beginnings of ARNs
	insight                             insight
	serverName, tlsVersion, tlsCipher   []byte

	nested, detail []byte // the event, in an envelope
	packed         []byte // of Firehose: base64
	digest         bool
	lake           bool
	twice          bool
	objects        [len(objectNames)][]byte
	seen           uint32
}

// objectNames are of those objects of the event in which rules look for what has no
// column; trail.objects has them as they are written.
var objectNames = [...]string{"userIdentity", "requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"}

const (
	inWho = iota
	inRequest
	inResponse
	inAdditional
	inDetails
)

type insight struct{ state, source, name, kind, code, context []byte }

// Bits of seen: the keys that make an event, and may come once.
const (
	seenTime = 1 << iota
	seenSource
	seenName
	seenID
	seenWho
	seenAddress
	seenRequest
	seenResponse
)

func (t *trail) reset() { *t = trail{resources: t.resources[:0]} }

func (t *trail) once(bit uint32) {
	t.twice = t.twice || t.seen&bit != 0
	t.seen |= bit
}

// read scans an event, or what wraps one. A row of CloudTrail Lake is an array
// of objects of one column each.
func (t *trail) read(s *jsonscan.Scanner) error {
	if s.Kind() != '[' {
		t.members(s)
		return s.End()
	}
	t.lake = true
	for ok := s.Array(); ok; ok = s.NextElement() {
		t.members(s)
	}
	return s.End()
}

// members scans one object. Lake writes the columns in lower case too.
func (t *trail) members(s *jsonscan.Scanner) {
	for ok := s.Object(); ok; ok = s.NextMember() {
		key, at := s.Key(), s.Offset()
		switch string(key) {
		case "eventVersion", "eventversion":
			t.version = s.Text()
		case "eventTime", "eventtime":
			t.once(seenTime)
			t.time = s.Text()
		case "eventSource", "eventsource":
			t.once(seenSource)
			t.source = s.Text()
		case "eventName", "eventname":
			t.once(seenName)
			t.name = s.Text()
		case "eventID", "eventid":
			t.once(seenID)
			t.id = s.Text()
		case "userIdentity", "useridentity":
			t.once(seenWho)
			t.who.read(s)
			t.objects[inWho] = s.Since(at)
		case "sourceIPAddress", "sourceipaddress", "sourceIpAddress":
			t.once(seenAddress)
			t.address = s.Text()
		case "requestParameters", "requestparameters":
			t.once(seenRequest)
			t.request = object(s)
			t.objects[inRequest] = s.Since(at)
		case "responseElements", "responseelements":
			t.once(seenResponse)
			t.response = object(s)
			t.objects[inResponse] = s.Since(at)
		default:
			t.other(s)
		}
	}
}

func (t *trail) other(s *jsonscan.Scanner) {
	at := s.Offset()
	switch string(s.LastKey()) {
	case "awsRegion", "awsregion":
		t.region = s.Text()
	case "userAgent", "useragent":
		t.agent = s.Text()
	case "errorCode", "errorcode":
		t.errorCode = s.Text()
	case "errorMessage", "errormessage":
		t.errorMessage = s.Text()
	case "requestID", "requestid":
		t.requestID = s.Text()
	case "eventType", "eventtype":
		t.kind = s.Text()
	case "eventCategory", "eventcategory":
		t.category = s.Text()
	case "sharedEventID", "sharedeventid":
		t.sharedID = s.Text()
	case "recipientAccountId", "recipientaccountid":
		t.account = s.Text()
	case "readOnly", "readonly":
		t.readOnly = s.Text()
	case "vpcEndpointId", "vpcendpointid":
		t.endpoint = s.Text()
	case "sessionCredentialFromConsole", "sessioncredentialfromconsole":
		t.consoleCredential = s.Text()
	case "additionalEventData", "additionaleventdata":
		t.additional = object(s)
		t.objects[inAdditional] = s.Since(at)
	case "serviceEventDetails", "serviceeventdetails":
		t.details = object(s)
		t.objects[inDetails] = s.Since(at)
	case "addendum":
		t.addendum = object(s)
	default:
		t.rare(s)
	}
}

func (t *trail) rare(s *jsonscan.Scanner) {
	switch string(s.LastKey()) {
	case "resources":
		t.readResources(s)
	case "tlsDetails", "tlsdetails":
		t.tls(s)
	case "insightDetails", "insightdetails":
		t.insight.read(s)
	case "CloudTrailEvent", "message", "Message", "Body", "body", "_source", "_raw", "line", "log":
		t.nested = s.Text()
	case "result": // of Splunk's export
		t.detail = object(s)
	case "rawData", "data":
		t.packed = s.Text()
	case "vpcEndpointAccountId", "vpcendpointaccountid":
		t.endpointAccount = s.Text()
	case "apiVersion", "apiversion":
		t.apiVersion = s.Text()
	case "eventContext", "eventcontext":
		t.context = object(s)
	case "detail", "eventData":
		t.detail = object(s)
	case "digestStartTime":
		t.digest = true
		s.Skip()
	default:
		s.Skip()
	}
}

// object is the JSON of an object, also of one that was made a string, as Lake
// does.
func object(s *jsonscan.Scanner) []byte {
	switch s.Kind() {
	case '{':
		return s.Raw()
	case 'n':
		s.Skip()
		return nil
	}
	return s.Text()
}

// isObject passes what is none.
func isObject(s *jsonscan.Scanner) bool {
	if s.Kind() == '{' {
		return true
	}
	s.Skip()
	return false
}

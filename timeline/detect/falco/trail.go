package falco

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"amber/timeline/detect"
	"amber/timeline/source/jsonscan"
)

// trailPaths are the fields of the cloudtrail plugin that stand in the record as
// they are.
var trailPaths = map[string]string{
	"ct.id":                       "eventID",
	"ct.error":                    "errorCode",
	"ct.errormessage":             "errorMessage",
	"ct.time":                     "eventTime",
	"ct.src":                      "eventSource",
	"ct.name":                     "eventName",
	"ct.type":                     "eventType",
	"ct.user.accountid":           "userIdentity.accountId",
	"ct.user.identitytype":        "userIdentity.type",
	"ct.user.principalid":         "userIdentity.principalId",
	"ct.user.arn":                 "userIdentity.arn",
	"ct.region":                   "awsRegion",
	"ct.response":                 "responseElements",
	"ct.response.subnetid":        "responseElements.subnetId",
	"ct.response.reservationid":   "responseElements.reservationId",
	"ct.request":                  "requestParameters",
	"ct.request.availabilityzone": "requestParameters.availabilityZone",
	"ct.request.cluster":          "requestParameters.cluster",
	"ct.request.functionname":     "requestParameters.functionName",
	"ct.request.groupname":        "requestParameters.groupName",
	"ct.request.host":             "requestParameters.Host",
	"ct.request.name":             "requestParameters.name",
	"ct.request.policy":           "requestParameters.policy",
	"ct.request.serialnumber":     "requestParameters.serialNumber",
	"ct.request.servicename":      "requestParameters.serviceName",
	"ct.request.subnetid":         "requestParameters.subnetId",
	"ct.request.taskdefinition":   "requestParameters.taskDefinition",
	"ct.request.username":         "requestParameters.userName",
	"ct.request.reason":           "requestParameters.reason",
	"ct.srcip":                    "sourceIPAddress",
	"ct.srcdomain":                "sourceIPAddress",
	"ct.useragent":                "userAgent",
	"ct.additionaleventdata":      "additionalEventData",
	"ct.resources":                "resources",
	"ct.tlsdetails.tlsversion":    "tlsDetails.tlsVersion",
	"s3.bucket":                   "requestParameters.bucketName",
	"s3.key":                      "requestParameters.key",
	"ecr.repository":              "requestParameters.repositoryName",
	"ecr.image.tag":               "requestParameters.imageTag",
}

var trailOthers = map[string]fieldType{
	"ct.shortsrc": {}, "ct.user": {}, "ct.managementevent": {}, "ct.readonly": {}, "ct.info": {},
	"s3.uri": {}, "ec2.name": {}, "ec2.imageid": {},
	"s3.bytes": {kind: numberKind}, "s3.bytes.in": {kind: numberKind}, "s3.bytes.out": {kind: numberKind},
	"s3.cnt.get": {kind: numberKind}, "s3.cnt.put": {kind: numberKind}, "s3.cnt.other": {kind: numberKind},
}

func trailField(o operand) (fieldType, bool) {
	if _, ok := trailPaths[o.field]; ok {
		return fieldType{}, true
	}
	if t, ok := trailOthers[o.field]; ok {
		return t, true
	}
	return jsonField(o)
}

func trailAccessor(_ string, o operand) (accessor, bool) {
	if p, ok := trailPaths[o.field]; ok {
		return recorded(p), true
	}
	if get := trailSpecial(o.field); get != nil {
		return get, true
	}
	return jsonAccessor(o)
}

func trailSpecial(field string) accessor {
	switch field {
	case "ct.shortsrc":
		return mapped(recorded("eventSource"), func(buf, src []byte) ([]byte, bool) {
			return append(buf, bytes.TrimSuffix(src, []byte(".amazonaws.com"))...), true
		})
	case "ct.user":
		return trailUser
	case "ct.managementevent":
		return otherwise(recorded("managementEvent"), "false")
	case "ct.readonly":
		return readOnly
	case "ct.info":
		return trailInfo
	case "s3.uri":
		return s3URI
	case "s3.bytes":
		return bytesOf("additionalEventData.bytesTransferredIn", "additionalEventData.bytesTransferredOut")
	case "s3.bytes.in":
		return bytesOf("additionalEventData.bytesTransferredIn")
	case "s3.bytes.out":
		return bytesOf("additionalEventData.bytesTransferredOut")
	case "s3.cnt.get":
		return counted(func(n string) bool { return n == "GetObject" })
	case "s3.cnt.put":
		return counted(func(n string) bool { return n == "PutObject" })
	case "s3.cnt.other":
		return counted(func(n string) bool { return n != "GetObject" && n != "PutObject" })
	case "ec2.name":
		return instanceName
	case "ec2.imageid":
		return firstOf("responseElements.instancesSet.items.imageId")
	}
	return nil
}

// one is the first value of a path.
func (s *scratch) one(v detect.View, p string) (string, bool) {
	s.more = present(v.Values(s.more[:0], p))
	if len(s.more) == 0 {
		return "", false
	}
	return string(s.more[0].Text), true
}

// trailUser is who called, by the kind of identity, as the plugin names it.
func trailUser(s *scratch, v detect.View) bool {
	kind, _ := s.one(v, "userIdentity.type")
	switch kind {
	case "Root", "IAMUser":
		s.vals = present(v.Values(s.vals, "userIdentity.userName"))
	case "AWSService":
		s.vals = present(v.Values(s.vals, "userIdentity.invokedBy"))
	case "AssumedRole":
		get := otherwise(recorded("userIdentity.sessionContext.sessionIssuer.userName"), kind)
		return get(s, v)
	case "AWSAccount", "FederatedUser":
		s.addString(kind)
	}
	return true
}

// writes are the beginnings of the names of calls that change something, for
// events that do not say it.
const writes = `Start Stop Create Destroy Delete Add Remove Terminate Put Associate Disassociate Attach Detach Open
Close Wipe Update Upgrade Unlink Assign Unassign Suspend Set Run Register Deregister Reboot Purchase Modify Initialize
Enable Disable Cancel Admin Activate`

func readOnly(s *scratch, v detect.View) bool {
	if s.vals = present(v.Values(s.vals, "readOnly")); len(s.vals) > 0 {
		return true
	}
	name, ok := s.one(v, "eventName")
	if !ok {
		return true
	}
	changes := slices.ContainsFunc(strings.Fields(writes), func(w string) bool { return strings.HasPrefix(name, w) })
	s.addString(strconv.FormatBool(!changes))
	return true
}

func s3URI(s *scratch, v detect.View) bool {
	bucket, ok1 := s.one(v, "requestParameters.bucketName")
	key, ok2 := s.one(v, "requestParameters.key")
	if ok1 && ok2 {
		s.addString("s3://" + bucket + "/" + key)
	}
	return true
}

func bytesOf(paths ...string) accessor {
	return func(s *scratch, v detect.View) bool {
		total, any := 0.0, false
		for _, p := range paths {
			text, ok := s.one(v, p)
			if n, err := strconv.ParseFloat(text, 64); ok && err == nil {
				total, any = total+n, true
			}
		}
		if any {
			s.addString(strconv.FormatFloat(total, 'f', 0, 64))
		}
		return true
	}
}

func counted(is func(string) bool) accessor {
	return func(s *scratch, v detect.View) bool {
		if name, ok := s.one(v, "eventName"); ok && is(name) {
			s.addString("1")
		}
		return true
	}
}

// instanceName is the tag Name of the instances that a call asks for.
func instanceName(s *scratch, v detect.View) bool {
	s.more = v.Values(s.more[:0], "requestParameters.tagSpecificationSet.items")
	for _, item := range s.more {
		kind, ok := member(&s.scan, item.Text, "resourceType")
		if !ok || string(kind.Text) != "instance" {
			continue
		}
		tags, ok := member(&s.scan, item.Text, "tags")
		if ok && tags.Kind == detect.Composite && tags.Text[0] == '[' {
			s.nameTag(tags.Text)
		}
	}
	return true
}

func (s *scratch) nameTag(tags []byte) {
	var list, tag jsonscan.Scanner
	list.Reset(tags)
	for ok := list.Array(); ok; ok = list.NextElement() {
		raw := list.Raw()
		if key, ok := member(&tag, raw, "key"); !ok || string(key.Text) != "Name" {
			continue
		}
		if v, ok := member(&tag, raw, "value"); ok && len(s.vals) == 0 {
			s.keep(v)
		}
	}
}

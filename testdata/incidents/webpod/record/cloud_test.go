//go:build incident

package record

import (
	"fmt"
	"time"
)

const cloudTrailFile = "111122223333_CloudTrail_eu-central-1_SYNTHETIC.json.zst"

// notice is in each record, where the format has room for it.
const notice = "SYNTHETIC: no such account, session or bucket exists"

// cloudTrail is the cloud's part, which no cloud has recorded: what the web
// identity token of the pod is worth. First the shop's own use of it, from the
// node, then the intruder's, from his host.
func (a *attack) cloudTrail() []any {
	stolen := a.diary.step("exfiltration").To
	node, outside := a.web.Addr4.String(), a.intruder.Addr4.String()
	c := cloud{session: "ASIASYNTHETICSHOP001", name: "botocore-session-1795300000"}
	shop := c.assume(stolen.Add(-30*time.Second), node, "Boto3/1.40.0 md/Botocore#1.40.0 os/linux")
	list := []any{shop}
	for i, key := range []string{"prices.json", "banner.json"} {
		list = append(list, c.s3(stolen.Add(time.Duration(i-28)*time.Second), node, "Boto3/1.40.0", "GetObject", "shop-assets-example", key))
	}
	c.session, c.name = "ASIASYNTHETICSTOLEN1", "AWSCLI-Session"
	agent := "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux"
	at := stolen.Add(20 * time.Second)
	next := func() time.Time { at = at.Add(3 * time.Second); return at }
	list = append(list, c.assume(next(), outside, agent), c.call(next(), outside, agent, "sts.amazonaws.com", "GetCallerIdentity", nil, ""),
		c.s3(next(), outside, agent, "ListBuckets", "", ""), c.call(next(), outside, agent, "iam.amazonaws.com", "ListRoles", nil, "AccessDenied"),
		c.s3(next(), outside, agent, "ListObjects", "shop-customers-example", ""))
	for i := range 12 {
		list = append(list, c.s3(next(), outside, agent, "GetObject", "shop-customers-example", fmt.Sprintf("export/customers-%02d.csv", i)))
	}
	a.diary.at("cloud-session", stolen.Add(20*time.Second), stolen.Add(28*time.Second))
	a.diary.at("cloud-data", stolen.Add(28*time.Second), at.Add(time.Second))
	return list
}

// cloud is the session that events are of.
type cloud struct {
	session, name string
	n             int
}

// event is what all have in common. Its id says, in hexadecimal, that it is
// made: 5e7a…
func (c *cloud) event(at time.Time, from, agent, source, name string) map[string]any {
	c.n++
	return map[string]any{
		"eventVersion": "1.11", "eventTime": at.UTC().Format("2006-01-02T15:04:05Z"), "eventSource": source, "eventName": name,
		"awsRegion": "eu-central-1", "sourceIPAddress": from, "userAgent": agent, "eventType": "AwsApiCall", "recipientAccountId": "111122223333",
		"eventID": fmt.Sprintf("5e7a5e7a-0000-4000-8000-%s%04x", c.session[len(c.session)-1:]+"0000000", c.n), "requestID": fmt.Sprintf("SYNTHETIC%07d", c.n),
		"readOnly": true, "eventCategory": "Management", "managementEvent": true,
		"additionalEventData": map[string]any{"synthetic": notice},
	}
}

const subject, provider = "system:serviceaccount:shop:web", "oidc.eks.eu-central-1.amazonaws.com/id/SYNTHETIC000000000000000000000000"

func (c *cloud) assume(at time.Time, from, agent string) any {
	e := c.event(at, from, agent, "sts.amazonaws.com", "AssumeRoleWithWebIdentity")
	e["userIdentity"] = map[string]any{
		"type": "WebIdentityUser", "userName": subject, "identityProvider": "arn:aws:iam::111122223333:oidc-provider/" + provider,
		"principalId": "arn:aws:iam::111122223333:oidc-provider/" + provider + ":sts.amazonaws.com:" + subject,
	}
	e["requestParameters"] = map[string]any{"roleArn": role, "roleSessionName": c.name}
	e["responseElements"] = map[string]any{
		"credentials":                 map[string]any{"accessKeyId": c.session, "expiration": at.Add(time.Hour).UTC().Format("Jan 2, 2006, 3:04:05 PM"), "sessionToken": "SYNTHETIC"},
		"subjectFromWebIdentityToken": subject, "audience": "sts.amazonaws.com", "provider": "arn:aws:iam::111122223333:oidc-provider/" + provider,
		"assumedRoleUser": map[string]any{"assumedRoleId": "AROASYNTHETICSHOPWEB:" + c.name, "arn": c.arn()},
	}
	return e
}

func (c *cloud) arn() string { return "arn:aws:sts::111122223333:assumed-role/shop-web/" + c.name }

func (c *cloud) call(at time.Time, from, agent, source, name string, params any, failure string) map[string]any {
	e := c.event(at, from, agent, source, name)
	e["requestParameters"], e["responseElements"] = params, nil
	e["userIdentity"] = map[string]any{
		"type": "AssumedRole", "principalId": "AROASYNTHETICSHOPWEB:" + c.name, "arn": c.arn(), "accountId": "111122223333", "accessKeyId": c.session,
		"sessionContext": map[string]any{
			"sessionIssuer":       map[string]any{"type": "Role", "principalId": "AROASYNTHETICSHOPWEB", "arn": role, "accountId": "111122223333", "userName": "shop-web"},
			"webIdFederationData": map[string]any{"federatedProvider": "arn:aws:iam::111122223333:oidc-provider/" + provider, "attributes": map[string]any{}},
			"attributes":          map[string]any{"mfaAuthenticated": "false"},
		},
	}
	if failure != "" {
		e["errorCode"], e["errorMessage"] = failure, "User: "+c.arn()+" is not authorized to perform: iam:"+name
	}
	return e
}

func (c *cloud) s3(at time.Time, from, agent, name, bucket, key string) any {
	params := map[string]any{"Host": "s3.eu-central-1.amazonaws.com"}
	if bucket != "" {
		params = map[string]any{"bucketName": bucket, "Host": bucket + ".s3.eu-central-1.amazonaws.com"}
	}
	if key != "" {
		params["key"] = key
	}
	e := c.call(at, from, agent, "s3.amazonaws.com", name, params, "")
	if bucket != "" {
		e["eventCategory"], e["managementEvent"] = "Data", false
		e["resources"] = []any{map[string]any{"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::" + bucket, "accountId": "111122223333"}}
	}
	return e
}

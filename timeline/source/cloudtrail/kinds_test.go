package cloudtrail

import (
	"fmt"
	"strings"
	"testing"

	"amber/timeline/source/sourcetest"
)

// call is an event of which the rest is given.
func call(source, name, identity, rest string) string {
	return fmt.Sprintf(`{"eventVersion":"1.11","eventTime":"2026-03-01T10:00:00Z","awsRegion":"eu-west-1","eventID":"e-1","recipientAccountId":"111122223333","eventSource":"%s.amazonaws.com","eventName":"%s","userIdentity":%s%s}`, source, name, identity, rest)
}

// A step of a sign-in says that it failed in its own member, and in no error.
func TestSignInOutcome(t *testing.T) {
	const eve = `{"type":"IAMUser","userName":"eve"}`
	for _, rest := range []string{`,"responseElements":{"%s":"Failure"}`, `,"serviceEventDetails":{"%s":"Failure"}`} {
		for _, name := range []string{"ConsoleLogin", "CheckMfa", "SwitchRole", "CredentialVerification", "UserAuthentication"} {
			event := call("signin", name, eve, fmt.Sprintf(rest, name))
			sourcetest.Holds(t, Source{}, event, `event.outcome: "failure"`)
			sourcetest.Holds(t, Source{}, strings.Replace(event, "Failure", "Success", 1), `event.outcome: "success"`)
		}
	}
	sourcetest.Holds(t, Source{}, call("ec2", "RunInstances", eve, `,"responseElements":{"x":"Failure","RunInstances":"Failure"}`), `event.outcome: "success"`)
}

func TestWho(t *testing.T) {
	for _, c := range []struct{ source, identity, rest, want string }{
		{"signin", `{"type":"IdentityCenterUser","accountId":"111122223333","onBehalfOf":{"userId":"u-1","identityStoreArn":"arn:s"},"credentialId":"c-1"}`, `,"additionalEventData":{"UserName":"eve"}`, `user.name: "eve"
user.id: "u-1"
aws.cloudtrail.user_identity.on_behalf_of.user_id: "u-1"
aws.cloudtrail.user_identity.on_behalf_of.identity_store_arn: "arn:s"
aws.cloudtrail.user_identity.credential_id: "c-1"`},
		{"q", `{"type":"IdentityCenterUser","onBehalfOf":{"userId":"u-1"}}`, "", `user.name: "u-1"`},
		{"sts", `{"type":"AWSAccount","principalId":"AIDA1","accountId":"444455556666"}`, "", `user.name: "AIDA1"
tags: ["cross-account"]`},
		{"s3", `{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}`, "", `user.name: "anonymous"
tags: ["anonymous"]`},
		{"s3", `{"type":"FederatedUser","arn":"arn:aws:sts::111122223333:federated-user/fed","sessionContext":{"sessionIssuer":{"userName":"eve"}}}`, "", `user.name: "eve"
aws.cloudtrail.user_identity.session_name: "fed"`},
		{"s3", `{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/r/s","inScopeOf":{"sourceArn":"arn:f","sourceAccount":"1","issuerType":"AWS::Lambda::Function","credentialsIssuedTo":"arn:f"},"sessionContext":{"ec2RoleDelivery":"2.0","assumedRoot":"true","webIdFederationData":{"federatedProvider":"arn:p","attributes":{"p:sub":"x"}}}}`, "", `aws.cloudtrail.user_identity.in_scope_of.source_arn: "arn:f"
aws.cloudtrail.user_identity.in_scope_of.source_account: "1"
aws.cloudtrail.user_identity.in_scope_of.issuer_type: "AWS::Lambda::Function"
aws.cloudtrail.user_identity.in_scope_of.credentials_issued_to: "arn:f"
aws.cloudtrail.user_identity.session_context.ec2_role_delivery: "2.0"
aws.cloudtrail.user_identity.session_context.assumed_root: "true"
aws.cloudtrail.user_identity.session_context.federated_provider: "arn:p"
aws.cloudtrail.user_identity.session_context.web_id_federation_data.attributes: "{\"p:sub\":\"x\"}"`},
	} {
		sourcetest.Holds(t, Source{}, call(c.source, "X", c.identity, c.rest), strings.Split(c.want, "\n")...)
	}
}

func TestRare(t *testing.T) {
	sourcetest.Holds(t, Source{}, call("s3", "DeleteObjects", `{"type":"IAMUser","userName":"eve"}`,
		`,"vpcEndpointAccountId":"1","apiVersion":"2006-03-01","eventContext":{"requestContext":{"aws:SourceVpc":"vpc-1"}},"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"C"},"resources":[{"ARNPrefix":"arn:aws:s3:::b/"},{"ARN":"arn:aws:s3:::b"}]`),
		`aws.cloudtrail.vpc_endpoint_account_id: "1"`, `aws.cloudtrail.api_version: "2006-03-01"`, `aws.cloudtrail.event_context: "{\"requestContext\":{\"aws:SourceVpc\":\"vpc-1\"}}"`,
		`tls.version: "TLSv1.3"`, `tls.cipher: "C"`, `aws.cloudtrail.resources.arn: "arn:aws:s3:::b/,arn:aws:s3:::b"`)
	sourcetest.Holds(t, Source{}, `{"eventVersion":"1.09","eventTime":"2026-03-01T10:00:00Z","awsRegion":"r","eventType":"AwsCloudTrailInsight","insightDetails":{"state":"Start","eventSource":"iam.amazonaws.com","eventName":"CreateUser","insightType":"ApiErrorRateInsight","errorCode":"AccessDenied","insightContext":{"statistics":{}}}}`,
		`aws.cloudtrail.insight_details.error_code: "AccessDenied"`, `aws.cloudtrail.insight_details.context: "{\"statistics\":{}}"`, "!event.outcome")
}

// Answers of CloudWatch Logs and of a queue hold events as texts.
func TestAnswers(t *testing.T) {
	event := fmt.Sprintf("%q", call("iam", "CreateUser", `{"type":"Root"}`, ""))
	for _, file := range []string{
		`{"events":[{"timestamp":1772359200000,"message":` + event + `}],"nextForwardToken":"f/1"}`,
		"{\n \"events\": [\n  {\n   \"logStreamName\": \"s\",\n   \"message\": " + event + "\n  }\n ]\n}",
		`{"Messages":[{"MessageId":"1","Body":` + fmt.Sprintf("%q", `{"detail-type":"AWS API Call via CloudTrail","detail":`+call("iam", "CreateUser", `{"type":"Root"}`, "")+"}") + `}]}`,
	} {
		sourcetest.Holds(t, Source{}, file, `event.action: "CreateUser"`, `user.name: "root"`)
	}
}

package story

import (
	"strings"
	"sync"

	"amber/timeline/correlate"
	"amber/timeline/detect"
)

// calls says what calls of a cloud's API are for: "tactic technique level: calls".
const calls = `
initial-access T1078.004 low: ConsoleLogin
execution T1651 high: SendCommand StartSession
execution T1648 medium: CreateFunction20150331 Invoke
execution T1578.002 low: RunInstances
persistence T1098.001 high: CreateAccessKey UploadSSHPublicKey ImportKeyPair CreateKeyPair CreateTrustAnchor CreateProfile
persistence T1136.003 medium: CreateUser
persistence T1098 high: CreateLoginProfile UpdateLoginProfile
persistence T1098.003 high: UpdateAssumeRolePolicy
persistence T1098.003 medium: CreateRole
persistence T1525 high: UpdateFunctionCode20150331v2 UpdateFunctionConfiguration20150331v2
persistence T1078.004 medium: GetFederationToken
privilege-escalation T1098.003 high: AttachUserPolicy AttachRolePolicy AttachGroupPolicy PutUserPolicy PutRolePolicy PutGroupPolicy AddUserToGroup CreatePolicyVersion SetDefaultPolicyVersion
privilege-escalation T1578 medium: ModifyInstanceAttribute
defense-evasion T1562.008 critical: StopLogging DeleteTrail
defense-evasion T1562.008 high: PutEventSelectors UpdateTrail DeleteFlowLogs DeleteEventBus DeleteDetector DeleteQueryLoggingConfig DeleteResolverQueryLogConfig DisassociateResolverQueryLogConfig DeleteLogGroup DeleteLogStream PutBucketLifecycle LeaveOrganization
defense-evasion T1562.007 medium: AuthorizeSecurityGroupIngress
credential-access T1555.006 medium: GetSecretValue BatchGetSecretValue
credential-access T1552.007 low: GetParameter GetParameters GetParametersByPath
credential-access T1552.005 medium: GetPasswordData
lateral-movement T1550.001 low: AssumeRoleWithWebIdentity AssumeRoleForPodIdentity
lateral-movement T1021.008 medium: SendSSHPublicKey SendSerialConsoleSSHPublicKey
discovery T1580 low: GetCallerIdentity ListBuckets ListUsers ListRoles ListSecrets GetAccountAuthorizationDetails DescribeInstances DescribeSnapshots
discovery T1526 low: DescribeInstanceAttribute GetBucketAcl
collection T1530 low: GetObject
exfiltration T1537 high: ModifySnapshotAttribute ModifyImageAttribute ModifyDBSnapshotAttribute SharedSnapshotCopyInitiated PutBucketPolicy PutBucketReplication
impact T1485 medium: DeleteBucket DeleteObject DeleteObjects DeleteDBInstance DeleteSnapshot TerminateInstances DeleteSecret
impact T1496 medium: InvokeModel InvokeModelWithResponseStream
`

var signsOfCalls = sync.OnceValue(func() map[string]sign {
	m := map[string]sign{}
	for _, line := range strings.Split(strings.TrimSpace(calls), "\n") {
		head, names, _ := strings.Cut(line, ":")
		words := strings.Fields(head)
		level, _ := detect.ParseLevel(words[2])
		for _, name := range strings.Fields(names) {
			m[name] = sign{words[0], words[1], level}
		}
	}
	return m
})

// cloudAct tells what a call of a cloud's API is.
func cloudAct(v *view) act {
	action := v.text("event.action")
	service := v.text("cloud.service.name")
	a := act{verb: verb{"call " + service + ":" + action, "called " + service + ":" + action}}
	if target := v.role(correlate.Target); target.Name != "" {
		a.object, a.kind = target.Name, target.Kind
		a.noun, a.nouns = "on", "on"
	}
	if s, ok := signsOfCalls()[action]; ok && !strings.HasSuffix(v.text("user.name"), ".amazonaws.com") {
		a.is(s)
	}
	if action == "ConsoleLogin" {
		a.verb = verb{"log in to the console", "logged in to the console"}
	}
	return a
}

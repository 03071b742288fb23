package correlate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"amber/timeline"
	"amber/timeline/query"
)

// pageRows is how many rows are asked for at a time.
const pageRows = 20_000

// Build reads a timeline and joins what it tells. Memory is bounded, whatever
// the number of events: see Graph.Lost.
func Build(ctx context.Context, s timeline.Store) (*Graph, error) {
	b := newBuilder()
	for _, p := range passes {
		if err := b.pass(ctx, s, p); err != nil {
			return nil, fmt.Errorf("joining the events of %s: %w", p.where, err)
		}
	}
	b.settle()
	return b.done(), nil
}

// pass is one reading of a part of the timeline.
type pass struct {
	where  string
	fields []string
	see    func(*builder, *row)
}

var passes = []pass{
	{"event.dataset:" + kubeAudit, kubeFields, (*builder).kube},
	{"event.dataset:(" + auditd + " OR " + tetragon + " OR " + falco + " OR amber.process OR amber.socket OR amber.flow OR amber.file OR amber.container OR amber.acquisition)", hostFields, (*builder).host},
	{"event.dataset:" + cloudTrail, cloudFields, (*builder).cloud},
	{"event.dataset:" + googleAudit, federatedFields, (*builder).google},
	{"event.dataset:(" + azureActivity + " OR " + azureSignIns + ")", federatedFields, (*builder).azure},
	{"event.dataset:" + azureAudit, directoryFields, (*builder).federates},
	{"event.dataset:" + oktaLog, directoryFields, (*builder).okta},
	{"event.dataset:" + githubAudit, directoryFields, (*builder).github},
}

func (b *builder) pass(ctx context.Context, s timeline.Store, p pass) error {
	where, err := query.Parse(p.where, query.Options{})
	if err != nil {
		return err
	}
	if st, ok := s.(streamer); ok {
		in := row{at: placesOf(p.fields)}
		return st.Stream(ctx, timeline.Ask{Where: where, Fields: p.fields}, func(r timeline.Row, texts []string, numbers []int64) error {
			in.Row, in.texts, in.numbers = r, texts, numbers
			p.see(b, &in)
			return nil
		})
	}
	return Each(ctx, s, where, p.fields, func(r timeline.Row) error {
		p.see(b, &row{Row: r})
		return nil
	})
}

// streamer is a store that gives rows without making maps of them: a third of
// the time, and nearly all of the garbage, of reading pages.
type streamer interface {
	Stream(ctx context.Context, a timeline.Ask, see func(r timeline.Row, texts []string, numbers []int64) error) error
}

// Each pages through the rows that match, in the timeline's order.
func Each(ctx context.Context, s timeline.Store, where timeline.Expr, fields []string, see func(timeline.Row) error) error {
	var at timeline.Cursor
	for {
		page, err := s.Rows(ctx, timeline.Ask{Where: where, Fields: fields}, at, pageRows)
		if err != nil {
			return err
		}
		for _, r := range page.Rows {
			if err := see(r); err != nil {
				return err
			}
		}
		if at = page.Next; at == "" {
			return nil
		}
	}
}

// Fields are those that Mentions and Around look at.
func Fields() []string {
	all := slices.Concat(kubeFields, hostFields, cloudFields, federatedFields, directoryFields)
	slices.Sort(all)
	return slices.Compact(all)
}

var kubeFields = []string{
	"event.dataset", "event.action", "event.outcome", "event.end", "user.name", "user.effective.name", "user.target.name", "source.ip", "user_agent.original",
	"orchestrator.namespace", "orchestrator.resource.type", "orchestrator.resource.name", "orchestrator.resource.id",
	"process.command_line", "container.name", "container.image.name",
	subresource, userExtra + "credential-id", userExtra + "pod-name", userExtra + "pod-uid", userExtra + "node-name",
	issuedToken, podAccount, forwardPorts,
	madeObject + "uid", madeObject + "owner", madeObject + "node", madeObject + "pod_ip", madeObject + "host_ip", madeObject + "cluster_ip", madeObject + "bound_to",
}

var hostFields = []string{
	"event.dataset", "event.action", "event.outcome", "event.type", "host.name", "user.name", "user.id", "process.start",
	"process.pid", "process.parent.pid", "process.executable", "process.name", "process.command_line", "process.entity_id", "process.parent.entity_id",
	"container.id", "container.name", "container.image.name", "orchestrator.namespace", "orchestrator.resource.type", "orchestrator.resource.name",
	"source.ip", "source.port", "destination.ip", "destination.port", "network.direction", "file.path", "file.hash.sha256", "cloud.instance.id",
	"auditd.data.syscall", "auditd.data.a1", "auditd.data.a2", "amber.drift", "falco.output_fields.evt.arg.flags",
}

var cloudFields = []string{
	"event.dataset", "event.action", "event.outcome", "user.name", "user.roles", "user.target.name", "source.ip", "cloud.service.name", "cloud.instance.id",
	"cloud.account.id", cloudIdentity + "type", cloudIdentity + "access_key_id", cloudIdentity + "session_name", cloudIdentity + "arn", cloudIdentity + "invoked_by", cloudIdentity + "identity_provider",
	cloudRequest + "roleArn", cloudRequest + "roleSessionName", cloudRequest + "tags", cloudRequest + "bucketName", cloudRequest + "roleName",
	cloudRequest + "secretId", cloudRequest + "instancesSet.items.instanceId", cloudRequest + "instanceId", cloudRequest + "functionName",
	cloudResponse + "subject.namespace", cloudResponse + "subject.serviceAccount", cloudResponse + "assumedRoleUser.arn", cloudResponse + "credentials.accessKeyId", cloudResponse + "subjectFromWebIdentityToken", cloudResponse + "accessKey.accessKeyId", cloudResponse + "accessKey.userName",
	"aws.cloudtrail.request_parameters",
}

// settle joins what could only be joined when all was read, and drops each time
// what nothing behind it needs: this is where most is there at once.
func (b *builder) settle() {
	b.settleProcesses()
	b.settleOwners()
	b.owned = nil
	b.settleTokens()
	b.tokens = nil
	b.settleSessions()
	b.settleIdentities()
	b.sessions, b.openings, b.signOns, b.firstRow = nil, nil, nil, nil
	b.settleRequests()
	b.requests, b.ports = nil, nil
	b.settleFiles()
	b.written = nil
}

func hasPrefixAny(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

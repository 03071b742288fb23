package falco

import (
	"bytes"
	"strings"

	"amber/timeline/detect"
)

// The datasets of clouds' and services' logs.
const (
	gcpAudit    = "gcp.audit"
	oktaSystem  = "okta.system"
	githubAudit = "github.audit"
)

// gcpPaths are the fields of the gcpaudit plugin that stand in the record as
// they are.
var gcpPaths = map[string]string{
	"gcp.user":                    "protoPayload.authenticationInfo.principalEmail",
	"gcp.callerIP":                "protoPayload.requestMetadata.callerIp",
	"gcp.userAgent":               "protoPayload.requestMetadata.callerSuppliedUserAgent",
	"gcp.serviceName":             "protoPayload.serviceName",
	"gcp.request":                 "protoPayload.request",
	"gcp.methodName":              "protoPayload.methodName",
	"gcp.resourceName":            "protoPayload.resourceName",
	"gcp.resourceType":            "resource.type",
	"gcp.projectId":               "resource.labels.project_id",
	"gcp.cloudfunctions.function": "resource.labels.function_name",
	"gcp.cloudsql.databaseId":     "resource.labels.database_id",
	"gcp.compute.instanceId":      "resource.labels.instance_id",
	"gcp.compute.networkId":       "resource.labels.network_id",
	"gcp.compute.subnetwork":      "resource.labels.subnetwork_name",
	"gcp.compute.subnetworkId":    "resource.labels.subnetwork_id",
	"gcp.dns.zone":                "resource.labels.zone_name",
	"gcp.iam.serviceAccount":      "resource.labels.email_id",
	"gcp.iam.serviceAccountId":    "resource.labels.unique_id",
	"gcp.storage.bucket":          "resource.labels.bucket_name",
	"gcp.resourceLabels":          "resource.labels",
	"gcp.time":                    "timestamp",
}

// gcpSpecial are those that take more to extract.
func gcpSpecial(field string) accessor {
	switch field {
	case "gcp.authorizationInfo":
		return whole("protoPayload.authorizationInfo")
	case "gcp.policyDelta":
		return gcpDelta
	case "gcp.location":
		return otherwise(column("cloud.region"), "")
	case "gcp.logging.sink":
		return gcpSink
	}
	return nil
}

// whole is a list as one text; where a rule asks for what it contains, this is
// what the plugin gives.
func whole(paths ...string) accessor {
	return func(s *scratch, v detect.View) bool {
		for _, p := range paths {
			s.more = present(v.Values(s.more[:0], p))
			if len(s.more) == 0 {
				continue
			}
			start := len(s.buf)
			s.buf = append(s.buf, '[')
			for i, val := range s.more {
				if i > 0 {
					s.buf = append(s.buf, ',')
				}
				s.buf = append(s.buf, val.Text...)
			}
			s.buf = append(s.buf, ']')
			s.built(start)
			break
		}
		return true
	}
}

// gcpDelta is what a change of a policy gave and took, which buckets tell in
// another place than data sets.
func gcpDelta(s *scratch, v detect.View) bool {
	if kind, _ := s.one(v, "resource.type"); kind == "gcs_bucket" {
		return whole("protoPayload.serviceData.policyDelta.bindingDeltas", "protoPayload.servicedata_v1_iam.policyDelta.bindingDeltas")(s, v)
	}
	return whole("protoPayload.metadata.datasetChange.bindingDeltas")(s, v)
}

func gcpSink(s *scratch, v detect.View) bool {
	if kind, _ := s.one(v, "resource.type"); kind == "logging_sink" {
		s.vals = present(v.Values(s.vals, "resource.labels.name"))
	}
	return true
}

// oktaPaths are the fields of the okta plugin that stand in the record as they
// are.
var oktaPaths = map[string]string{
	"okta.evt.type":                 "eventType",
	"okta.evt.legacytype":           "legacyEventType",
	"okta.severity":                 "severity",
	"okta.message":                  "displayMessage",
	"okta.published":                "published",
	"okta.actor.id":                 "actor.id",
	"okta.actor.Type":               "actor.type",
	"okta.actor.alternateid":        "actor.alternateId",
	"okta.actor.name":               "actor.displayName",
	"okta.client.zone":              "client.zone",
	"okta.client.ip":                "client.ipAddress",
	"okta.client.device":            "client.device",
	"okta.client.id":                "client.id",
	"okta.client.geo.city":          "client.geographicalContext.city",
	"okta.client.geo.state":         "client.geographicalContext.state",
	"okta.client.geo.country":       "client.geographicalContext.country",
	"okta.client.geo.postalcode":    "client.geographicalContext.postalCode",
	"okta.client.geo.lat":           "client.geographicalContext.geolocation.lat",
	"okta.client.geo.lon":           "client.geographicalContext.geolocation.lon",
	"okta.useragent.os":             "client.userAgent.os",
	"okta.useragent.browser":        "client.userAgent.browser",
	"okta.useragent.raw":            "client.userAgent.rawUserAgent",
	"okta.result":                   "outcome.result",
	"okta.reason":                   "outcome.reason",
	"okta.transaction.id":           "transaction.id",
	"okta.transaction.type":         "transaction.type",
	"okta.requesturi":               "debugContext.debugData.requestUri",
	"okta.principal.id":             "debugContext.debugData.originalPrincipal.id",
	"okta.principal.alternateid":    "debugContext.debugData.originalPrincipal.alternateId",
	"okta.principal.type":           "debugContext.debugData.originalPrincipal.type",
	"okta.principal.name":           "debugContext.debugData.originalPrincipal.displayName",
	"okta.authentication.step":      "authenticationContext.authenticationStep",
	"okta.authentication.sessionid": "authenticationContext.externalSessionId",
	"okta.security.asnumber":        "securityContext.asNumber",
	"okta.security.asorg":           "securityContext.asOrg",
	"okta.security.isp":             "securityContext.isp",
	"okta.security.domain":          "securityContext.domain",
}

// oktaTargets are those of the targets of one type, of which the last counts.
var oktaTargets = map[string][2]string{
	"okta.target.user.id":           {"User", "id"},
	"okta.target.user.alternateid":  {"User", "alternateId"},
	"okta.target.user.name":         {"User", "displayName"},
	"okta.target.group.id":          {"UserGroup", "id"},
	"okta.target.group.alternateid": {"UserGroup", "alternateId"},
	"okta.target.group.name":        {"UserGroup", "displayName"},
	"okta.target.app.alternateid":   {"AppInstance", "alternateId"},
}

func oktaSpecial(field string) accessor {
	if t, ok := oktaTargets[field]; ok {
		return func(s *scratch, v detect.View) bool { return s.targeted(v, t[0], t[1]) }
	}
	switch field {
	case "okta.app":
		return mapped(recorded("debugContext.debugData.requestUri"), func(buf, uri []byte) ([]byte, bool) {
			rest, ok := bytes.CutPrefix(uri, []byte("/app/"))
			name, _, _ := bytes.Cut(rest, []byte{'/'})
			return append(buf, name...), ok
		})
	}
	return nil
}

func (s *scratch) targeted(v detect.View, kind, member string) bool {
	s.more = v.Values(s.more[:0], "target")
	for _, t := range s.more {
		is, ok := memberOf(s, t, "type")
		if !ok || string(is.Text) != kind {
			continue
		}
		if got, ok := memberOf(s, t, member); ok {
			s.vals = s.vals[:0]
			s.keep(got)
		}
	}
	return true
}

func memberOf(s *scratch, v detect.Value, name string) (detect.Value, bool) {
	return member(&s.scan, v.Text, name)
}

// githubSpecial are the fields of the github plugin, which reads webhooks, that
// the audit log tells too. What was done is in one word there; it is told as the
// webhook's type and action where there is one.
func githubSpecial(field string) accessor {
	switch field {
	case "github.user":
		return recorded("actor")
	case "github.org":
		return recorded("org")
	case "github.repo.name":
		return recorded("repo")
	case "github.repo", "github.repo.url":
		return mapped(recorded("repo"), func(buf, name []byte) ([]byte, bool) {
			return append(append(buf, "https://github.com/"...), name...), true
		})
	case "github.owner":
		return mapped(recorded("repo"), func(buf, name []byte) ([]byte, bool) {
			owner, _, ok := bytes.Cut(name, []byte{'/'})
			return append(buf, owner...), ok
		})
	case "github.repo.public":
		return mapped(recorded("visibility"), func(buf, v []byte) ([]byte, bool) {
			if string(v) == "public" {
				return append(buf, "true"...), true
			}
			return append(buf, "false"...), true
		})
	case "github.collaborator.name":
		return recorded("user")
	case "github.collaborator.role":
		return recorded("permission")
	case "github.webhook.id":
		return recorded("hook_id")
	case "github.type":
		return hookPart(0)
	case "github.action":
		return hookPart(1)
	}
	return nil
}

// hooks are actions of the audit log and the webhooks that tell of the same.
var hooks = map[string]string{
	"repo.create": "repository created", "repo.destroy": "repository deleted", "repo.archived": "repository archived",
	"repo.unarchived": "repository unarchived", "repo.rename": "repository renamed", "repo.transfer": "repository transferred",
	"repo.add_member": "member added", "repo.remove_member": "member removed", "repo.update_member": "member edited",
	"org.add_member": "organization member_added", "org.remove_member": "organization member_removed", "org.invite_member": "organization member_invited",
	"public_key.create": "deploy_key created", "public_key.delete": "deploy_key deleted",
	"protected_branch.create": "branch_protection_rule created", "protected_branch.destroy": "branch_protection_rule deleted",
	"team.create": "team created", "team.destroy": "team deleted", "team.add_repository": "team added_to_repository",
	"hook.create": "ping created", "hook.destroy": "meta deleted", "git.push": "push ",
	"workflows.completed_workflow_run": "workflow_run completed", "workflows.created_workflow_run": "workflow_run requested",
}

// hookPart is the type or the action. An action that no webhook tells of is not
// told.
func hookPart(part int) accessor {
	return func(s *scratch, v detect.View) bool {
		name, ok := s.one(v, "action")
		if !ok {
			return false
		}
		hook := hooks[name]
		if name == "repo.access" {
			hook = "repository privatized"
			if to, _ := s.one(v, "visibility"); to == "public" {
				hook = "repository publicized"
			}
		}
		parts := strings.SplitN(hook, " ", 2)
		if len(parts) < 2 {
			return false
		}
		if parts[part] != "" {
			s.addString(parts[part])
		}
		return true
	}
}

// ofPlugin is the types and accessors of a plugin's fields.
func ofPlugin(paths map[string]string, special func(string) accessor) (func(string, operand) (accessor, bool), func(operand) (fieldType, bool)) {
	get := func(_ string, o operand) (accessor, bool) {
		if p, ok := paths[o.field]; ok {
			return recorded(p), true
		}
		if a := special(o.field); a != nil {
			return a, true
		}
		return jsonAccessor(o)
	}
	typed := func(o operand) (fieldType, bool) {
		if o.field == "okta.security.asnumber" {
			return fieldType{kind: numberKind}, true
		}
		if _, ok := paths[o.field]; ok || special(o.field) != nil {
			return fieldType{}, true
		}
		return jsonField(o)
	}
	return get, typed
}

// pluginOrigin finds the sources whose fields are in this file.
func pluginOrigin(name string) (origin, bool) {
	o := origin{}
	switch name {
	case "gcp_auditlog":
		o.datasets = []string{gcpAudit}
		o.field, o.typed = ofPlugin(gcpPaths, gcpSpecial)
	case "okta":
		o.datasets = []string{oktaSystem}
		o.field, o.typed = ofPlugin(oktaPaths, oktaSpecial)
	case "github":
		o.datasets = []string{githubAudit}
		o.field, o.typed = ofPlugin(nil, githubSpecial)
	default:
		return o, false
	}
	return o, true
}

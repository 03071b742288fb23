package falco

import (
	"slices"
	"strings"
	"sync"

	"amber/timeline/detect"
)

const containers = "requestObject.spec.containers"

// kubePaths are the fields of the k8saudit plugin that stand in the record as
// they are.
var kubePaths = map[string]string{
	"ka.auditid":                     "auditID",
	"ka.stage":                       "stage",
	"ka.user.name":                   "user.username",
	"ka.user.groups":                 "user.groups",
	"ka.impuser.name":                "impersonatedUser.username",
	"ka.verb":                        "verb",
	"ka.uri":                         "requestURI",
	"ka.target.name":                 "objectRef.name",
	"ka.target.namespace":            "objectRef.namespace",
	"ka.target.resource":             "objectRef.resource",
	"ka.target.subresource":          "objectRef.subresource",
	"ka.target.pod.name":             "objectRef.name",
	"ka.req.binding.subjects":        "requestObject.subjects",
	"ka.req.binding.role":            "requestObject.roleRef.name",
	"ka.req.configmap.name":          "objectRef.name",
	"ka.req.configmap.obj":           "requestObject.data",
	"ka.req.pod.host_ipc":            "requestObject.spec.hostIPC",
	"ka.req.pod.host_network":        "requestObject.spec.hostNetwork",
	"ka.req.container.host_network":  "requestObject.spec.hostNetwork",
	"ka.req.pod.host_pid":            "requestObject.spec.hostPID",
	"ka.req.pod.run_as_user":         "requestObject.spec.securityContext.runAsUser",
	"ka.req.pod.run_as_group":        "requestObject.spec.securityContext.runAsGroup",
	"ka.req.pod.fs_group":            "requestObject.spec.securityContext.fsGroup",
	"ka.req.pod.supplemental_groups": "requestObject.spec.securityContext.supplementalGroups",
	"ka.req.service.type":            "requestObject.spec.type",
	"ka.resp.name":                   "responseObject.metadata.name",
	"ka.response.code":               "responseStatus.code",
	"ka.response.reason":             "responseStatus.reason",
	"ka.useragent":                   "userAgent",
}

// kubeLists are those that an index in brackets chooses from: the list, and what
// of each element.
var kubeLists = map[string][2]string{
	"ka.sourceips":                                     {"sourceIPs", ""},
	"ka.req.role.rules":                                {"requestObject.rules", ""},
	"ka.req.role.rules.apiGroups":                      {"requestObject.rules", "apiGroups"},
	"ka.req.role.rules.nonResourceURLs":                {"requestObject.rules", "nonResourceURLs"},
	"ka.req.role.rules.verbs":                          {"requestObject.rules", "verbs"},
	"ka.req.role.rules.resources":                      {"requestObject.rules", "resources"},
	"ka.req.service.ports":                             {"requestObject.spec.ports", ""},
	"ka.req.pod.volumes.hostpath":                      {"requestObject.spec.volumes", "hostPath.path"},
	"ka.req.pod.volumes.flexvolume_driver":             {"requestObject.spec.volumes", "flexVolume.driver"},
	"ka.req.pod.containers.image":                      {containers, "image"},
	"ka.req.pod.containers.privileged":                 {containers, "securityContext.privileged"},
	"ka.req.pod.containers.allow_privilege_escalation": {containers, "securityContext.allowPrivilegeEscalation"},
	"ka.req.pod.containers.read_only_fs":               {containers, "securityContext.readOnlyRootFilesystem"},
	"ka.req.pod.containers.run_as_user":                {containers, "securityContext.runAsUser"},
	"ka.req.pod.containers.run_as_group":               {containers, "securityContext.runAsGroup"},
	"ka.req.pod.containers.proc_mount":                 {containers, "securityContext.procMount"},
	"ka.req.pod.containers.add_capabilities":           {containers, "securityContext.capabilities.add"},
}

// kubeOthers are those that take more to extract; kubeSpecial has them.
const kubeOthers = `ka.auth.decision ka.auth.reason ka.auth.openshift.decision ka.auth.openshift.username ka.uri.param
ka.req.binding.subject.has_name ka.req.pod.containers.image.repository ka.req.container.image
ka.req.container.image.repository ka.req.container.privileged ka.req.pod.containers.host_port
ka.req.pod.containers.eff_run_as_user ka.req.pod.containers.eff_run_as_group ka.req.volume.hostpath
ka.req.pod.volumes.volume_type ka.cluster.name ka.validations.admission.policy.failure`

var kubeTypes = sync.OnceValue(func() map[string]fieldType {
	m := map[string]fieldType{}
	for n := range kubePaths {
		m[n] = fieldType{}
	}
	for n := range kubeLists {
		m[n] = fieldType{list: true}
	}
	for n := range strings.FieldsSeq(kubeOthers) {
		m[n] = fieldType{list: strings.HasPrefix(n, "ka.req.pod.")}
	}
	for _, n := range []string{"ka.user.groups", "ka.req.binding.subjects", "ka.req.pod.supplemental_groups"} {
		m[n] = fieldType{list: true}
	}
	return m
})

func kubeField(o operand) (fieldType, bool) {
	if t, ok := kubeTypes()[o.field]; ok {
		return t, ok
	}
	return jsonField(o)
}

// kubeAccessor finds a field of the k8saudit plugin. What a body would tell is
// not told by a record whose audit level leaves the body out.
func kubeAccessor(_ string, o operand) (accessor, bool) {
	get, ok := kubeFieldAccessor(o)
	if ok && ofRequest(o) {
		return unlessLevel(get, "Metadata"), true
	}
	if ok && ofResponse(o) {
		return unlessLevel(get, "Metadata", "Request"), true
	}
	return get, ok
}

func kubeFieldAccessor(o operand) (accessor, bool) {
	if p, ok := kubePaths[o.field]; ok {
		return recorded(p), true
	}
	if l, ok := kubeLists[o.field]; ok {
		return listAccessor(l[0], l[1], o)
	}
	if get, ok := kubeSpecial(o); ok {
		return get, true
	}
	return jsonAccessor(o)
}

func ofRequest(o operand) bool {
	return strings.HasPrefix(o.field, "ka.req.") && kubePaths[o.field] != "objectRef.name" || strings.HasPrefix(o.arg, "/requestObject")
}

func ofResponse(o operand) bool {
	return strings.HasPrefix(o.field, "ka.resp.") || strings.HasPrefix(o.arg, "/responseObject")
}

func unlessLevel(get accessor, levels ...string) accessor {
	return func(s *scratch, v detect.View) bool {
		if known := get(s, v); len(s.vals) > 0 {
			return known
		}
		s.more = v.Values(s.more[:0], "level")
		return len(s.more) == 0 || !slices.Contains(levels, string(s.more[0].Text))
	}
}

// listAccessor gives what is asked of each element, or of the one with the index.
func listAccessor(list, inner string, o operand) (accessor, bool) {
	if o.hasArg {
		if !digits(o.arg) {
			return nil, false
		}
		list += "." + o.arg
	}
	return recorded(strings.TrimSuffix(list+"."+inner, ".")), true
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

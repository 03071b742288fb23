package falco

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"amber/timeline/detect"
	"amber/timeline/source/jsonscan"
)

// kubeSpecial finds a field that takes more than to look in the record.
func kubeSpecial(o operand) (accessor, bool) {
	switch o.field {
	case "ka.auth.decision":
		return recorded("annotations.authorization.k8s.io/decision"), true
	case "ka.auth.reason":
		return recorded("annotations.authorization.k8s.io/reason"), true
	case "ka.auth.openshift.decision":
		return recorded("annotations.authentication.openshift.io/decision"), true
	case "ka.auth.openshift.username":
		return recorded("annotations.authentication.openshift.io/username"), true
	case "ka.validations.admission.policy.failure":
		return recorded("annotations.validation.policy.admission.k8s.io/validation_failure"), true
	case "ka.cluster.name":
		return column("orchestrator.cluster.name"), true
	case "ka.uri.param":
		return uriParam(o.arg), o.hasArg
	case "ka.req.binding.subject.has_name":
		return func(s *scratch, _ detect.View) bool { s.addString("true"); return true }, o.hasArg
	case "ka.req.pod.containers.image.repository":
		images, ok := listAccessor(containers, "image", o)
		return mapped(images, repository), ok
	case "ka.req.container.image":
		return recorded(containers + ".0.image"), true
	case "ka.req.container.image.repository":
		return mapped(recorded(containers+".0.image"), repository), true
	case "ka.req.container.privileged":
		return anyPrivileged, true
	case "ka.req.pod.containers.host_port":
		return each(containers, o, hostPorts)
	case "ka.req.pod.containers.eff_run_as_user":
		return effective(o, "runAsUser")
	case "ka.req.pod.containers.eff_run_as_group":
		return effective(o, "runAsGroup")
	case "ka.req.volume.hostpath":
		return hasHostPath(o.arg), o.hasArg
	case "ka.req.pod.volumes.volume_type":
		return each("requestObject.spec.volumes", o, volumeTypes)
	}
	return nil, false
}

// repository is an image's name before its tag and digest, cut as the plugin
// does it: at the first colon, a registry's port too.
func repository(buf, image []byte) ([]byte, bool) {
	image, _, _ = bytes.Cut(image, []byte(":"))
	image, _, _ = bytes.Cut(image, []byte("@"))
	return append(buf, image...), true
}

func uriParam(name string) accessor {
	return func(s *scratch, v detect.View) bool {
		s.more = v.Values(s.more[:0], "requestURI")
		for _, uri := range s.more {
			_, query, _ := strings.Cut(string(uri.Text), "?")
			if values, err := url.ParseQuery(query); err == nil && values.Has(name) {
				s.addString(values.Get(name))
			}
		}
		return true
	}
}

// anyPrivileged is "true" where a container is privileged, "false" where there
// are containers.
func anyPrivileged(s *scratch, v detect.View) bool {
	s.more = v.Values(s.more[:0], containers)
	if len(s.more) == 0 {
		return true
	}
	s.more = v.Values(s.more[:0], containers+".securityContext.privileged")
	found := slices.ContainsFunc(s.more, func(val detect.Value) bool { return string(val.Text) == "true" })
	s.addString(strconv.FormatBool(found))
	return true
}

func hasHostPath(arg string) accessor {
	prefix, open := strings.CutSuffix(arg, "*")
	return func(s *scratch, v detect.View) bool {
		if s.more = v.Values(s.more[:0], "requestObject.spec.volumes"); len(s.more) == 0 {
			return true
		}
		s.more = v.Values(s.more[:0], "requestObject.spec.volumes.hostPath.path")
		found := slices.ContainsFunc(s.more, func(val detect.Value) bool {
			return string(val.Text) == arg || open && bytes.HasPrefix(val.Text, []byte(prefix))
		})
		s.addString(strconv.FormatBool(found))
		return true
	}
}

// each calls f with the JSON of every element of a list, or of that with the
// operand's index.
func each(list string, o operand, f func(s *scratch, element []byte)) (accessor, bool) {
	get, ok := listAccessor(list, "", o)
	return func(s *scratch, v detect.View) bool {
		get(s, v)
		elements := append(s.more[:0], s.vals...)
		s.vals = s.vals[:0]
		for _, e := range elements {
			if e.Kind == detect.Composite {
				f(s, e.Text)
			}
		}
		s.more = elements[:0]
		return true
	}, ok
}

// hostPorts are the ports that a container takes on its host; with the host's
// network its own ports are the host's.
func hostPorts(s *scratch, container []byte) {
	ports, ok := member(&s.scan, container, "ports")
	if !ok || ports.Kind != detect.Composite || ports.Text[0] != '[' {
		return
	}
	var list, port jsonscan.Scanner
	list.Reset(ports.Text)
	for ok := list.Array(); ok; ok = list.NextElement() {
		raw := list.Raw()
		v, ok := member(&port, raw, "hostPort")
		if !ok {
			v, ok = member(&port, raw, "containerPort")
		}
		if ok {
			s.keep(v)
		}
	}
}

// effective is the user or group that a container begins with: its own, else
// the pod's, else 0. (The plugin looks beside the security contexts and so
// always says 0; this is what its documentation says.)
func effective(o operand, key string) (accessor, bool) {
	one, ok := each(containers, o, func(s *scratch, container []byte) {
		context, _ := member(&s.scan, container, "securityContext")
		if v, ok := member(&s.scan, context.Text, key); ok {
			s.keep(v)
		} else {
			s.add(nil)
		}
	})
	return func(s *scratch, v detect.View) bool {
		one(s, v)
		s.more = v.Values(s.more[:0], "requestObject.spec.securityContext."+key)
		for i := range s.vals {
			switch {
			case s.vals[i].Text != nil:
			case len(s.more) > 0:
				s.vals[i] = s.more[0]
			default:
				s.vals[i].Text = []byte("0")
			}
		}
		return true
	}, ok
}

// volumeTypes are the keys of a volume but its name.
func volumeTypes(s *scratch, volume []byte) {
	scan := &s.scan
	scan.Reset(volume)
	if scan.Kind() != '{' {
		return
	}
	for ok := scan.Object(); ok; ok = scan.NextMember() {
		if key := scan.Key(); string(key) != "name" {
			s.keep(detect.Value{Text: key})
		}
		scan.Skip()
	}
}

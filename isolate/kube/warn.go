package kube

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"amber/container"
	"amber/container/kube"
	"amber/isolate"
)

const maxGrants = 20 // lines of the plan

// warnings are what the API cannot do, or cannot know.
func (m *Method) warnings(s *sight, t isolate.Target) []string {
	w := m.network(s)
	w = append(w, m.labels(s)...)
	w = append(w, stillKills(s.pod)...)
	if m.o.BlockImage {
		w = append(w, imageWarnings(s, t)...)
	}
	if m.o.FreezeCredentials || m.o.WholeAccount {
		w = append(w, m.credentialWarnings(s)...)
	}
	return append(append(w, accountWarnings(s)...), secretWarnings(s)...)
}

func (m *Method) network(s *sight) []string {
	var w []string
	if s.pod.Spec.HostNetwork {
		w = append(w, "the pod uses its node's network: no NetworkPolicy concerns it, only the node-level method does")
	}
	for _, r := range m.o.Allow {
		if icmp(r) {
			w = append(w, fmt.Sprintf("--allow %s: a NetworkPolicy does not know ICMP, so it is not let through where policies are enforced", r))
		}
	}
	switch {
	case s.cniErr != nil || len(s.cnis) == 0:
		w = append(w, "no CNI is recognised: it is not known whether anything enforces a NetworkPolicy here; the node-level method does")
	case strings.HasPrefix(s.cnis[0], "not: "):
		w = append(w, "the CNI seen is "+s.cnis[0][len("not: "):]+": do not count on the NetworkPolicy; the node-level method enforces")
	default:
		w = append(w, "the NetworkPolicy is enforced by the CNI seen, "+strings.Join(s.cnis, ", ")+
			", for new connections; established ones may live on, and only the node-level method cuts them")
	}
	return w
}

// labels says what still selects the pod, and what follows from its leaving
// its owner.
func (m *Method) labels(s *sight) []string {
	var w []string
	off := usedLabels(s.pod.Labels, s.selecting)
	if m.o.KeepLabels {
		w = append(w, "--keep-labels: Services go on sending it traffic while it is ready, and what other NetworkPolicies allow it stays allowed where no denial wins")
		if s.pod.DeletionTimestamp == nil && len(s.pod.OwnerReferences) > 0 {
			w = append(w, "--keep-labels: its owner goes on counting it and starts no replacement")
		}
	}
	for _, err := range s.unread {
		w = append(w, "not known: "+err.Error())
	}
	left := without(s.pod.Labels, off)
	for _, x := range s.selecting {
		if !x.selects(left) {
			continue
		}
		text := x.what + " selects it whatever labels it has"
		if x.policy {
			text += ": what that allows stays allowed, unless the CNI has a denial that wins"
		}
		w = append(w, text)
	}
	if len(off) > 0 {
		w = append(w, replacement(s)...)
	}
	return w
}

// controller is the pod's controlling owner, empty where it has none.
func (s *sight) controller() string {
	for _, o := range s.pod.OwnerReferences {
		if o.Controller != nil && *o.Controller {
			return o.Kind + " " + s.id.Namespace + "/" + o.Name
		}
	}
	return ""
}

// replacement says what the pod's owner does when the pod leaves it.
func replacement(s *sight) []string {
	who := s.controller()
	kind, _, _ := strings.Cut(who, " ")
	switch kind {
	case "":
		return nil
	case "StatefulSet":
		return []string{who + " lets the pod go and cannot start another of the same name while it is there"}
	case "DaemonSet":
		return []string{who + " starts a replacement on the same node, cordoned or not, of the same, perhaps compromised, image"}
	}
	return []string{who + " lets the pod go and starts a replacement of the same, perhaps compromised, image; --keep-labels prevents it, --block-image refuses it"}
}

// stillKills lists what ends the pod all the same.
func stillKills(pod *corev1.Pod) []string {
	w := []string{
		"admission does not see what the kubelet does: the node's memory or disk pressure evicts the pod, a failed liveness probe restarts its containers, a restart of the kubelet or of the node may end it, and with the node the evidence is lost",
		"a namespace that is deleted stays Terminating while its pod is held",
	}
	if pod.DeletionTimestamp != nil {
		w = append(w, "the pod is being deleted already, since "+pod.DeletionTimestamp.UTC().Format("2006-01-02T15:04:05Z")+": nothing in the API stops that, only the freeze does")
	}
	if pod.Annotations["kubernetes.io/config.mirror"] != "" {
		w = append(w, "it is a static pod: the API has only its image in a mirror, and the node's manifest file rules it")
	}
	if pod.Spec.ActiveDeadlineSeconds != nil {
		w = append(w, fmt.Sprintf("its activeDeadlineSeconds of %d ends it by the kubelet", *pod.Spec.ActiveDeadlineSeconds))
	}
	return w
}

// images are the references of the named containers, and the digests that they
// were found to have; init and ephemeral containers are not counted where the
// whole pod is meant.
func images(pod *corev1.Pod, t isolate.Target) (refs, digests []string) {
	named := namedContainers(t)
	for _, c := range pod.Spec.Containers {
		if named == nil || slices.Contains(named, c.Name) {
			refs = append(refs, c.Image)
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if named != nil && !slices.Contains(named, c.Name) {
			continue
		}
		if _, digest, ok := strings.Cut(c.ImageID, "@"); ok {
			digests = append(digests, digest)
		}
	}
	slices.Sort(refs)
	slices.Sort(digests)
	return slices.Compact(refs), slices.Compact(digests)
}

// namedContainers are those of the pod that the user named; nil for all.
func namedContainers(t isolate.Target) []string {
	want, err := container.ParseTarget(t.Name)
	if err != nil || want.Scheme == "pod" && want.Container == "" {
		return nil
	}
	var names []string
	for _, c := range t.Containers {
		if want.Matches(c) && c.Pod != nil {
			names = append(names, c.Pod.Container)
		}
	}
	return names
}

func imageWarnings(s *sight, t isolate.Target) []string {
	refs, digests := images(s.pod, t)
	w := []string{fmt.Sprintf("--block-image refuses %s in namespace %s; other tags and names of the same image pass, and so does every other namespace",
		strings.Join(append(refs, digests...), ", "), s.id.Namespace)}
	if len(refs) == 0 {
		return []string{"--block-image: none of the named containers is a regular one of the pod, so no image is blocked"}
	}
	if len(digests) == 0 {
		w = append(w, "--block-image: no digest of the image is known, so only that name is refused")
	}
	return w
}

func (m *Method) credentialWarnings(s *sight) []string {
	w := []string{
		"--freeze-credentials refuses writes; reads pass, Secrets included, and so do reviews of rights and tokens",
		"--freeze-credentials knows the token by the pod's uid that is bound into it: legacy token Secrets and tokens of the account's other pods pass",
		"--freeze-credentials: admission policies do not see changes of admission policies: who may change those can lift it",
	}
	if m.o.WholeAccount {
		w[1] = "--whole-account refuses the writes of every pod that runs as " + username(s.id.Namespace, account(s.pod)) + ": replicas and others too"
	}
	return w
}

// accountWarnings tell what the pod's service account may change.
func accountWarnings(s *sight) []string {
	user := username(s.id.Namespace, account(s.pod))
	var w []string
	for _, err := range s.grantErrs {
		w = append(w, "not all that "+user+" may do is known: "+err.Error())
	}
	n := 0
	for _, g := range s.grants {
		text := grantLine(g)
		if text == "" {
			continue
		}
		if n++; n <= maxGrants {
			w = append(w, user+" "+text)
		}
	}
	switch {
	case n > maxGrants:
		w = append(w, fmt.Sprintf("%s has %d more bindings that let it write", user, n-maxGrants))
	case n == 0 && len(s.grantErrs) == 0:
		w = append(w, "RBAC lets "+user+" change nothing")
	}
	if s.pod.Spec.AutomountServiceAccountToken != nil && !*s.pod.Spec.AutomountServiceAccountToken {
		w = append(w, "the pod has no token mounted by the API server")
	}
	return w
}

func grantLine(g kube.Grant) string {
	if g.Err != nil {
		return "has " + g.Role.String() + " by " + g.Binding.String() + ", which cannot be read: " + g.Err.Error()
	}
	writes := g.Writes()
	if writes == "" {
		return ""
	}
	where := "everywhere"
	if g.Namespace != "" {
		where = "in " + g.Namespace
	}
	return fmt.Sprintf("may, %s, %s (by %s)", where, writes, g.Binding)
}

// secretWarnings name the Secrets that hold tokens which no pod's end revokes.
func secretWarnings(s *sight) []string {
	var w []string
	if len(s.secrets) > 0 {
		w = append(w, "legacy token Secrets in "+s.id.Namespace+", whose tokens outlive every pod and are not known by a pod's uid: "+strings.Join(s.secrets, ", "))
	}
	if s.secretErr != nil {
		w = append(w, "of legacy token Secrets only those are known that the service account names: listing others takes a right that amber does not ask for")
	}
	return w
}

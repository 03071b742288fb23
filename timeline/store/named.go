package store

import (
	"bytes"
	"sync"

	"amber/timeline"
)

// named are the fields without a column of an event's own that most events of a
// source have: in a segment they are columns of their own under the same names,
// which costs a third of what the map does. A row's first value is there, more
// of the same name are in the map. The list is part of the format: add at its
// end.
var named = [...]string{
	"kubernetes.audit.auditID",
	"kubernetes.audit.level",
	"kubernetes.audit.stage",
	"kubernetes.audit.verb",
	"kubernetes.audit.objectRef.apiGroup",
	"kubernetes.audit.objectRef.subresource",
	"kubernetes.audit.annotations.authorization_k8s_io/decision",
	"kubernetes.audit.annotations.authorization_k8s_io/reason",
	"kubernetes.audit.user.extra.authentication_kubernetes_io/pod-name",
	"kubernetes.audit.user.extra.authentication_kubernetes_io/pod-uid",
	"kubernetes.audit.user.extra.authentication_kubernetes_io/node-name",
	"kubernetes.audit.user.extra.authentication_kubernetes_io/node-uid",
	"kubernetes.audit.user.extra.authentication_kubernetes_io/credential-id",
	"aws.cloudtrail.event_id",
	"aws.cloudtrail.request_id",
	"aws.cloudtrail.shared_event_id",
	"aws.cloudtrail.event_type",
	"aws.cloudtrail.event_category",
	"aws.cloudtrail.read_only",
	"aws.cloudtrail.user_identity.type",
	"aws.cloudtrail.user_identity.arn",
	"aws.cloudtrail.user_identity.account_id",
	"aws.cloudtrail.user_identity.access_key_id",
	"aws.cloudtrail.user_identity.invoked_by",
	"aws.cloudtrail.user_identity.session_name",
	"aws.cloudtrail.user_identity.session_context.session_issuer.arn",
	"aws.cloudtrail.user_identity.session_context.creation_date",
	"aws.cloudtrail.user_identity.session_context.mfa_authenticated",
	"aws.cloudtrail.resources.arn",
	"aws.cloudtrail.additional_eventdata",
	"aws.cloudtrail.vpc_endpoint_id",
	"aws.cloudtrail.flattened.request_parameters.bucketName",
	"aws.cloudtrail.flattened.request_parameters.Host",
	"aws.cloudtrail.flattened.request_parameters.key",
	"aws.cloudtrail.flattened.request_parameters.roleArn",
	"aws.cloudtrail.flattened.request_parameters.roleSessionName",
	"tls.client.server_name",
}

const numNamed = len(named)

var namedLeaves = sync.OnceValue(func() map[string]int {
	m := make(map[string]int, numNamed)
	for i, name := range named {
		m[name] = leafNamed + i
	}
	return m
})

// namedLeaf is the leaf of a field without a column of an event's own, where
// the segments have one.
func namedLeaf(name string) (leaf int, ok bool) {
	leaf, ok = namedLeaves()[name]
	return leaf, ok
}

// HasColumn tells whether segments have a column for a field that has none of an
// event's own.
func HasColumn(name string) bool {
	_, ok := namedLeaf(name)
	return ok
}

// maxNames is how many names have a dictionary each. Events may have as many
// names as their writer likes.
const maxNames = 4096

// names are the names of fields without a column that a run has met, and what
// becomes of their values.
type names struct {
	dict
	info []nameInfo // by number - 1
}

// nameInfo is what there is to know of a name.
type nameInfo struct {
	name   []byte
	column int    // of named, or -1
	key    uint32 // its number among the map's keys, 0 where it is not in the map
	next   uint32 // which name came behind it the last time
	values dict   // of the map
}

func (n *names) reset() {
	n.dict.reset()
	for i := range n.info {
		n.info[i].values.reset()
	}
	n.info = n.info[:0]
}

func (n *names) bytes() int {
	size := n.dict.bytes()
	for i := range n.info {
		size += n.info[i].values.bytes()
	}
	return size
}

// number is a name's, 0 where there are too many. The fields of an event mostly
// come as they did in the event before.
func (n *names) number(before uint32, x *timeline.Extra) uint32 {
	if before != 0 {
		if k := n.info[before-1].next; k != 0 && bytes.Equal(n.info[k-1].name, x.Name) {
			return k
		}
	}
	k := n.find(x.Name)
	if k == 0 {
		if len(n.info) == maxNames {
			return 0
		}
		k = n.look(x.Name)
		n.enter(x)
	}
	if before != 0 {
		n.info[before-1].next = k
	}
	return k
}

// enter makes room for what there is to know of a new name; the dictionaries of a
// former run are used again. A name that lives for ever is compared by its
// address mostly.
func (n *names) enter(x *timeline.Extra) {
	if len(n.info) < cap(n.info) {
		n.info = n.info[:len(n.info)+1]
	} else {
		n.info = append(n.info, nameInfo{})
	}
	i := &n.info[len(n.info)-1]
	i.name, i.column, i.key, i.next = x.Name, -1, 0, 0
	if !x.Fixed {
		i.name = bytes.Clone(x.Name)
	}
	if leaf, ok := namedLeaf(string(x.Name)); ok {
		i.column = leaf - leafNamed
	}
}

// addExtras adds what has no column of the event's own.
func (c *columns) addExtras(e *timeline.Event, row int) {
	var before uint32
	extras := e.Extras()
	for i := range extras {
		x := &extras[i]
		k := c.names.number(before, x)
		before = k
		if k == 0 {
			c.extra = push(c.extra, pair{c.keys.put(x.Name), c.values.put(x.Value), 0})
			continue
		}
		info := &c.names.info[k-1]
		if info.column >= 0 && len(c.named[info.column].rows) <= row {
			col := &c.named[info.column]
			col.rows = push(pad(col.rows, row, 0), col.put(x.Value))
			continue
		}
		if info.key == 0 {
			info.key = c.keys.put(x.Name)
		}
		c.extra = push(c.extra, pair{info.key, info.values.put(x.Value), k})
	}
	c.extras = push(c.extras, uint32(len(c.extra)))
}

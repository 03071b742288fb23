package kubeaudit

import "amber/timeline/source/jsonscan"

// placement is what the body of an answer, or of a request, says of where an
// object comes from and where it is.
type placement struct {
	uid, node, podIP, hostIP, clusterIP []byte

	owner, bound [3][]byte // kind, name, uid: the controller, else the first owner
}

// isPlaced tells whose bodies are looked at for it.
func isPlaced(resource []byte) bool {
	return isWorkload(resource) || string(resource) == "services" || string(resource) == "serviceaccounts"
}

// placed puts what the answer says, or where that was not recorded the request.
func (p *parser) placed() {
	a := &p.a
	body := a.responseObject
	if len(body) == 0 || string(a.ref.sub) == "binding" || string(a.ref.sub) == "token" {
		body = a.requestObject
	}
	if len(body) == 0 || !isPlaced(a.ref.resource) || !isWrite(a.verb) && string(a.verb) != "delete" {
		return
	}
	var m placement
	p.body.Reset(body)
	m.read(&p.body)
	p.e.Put("kubernetes.audit.object.uid", p.text.Keep(m.uid))
	p.e.Put("kubernetes.audit.object.owner", p.words(m.owner[:]))
	p.e.Put("kubernetes.audit.object.bound_to", p.words(m.bound[:]))
	p.e.Put("kubernetes.audit.object.node", p.text.Keep(m.node))
	p.e.Put("kubernetes.audit.object.pod_ip", p.text.Keep(m.podIP))
	p.e.Put("kubernetes.audit.object.host_ip", p.text.Keep(m.hostIP))
	p.e.Put("kubernetes.audit.object.cluster_ip", p.text.Keep(m.clusterIP))
}

// words are values with a blank between them, those of Kubernetes have none.
func (p *parser) words(values [][]byte) []byte {
	mark := len(p.text)
	for _, v := range values {
		if len(v) > 0 && len(p.text) > mark {
			p.text.Byte(' ')
		}
		p.text.Bytes(v)
	}
	return p.text.Since(mark)
}

func (m *placement) read(j *jsonscan.Scanner) {
	members(j, func(key []byte) bool {
		switch string(key) {
		case "metadata":
			members(j, func(key []byte) bool { return m.metadata(key, j) })
		case "spec":
			members(j, func(key []byte) bool { return m.spec(key, j) })
		case "status":
			members(j, func(key []byte) bool { return m.status(key, j) })
		case "target": // of a Binding
			members(j, func(key []byte) bool { return pick(key, j, "name", &m.node) })
		default:
			return false
		}
		return true
	})
}

func (m *placement) metadata(key []byte, j *jsonscan.Scanner) bool {
	if string(key) == "ownerReferences" {
		each(j, m.owned)
		return true
	}
	return pick(key, j, "uid", &m.uid)
}

func (m *placement) owned(j *jsonscan.Scanner) {
	var o [3][]byte
	controls := false
	for ok := j.Object(); ok; ok = j.NextMember() {
		switch string(j.Key()) {
		case "kind":
			o[0] = j.Text()
		case "name":
			o[1] = j.Text()
		case "uid":
			o[2] = j.Text()
		case "controller":
			controls = j.Bool()
		default:
			j.Skip()
		}
	}
	if controls || len(m.owner[1]) == 0 {
		m.owner = o
	}
}

func (m *placement) spec(key []byte, j *jsonscan.Scanner) bool {
	if string(key) == "boundObjectRef" {
		members(j, func(key []byte) bool {
			return pick(key, j, "kind", &m.bound[0]) || pick(key, j, "name", &m.bound[1]) || pick(key, j, "uid", &m.bound[2])
		})
		return true
	}
	return pick(key, j, "nodeName", &m.node) || pick(key, j, "clusterIP", &m.clusterIP)
}

func (m *placement) status(key []byte, j *jsonscan.Scanner) bool {
	return pick(key, j, "podIP", &m.podIP) || pick(key, j, "hostIP", &m.hostIP)
}

// members passes over the members of an object that read does not take.
func members(j *jsonscan.Scanner, read func(key []byte) bool) {
	if !isObject(j) {
		return
	}
	for ok := j.Object(); ok; ok = j.NextMember() {
		if !read(j.Key()) {
			j.Skip()
		}
	}
}

// pick reads the value of one key.
func pick(key []byte, j *jsonscan.Scanner, name string, to *[]byte) bool {
	if string(key) != name {
		return false
	}
	*to = j.Text()
	return true
}

// Package record makes the incident of the folder above: an intrusion into a
// pod of a real Kubernetes, recorded whole. It runs on the testbed, as root:
//
//	make incident
//
// The cluster stands in namespaces of its own, whose root is an overlay of this
// machine's, so that "the host" that the intruder reaches is the real one to
// look at, and nothing of what he writes there is. The kernel's audit subsystem
// is the machine's own: it is used only where nobody else does, records only
// what the cluster's processes do (by their login uid), and is put back.
package record

package vpcflow

import (
	"testing"

	"amber/timeline/source/sourcetest"
)

// The account of an interface that AWS owns is not known; a subscription has its
// owner.
func TestUnknownAccount(t *testing.T) {
	const line = `2 unknown eni-1 10.0.0.1 10.0.0.2 1 2 6 1 40 1772359200 1772359260 ACCEPT OK`
	sourcetest.Holds(t, Source{}, line+"\n", `source.ip: "10.0.0.1"`, "!cloud.account.id")
	sourcetest.Holds(t, Source{}, `{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1772359200000,"message":"`+line+`"}]}`, `cloud.account.id: "123456789012"`)
}

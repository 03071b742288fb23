package ocsf

import (
	"strconv"
	"strings"
	"sync"
)

// classes are the names of OCSF's classes and of their activities from 1 on, for
// events that have the numbers alone, which is all that OCSF demands.
const classes = `
1001 File System Activity: Create,Read,Update,Delete,Rename,Set Attributes,Set Security,Get Attributes,Get Security,Encrypt,Decrypt,Mount,Unmount,Open
1002 Kernel Extension Activity: Load,Unload
1003 Kernel Activity: Create,Read,Delete,Invoke
1004 Memory Activity: Allocate Page,Modify Page,Delete Page,Buffer Overflow,Disable DEP,Enable DEP,Read,Write,Map View
1005 Module Activity: Load,Unload,Invoke
1006 Scheduled Job Activity: Create,Update,Delete,Enable,Disable,Start
1007 Process Activity: Launch,Terminate,Open,Inject,Set User ID
1008 Event Log Activity: Clear,Delete,Export,Archive,Rotate,Start,Stop,Restart,Enable,Disable
1009 Script Activity: Execute
2001 Security Finding: Create,Update,Close
2002 Vulnerability Finding: Create,Update,Close
2003 Compliance Finding: Create,Update,Close
2004 Detection Finding: Create,Update,Close
2005 Incident Finding: Create,Update,Close
2006 Data Security Finding: Create,Update,Close
2007 Application Security Posture Finding: Create,Update,Close
3001 Account Change: Create,Enable,Password Change,Password Reset,Disable,Delete,Attach Policy,Detach Policy,Lock,MFA Factor Enable,MFA Factor Disable,Unlock
3002 Authentication: Logon,Logoff,Authentication Ticket,Service Ticket Request,Service Ticket Renew,Preauth,Account Switch
3003 Authorize Session: Assign Privileges,Assign Groups
3004 Entity Management: Create,Read,Update,Delete,Move,Enroll,Unenroll,Enable,Disable,Activate,Deactivate,Suspend,Resume
3005 User Access Management: Assign Privileges,Revoke Privileges
3006 Group Management: Assign Privileges,Revoke Privileges,Add User,Remove User,Delete,Create
4001 Network Activity: Open,Close,Reset,Fail,Refuse,Traffic,Listen
4002 HTTP Activity: Connect,Delete,Get,Head,Options,Post,Put,Trace,Patch
4003 DNS Activity: Query,Response,,,,Traffic
4004 DHCP Activity: Discover,Offer,Request,Decline,Ack,Nak,Release,Inform,Expire
4005 RDP Activity: Initial Request,Initial Response,Connect Request,Connect Response,TLS Handshake,Traffic,Disconnect,Reconnect
4006 SMB Activity: File Supersede,File Open,File Create,File Open If,File Overwrite,File Overwrite If
4007 SSH Activity: Open,Close,Reset,Fail,Refuse,Traffic,Listen
4008 FTP Activity: Put,Get,Poll,Delete,Rename,List
4009 Email Activity: Send,Receive,Scan,Trace
5001 Device Inventory Info: Log,Collect
5002 Device Config State: Log,Collect
5003 User Inventory Info: Log,Collect
6001 Web Resources Activity: Create,Read,Update,Delete,Search,Import,Export,Share
6002 Application Lifecycle: Install,Remove,Start,Stop,Restart,Enable,Disable,Update
6003 API Activity: Create,Read,Update,Delete
6005 Datastore Activity: Read,Update,Connect,Query,Write,Create,Delete,List
6006 File Hosting Activity: Upload,Download,Update,Delete,Rename,Copy,Move,Restore,Preview,Lock,Unlock,Share,Unshare,Open,Sync
`

type classOf struct {
	name       string
	activities []string
}

var known = sync.OnceValue(func() map[int64]classOf {
	all := map[int64]classOf{}
	for line := range strings.Lines(strings.TrimSpace(classes)) {
		head, activities, _ := strings.Cut(strings.TrimSpace(line), ": ")
		number, name, _ := strings.Cut(head, " ")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			all[n] = classOf{name, strings.Split(activities, ",")}
		}
	}
	return all
})

// named gives the names of a class and an activity, "" of what is not known.
func named(class, activity int64) (name, did string) {
	c := known()[class]
	if activity >= 1 && activity <= int64(len(c.activities)) {
		did = c.activities[activity-1]
	}
	return c.name, did
}

// typeOf is the event.type of an activity by its first word, "" where that tells
// of none.
func typeOf(class int64, did string) string {
	word, _, _ := strings.Cut(did, " ")
	switch word {
	case "Create", "Install", "Enroll", "Upload", "Add", "Assign", "Attach":
		return "creation"
	case "Read", "Get", "Query", "Search", "Export", "Download", "List", "Head", "Preview", "Collect":
		return "access"
	case "Update", "Rename", "Set", "Modify", "Put", "Post", "Patch", "Password", "Enable", "Disable", "Lock", "Unlock", "Move", "MFA", "Write", "Encrypt", "Inject", "Clear":
		return "change"
	case "Delete", "Remove", "Revoke", "Detach", "Unenroll":
		return "deletion"
	case "Launch", "Logon", "Load", "Start", "Connect", "Mount", "Invoke", "Execute", "Listen":
		return "start"
	case "Terminate", "Logoff", "Unload", "Stop", "Close", "Unmount", "Reset", "Disconnect":
		return "end"
	case "Open":
		if class/1000 == 4 {
			return "start"
		}
		return "access"
	case "Refuse":
		return "denied"
	case "Response", "Traffic":
		return "info"
	}
	return ""
}

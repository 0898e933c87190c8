package tenants

import "vpbx/pbx"

// The words of the document.
var (
	groupKinds = []string{"ring", "queue"}
	strategies = []string{"all", "linear", "round_robin", "least_recent", "random", "skills"}
	srtpModes  = []string{"off", "offered", "required", "dtls"}
	dtmfWays   = []string{string(pbx.DTMFAuto), string(pbx.DTMFRFC4733), string(pbx.DTMFInband), string(pbx.DTMFInfo)}
	crmKinds   = []string{"none", "rtk", "webhook", "amocrm"}
	transports = []string{"udp", "tcp", "tls"}
)

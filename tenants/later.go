package tenants

import "vpbx/pbx"

// closed is a set of words of which this build knows some.
type closed struct {
	now, later []string
}

// The words of the document that may grow.
var (
	groupKinds = closed{[]string{"ring", "queue"}, nil}
	strategies = closed{[]string{"all", "linear", "round_robin", "least_recent", "random", "skills"}, nil}
	srtpModes  = closed{[]string{"off", "offered", "required", "dtls"}, nil}
	dtmfWays   = closed{[]string{string(pbx.DTMFAuto), string(pbx.DTMFRFC4733), string(pbx.DTMFInband), string(pbx.DTMFInfo)}, nil}
	crmKinds   = closed{[]string{"none", "rtk", "webhook", "amocrm"}, nil}
	transports = closed{[]string{"udp", "tcp", "tls"}, nil}
)

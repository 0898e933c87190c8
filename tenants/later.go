package tenants

import (
	"vpbx/internal/strict"
	"vpbx/pbx"
)

// later is a key of the document that this build knows and cannot act on. To
// leave it out without a word would let a company believe in what does not
// happen, so any value but an empty one is a mistake.
type later bool

// UnmarshalStrict refuses the value.
func (l *later) UnmarshalStrict(n strict.Node) {
	if n.Kind() == strict.Null || n.Kind() != strict.Scalar && len(n.Items()) == 0 {
		return
	}
	*l = true
	n.Errorf("not supported by this build yet")
}

type laterDocument struct {
	Schedules later `yaml:"schedules" json:"-"`
	Menus     later `yaml:"menus" json:"-"`
}

type laterExtension struct {
	Skills later `yaml:"skills" json:"-"`
}

type laterGroup struct {
	Wrapup   later `yaml:"wrapup" json:"-"`
	MaxWait  later `yaml:"max_wait" json:"-"`
	Announce later `yaml:"announce" json:"-"`
}

type laterRule struct {
	When later `yaml:"when" json:"-"`
}

type laterStep struct {
	Queue     later `yaml:"queue" json:"-"`
	Menu      later `yaml:"menu" json:"-"`
	Voicemail later `yaml:"voicemail" json:"-"`
}

// any says whether the step is one of these.
func (l laterStep) any() bool { return bool(l.Queue || l.Menu || l.Voicemail) }

// closed is a set of words of which this build knows some.
type closed struct {
	now, later []string
}

// The words of the document that may grow.
var (
	groupKinds = closed{[]string{"ring"}, []string{"queue"}}
	strategies = closed{[]string{"all", "linear"}, []string{"round_robin", "least_recent", "random", "skills"}}
	srtpModes  = closed{[]string{"off", "offered", "required", "dtls"}, nil}
	dtmfWays   = closed{[]string{string(pbx.DTMFAuto), string(pbx.DTMFRFC4733), string(pbx.DTMFInband), string(pbx.DTMFInfo)}, nil}
	crmKinds   = closed{[]string{"none", "rtk", "webhook", "amocrm"}, nil}
	transports = closed{[]string{"udp", "tcp", "tls"}, nil}
)

package pbx

import (
	"strconv"
	"strings"
	"time"
)

// NotificationKind says what a CRM is told.
type NotificationKind string

// What a CRM is told. Of every call it is told NotifyArrived first and
// NotifyEnded last, but for recordings, which are ready behind it.
const (
	NotifyArrived      NotificationKind = "arrived"      // a call is there
	NotifyRinging      NotificationKind = "ringing"      // Who is called and rings
	NotifyAnswered     NotificationKind = "answered"     // Who talks with the caller; "": the PBX itself does, or a conference
	NotifyTransferred  NotificationKind = "transferred"  // By has sent the other side on to Who
	NotifyDisconnected NotificationKind = "disconnected" // the last talk is over, or there was none: Who, Cause
	NotifyEnded        NotificationKind = "ended"        // the call is over: Cause, Record
	NotifyRecorded     NotificationKind = "recorded"     // a recording can be fetched: Recording
	NotifyHistory      NotificationKind = "history"      // a history that was ordered is made: Order, Result; of no call
	NotifyTarget       NotificationKind = "target"       // a campaign is done with a target: Target; of no call
)

// NotificationKinds are the kinds that a webhook may choose from: those that are about
// calls, in the order of a call, then the others.
var NotificationKinds = []NotificationKind{NotifyArrived, NotifyRinging, NotifyAnswered, NotifyTransferred, NotifyDisconnected, NotifyEnded, NotifyRecorded, NotifyTarget}

// Notification is what a CRM is told of a call at one moment. It is kept until the CRM
// has it, so its JSON is a format.
type Notification struct {
	Call      CallID           `json:"call,omitempty"`
	Seq       int              `json:"seq"` // 1, 2, 3 … within a call
	Kind      NotificationKind `json:"event"`
	At        time.Time        `json:"at"`
	Direction Direction        `json:"direction,omitempty"`
	Callback  bool             `json:"callback,omitempty"`  // click-to-call
	From      string           `json:"from,omitempty"`      // extension or outside number
	To        string           `json:"to,omitempty"`        // as dialled; E.164 of a call from outside
	Caller    string           `json:"caller,omitempty"`    // the extension that calls, "" for somebody outside
	Who       string           `json:"who,omitempty"`       // extension or outside number
	Extension string           `json:"extension,omitempty"` // Who, when it is one of ours
	By        string           `json:"by,omitempty"`        // who transferred
	Recorded  *bool            `json:"is_recorded,omitempty"`
	Cause     *CDRCause        `json:"cause,omitempty"`
	Record    *CDR             `json:"record,omitempty"`
	Recording *Recording       `json:"recording,omitempty"`
	Target    *TargetNotice    `json:"target,omitempty"`
	Order     string           `json:"order,omitempty"`
	Result    int              `json:"result,omitempty"` // 0: the file is ready
}

// Notifications gives what a CRM is told of a call, by its trace so far; record is nil
// as long as the call goes on. What is told of the beginning of a trace is the
// beginning of what is told of all of it: so whoever knows how many were kept
// knows which are to be kept next.
func Notifications(id CallID, trace []CallEvent, record *CDR) []Notification {
	t := teller{call: Notification{Call: id}, legs: map[LegID]callee{}, ringing: map[LegID]bool{}}
	for _, e := range trace {
		t.add(e)
	}
	if record != nil {
		t.end(record)
	}
	return t.told
}

// callee is a leg that was dialled or came in from another call.
type callee struct {
	who    string
	inside bool
}

// teller is the state of Notifications between two events.
type teller struct {
	call    Notification // what all notices of the call have
	arrived time.Time
	opened  bool
	legs    map[LegID]callee
	ringing map[LegID]bool
	talking string
	served  bool
	told    []Notification
}

func (t *teller) add(e CallEvent) {
	switch e.Kind {
	case Arrived:
		t.arrived = e.At
		t.call.Direction, t.call.From, t.call.To = e.Direction, e.From, e.To
		if e.Trunk == "" {
			t.call.Caller = e.Who
		}
		if e.Direction == In { // of the others only the plan knows where they go
			t.open()
		}
	case Routed:
		if e.To != "" {
			t.call.Direction, t.call.To = e.Direction, e.To
		}
		t.open()
	case CallerDialled:
		t.call.Callback = true
		t.open()
	case Dialled, Entered:
		t.open()
		t.legs[e.Leg] = callee{e.Who, e.Trunk == ""}
		if e.Kind == Entered {
			t.ringing[e.Leg] = true // it has rung in the call it comes from
		}
	case Ringing, EarlyMedia:
		t.ring(e.At, e.Leg)
	case Bridged:
		t.answer(e)
	case Served, JoinedRoom:
		if !t.served && t.talking == "" {
			t.served = true
			t.tell(Notification{Kind: NotifyAnswered, At: e.At})
		}
	case Transferred:
		t.tell(Notification{Kind: NotifyTransferred, At: e.At, By: e.Who, Who: e.To})
	case LegEnded:
		delete(t.ringing, e.Leg)
	case RecordStart:
		yes := true
		t.call.Recorded = &yes
	}
}

// open tells of the call itself, once.
func (t *teller) open() {
	if t.opened {
		return
	}
	t.opened = true
	t.tell(Notification{Kind: NotifyArrived, At: t.arrived})
}

// ring tells that somebody rings; two phones of an extension are one.
func (t *teller) ring(at time.Time, leg LegID) {
	p, dialled := t.legs[leg]
	if !dialled || t.ringing[leg] {
		return
	}
	another := false
	for l := range t.ringing {
		another = another || t.legs[l].who == p.who
	}
	t.ringing[leg] = true
	if !another {
		t.tell(Notification{Kind: NotifyRinging, At: at, Who: p.who})
	}
}

// answer tells who talks with the caller. Who answers without having rung is
// told to ring first: those who are told count on it.
func (t *teller) answer(e CallEvent) {
	t.ring(e.At, e.Leg)
	clear(t.ringing)
	t.ringing[e.Leg] = true
	if e.Who == t.talking {
		return
	}
	t.talking = e.Who
	t.tell(Notification{Kind: NotifyAnswered, At: e.At, Who: e.Who})
}

func (t *teller) end(c *CDR) {
	t.open()
	recorded := len(c.Recordings) > 0
	t.call.Recorded = &recorded
	t.tell(Notification{Kind: NotifyDisconnected, At: c.Ended, Who: t.talking, Cause: &c.Cause})
	t.tell(Notification{Kind: NotifyEnded, At: c.Ended, Cause: &c.Cause, Record: c})
	for _, r := range c.Recordings {
		if r.ID != "" {
			t.tell(Notification{Kind: NotifyRecorded, At: c.Ended, Recording: &r})
		}
	}
}

// tell adds a notice with what all of the call have.
func (t *teller) tell(n Notification) {
	of := t.call
	n.Call, n.Direction, n.Callback, n.From, n.To, n.Caller, n.Recorded = of.Call, of.Direction, of.Callback, of.From, of.To, of.Caller, of.Recorded
	n.Seq = len(t.told) + 1
	for _, p := range t.legs {
		if p.inside && p.who == n.Who {
			n.Extension = n.Who
		}
	}
	t.told = append(t.told, n)
}

// DeliveryState says what becomes of an event that is kept for a CRM.
type DeliveryState string

// An event waits for the CRM, or is given up until somebody sends it again.
const (
	DeliveryPending DeliveryState = "pending"
	DeliveryDead    DeliveryState = "dead"
)

// Delivery is an event on its way to the CRM of a company.
type Delivery struct {
	ID      string           `json:"id"` // as [DeliveryID] gives it
	Call    string           `json:"call"`
	Seq     int              `json:"seq"`
	Event   NotificationKind `json:"event"`
	State   DeliveryState    `json:"state"`
	Created time.Time        `json:"created"`
	Tries   int              `json:"tries"`
	Strikes int              `json:"strikes"`         // tries that failed while the CRM took others
	Tried   *time.Time       `json:"tried"`           // last
	Next    *time.Time       `json:"next"`            // not tried before; nil when dead
	Error   string           `json:"error,omitempty"` // of the last try

	Notification Notification `json:"-"`
}

// DeliveryID names an event of a company by its call and its place in it.
func DeliveryID(call string, seq int) string { return call + "-" + strconv.Itoa(seq) }

// ParseDeliveryID reads what DeliveryID wrote.
func ParseDeliveryID(id string) (call string, seq int, ok bool) {
	at := strings.LastIndexByte(id, '-')
	if at <= 0 {
		return "", 0, false
	}
	seq, err := strconv.Atoi(id[at+1:])
	return id[:at], seq, err == nil && DeliveryID(id[:at], seq) == id
}

// Settled is what came of one try to deliver an event, or of giving it up.
type Settled struct {
	Call    string
	Seq     int
	At      time.Time
	Done    bool      // the CRM has it
	Dead    bool      // it is given up
	Strikes int       // as it now is
	Next    time.Time // not to be tried before, when neither Done nor Dead
	Error   string
}

// DeliveryQuery selects the events of a company that are kept for its CRM, in
// the order of the calls.
type DeliveryQuery struct {
	State  DeliveryState // "": both
	Limit  int
	Cursor string
}

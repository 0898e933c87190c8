package pbx

import (
	"cmp"
	"slices"
	"time"
)

// LeftQueue says how a caller left a queue, in [CallEvent.Text] of QueueLeft.
type LeftQueue string

// The ways out of a queue: a closed set.
const (
	LeftAnswered    LeftQueue = "answered"    // Who talks with the caller
	LeftAbandoned   LeftQueue = "abandoned"   // the caller hung up
	LeftTimeout     LeftQueue = "timeout"     // it has waited as long as one can
	LeftFull        LeftQueue = "full"        // it could not come in
	LeftEmpty       LeftQueue = "empty"       // no agent was logged in
	LeftCallback    LeftQueue = "callback"    // it has hung up and is to be called back
	LeftEnded       LeftQueue = "ended"       // the call was ended or went elsewhere
	LeftInterrupted LeftQueue = "interrupted" // the process died
)

// LeftQueues lists them all: the closed set of the metrics' label.
var LeftQueues = []LeftQueue{LeftAnswered, LeftAbandoned, LeftTimeout, LeftFull, LeftEmpty, LeftCallback, LeftEnded, LeftInterrupted}

// InQueue is what the record of a call says of its time in a queue.
type InQueue struct {
	Number   string         `json:"number"`
	Name     string         `json:"name,omitempty"`
	Entered  time.Time      `json:"entered"`
	Waited   float64        `json:"waited"`           // seconds
	Position int            `json:"position"`         // when it came in, 0: it could not
	Last     int            `json:"last"`             // when it left
	Left     LeftQueue      `json:"left"`             //
	Agent    string         `json:"agent,omitempty"`  // who answered
	Talk     float64        `json:"talk,omitempty"`   // seconds of that agent
	Offers   []OfferedAgent `json:"offers,omitempty"` // whom the caller was offered to
}

// OfferedAgent is an agent who was rung for a caller, or could not be.
type OfferedAgent struct {
	Agent    string    `json:"agent"`
	At       time.Time `json:"at"`
	Rang     float64   `json:"rang"` // seconds
	Answered bool      `json:"answered,omitempty"`
	Reason   Reason    `json:"reason,omitempty"` // why it did not
}

// Missed tells whether it was for the agent that the offer came to nothing.
func (o OfferedAgent) Missed() bool {
	switch o.Reason {
	case NoAnswer, Declined, Busy, NoReply, Unregistered, Refused:
		return true
	}
	return false
}

// sameMoment is the most that lies between the last ring of an agent that is cut and its
// caller's leaving the queue.
const sameMoment = 100 * time.Millisecond

// queueFold is the part of the fold that is about queues.
type queueFold struct {
	list    []InQueue
	open    bool  // the last of list is not left yet
	talking LegID // of the agent who has answered last
	of      int   // its place in list, from 1
	since   time.Time
}

func (f *queueFold) add(e CallEvent) {
	switch e.Kind {
	case Queued:
		f.close(e.At, LeftEnded)
		f.list, f.open = append(f.list, InQueue{Number: e.To, Name: e.Text, Entered: e.At, Position: e.Position, Last: e.Position}), true
	case QueueOffered:
		if f.open {
			v := &f.list[len(f.list)-1]
			v.Offers = append(v.Offers, OfferedAgent{Agent: e.Who, At: e.At})
		}
	case QueueLeft:
		if f.open {
			v := &f.list[len(f.list)-1]
			v.Last, v.Agent = e.Position, e.Who
			f.close(e.At, LeftQueue(e.Text))
		}
	case Bridged: // what QueueLeft says then is who it was
		if f.open {
			f.talking, f.of, f.since = e.Leg, len(f.list), e.At
		}
	case LegEnded, Noted:
		f.ended(e)
	}
}

// ended notes what came of an offer, or that an agent's talk is over.
func (f *queueFold) ended(e CallEvent) {
	if e.Kind == LegEnded && e.Leg == f.talking && e.Leg != "" {
		f.list[f.of-1].Talk = seconds(e.At.Sub(f.since))
		f.talking = ""
		return
	}
	if !f.open || e.Cause == nil {
		return
	}
	v := &f.list[len(f.list)-1]
	for i := range v.Offers {
		if o := &v.Offers[i]; o.Agent == e.Who && o.Reason == "" {
			o.Rang, o.Reason = seconds(e.At.Sub(o.At)), e.Cause.Reason
		}
	}
}

// close ends the time in the queue.
func (f *queueFold) close(at time.Time, how LeftQueue) {
	if !f.open {
		return
	}
	f.open = false
	v := &f.list[len(f.list)-1]
	v.Left, v.Waited = how, seconds(at.Sub(v.Entered))
	for i := range v.Offers {
		o := &v.Offers[i]
		switch {
		case how == LeftTimeout && o.Reason == NoAnswer && at.Sub(o.At)-time.Duration(o.Rang*float64(time.Second)) < sameMoment:
			o.Reason = Cancelled // it would have rung on
		case o.Reason != "":
		case how == LeftAnswered && o.Agent == v.Agent:
			o.Answered, o.Rang = true, seconds(at.Sub(o.At))
		default:
			o.Reason, o.Rang = Cancelled, seconds(at.Sub(o.At))
		}
	}
}

// finish closes what the end of the call has left open.
func (f *queueFold) finish(at time.Time, cause Cause) []InQueue {
	how := LeftEnded
	switch {
	case cause.Reason == Interrupted:
		how = LeftInterrupted
	case cause.Party == PartyCaller:
		how = LeftAbandoned
	}
	f.close(at, how)
	if f.talking != "" {
		f.list[f.of-1].Talk = seconds(at.Sub(f.since))
	}
	return f.list
}

// QueueFigures are the service level of a queue in a time.
type QueueFigures struct {
	Queue       string         `json:"queue"`
	Since       time.Time      `json:"since"`
	Until       time.Time      `json:"until"`
	Offered     int            `json:"offered"` // callers who came
	Answered    int            `json:"answered"`
	Within      int            `json:"answered_within_sla"`
	Abandoned   int            `json:"abandoned"`
	Overflowed  int            `json:"overflowed"` // those of the next three
	Timeouts    int            `json:"timeout"`
	Full        int            `json:"full"`
	Empty       int            `json:"empty"`
	Callbacks   int            `json:"callbacks"`         // asked for
	Reached     int            `json:"callbacks_reached"` // of those asked for, so far
	Other       int            `json:"other"`             // ended otherwise
	SLA         float64        `json:"sla"`               // percent of Offered that was answered in time
	SLASeconds  float64        `json:"sla_seconds"`
	AverageWait float64        `json:"average_wait"` // seconds, of those who were answered
	LongestWait float64        `json:"longest_wait"` // seconds, of all
	AverageTalk float64        `json:"average_talk"` // seconds
	Agents      []AgentFigures `json:"agents"`
}

// AgentFigures are those of one agent in one queue.
type AgentFigures struct {
	Agent       string  `json:"agent"`
	Offered     int     `json:"offered"`
	Answered    int     `json:"answered"`
	Missed      int     `json:"missed"`
	Talk        float64 `json:"talk"` // seconds
	AverageTalk float64 `json:"average_talk"`
	AverageRing float64 `json:"average_ring"` // seconds until it answered
}

// QueueFold folds the visits of a queue, and what its callbacks came to, into its figures.
// It is pure.
type QueueFold struct {
	f          QueueFigures
	agents     map[string]*AgentFigures
	wait, talk float64
}

// NewQueueFold begins the figures of a queue whose callers should be answered within sla.
func NewQueueFold(queue string, sla time.Duration, since, until time.Time) *QueueFold {
	return &QueueFold{f: QueueFigures{Queue: queue, SLASeconds: sla.Seconds(), Since: since, Until: until, Agents: []AgentFigures{}}, agents: map[string]*AgentFigures{}}
}

// Visit adds the time of a caller.
func (x *QueueFold) Visit(v InQueue) {
	f := &x.f
	f.Offered++
	f.LongestWait = max(f.LongestWait, v.Waited)
	switch v.Left {
	case LeftAnswered:
		f.Answered++
		x.wait, x.talk = x.wait+v.Waited, x.talk+v.Talk
		if v.Waited <= f.SLASeconds {
			f.Within++
		}
	case LeftAbandoned:
		f.Abandoned++
	case LeftTimeout:
		f.Timeouts++
	case LeftFull:
		f.Full++
	case LeftEmpty:
		f.Empty++
	case LeftCallback:
		f.Callbacks++
	default:
		f.Other++
	}
	foldAgents(x.agents, v)
}

// Callback adds a callback that was asked for.
func (x *QueueFold) Callback(c CallbackOrder) {
	if c.State == CallbackReached {
		x.f.Reached++
	}
}

// Figures gives what was added so far.
func (x *QueueFold) Figures() QueueFigures {
	f := x.f
	f.Overflowed = f.Timeouts + f.Full + f.Empty
	if f.Offered > 0 {
		f.SLA = mean(100*float64(f.Within), f.Offered)
	}
	if f.Answered > 0 {
		f.AverageWait, f.AverageTalk = mean(x.wait, f.Answered), mean(x.talk, f.Answered)
	}
	for _, a := range x.agents {
		b := *a
		if b.Answered > 0 {
			b.AverageTalk, b.AverageRing = mean(b.Talk, b.Answered), mean(b.AverageRing, b.Answered)
		}
		f.Agents = append(f.Agents, b)
	}
	slices.SortFunc(f.Agents, func(a, b AgentFigures) int { return cmp.Compare(a.Agent, b.Agent) })
	return f
}

// foldAgents adds what a visit says of agents; AverageRing is the sum so far.
func foldAgents(agents map[string]*AgentFigures, v InQueue) {
	of := func(number string) *AgentFigures {
		if agents[number] == nil {
			agents[number] = &AgentFigures{Agent: number}
		}
		return agents[number]
	}
	for _, o := range v.Offers {
		a := of(o.Agent)
		a.Offered++
		if o.Answered {
			a.AverageRing += o.Rang
		}
		if o.Missed() {
			a.Missed++
		}
	}
	if v.Left == LeftAnswered && v.Agent != "" {
		a := of(v.Agent)
		a.Answered++
		a.Talk += v.Talk
	}
}

// mean is sum by n, to the millisecond.
func mean(sum float64, n int) float64 {
	return seconds(time.Duration(sum / float64(n) * float64(time.Second)))
}

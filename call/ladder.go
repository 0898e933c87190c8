package call

import (
	"slices"
	"sync/atomic"
	"time"

	"vpbx/pbx"
	"vpbx/sip"
)

const (
	maxLegs     = 64          // legs of a call whose messages are kept
	maxMessages = 512         // of a call
	lastAnswers = time.Second // the record waits so long for the answers to our last requests
)

// whose is a leg and who it was.
type whose struct {
	who   string
	leg   *sip.Leg
	moved bool // another call has it now
}

// legList is the legs of a call, for readers beside its goroutine.
type legList = atomic.Pointer[[]whose]

// keep notes a leg, for the ladder and for those who look for its call.
func (c *Call) keep(p *party) {
	c.m.mu.Lock()
	c.m.legs[p.leg] = c.id
	c.m.mu.Unlock()
	if len(c.legs) == maxLegs {
		c.dropLeg()
	}
	if len(c.legs) < maxLegs {
		c.legs = append(c.legs, whose{who: p.who, leg: p.leg})
		list := slices.Clone(c.legs)
		c.known.Store(&list)
	}
}

// dropLeg makes room for another leg: the first goes that is over and was never
// answered. A call that waits in a queue dials as long as it likes.
func (c *Call) dropLeg() {
	answered := map[pbx.LegID]bool{c.legs[0].leg.ID: true}
	for _, e := range c.trace {
		answered[e.Leg] = answered[e.Leg] || e.Kind == pbx.Answered
	}
	i := slices.IndexFunc(c.legs, func(w whose) bool { return over(w.leg) && !answered[w.leg.ID] })
	if i >= 0 {
		c.legs = slices.Delete(c.legs, i, i+1)
	}
}

// ladder gives the SIP messages of all legs in the order of time. The legs are
// hung up; their last messages are waited for a moment.
func (c *Call) ladder() []pbx.Message {
	late := time.NewTimer(lastAnswers)
	defer late.Stop()
	patient := true
	var all []pbx.Message
	for _, l := range c.legs {
		if patient && !l.moved {
			select {
			case <-l.leg.Done():
			case <-late.C:
				patient = false
			}
		}
		all = append(all, l.messages()...)
	}
	return ordered(all)
}

// Ladder gives the SIP messages so far of a call that is going on; false when
// the company has no such call. It may be called at any time.
func (m *Manager) Ladder(t pbx.TenantID, id pbx.CallID) ([]pbx.Message, bool) {
	m.mu.Lock()
	c := m.calls[id]
	m.mu.Unlock()
	if c == nil || c.company.ID != t {
		return nil, false
	}
	var all []pbx.Message
	if legs := c.known.Load(); legs != nil {
		for _, l := range *legs {
			all = append(all, l.messages()...)
		}
	}
	return ordered(all), true
}

// messages gives the ladder of a leg.
func (l whose) messages() []pbx.Message {
	messages := l.leg.Ladder()
	for i := range messages {
		messages[i].Who = l.who
	}
	return messages
}

// ordered puts messages in the order of time and leaves the middle out when
// there are too many.
func ordered(all []pbx.Message) []pbx.Message {
	slices.SortStableFunc(all, func(a, b pbx.Message) int { return a.At.Compare(b.At) })
	if n := len(all); n > maxMessages { // the beginning and the end say most
		left := n - maxMessages
		all = slices.Delete(all, maxMessages/2, maxMessages/2+left)
		all[maxMessages/2].LeftOut += left
	}
	return all
}

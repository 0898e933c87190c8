package pace

import (
	"math/bits"
	"time"
)

// ID names a campaign or a trunk of a company.
type ID struct{ Company, Name string }

// A burst of errors of a trunk is burstFaults among its last burstOf calls.
const (
	burstFaults = 5
	burstOf     = 10
)

// Limiter holds the limits of campaigns, trunks and companies, all three for each call,
// and says whose turn it is. What was never set has no limit. One goroutine uses it; the
// times that it is given must not go backwards.
type Limiter struct {
	companies map[string]*company
	turns     // between the companies
}

// company is a level, and divides its turns between its trunks.
type company struct {
	level
	flow
	turns
	trunks    map[string]*trunk
	campaigns map[string]*campaign
}

// trunk is a level, and divides its turns between the campaigns that want it.
type trunk struct {
	level
	flow
	turns
	results uint16 // of the last calls, 1 is a fault
}

type campaign struct {
	level
	flow
	weight  float64
	trunk   string
	wants   int
	dropped bool // as soon as its last call is over
}

// NewLimiter makes a limiter that knows of nothing.
func NewLimiter() *Limiter { return &Limiter{companies: map[string]*company{}} }

// SetCompany sets or changes the limit of a company.
func (l *Limiter) SetCompany(name string, limit Limit) { l.company(name).limit = limit.sane() }

// SetTrunk sets or changes the limit of a trunk. Its ramp begins after a burst of errors
// only: see [Limiter.Done].
func (l *Limiter) SetTrunk(id ID, limit Limit) {
	l.company(id.Company).trunk(id.Name).limit = limit.sane()
}

// SetCampaign sets or changes the limit of a campaign and its weight, 1 if it is less.
func (l *Limiter) SetCampaign(id ID, weight int, limit Limit) {
	c := l.company(id.Company).campaign(id.Name)
	c.limit, c.weight, c.dropped = limit.sane(), float64(max(1, weight)), false
}

// Start begins the ramp of a campaign: it was started or resumed.
func (l *Limiter) Start(at time.Time, id ID) { l.company(id.Company).campaign(id.Name).ramp(at) }

// Want says how many calls a campaign would launch now by a trunk, "" is none that has a
// limit. It counts until it is said anew; each call that is admitted takes one off.
func (l *Limiter) Want(id ID, trunk string, calls int) {
	c := l.company(id.Company).campaign(id.Name)
	if c.trunk != trunk {
		c.trunk, c.flow = trunk, flow{}
	}
	c.wants = max(0, calls)
}

// Admit asks to launch a call now, and counts it if it may be: then [Limiter.Done] must
// follow. Otherwise next is the moment before which it may not be, and at which it may if
// nothing else is launched; zero says that a call must be over first.
func (l *Limiter) Admit(at time.Time, id ID, trunk string) (ok bool, next time.Time) {
	o := l.company(id.Company)
	k, c := o.trunk(trunk), o.campaign(id.Name)
	t, ok := allowed(at, &o.level, &k.level, &c.level)
	if !ok {
		return false, time.Time{}
	}
	if t.After(at) {
		return false, t
	}
	o.take(at)
	k.take(at)
	c.take(at)
	c.wants = max(0, c.wants-1)
	c.charge(&k.turns, c.weight)
	k.charge(&o.turns, max(k.weight, c.weight))
	o.charge(&l.turns, 1)
	return true, time.Time{}
}

// Done says that a call that was admitted is over, and whether by a fault of the trunk:
// it did not answer, or said that it was overloaded or out of order. After a burst of
// faults, 5 of 10 calls, the ramps of the trunk and of the campaigns that want it begin
// anew, and burst is true.
func (l *Limiter) Done(at time.Time, id ID, trunk string, fault bool) (burst bool) {
	o := l.company(id.Company)
	k, c := o.trunk(trunk), o.campaign(id.Name)
	o.done()
	k.done()
	c.done()
	if c.dropped && c.calls == 0 {
		delete(o.campaigns, id.Name)
	}
	if trunk == "" {
		return false
	}
	k.results <<= 1
	if fault {
		k.results |= 1
	}
	if bits.OnesCount16(k.results&(1<<burstOf-1)) < burstFaults {
		return false
	}
	k.results = 0
	k.ramp(at)
	for _, c := range o.campaigns {
		if c.trunk == trunk {
			c.ramp(at)
		}
	}
	return true
}

// Drop forgets a campaign, once its last call is over.
func (l *Limiter) Drop(id ID) {
	o := l.company(id.Company)
	c := o.campaign(id.Name)
	c.wants, c.dropped = 0, true
	if c.calls == 0 {
		delete(o.campaigns, id.Name)
	}
}

// DropCompany forgets a company with all of its campaigns and trunks. None of its calls
// may go on.
func (l *Limiter) DropCompany(name string) { delete(l.companies, name) }

// Calls is how many calls of a campaign go on.
func (l *Limiter) Calls(id ID) int {
	if o := l.companies[id.Company]; o != nil && o.campaigns[id.Name] != nil {
		return o.campaigns[id.Name].calls
	}
	return 0
}

// allowed is when all of the levels allow a launch.
func allowed(at time.Time, levels ...*level) (time.Time, bool) {
	t := at
	for _, v := range levels {
		n, ok := v.next(at)
		if !ok {
			return time.Time{}, false
		}
		t = later(t, n)
	}
	return t, true
}

func (l *Limiter) company(name string) *company {
	o := l.companies[name]
	if o == nil {
		o = &company{trunks: map[string]*trunk{}, campaigns: map[string]*campaign{}}
		l.companies[name] = o
	}
	return o
}

func (o *company) trunk(name string) *trunk {
	k := o.trunks[name]
	if k == nil {
		k = &trunk{}
		o.trunks[name] = k
	}
	return k
}

func (o *company) campaign(name string) *campaign {
	c := o.campaigns[name]
	if c == nil {
		c = &campaign{weight: 1}
		o.campaigns[name] = c
	}
	return c
}

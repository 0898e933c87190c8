package autodialer

import (
	"fmt"
	"time"

	"vpbx/autodialer/pace"
	"vpbx/pbx"
)

const (
	portion     = 256                    // targets that are read at once
	lowWater    = 64                     // with fewer that wait for their turn, others are read
	retryStore  = 5 * time.Second        // after the store has failed
	betweenFeed = 100 * time.Millisecond // when none of what was read may be called
	maxFaults   = 10                     // of trunks in a row, then the campaign is paused
	maxDown     = 30 * time.Second       // without a trunk, likewise
	keepRead    = time.Second            // what was read is used at least, though something has changed
	minuteSlots = 60
)

// run is a campaign that runs or is paused, or is about to. Only loop touches it.
type run struct {
	state    pbx.CampaignState
	began    time.Time // or resumed, in this process
	changing bool
	orders   []order // that wait for that
	unsure   bool    // whether state is what is kept

	fits *pbx.Company // with whose settings it may run; nil: that is not known

	reading bool
	putting int       // portions of targets that are written down as not to be called now
	changed bool      // something has changed since reading began
	dropped bool      // the last read was given up for that
	stale   bool      // something has changed since what waits was read
	freshAt time.Time // when that was
	feedAt  time.Time // nothing is read before
	waiting []candidate
	open    map[int64]*dialled // attempts, by target

	holdUntil time.Time // the store has failed
	faults    int       // of trunks, in a row
	trunkDown time.Time // since when no trunk is up; zero: one is
	why       string    // why nothing is dialled now

	online, free int              // operators
	pacer        *pace.Predictive // of mode predictive; nil: not known yet what was before
	pacedBy      pacedBy          // what it was made for
	asking       bool             // for what was before
	askAt        time.Time        // not before
	rate         [minuteSlots]slot
	toldAt       time.Time
	dirty        bool // something has happened since
}

// pacedBy are the settings of a campaign that a pacer is made with.
type pacedBy struct {
	limit  float64
	within time.Duration
}

// slot counts the dials of one second.
type slot struct {
	second int64
	n      int
}

// dialled is an attempt that goes on.
type dialled struct {
	call     pbx.CallID
	trunk    string
	at       time.Time
	answered bool // by a person
	operator bool // it has one, or had
	done     bool // it needs none any more
	settled  bool // the pacer knows what came of it
}

// candidate is a target that may be called as soon as there is room.
type candidate struct {
	target pbx.Target
	number string
	facts  facts
	read   time.Time // both
}

func newRun(s pbx.CampaignState) *run {
	return &run{state: s, open: map[int64]*dialled{}}
}

func (k key) id() pace.ID { return pace.ID{Company: string(k.tenant), Name: k.name} }

// count notes a dial for the rate of the last minute.
func (x *run) count(at time.Time) {
	s := &x.rate[at.Unix()%minuteSlots]
	if s.second != at.Unix() {
		*s = slot{second: at.Unix()}
	}
	s.n++
}

// perSecond is the rate of the last minute.
func (x *run) perSecond(at time.Time) float64 {
	n := 0
	for _, s := range x.rate {
		if at.Unix()-s.second < minuteSlots {
			n += s.n
		}
	}
	return float64(n) / minuteSlots
}

// tend looks after one campaign: what is to be read, whether it is over, whether its trunks
// are there. It gives when to look again.
func (r *Runner) tend(k key, x *run, at time.Time) time.Time {
	company, s := r.settings(k)
	if company == nil {
		x.waiting = nil
		r.want(k, x, nil, "", 0)
		if x.quiet() {
			r.forget(k)
		}
		return time.Time{}
	}
	next := r.report(k, x, at)
	if x.unsure && !x.changing && !r.drained {
		r.want(k, x, s, "", 0)
		if at.Before(x.holdUntil) {
			return earliest(next, x.holdUntil)
		}
		r.ordered(order{key: k, do: toLook})
		return next
	}
	if x.state.Status != pbx.CampaignRunning {
		r.want(k, x, s, "", 0)
		if x.quiet() && x.state.Status != pbx.CampaignPaused {
			delete(r.runs, k)
			r.limits.Drop(k.id())
		}
		return next
	}
	if x.changing || r.drained {
		return next
	}
	if at.Before(x.holdUntil) {
		r.want(k, x, s, "", 0)
		x.why = "the store does not answer"
		return earliest(next, x.holdUntil)
	}
	switch {
	case s == nil:
		r.ordered(order{key: k, do: toPause, alert: "it was taken out of the company's document"})
		return next
	case s.Passed(at):
		if len(x.open) == 0 {
			r.ordered(order{key: k, do: toFinish, late: true})
		}
		x.waiting = nil
		r.want(k, x, s, "", 0)
		return next
	case x.fits != company:
		r.want(k, x, s, "", 0)
		r.ordered(order{key: k, do: toCheck})
		return next
	}
	if !s.Until.IsZero() {
		next = earliest(next, s.Until)
	}
	return earliest(next, r.prepare(k, x, company, s, at))
}

// forget drops a campaign of a company that is not there any more, and with the last one what
// is known of the company.
func (r *Runner) forget(k key) {
	delete(r.runs, k)
	r.limits.Drop(k.id())
	for other := range r.runs {
		if other.tenant == k.tenant {
			return
		}
	}
	r.limits.DropCompany(string(k.tenant))
}

// prepare sees to it that there is somebody to be called and a trunk for it. Without a trunk
// the campaign is paused, but not while nobody could be called anyway.
func (r *Runner) prepare(k key, x *run, company *pbx.Company, s *pbx.Campaign, at time.Time) time.Time {
	next := time.Time{}
	if x.stale {
		if x.readAnew(at); x.stale {
			next = later(x.freshAt.Add(keepRead), at.Add(betweenFeed))
		}
	}
	if len(x.waiting) < lowWater && !x.reading && x.putting == 0 {
		if at.Before(x.feedAt) {
			next = earliest(next, x.feedAt)
		} else {
			x.reading = true
			known := x.known()
			r.aside(func() { r.feed(k, company, s, known) })
		}
	}
	trunk, up := r.trunk(company, s)
	if up || len(x.waiting) == 0 && !x.reading {
		x.trunkDown, x.why = time.Time{}, ""
		return earliest(next, r.paced(k, x, company, s, trunk, at))
	}
	if x.trunkDown.IsZero() {
		x.trunkDown = at
	}
	x.why = "no trunk can be dialled"
	r.want(k, x, s, trunk, 0)
	if at.Sub(x.trunkDown) >= maxDown {
		r.ordered(order{key: k, do: toPause, alert: fmt.Sprintf("its trunks cannot be dialled for %s: %s", maxDown, trunk)})
		return time.Time{}
	}
	return earliest(next, at.Add(time.Second))
}

// quiet tells whether nothing goes on that is about the campaign.
func (x *run) quiet() bool { return len(x.open) == 0 && !x.reading && x.putting == 0 && !x.changing }

// known are the targets that need not be read: they wait for their turn or are dialled.
func (x *run) known() map[int64]bool {
	known := make(map[int64]bool, len(x.waiting)+len(x.open))
	for _, c := range x.waiting {
		known[c.target.ID] = true
	}
	for id := range x.open {
		known[id] = true
	}
	return known
}

// trunk gives the first trunk of a campaign that is up, the first of all when none is.
func (r *Runner) trunk(company *pbx.Company, s *pbx.Campaign) (name string, up bool) {
	list := s.Trunks
	if len(list) == 0 {
		for _, o := range company.Outbound {
			list = append(list, o.Trunks...)
		}
	}
	for _, t := range list {
		if r.TrunkUp(company.ID, t) {
			return t, true
		}
	}
	if len(list) == 0 {
		return "", false
	}
	return list[0], false
}

// report tells watchers how the campaign goes, from time to time while that changes.
func (r *Runner) report(k key, x *run, at time.Time) time.Time {
	if !x.dirty {
		return time.Time{}
	}
	if due := x.toldAt.Add(tellEvery); at.Before(due) {
		return due
	}
	x.toldAt, x.dirty = at, false
	r.Publish(k.tenant, "campaign.progress", r.progress(k, x, at))
	return time.Time{}
}

// progress is how a campaign goes; the targets are counted by who asks.
func (r *Runner) progress(k key, x *run, at time.Time) pbx.CampaignProgress {
	p := pbx.CampaignProgress{CampaignState: x.state, Dialling: len(x.open), Talking: x.talking(), Free: x.free, Online: x.online, Rate: x.perSecond(at)}
	p.Settings = nil // watchers need not get them each second
	if x.state.Status == pbx.CampaignRunning {
		p.Why = x.why // of one that was paused it may be over
	}
	if x.state.Status == pbx.CampaignRunning && len(x.waiting) == 0 && len(x.open) == 0 && x.feedAt.After(at) {
		next := x.feedAt
		p.Next = &next
	}
	p.Pace = r.pacing(k, x, at)
	return p
}

func (r *Runner) answer(a asked) {
	x := r.runs[a.key]
	if x == nil || x.state.Status == "" {
		a.reply <- pbx.CampaignProgress{}
		return
	}
	a.reply <- r.progress(a.key, x, time.Now())
}

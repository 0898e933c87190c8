package autodialer

import (
	"slices"
	"time"

	"vpbx/autodialer/pace"
	"vpbx/pbx"
)

// campaignShare is the part of a company's calls at once, and of its new calls a minute, that
// its campaigns use at most.
const campaignShare = 0.8

// rampFrom is the part of its full speed with which a campaign begins, where it ramps up.
const rampFrom = 10

// freshFor is how long what was read of targets is good: consents may be taken back.
const freshFor = time.Minute

// want says how many calls a campaign would launch now, within its limits as they are.
func (r *Runner) want(k key, x *run, s *pbx.Campaign, trunk string, calls int) {
	if s != nil {
		r.limits.SetCampaign(k.id(), max(s.Weight, 1), pace.Limit{PerSecond: s.Pace.PerSecond, AtOnce: s.Pace.AtOnce,
			RampUp: s.Pace.RampUp, From: s.Pace.PerSecond / rampFrom})
	}
	r.limits.Want(k.id(), trunk, calls)
}

// paced says how many calls a campaign would launch: as many as wait, or as its operators
// can take. It gives when to look at the operators again.
func (r *Runner) paced(k key, x *run, company *pbx.Company, s *pbx.Campaign, trunk string, at time.Time) time.Time {
	r.limits.SetCompany(string(k.tenant), companyLimit(company))
	if t := company.Trunk(trunk); t != nil {
		r.limits.SetTrunk(pace.ID{Company: string(k.tenant), Name: trunk}, pace.Limit{AtOnce: t.Calls})
	}
	calls, next := len(x.waiting), time.Time{}
	if s.Mode.OperatorMode() && calls > 0 {
		x.online, x.free = r.Dialer.Operators(k.tenant, s.Operators.Queue)
		most, again := r.dials(k, x, company, s, at)
		calls = min(calls, most)
		next = earliest(at.Add(lookEvery), again)
		if x.why = ""; x.online == 0 {
			x.why = "no operator is at work"
		}
	}
	r.want(k, x, s, trunk, calls)
	return next
}

// companyLimit leaves a part of what the company may do to the calls of people, who would
// be refused otherwise.
func companyLimit(company *pbx.Company) pace.Limit {
	l := company.Limits.Guarded()
	return pace.Limit{PerSecond: campaignShare * float64(l.PerMinute) / 60, AtOnce: max(1, int(campaignShare*float64(l.Calls)))}
}

// launch dials whoever's turn it is, as long as anybody may be dialled, and gives when the
// next may.
func (r *Runner) launch(at time.Time) time.Time {
	if r.drained {
		return time.Time{}
	}
	var soon time.Time
	for {
		id, next, ok := r.limits.Turn(at)
		if !ok {
			return earliest(soon, next)
		}
		k := key{pbx.TenantID(id.Company), id.Name}
		x := r.runs[k]
		company, s := r.settings(k)
		if x == nil || s == nil || len(x.waiting) == 0 || x.changing || x.state.Status != pbx.CampaignRunning {
			r.limits.Want(id, "", 0)
			continue
		}
		if x.fits != company { // it was edited in this moment
			r.limits.Want(id, "", 0)
			soon = at
			continue
		}
		trunk, _ := r.trunk(company, s)
		if at.Sub(x.waiting[0].read) > freshFor { // it is read again
			x.waiting, x.feedAt, soon = nil, time.Time{}, at
			r.limits.Want(id, "", 0)
			continue
		}
		c := x.waiting[0]
		x.waiting = x.waiting[1:]
		limits, held, may := r.choose(company, s, &c, at)
		if !may { // its hours have ended meanwhile
			r.putOff(k, x, company, s, held, at)
			continue
		}
		if ok, _ := r.limits.Admit(at, id, trunk); !ok {
			x.waiting = append([]candidate{c}, x.waiting...)
			r.limits.Want(id, "", 0)
			soon = at.Add(lookEvery) // its trunk is another since
			continue
		}
		d := &dialled{call: pbx.NewCallID(at), trunk: trunk, at: at}
		x.open[c.target.ID] = d
		x.count(at)
		x.dirty = true
		if x.pacer != nil {
			x.pacer.Launched(at, string(d.call))
		}
		r.share(k, s, at)
		r.calls.Store(d.call, openCall{k, c.target.ID})
		if !r.aside(func() { r.attempt(k, s, c, d.call, trunk, limits) }) {
			return time.Time{}
		}
	}
}

// share says anew how many calls the other campaigns with the same operators would launch,
// when one of them has launched a call.
func (r *Runner) share(k key, s *pbx.Campaign, at time.Time) {
	if !s.Mode.OperatorMode() {
		return
	}
	for other, y := range r.rivals(k, s) {
		company, settings := r.settings(other)
		if len(y.waiting) == 0 || y.changing || y.unsure || at.Before(y.holdUntil) {
			continue
		}
		if y.pacer != nil {
			y.pacer.Replan()
		}
		trunk, up := r.trunk(company, settings)
		if !up {
			continue
		}
		most, _ := r.dials(other, y, company, settings, at)
		r.want(other, y, settings, trunk, min(len(y.waiting), most))
	}
}

// rivals are the other campaigns that run with the operators of the queue of s.
func (r *Runner) rivals(k key, s *pbx.Campaign) map[key]*run {
	var list map[key]*run
	for other, y := range r.runs {
		if other.tenant != k.tenant || other == k || y.state.Status != pbx.CampaignRunning && len(y.open) == 0 {
			continue
		}
		if _, t := r.settings(other); t != nil && t.Mode.OperatorMode() && t.Operators.Queue == s.Operators.Queue {
			if list == nil {
				list = map[key]*run{}
			}
			list[other] = y
		}
	}
	return list
}

// putOff writes down, beside the loop, that a target may not be called now, and others
// that were read with it.
func (r *Runner) putOff(k key, x *run, company *pbx.Company, s *pbx.Campaign, first pbx.Deferral, at time.Time) {
	held := []pbx.Deferral{first}
	x.waiting = slices.DeleteFunc(x.waiting, func(c candidate) bool {
		_, d, may := r.choose(company, s, &c, at)
		if !may {
			held = append(held, d)
		}
		return !may
	})
	x.putting++ // nobody reads them meanwhile: they are still due
	r.aside(func() {
		ctx, cancel := r.bounded()
		defer cancel()
		r.tell(putBack{k, r.deferAll(ctx, k, held)})
	})
	r.limits.Want(k.id(), "", 0)
}

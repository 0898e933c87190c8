package autodialer

import (
	"time"

	"vpbx/autodialer/pace"
	"vpbx/pbx"
)

// campaignShare is the part of a company's calls at once, and of its new calls a minute, that
// its campaigns use at most.
const campaignShare = 0.8

// rampFrom is the part of its full speed with which a campaign begins, where it ramps up.
const rampFrom = 10

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
	for {
		id, next, ok := r.limits.Turn(at)
		if !ok {
			return next
		}
		k := key{pbx.TenantID(id.Company), id.Name}
		x := r.runs[k]
		company, s := r.settings(k)
		if x == nil || s == nil || len(x.waiting) == 0 || x.changing || x.state.Status != pbx.CampaignRunning {
			r.limits.Want(id, "", 0)
			continue
		}
		trunk, _ := r.trunk(company, s)
		c := x.waiting[0]
		x.waiting = x.waiting[1:]
		limits, held, may := r.judge(company, s, c, at)
		if !may { // its hours have ended meanwhile
			x.reading = true // nobody reads it meanwhile: it is still due
			r.aside(func() { r.tell(r.defers(k, held)) })
			r.limits.Want(id, "", 0)
			continue
		}
		if ok, _ := r.limits.Admit(at, id, trunk); !ok {
			x.waiting = append([]candidate{c}, x.waiting...)
			r.limits.Want(id, "", 0)
			continue
		}
		d := &dialled{call: pbx.NewCallID(at), trunk: trunk, at: at}
		x.open[c.target.ID] = d
		x.count(at)
		x.dirty = true
		if x.pacer != nil {
			x.pacer.Launched(at, string(d.call))
		}
		r.calls.Store(d.call, openCall{k, c.target.ID})
		if !r.aside(func() { r.attempt(k, s, c, d.call, trunk, limits) }) {
			return time.Time{}
		}
	}
}

// defers writes down that one target may not be called now, beside the loop.
func (r *Runner) defers(k key, d pbx.Deferral) fed {
	ctx, cancel := r.bounded()
	defer cancel()
	return fed{key: k, none: true, err: r.deferAll(ctx, k, []pbx.Deferral{d})}
}

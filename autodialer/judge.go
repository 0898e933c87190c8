package autodialer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vpbx/autodialer/law"
	"vpbx/pbx"
)

// sampled is how many targets are looked at for the countries that a campaign calls, before
// it starts. Each number is judged by itself before it is dialled.
const sampled = 1000

// judge tells whether a target may be called at a moment; otherwise the deferral says when,
// or why never.
func (r *Runner) judge(company *pbx.Company, s *pbx.Campaign, c candidate, at time.Time) (limits []pbx.ContactLimit, d pbx.Deferral, may bool) {
	caller, has := s.CallerFor(c.number)
	if !has {
		return nil, pbx.Deferral{Target: c.target.ID, State: pbx.TargetSkipped, Reason: pbx.HeldNoCaller}, false
	}
	later := pbx.Deferral{Target: c.target.ID, State: pbx.TargetWaiting, Next: at.Add(withdrawnWait)}
	switch {
	case slices.ContainsFunc(c.facts.contacts, func(h pbx.Contacted) bool { return h.Outcome == "" }):
		later.Reason = pbx.HeldDialled // what comes of that counts
		return nil, later, false
	case company.Schedules[s.When] == nil: // the document was checked; nil would be at all times
		later.Reason = pbx.HeldWindow
		return nil, later, false
	}
	v := r.Law.Judge(law.Case{At: at, End: s.Until, Kind: s.Kind, Mode: s.Mode, Operator: s.Connects(), Reserved: c.target.Operator != "",
		Number: c.number, Zone: c.target.Zone, Consent: c.facts.consent(s, c.target, c.number), Schedule: company.Schedules[s.When], Home: home(company, s),
		Label: caller.Label, Unlabelled: s.Unlabelled, History: c.facts.contacts, Own: law.OwnOf(s)})
	switch v.Do {
	case law.Dial:
		return v.Limits, d, true
	case law.Wait:
		return nil, pbx.Deferral{Target: c.target.ID, State: pbx.TargetWaiting, Reason: v.Reason, Next: v.NotBefore}, false
	}
	return nil, pbx.Deferral{Target: c.target.ID, State: pbx.TargetSkipped, Reason: v.Reason}, false
}

// home is the zone of the campaign's hours, nil where they are those of whoever is called.
func home(company *pbx.Company, s *pbx.Campaign) *time.Location {
	if s.Local {
		return nil
	}
	zone, err := pbx.ParseZone(company.Zone)
	if err != nil {
		return time.UTC // the document was checked
	}
	return zone
}

// mayRun tells all that forbids a campaign to run.
func (r *Runner) mayRun(ctx context.Context, company *pbx.Company, s *pbx.Campaign, state pbx.CampaignState) error {
	if s == nil {
		return &pbx.Error{Kind: pbx.Conflict, Msg: "the campaign is not in the document of the company any more"}
	}
	at := time.Now()
	counts, err := r.Store.CountTargets(ctx, company.ID, s.Name)
	if err != nil {
		return err
	}
	switch {
	case counts[pbx.TargetWaiting]+counts[pbx.TargetDialling] == 0 && !s.KeepOpen && state.Status != pbx.CampaignPaused:
		return &pbx.Error{Kind: pbx.Conflict, Msg: "the campaign has no targets that wait to be called"}
	case s.Passed(at):
		return &pbx.Error{Kind: pbx.Conflict, Field: "until", Msg: "the time of the campaign is over"}
	}
	return r.fits(ctx, company, s, at, state.Status)
}

// fits tells what forbids a campaign to run as it is set. For one that runs it does not
// matter whether anybody who is left has consented, since each is judged, nor for one that
// has run what none of those who are left has.
func (r *Runner) fits(ctx context.Context, company *pbx.Company, s *pbx.Campaign, at time.Time, was pbx.CampaignStatus) error {
	if missing := unplayable(company, s); len(missing) > 0 {
		return &pbx.Error{Kind: pbx.Conflict, Field: "script", Msg: "no sound was uploaded yet for the prompts " + strings.Join(missing, ", ")}
	}
	countries, consented, lack, err := r.sample(ctx, company, s, at)
	if err != nil {
		return err
	}
	if lack != "" && was != pbx.CampaignPaused && was != pbx.CampaignRunning {
		return &pbx.Error{Kind: pbx.Conflict, Field: "script", Msg: lack}
	}
	problems := r.Law.CheckStart(law.Facts{At: at, Campaign: s, Schedule: company.Schedules[s.When], Home: home(company, s), Countries: countries,
		Consented: consented || was == pbx.CampaignRunning})
	if len(problems) == 0 {
		return nil
	}
	var texts []string
	for _, p := range problems {
		text := p.English
		if p.Rule != "" {
			text += fmt.Sprintf(" (rule %s)", p.Rule)
		}
		texts = append(texts, text)
	}
	return &pbx.Error{Kind: pbx.Conflict, Field: problems[0].Field, Msg: strings.Join(texts, " ")}
}

// unplayable are the prompts of a campaign that have no sound.
func unplayable(company *pbx.Company, s *pbx.Campaign) []string {
	names := s.Spoken()
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		p := company.Prompts[name]
		return p != nil && (!p.Upload || p.Sound != "")
	})
}

// sample looks at targets that wait: in which countries they are, whether any has
// consented, and what none has that is to be said (see [unsaid]).
func (r *Runner) sample(ctx context.Context, company *pbx.Company, s *pbx.Campaign, at time.Time) (countries []string, consented bool, lack string, err error) {
	far := at.AddDate(100, 0, 0) // also those that are not due yet
	list, _, err := r.Store.DueTargets(ctx, company.ID, s.Name, far, sampled)
	if err != nil {
		return nil, false, "", err
	}
	all, err := r.facts(ctx, company.ID, list, at)
	if err != nil {
		return nil, false, "", err
	}
	for i, t := range list {
		for _, n := range t.Numbers {
			consented = consented || all[i].consent(s, t, n) != nil
			if c := pbx.CountryOf(n); c != "" && !slices.Contains(countries, c) {
				countries = append(countries, c)
			}
		}
	}
	return countries, consented, unsaid(company, s, list), nil
}

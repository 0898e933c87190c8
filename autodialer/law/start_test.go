package law

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// campaign is one that may start in Russia, in the United States and in Britain.
func campaign() *pbx.Campaign {
	return &pbx.Campaign{Name: "c", Kind: pbx.CampaignOperators, Mode: pbx.DialPredictive, When: "work", Ring: 25 * time.Second,
		Callers: []pbx.CampaignCaller{{Number: "+74957777777", Label: "Ромашка: доставка"}, {Prefix: "+1", Number: "+12125550199"}},
		Pace:    pbx.CampaignPace{PerSecond: 1, AtOnce: 10, Abandoned: 0.03}, Consent: pbx.ConsentGiven,
		Script:    []pbx.ScriptBlock{{Name: "hello", Play: []string{"hello"}, Keys: map[string]pbx.ScriptAction{"9": {OptOut: true}}}},
		Operators: pbx.Operators{Queue: "sales", Within: 2 * time.Second, SafeHarbour: "sorry"}}
}

// start checks a campaign that was changed, and gives the fields and rules of its problems.
func start(t *testing.T, countries string, change func(*pbx.Campaign, *Facts)) []string {
	t.Helper()
	c := campaign()
	f := Facts{At: monday(t), Campaign: c, Schedule: schedule(t, "mon-fri 10:00-18:00"), Countries: strings.Fields(countries)}
	change(c, &f)
	var list []string
	for _, p := range load(t).CheckStart(f) {
		if p.English == "" || p.Russian == "" {
			t.Errorf("%+v says nothing", p)
		}
		list = append(list, strings.TrimSpace(p.Field+" "+p.Rule))
	}
	return list
}

func expect(t *testing.T, name string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

// TestA14 has the figures of the law for how long a number rings and how soon who gets no
// operator is told so; a campaign with laxer ones does not start.
func TestA14RingAndSafeHarbour(t *testing.T) {
	for country, rule := range map[string]string{"US": "us", "GB": "gb", "RU": "any", "DE": "any", "KZ": "any"} {
		terms := load(t).Terms(country, pbx.CampaignSurvey, pbx.DialPredictive, monday(t))
		if terms.Ring() != 15*time.Second || terms.ToldWithin() != 2*time.Second {
			t.Errorf("%s: rings %s, told within %s", country, terms.Ring(), terms.ToldWithin())
		}
		expect(t, country, start(t, country, func(c *pbx.Campaign, _ *Facts) { c.Ring = 15 * time.Second }))
		expect(t, country+" ring", start(t, country, func(c *pbx.Campaign, _ *Facts) { c.Ring = 14 * time.Second }), "ring "+rule+"-ring")
		expect(t, country+" nothing said", start(t, country, func(c *pbx.Campaign, _ *Facts) { c.Operators.SafeHarbour = "" }), "operators.sorry "+rule+"-message-within")
		expect(t, country+" said late", start(t, country, func(c *pbx.Campaign, _ *Facts) { c.Operators.Within = 3 * time.Second }), "operators.within "+rule+"-message-within")
	}
	expect(t, "a message rings as short as one likes", start(t, "RU US GB", func(c *pbx.Campaign, _ *Facts) {
		c.Mode, c.Ring, c.Operators = pbx.DialMessage, 5*time.Second, pbx.Operators{}
	}))
}

// TestA16 refuses to start advertising to Russia without an operator.
func TestA16AdvertisingWithoutOperator(t *testing.T) {
	message := func(c *pbx.Campaign, _ *Facts) { c.Kind, c.Mode = pbx.CampaignAdvertising, pbx.DialMessage }
	expect(t, "message", start(t, "RU", message), "mode ru-advertising-operator")
	expect(t, "elsewhere", start(t, "US GB KZ", message))
	expect(t, "some of Russia", start(t, "US RU", message), "mode ru-advertising-operator")
	expect(t, "a key leads to an operator", start(t, "RU", func(c *pbx.Campaign, f *Facts) {
		message(c, f)
		c.Script[0].Keys["1"] = pbx.ScriptAction{Connect: "sales"}
	}), "mode ru-advertising-operator")
	expect(t, "operators", start(t, "RU", func(c *pbx.Campaign, _ *Facts) { c.Kind = pbx.CampaignAdvertising }))
	expect(t, "no key to opt out", start(t, "RU US KZ", func(c *pbx.Campaign, f *Facts) {
		message(c, f)
		c.Script = nil
	}), "mode ru-advertising-operator", "script ru-advertising-stop", "script any-message-opt-out", "script us-message-opt-out", "script any-message-opt-out")
	expect(t, "a debt needs none", start(t, "RU DE", func(c *pbx.Campaign, f *Facts) { c.Kind, c.Mode, c.Script = pbx.CampaignDebt, pbx.DialMessage, nil }))
}

// TestA19 refuses a label of more than 32 characters anywhere, and in Russia a number without
// one, unless that is meant.
func TestA19LabelOf32Characters(t *testing.T) {
	label := func(text string) func(*pbx.Campaign, *Facts) {
		return func(c *pbx.Campaign, _ *Facts) { c.Callers[0].Label = text }
	}
	expect(t, "32 letters", start(t, "RU", label(strings.Repeat("ж", 32))))
	expect(t, "33 letters", start(t, "RU", label(strings.Repeat("ж", 33))), "callers", "callers ru-label")
	expect(t, "33 letters in America", start(t, "US", label(strings.Repeat("ж", 33))), "callers")
	expect(t, "none", start(t, "RU", label("")), "callers ru-label")
	expect(t, "none in America", start(t, "US", label("")))
	expect(t, "none, and meant so", start(t, "RU", func(c *pbx.Campaign, _ *Facts) { c.Callers[0].Label, c.Unlabelled = "", true }))
	expect(t, "none for Moscow alone", start(t, "RU", func(c *pbx.Campaign, _ *Facts) {
		c.Callers = append(c.Callers, pbx.CampaignCaller{Prefix: "+7495", Number: "+74950000000"})
	}), "callers ru-label")
}

// TestCheckStart: what else a campaign may lack.
func TestCheckStart(t *testing.T) {
	expect(t, "good", start(t, "RU US GB DE KZ", func(*pbx.Campaign, *Facts) {}))
	expect(t, "no schedule", start(t, "RU", func(_ *pbx.Campaign, f *Facts) { f.Schedule = nil }), "when")
	expect(t, "an empty schedule", start(t, "RU", func(_ *pbx.Campaign, f *Facts) { f.Schedule = &pbx.Schedule{} }), "when")
	expect(t, "a schedule at night", start(t, "RU", func(_ *pbx.Campaign, f *Facts) { f.Schedule = schedule(t, "22:00-06:00") }), "when")
	expect(t, "night here is day there", start(t, "RU", func(_ *pbx.Campaign, f *Facts) {
		f.Schedule = schedule(t, "02:00-06:00")
		f.Home, _ = pbx.ParseZone("Europe/Moscow")
	}))
	expect(t, "nobody has agreed", start(t, "RU", func(c *pbx.Campaign, _ *Facts) { c.Consent = pbx.ConsentLaw }), "consent ru-mass-consent")
	expect(t, "some have", start(t, "RU", func(c *pbx.Campaign, f *Facts) { c.Consent, f.Consented = pbx.ConsentLaw, true }))
	expect(t, "nobody has to", start(t, "GB", func(c *pbx.Campaign, _ *Facts) { c.Consent = pbx.ConsentLaw }))
	expect(t, "the company wants it", start(t, "GB", func(c *pbx.Campaign, f *Facts) { c.Consent, f.Own = pbx.ConsentLaw, Own(Demand{Consent: true}) }), "consent company")
	expect(t, "the campaign wants it", start(t, "GB", func(c *pbx.Campaign, _ *Facts) { c.Consent = pbx.ConsentNeeded }), "consent company")
	expect(t, "5 % abandoned", start(t, "RU US", func(c *pbx.Campaign, _ *Facts) { c.Pace.Abandoned = 0.05 }),
		"pace.abandoned any-abandoned-day", "pace.abandoned any-abandoned-month", "pace.abandoned us-abandoned")
	expect(t, "2 % abandoned", start(t, "RU US", func(c *pbx.Campaign, _ *Facts) { c.Pace.Abandoned = 0.02 }))
	expect(t, "behind the calendar", start(t, "FR", func(c *pbx.Campaign, f *Facts) {
		c.Kind, f.At = pbx.CampaignAdvertising, local(t, "Europe/Paris", "2029-01-08 12:00")
	}), "when eu-advertising-hours", "when fr-advertising-hours")
	for countries, want := range map[string][]AbandonedCap{"US": {{0.03, 720 * time.Hour}}, "GB US": {{0.03, 24 * time.Hour}, {0.03, 720 * time.Hour}}, "": nil} {
		if got := load(t).Abandoned(strings.Fields(countries), pbx.CampaignSurvey, pbx.DialPredictive, monday(t)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", countries, got)
		}
	}
	list := load(t).Terms("RU", pbx.CampaignAdvertising, pbx.DialPreview, monday(t)).Notices()
	if len(list) != 2 || list[0].ID != "ru-advertising-fines" {
		t.Errorf("notices: %v", list)
	}
}

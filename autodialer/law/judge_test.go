package law

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"

	"pgregory.net/rapid"
)

func fields(text string) func(func(string) bool) { return strings.FieldsSeq(text) }

// monday is within the hours of all of Russia and of London.
func monday(t testing.TB) time.Time { return local(t, "Europe/Moscow", "2026-11-23 12:30") }

func with(c Case, change func(*Case)) Case {
	change(&c)
	return c
}

// TestA15 keeps a machine from a number for 72 hours after an abandoned call and for 24 after
// a silent one; an operator who is reserved, or who dials, may call.
func TestA15NoRedialAfterAbandonedOrSilent(t *testing.T) {
	l := load(t)
	at := local(t, "Europe/London", "2026-11-23 12:00")
	for _, number := range []string{"+442079460958", kamchatka, "+12125550100"} {
		zone, _ := pbx.ParseZone(pbx.Zones(number)[0])
		at := time.Date(2026, 11, 23, 12, 0, 0, 0, zone)
		c := Case{At: at, Kind: pbx.CampaignOperators, Mode: pbx.DialPredictive, Operator: true, Number: number, Label: "label", Consent: &pbx.Consent{Source: "form", At: at.AddDate(0, -1, 0)}}
		for _, k := range []struct {
			name   string
			change func(*Case)
			wait   time.Duration
			reason pbx.HoldReason
		}{
			{"nothing", func(*Case) {}, 0, ""},
			{"abandoned just now", func(c *Case) { c.LastAbandoned = at }, 72 * time.Hour, pbx.HeldAbandoned},
			{"abandoned 71 hours ago", func(c *Case) { c.LastAbandoned = at.Add(-71 * time.Hour) }, time.Hour, pbx.HeldAbandoned},
			{"abandoned 72 hours ago", func(c *Case) { c.LastAbandoned = at.Add(-72 * time.Hour) }, 0, ""},
			{"silent 23 hours ago", func(c *Case) { c.LastSilent = at.Add(-23 * time.Hour) }, time.Hour, pbx.HeldSilent},
			{"silent 24 hours ago", func(c *Case) { c.LastSilent = at.Add(-24 * time.Hour) }, 0, ""},
			{"both", func(c *Case) { c.LastSilent, c.LastAbandoned = at.Add(-time.Hour), at.Add(-70*time.Hour) }, 23 * time.Hour, pbx.HeldSilent},
			{"of the history", func(c *Case) {
				c.History = []pbx.Contacted{{Number: number, At: at.Add(-71 * time.Hour), Mode: pbx.DialPredictive, Outcome: pbx.AttemptAbandoned}}
			}, time.Hour, pbx.HeldAbandoned},
			{"that ended later than it began", func(c *Case) {
				c.History = []pbx.Contacted{{Number: number, At: at.Add(-73 * time.Hour), Ended: at.Add(-71 * time.Hour), Mode: pbx.DialPredictive, Outcome: pbx.AttemptAbandoned}}
			}, time.Hour, pbx.HeldAbandoned},
			{"a machine, of the history", func(c *Case) {
				c.History = []pbx.Contacted{{Number: number, At: at.Add(-23 * time.Hour), Mode: pbx.DialProgressive, Outcome: pbx.AttemptMachine}}
			}, time.Hour, pbx.HeldSilent},
			{"a machine that was left a message", func(c *Case) {
				c.History = []pbx.Contacted{{Number: number, At: at.Add(-23 * time.Hour), Mode: pbx.DialMessage, Outcome: pbx.AttemptMachine}}
			}, 0, ""},
			{"of another number", func(c *Case) {
				c.History = []pbx.Contacted{{Number: "+442079460000", At: at, Mode: pbx.DialPredictive, Outcome: pbx.AttemptAbandoned}}
			}, 0, ""},
			{"an operator is reserved", func(c *Case) { c.LastAbandoned, c.Reserved = at, true }, 0, ""},
			{"an operator dials", func(c *Case) { c.LastAbandoned, c.Mode = at, pbx.DialPreview }, 0, ""},
		} {
			v := l.Judge(with(c, k.change))
			if k.wait == 0 && v.Do != Dial || k.wait > 0 && (v.Do != Wait || !v.NotBefore.Equal(at.Add(k.wait)) || v.Reason != k.reason) {
				t.Errorf("%s, %s: %+v", number, k.name, v)
			}
		}
	}
	// Over before the hours begin: it is waited for these.
	c := Case{At: at, Kind: pbx.CampaignInform, Mode: pbx.DialPredictive, Operator: true, Number: "+442079460958", LastAbandoned: local(t, "Europe/London", "2026-11-21 08:00")}
	if v := l.Judge(c); v.Do != Wait || !v.NotBefore.Equal(local(t, "Europe/London", "2026-11-24 09:00")) || v.Reason != pbx.HeldAbandoned {
		t.Errorf("%+v", v)
	}
}

// TestA17 skips who has no record of consent where one is needed.
func TestA17NoConsentRecord(t *testing.T) {
	l := load(t)
	at := monday(t)
	given := &pbx.Consent{Source: "form", Text: "calls", At: at.AddDate(0, -1, 0)}
	for _, c := range []struct {
		number, kind, mode string
		consent            *pbx.Consent
		own                Terms
		rule               string // "": it may be dialled
	}{
		{mobile, "advertising", "preview", nil, nil, "ru-advertising-consent"},
		{mobile, "advertising", "preview", given, nil, ""},
		{mobile, "inform", "message", nil, nil, "ru-mass-consent"},
		{mobile, "inform", "message", given, nil, ""},
		{mobile, "inform", "message", &pbx.Consent{Source: "form"}, nil, "ru-mass-consent"},                             // nobody knows when
		{mobile, "inform", "message", &pbx.Consent{At: at.AddDate(0, -1, 0)}, nil, "ru-mass-consent"},                   // nor where
		{mobile, "inform", "message", &pbx.Consent{Source: "form", At: at.Add(25 * time.Hour)}, nil, "ru-mass-consent"}, // no clock is ahead so far
		{mobile, "operators", "predictive", nil, nil, "ru-mass-consent"},
		{mobile, "operators", "preview", nil, nil, ""}, // a person dials one number
		{mobile, "operators", "preview", nil, OwnOf(&pbx.Campaign{Consent: pbx.ConsentNeeded}), "company"},
		{mobile, "debt", "message", nil, nil, ""},
		{"+12125550100", "advertising", "message", nil, nil, "us-advertising-written-consent"},
		{"+12125550100", "advertising", "preview", nil, nil, "us-advertising-consent"},
		{"+442079460958", "advertising", "message", nil, nil, "gb-advertising-message-consent"},
		{"+442079460958", "inform", "message", nil, nil, ""},
		{"+4930123456", "advertising", "predictive", nil, nil, "eu-advertising-consent"},
		{"+33140000000", "advertising", "message", nil, nil, "eu-advertising-message-consent"},
		{"+77272123456", "advertising", "preview", nil, nil, "any-advertising-consent"},
	} {
		v := l.Judge(Case{At: at, Kind: pbx.CampaignKind(c.kind), Mode: pbx.DialMode(c.mode), Operator: c.mode != "message", Number: c.number, Consent: c.consent, Label: "label", Own: c.own})
		skipped := v.Do == Skip && v.Reason == pbx.HeldNoConsent
		if skipped != (c.rule != "") || skipped && !slices.Contains(v.Rules, c.rule) {
			t.Errorf("%s, %s, %s, %v: %+v, want %q", c.number, c.kind, c.mode, c.consent, v, c.rule)
		}
	}
}

// TestConsentByClockAhead waits for a consent that is given in a moment by our clock.
func TestConsentByClockAhead(t *testing.T) {
	l := load(t)
	at := local(t, "Asia/Kamchatka", "2026-11-23 12:00")
	c := Case{At: at, Kind: pbx.CampaignInform, Mode: pbx.DialMessage, Number: mobile, Zone: "Asia/Kamchatka", Consent: &pbx.Consent{Source: "form", At: at.Add(time.Minute)}, Label: "label"}
	if v := l.Judge(c); v.Do != Wait || !v.NotBefore.Equal(at.Add(time.Minute)) || v.Reason != pbx.HeldNoConsent || !slices.Contains(v.Rules, "ru-mass-consent") {
		t.Errorf("%+v", v)
	}
	if v := l.Judge(with(c, func(c *Case) { c.At = at.Add(time.Minute) })); v.Do != Dial {
		t.Errorf("then: %+v", v)
	}
	if v := l.Judge(with(c, func(c *Case) { c.Kind = pbx.CampaignDebt })); v.Do != Dial {
		t.Errorf("where none is needed: %+v", v)
	}
}

// talks are contacts with a debtor, so many hours ago, by campaigns in a mode.
func talks(at time.Time, mode pbx.DialMode, outcome pbx.AttemptOutcome, hours ...int) []pbx.Contacted {
	var list []pbx.Contacted
	for _, h := range hours {
		list = append(list, pbx.Contacted{Number: kamchatka, At: at.Add(-time.Duration(h) * time.Hour), Kind: pbx.CampaignDebt, Mode: mode, Outcome: outcome})
	}
	return list
}

// TestA18 counts what all campaigns for debts did: calls 1, 2 and 8, messages 2, 4 and 16 in a
// day, a week and a month.
func TestA18DebtCounters(t *testing.T) {
	l := load(t)
	at := local(t, "Asia/Kamchatka", "2027-03-02 12:00") // Tuesday; the last month had 28 days
	every := func(mode pbx.DialMode, n, hours int) []pbx.Contacted {
		var list []pbx.Contacted
		for i := range n {
			list = append(list, talks(at, mode, pbx.AttemptAnswered, (i+8)*hours)...)
		}
		return list
	}
	for _, c := range []struct {
		name    string
		mode    pbx.DialMode
		history []pbx.Contacted
		want    string // by the callee's clock; "": now
		reason  pbx.HoldReason
	}{
		{"nobody", pbx.DialPredictive, nil, "", ""},
		{"a call today", pbx.DialPredictive, talks(at, pbx.DialPreview, pbx.AttemptConnected, 1), "2027-03-03 11:00", pbx.HeldDebtDay},
		{"a call yesterday evening", pbx.DialPredictive, talks(at, pbx.DialPreview, pbx.AttemptConnected, 16), "2027-03-02 20:00", pbx.HeldDebtDay},
		{"a day ago", pbx.DialPredictive, talks(at, pbx.DialPreview, pbx.AttemptConnected, 24), "", ""},
		{"one that goes on", pbx.DialPredictive, talks(at, pbx.DialPreview, "", 0), "2027-03-03 12:00", pbx.HeldDebtDay},
		{"one that a crash left", pbx.DialPredictive, talks(at, pbx.DialPredictive, pbx.AttemptInterrupted, 3), "2027-03-03 09:00", pbx.HeldDebtDay},
		{"one that was abandoned", pbx.DialPreview, talks(at, pbx.DialPredictive, pbx.AttemptAbandoned, 3), "2027-03-03 09:00", pbx.HeldDebtDay},
		{"a machine, which may have been nobody", pbx.DialPreview, talks(at, pbx.DialPredictive, pbx.AttemptMachine, 3), "2027-03-03 09:00", pbx.HeldDebtDay},
		{"nobody answered", pbx.DialPredictive, talks(at, pbx.DialPreview, pbx.AttemptNoAnswer, 1, 2, 3), "", ""},
		{"another kind", pbx.DialPredictive, []pbx.Contacted{{Number: kamchatka, At: at, Kind: pbx.CampaignInform, Mode: pbx.DialPreview, Outcome: pbx.AttemptConnected}}, "", ""},
		{"two calls in six days", pbx.DialPredictive, talks(at, pbx.DialPreview, pbx.AttemptConnected, 30, 6*24), "2027-03-03 12:00", pbx.HeldDebtWeek},
		{"two calls, over Sunday", pbx.DialPredictive, talks(at, pbx.DialPreview, pbx.AttemptConnected, 49, 50), "2027-03-07 10:00", pbx.HeldDebtWeek},
		{"eight calls in 31 days", pbx.DialPredictive, every(pbx.DialPreview, 8, 48), "2027-03-03 12:00", pbx.HeldDebtMonth},
		{"seven calls in 31 days", pbx.DialPredictive, every(pbx.DialPreview, 7, 48), "", ""},
		{"messages are no calls", pbx.DialPredictive, talks(at, pbx.DialMessage, pbx.AttemptAnswered, 1, 2, 3), "", ""},
		{"but from one an operator was reached", pbx.DialPredictive, talks(at, pbx.DialMessage, pbx.AttemptConnected, 1), "2027-03-03 11:00", pbx.HeldDebtDay},
		{"calls are no messages", pbx.DialMessage, talks(at, pbx.DialPreview, pbx.AttemptConnected, 1, 2, 3), "", ""},
		{"a message today", pbx.DialMessage, talks(at, pbx.DialMessage, pbx.AttemptAnswered, 1), "", ""},
		{"two messages today", pbx.DialMessage, talks(at, pbx.DialMessage, pbx.AttemptAnswered, 1, 2), "2027-03-03 10:00", pbx.HeldDebtDay},
		{"two on a machine", pbx.DialMessage, talks(at, pbx.DialMessage, pbx.AttemptMachine, 1, 2), "2027-03-03 10:00", pbx.HeldDebtDay},
		{"four messages this week", pbx.DialMessage, talks(at, pbx.DialMessage, pbx.AttemptAnswered, 25, 50, 75, 100), "2027-03-05 08:00", pbx.HeldDebtWeek},
		{"sixteen messages in 31 days", pbx.DialMessage, every(pbx.DialMessage, 16, 31), "2027-03-03 19:00", pbx.HeldDebtMonth},
	} {
		k := debtor(at, kamchatka)
		k.Mode, k.Operator, k.History, k.Reserved = c.mode, c.mode.OperatorMode(), c.history, true
		v := l.Judge(k)
		if c.want == "" {
			if v.Do != Dial {
				t.Errorf("%s: %+v", c.name, v)
			}
			continue
		}
		if v.Do != Wait || v.Reason != c.reason || !v.NotBefore.Equal(local(t, "Asia/Kamchatka", c.want)) {
			t.Errorf("%s: %+v, want %s", c.name, v, c.want)
			continue
		}
		k.End = v.NotBefore
		if v := l.Judge(k); v.Do != Skip || v.Reason != c.reason || !v.NotBefore.IsZero() {
			t.Errorf("%s, and the campaign ends before: %+v", c.name, v)
		}
	}
	// What the store is to check again.
	v := l.Judge(with(debtor(at, kamchatka), func(c *Case) { c.Mode = pbx.DialPreview }))
	want := []pbx.ContactLimit{
		{Kind: pbx.CampaignDebt, Since: at.Add(time.Microsecond - 24*time.Hour), Max: 1, Reason: pbx.HeldDebtDay},
		{Kind: pbx.CampaignDebt, Since: at.Add(time.Microsecond - 168*time.Hour), Max: 2, Reason: pbx.HeldDebtWeek},
		{Kind: pbx.CampaignDebt, Since: at.Add(time.Microsecond - 744*time.Hour), Max: 8, Reason: pbx.HeldDebtMonth},
	}
	if v.Do != Dial || !slices.Equal(v.Limits, want) {
		t.Errorf("%+v", v)
	}
}

// TestCountersHoldInTheCalendar dials whenever it is allowed, for months, and counts by the
// calendar of every zone of Russia: no day has more than one call, no week, from Monday or from
// Sunday, more than two, and no month more than eight.
func TestCountersHoldInTheCalendar(t *testing.T) {
	l := load(t)
	rapid.Check(t, func(t *rapid.T) {
		zone, _ := pbx.ParseZone(rapid.SampledFrom(pbx.ZonesOf("RU")).Draw(t, "zone"))
		at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 60*24*60).Draw(t, "begin")) * time.Minute)
		c := debtor(at, kamchatka)
		var made []time.Time
		for range 40 {
			c.At = c.At.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "later")) * time.Minute)
			v := l.Judge(c)
			if v.Do == Wait {
				c.At = v.NotBefore
				v = l.Judge(c)
			}
			if v.Do != Dial {
				t.Fatalf("%+v", v)
			}
			made = append(made, c.At)
			c.History = append(c.History, pbx.Contacted{Number: kamchatka, At: c.At, Kind: pbx.CampaignDebt, Mode: pbx.DialPreview, Outcome: pbx.AttemptConnected})
		}
		days, mondays, sundays, months := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
		for _, m := range made {
			here := m.In(zone)
			days[here.Format(time.DateOnly)]++
			months[here.Format("2006-01")]++
			sundays[here.AddDate(0, 0, -int(here.Weekday())).Format(time.DateOnly)]++
			mondays[here.AddDate(0, 0, -int(here.Weekday()+6)%7).Format(time.DateOnly)]++
		}
		for name, k := range map[string]struct {
			counts map[string]int
			most   int
		}{"day": {days, 1}, "week from Monday": {mondays, 2}, "week from Sunday": {sundays, 2}, "month": {months, 8}} {
			for first, n := range k.counts {
				if n > k.most {
					t.Fatalf("%d calls in the %s of %s", n, name, first)
				}
			}
		}
	})
}

// TestJudge: what else forbids a dial.
func TestJudge(t *testing.T) {
	l := load(t)
	at := monday(t)
	given := &pbx.Consent{Source: "form", At: at.AddDate(0, -1, 0)}
	good := Case{At: at, Kind: pbx.CampaignAdvertising, Mode: pbx.DialPredictive, Operator: true, Number: mobile, Consent: given, Label: "Ромашка"}
	for _, c := range []struct {
		name   string
		change func(*Case)
		do     Decision
		reason pbx.HoldReason
	}{
		{"good", func(*Case) {}, Dial, ""},
		{"stop list", func(c *Case) { c.Stopped = true }, Skip, pbx.HeldStopList},
		{"no number", func(c *Case) { c.Number = "" }, Skip, pbx.HeldCountry},
		{"no country", func(c *Case) { c.Number = "+80012345678" }, Skip, pbx.HeldCountry},
		{"no country, but it is known", func(c *Case) { c.Number, c.Country = "+80012345678", "KZ" }, Dial, ""},
		{"a country that does not exist", func(c *Case) { c.Number, c.Country = "+80012345678", "Russia" }, Skip, pbx.HeldCountry},
		{"a message", func(c *Case) { c.Mode, c.Operator = pbx.DialMessage, false }, Skip, pbx.HeldAdvert},
		{"a message with a key", func(c *Case) { c.Mode = pbx.DialMessage }, Skip, pbx.HeldAdvert},
		{"a message to Russia, said to be Kazakhstan", func(c *Case) { c.Mode, c.Country = pbx.DialMessage, "KZ" }, Skip, pbx.HeldAdvert},
		{"nobody speaks", func(c *Case) { c.Operator = false }, Skip, pbx.HeldAdvert},
		{"a message to America", func(c *Case) { c.Mode, c.Number, c.Zone = pbx.DialMessage, "+12125550100", "Europe/Moscow" }, Dial, ""},
		{"no label", func(c *Case) { c.Label = "" }, Skip, pbx.HeldLabel},
		{"no label, and meant so", func(c *Case) { c.Label, c.Unlabelled = "", true }, Dial, ""},
		{"a label of 32 letters", func(c *Case) { c.Label = strings.Repeat("я", 32) }, Dial, ""},
		{"a label of 33 letters", func(c *Case) { c.Label, c.Unlabelled = strings.Repeat("я", 33), true }, Skip, pbx.HeldLabel},
		{"no label in America", func(c *Case) { c.Label, c.Number, c.Zone = "", "+12125550100", "Europe/Moscow" }, Dial, ""},
		{"an own zone", func(c *Case) { c.Zone = "Asia/Kamchatka" }, Wait, pbx.HeldWindow},
		{"a zone that is none", func(c *Case) { c.Zone, c.At = "Moscow", at.Add(-2*time.Hour) }, Dial, ""},
		{"a company's own hours", func(c *Case) { c.Own = Own(Demand{Hours: &LegalHours{Week: schedule(t, "13:00-14:00").Hours}}) }, Wait, pbx.HeldWindow},
		{"a company's own hours, at night", func(c *Case) { c.Own = Own(Demand{Hours: &LegalHours{Week: schedule(t, "04:00-05:00").Hours}}) }, Skip, pbx.HeldNoWindow},
		{"the campaign is over first", func(c *Case) { c.Zone, c.End = "Asia/Kamchatka", at.Add(time.Hour) }, Skip, pbx.HeldWindow},
	} {
		k := good
		if c.name != "a zone that is none" {
			k.Zone = "Europe/Moscow"
		}
		v := l.Judge(with(k, c.change))
		if v.Do != c.do || v.Reason != c.reason || (v.Do == Wait) == v.NotBefore.IsZero() {
			t.Errorf("%s: %+v, want %s, %s", c.name, v, c.do, c.reason)
		}
		if english, russian := Text(v.Reason); v.Do != Dial && (english == "" || russian == "") {
			t.Errorf("%s: no words for %s", c.name, v.Reason)
		}
	}
	// Attempts of the French are counted whatever came of them.
	paris := local(t, "Europe/Paris", "2026-11-23 11:00")
	k := Case{At: paris, Kind: pbx.CampaignAdvertising, Mode: pbx.DialPreview, Operator: true, Number: "+33140000000", Consent: given}
	for i := range 4 {
		k.History = append(k.History, pbx.Contacted{Number: k.Number, At: paris.AddDate(0, 0, -29+i), Kind: k.Kind, Mode: k.Mode, Outcome: pbx.AttemptNoAnswer})
	}
	if v := l.Judge(k); v.Do != Wait || v.Reason != pbx.HeldContacts || !v.NotBefore.Equal(paris.AddDate(0, 0, 1)) {
		t.Errorf("%+v", v)
	}
}

func BenchmarkJudge(b *testing.B) {
	l := load(b)
	at := monday(b)
	own := schedule(b, "mon-fri 09:00-21:00")
	for name, number := range map[string]string{"one zone": "+74957777777", "eleven zones": mobile} {
		for when, at := range map[string]time.Time{"now": at, "later": at.Add(12 * time.Hour)} {
			b.Run(name+"/"+when, func(b *testing.B) {
				c := debtor(at, number)
				c.Schedule = own
				c.Home = at.Location()
				c.History = talks(at, pbx.DialPreview, pbx.AttemptConnected, 24*8, 24*12, 24*20)
				b.ReportAllocs()
				for b.Loop() {
					l.Judge(c)
				}
			})
		}
	}
}

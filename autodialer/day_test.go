package autodialer

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"vpbx/pbx"
)

// area is a place where targets of a simulated day live.
type area struct{ prefix, zone string }

// The numbers of these are landlines: their zones are known.
var areas = []area{{"+7495", "Europe/Moscow"}, {"+7423", "Asia/Vladivostok"}, {"+74012", "Europe/Kaliningrad"}, {"+73432", "Asia/Yekaterinburg"}, {"+7495", "Europe/Moscow"}}

// resident gives the n-th number of a simulated day and its zone.
func resident(n int) (string, string) {
	a := areas[n%len(areas)]
	digits := 12 - len(a.prefix)
	return a.prefix + fmt.Sprintf("%0*d", digits, 200000+n)[:digits], a.zone
}

// TestSimulatedDay calls the people of three campaigns in a day, in fake time, with
// the code that calls them in earnest: limits, hours, attempts and the share of
// abandoned calls hold in every minute, and the report is what was seen.
// CAMPAIGN_TARGETS sets how many there are.
func TestSimulatedDay(t *testing.T) {
	targets := 1500
	if n, err := strconv.Atoi(os.Getenv("CAMPAIGN_TARGETS")); err == nil {
		targets = n
	}
	began := time.Now()
	share := func(percent int) int { return targets * percent / 100 }
	news := campaign("news")
	news.Pace = pbx.CampaignPace{PerSecond: max(1, float64(targets)/20000), AtOnce: max(20, targets/400), RampUp: time.Minute, Abandoned: 0.03}
	debts := campaign("debts")
	debts.Kind, debts.Pace = pbx.CampaignDebt, news.Pace
	sales := campaign("sales")
	sales.Kind, sales.Mode, sales.Script = pbx.CampaignOperators, pbx.DialPredictive, nil
	sales.Operators = pbx.Operators{Queue: "700", Within: safeHarbour, SafeHarbour: "hello"}
	sales.Pace = pbx.CampaignPace{PerSecond: 10, AtOnce: 200, Abandoned: 0.03}
	acme := company(news, debts, sales)
	acme.Limits.Calls = max(60, targets/300)
	crewOf := max(10, targets/700)
	bubble(t, 42, monday.Add(-8*time.Hour), acme, func(w *world) {
		w.exchange.crew = crew{crewOf, crewOf}
		w.targets = targets
		n := 0
		for _, k := range []struct {
			name  string
			share int
		}{{"news", share(50)}, {"debts", share(20)}, {"sales", share(30)}} {
			var list []pbx.Target
			for i := range k.share {
				number, _ := resident(n)
				n++
				list = append(list, pbx.Target{Numbers: []string{number}})
				if len(list) == 1000 || i == k.share-1 {
					if _, err := w.store.AddTargets(w.t.Context(), "acme", k.name, list); err != nil {
						w.t.Fatal(err)
					}
					list = nil
				}
			}
			w.must(w.runner.StartCampaign(w.t.Context(), "acme", k.name, "anna"))
		}
		time.Sleep(13 * time.Hour)
		w.close() // at noon in Moscow the program is restarted
		w.open()
		w.start()
		time.Sleep(11 * time.Hour)
		for _, k := range []*pbx.Campaign{news, debts, sales} {
			w.check(k, acme.Limits.Calls)
		}
		w.total(acme.Limits.Calls)
	})
	t.Logf("%d targets took %s", targets, time.Since(began).Round(time.Second))
}

// check tells what a campaign has done that it must not.
func (w *world) check(k *pbx.Campaign, limit int) {
	t := w.t
	t.Helper()
	var seen []dialSeen
	for _, d := range w.exchange.calls() {
		if d.c.Campaign == k.Name {
			seen = append(seen, d)
		}
	}
	slices.SortFunc(seen, func(a, b dialSeen) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.c.Target, b.c.Target)) })
	zones := map[string]string{}
	for n := range w.targets {
		number, zone := resident(n)
		zones[number] = zone
	}
	type attempt struct {
		target int64
		n      int
	}
	once, tried := map[attempt]bool{}, map[int64]int{}
	var second []time.Time
	outcomes, live, abandoned := map[pbx.AttemptOutcome]int{}, 0, 0
	for _, d := range seen {
		if once[attempt{d.c.Target, d.c.N}] {
			t.Errorf("%s: attempt %d of target %d is made twice", k.Name, d.c.N, d.c.Target)
		}
		once[attempt{d.c.Target, d.c.N}] = true
		if tried[d.c.Target]++; tried[d.c.Target] > k.Redial.PerNumber {
			t.Errorf("%s: %s is called %d times", k.Name, d.c.Number, tried[d.c.Target])
		}
		zone, err := time.LoadLocation(zones[d.c.Number])
		if err != nil {
			t.Fatal(err)
		}
		if h := d.at.In(zone).Hour(); h < 10 || h >= 18 {
			t.Errorf("%s: %s is called at %s", k.Name, d.c.Number, d.at.In(zone))
		}
		second = append(second, d.at)
		for d.at.Sub(second[0]) >= time.Second {
			second = second[1:]
		}
		if float64(len(second)) > k.Pace.PerSecond+0.999 {
			t.Errorf("%s: %d calls within a second at %s", k.Name, len(second), d.at)
		}
		outcomes[d.outcome]++
		if d.outcome.Live() {
			live++
		}
		if d.outcome == pbx.AttemptAbandoned {
			abandoned++
		}
		if live >= 200 && float64(abandoned) > 0.03*float64(live)+3 {
			t.Errorf("%s: %d of %d live answers are abandoned at %s", k.Name, abandoned, live, d.at)
		}
	}
	if m := w.exchange.peak(k.Name); m > k.Pace.AtOnce {
		t.Errorf("%s: %d calls at once", k.Name, m)
	}
	r, err := w.store.CampaignReport(t.Context(), "acme", k.Name, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Attempts != len(seen) || r.Live != live {
		t.Errorf("%s: %d attempts, %d live in the report; %d and %d were seen", k.Name, r.Attempts, r.Live, len(seen), live)
	}
	for o, n := range outcomes {
		if r.Outcomes[o] != n {
			t.Errorf("%s: %s: %d in the report, %d seen", k.Name, o, r.Outcomes[o], n)
		}
	}
	t.Logf("%s: %d calls, %v, %d of %d live abandoned, %v", k.Name, len(seen), outcomes, abandoned, live, r.Targets)
}

// total tells when the company had more calls at once than it may.
func (w *world) total(limit int) {
	w.t.Helper()
	type edge struct {
		at time.Time
		up int
	}
	var edges []edge
	for _, d := range w.exchange.calls() {
		edges = append(edges, edge{d.at, 1}, edge{d.over, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), a.up-b.up) })
	now, most := 0, 0
	for _, e := range edges {
		now += e.up
		most = max(most, now)
	}
	if most > limit {
		w.t.Errorf("%d calls at once of the company", most)
	}
	w.t.Logf("%d calls at once at most, %d are allowed", most, limit)
}

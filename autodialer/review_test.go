package autodialer

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestPlannedStartOnce: a campaign whose time comes while the document is edited, or while
// somebody starts it by hand, starts once, and is not paused because it runs already.
func TestPlannedStartOnce(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration // the start
		do    func(*world)
	}{
		"edited": {100 * time.Millisecond, func(w *world) {
			w.edit(func(c *pbx.Company) { c.Name += " Ltd" })
			w.runner.CampaignChanged("acme", "")
		}},
		"by hand": {-100 * time.Millisecond, func(w *world) { w.must(w.runner.StartCampaign(w.t.Context(), "acme", "news", "anna")) }},
	} {
		t.Run(name, func(t *testing.T) {
			k := campaign("news")
			k.Start = monday.Add(10 * time.Minute)
			failing(t, company(k), func(w *world, x *faulty) {
				w.add("news", 200)
				x.saving.Store(func() { time.Sleep(500 * time.Millisecond) })
				time.Sleep(time.Until(k.Start) + test.after)
				test.do(w)
				time.Sleep(5 * time.Second)
				s, err := w.store.CampaignState(w.t.Context(), "acme", "news")
				if err != nil || s.Status != pbx.CampaignRunning || s.Alert != "" || s.Version != 1 {
					w.t.Errorf("%s, version %d, alert %q, %v", s.Status, s.Version, s.Alert, err)
				}
			})
		})
	}
}

// edit changes the company.
func (w *world) edit(f func(*pbx.Company)) {
	w.t.Helper()
	err := w.store.UpdateCompany(w.t.Context(), "acme", func(old *pbx.Company) (*pbx.Company, error) {
		c := *old
		f(&c)
		return &c, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// slow is a store that takes its time to read.
type slow struct {
	Store
	reading   atomic.Int64 // nanoseconds
	conflicts atomic.Int64
}

func (s *slow) DueTargets(ctx context.Context, t pbx.TenantID, campaign string, at time.Time, limit int) ([]pbx.Target, time.Time, error) {
	list, next, err := s.Store.DueTargets(ctx, t, campaign, at, limit)
	time.Sleep(time.Duration(s.reading.Load()))
	return list, next, err
}

func (s *slow) BeginAttempt(ctx context.Context, t pbx.TenantID, a pbx.Attempt, g pbx.AttemptGuard) (pbx.HoldReason, error) {
	held, err := s.Store.BeginAttempt(ctx, t, a, g)
	if pbx.KindOf(err) == pbx.Conflict {
		s.conflicts.Add(1)
	}
	return held, err
}

// slowly runs f in a bubble whose store takes its time.
func slowly(t *testing.T, reading time.Duration, at time.Time, c *pbx.Company, f func(*world, *slow)) {
	t.Helper()
	bubble(t, 31, at, c, func(w *world) {
		w.runner.Close()
		x := &slow{}
		x.reading.Store(int64(reading))
		w.between = func(s Store) Store { x.Store = s; return x }
		w.start()
		f(w, x)
	})
}

// TestPutOffWhileReading: targets that are put off while others are read are not read twice:
// nobody waits for its turn two times.
func TestPutOffWhileReading(t *testing.T) {
	evening := monday.Add(6 * time.Hour) // the hours end in Yekaterinburg
	slowly(t, 0, evening.Add(-30*time.Second), company(campaign("news")), func(w *world, x *slow) {
		t := w.t
		list := func(from, n int, zone string) {
			var all []pbx.Target
			for i := range n {
				all = append(all, pbx.Target{Numbers: []string{number(from + i)}, Zone: zone})
			}
			if _, err := w.store.AddTargets(t.Context(), "acme", "news", all); err != nil {
				t.Fatal(err)
			}
		}
		w.exchange.habits = func(string) habits { return habits{busy: 1} }
		list(0, 190, "Asia/Yekaterinburg")
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(time.Until(evening.Add(-2 * time.Second)))
		x.reading.Store(int64(3 * time.Second))
		list(1000, 150, "Europe/Moscow")
		time.Sleep(time.Minute)
		if n := x.conflicts.Load(); n != 0 {
			t.Errorf("%d targets were called for two times at once", n)
		}
		if n := len(w.exchange.calls()); n < 200 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestAddedAllTheTime: a campaign to which people are added one by one, faster than it is
// read, calls all the same.
func TestAddedAllTheTime(t *testing.T) {
	slowly(t, 300*time.Millisecond, monday, company(campaign("news")), func(w *world, _ *slow) {
		t := w.t
		w.add("news", 100)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		for n := range 300 {
			if _, err := w.store.AddTargets(t.Context(), "acme", "news", []pbx.Target{{Numbers: []string{number(1000 + n)}}}); err != nil {
				t.Fatal(err)
			}
			w.runner.CampaignChanged("acme", "news")
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(w.exchange.calls()) + w.exchange.now("news"); n < 35 {
			t.Errorf("%d calls in half a minute", n)
		}
	})
}

// TestEditAgainstTheLaw: an edit with which a campaign could not start pauses it when it
// runs, before the next dial; so does one with which nothing can be said.
func TestEditAgainstTheLaw(t *testing.T) {
	for name, test := range map[string]struct {
		alert string
		edit  func(*pbx.Company, *pbx.Campaign)
	}{
		"abandoned": {"gb-abandoned", func(_ *pbx.Company, k *pbx.Campaign) { k.Pace.Abandoned = 0.1 }},
		"within":    {"gb-message-within", func(_ *pbx.Company, k *pbx.Campaign) { k.Operators.Within = 30 * time.Second }},
		"prompt": {"no sound", func(c *pbx.Company, k *pbx.Campaign) {
			c.Prompts = map[string]*pbx.Prompt{"hello": {Name: "hello", Upload: true}}
		}},
		"title": {"", func(_ *pbx.Company, k *pbx.Campaign) { k.Title = "Sales" }},
	} {
		t.Run(name, func(t *testing.T) {
			k := campaign("sales")
			k.Kind, k.Mode, k.Script = pbx.CampaignOperators, pbx.DialProgressive, nil
			k.Operators = pbx.Operators{Queue: "700", Within: 2 * time.Second, SafeHarbour: "hello"}
			acme := company(k)
			acme.Schedules["day"].Hours[0] = pbx.Hours{Days: pbx.EveryDay, From: 0, To: 24 * 60}
			bubble(t, 32, monday.Add(4*time.Hour), acme, func(w *world) {
				t := w.t
				w.exchange.crew = crew{5, 5}
				var list []pbx.Target
				for i := range 300 {
					list = append(list, pbx.Target{Numbers: []string{"+442079460" + number(i)[len(number(i))-3:]}})
				}
				if _, err := w.store.AddTargets(t.Context(), "acme", "sales", list); err != nil {
					t.Fatal(err)
				}
				w.must(w.runner.StartCampaign(t.Context(), "acme", "sales", "anna"))
				time.Sleep(time.Minute)
				before := len(w.exchange.calls()) + w.exchange.now("sales")
				if before == 0 {
					t.Fatal("nobody is called")
				}
				w.edit(func(c *pbx.Company) {
					next := *k
					c.Campaigns = map[string]*pbx.Campaign{"sales": &next}
					test.edit(c, &next)
				})
				w.runner.CampaignChanged("acme", "sales")
				time.Sleep(5 * time.Minute)
				s, err := w.store.CampaignState(t.Context(), "acme", "sales")
				if err != nil {
					t.Fatal(err)
				}
				if n := len(w.exchange.calls()) + w.exchange.now("sales") - before; (n > 0) != (test.alert == "") {
					t.Errorf("%d calls after the edit", n)
				}
				if want := map[bool]pbx.CampaignStatus{true: pbx.CampaignRunning, false: pbx.CampaignPaused}[test.alert == ""]; s.Status != want || !strings.Contains(s.Alert, test.alert) {
					t.Errorf("%s, alert %q", s.Status, s.Alert)
				}
			})
		})
	}
}

// TestConsentOfTheNumber: a record that one number of a target has agreed says nothing of
// its others; one that came with the target does.
func TestConsentOfTheNumber(t *testing.T) {
	k := campaign("news")
	k.Consent = pbx.ConsentNeeded
	bubble(t, 33, monday, company(k), func(w *world) {
		t := w.t
		w.exchange.habits = func(string) habits { return habits{human: 1} }
		yes := pbx.Consent{Number: number(1), Source: "web", Text: "yes", At: monday.Add(-time.Hour)}
		if err := w.store.AddConsents(t.Context(), "acme", []pbx.Consent{yes}); err != nil {
			t.Fatal(err)
		}
		person := yes
		person.Number = ""
		list := []pbx.Target{{Key: "second", Numbers: []string{number(0), number(1)}}, {Key: "none", Numbers: []string{number(2)}},
			{Key: "person", Numbers: []string{number(3), number(4)}, Consent: &person}}
		if _, err := w.store.AddTargets(t.Context(), "acme", "news", list); err != nil {
			t.Fatal(err)
		}
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(10 * time.Minute)
		called := map[string]bool{}
		for _, d := range w.exchange.calls() {
			called[d.c.Number] = true
		}
		if !called[number(1)] || !called[number(3)] || len(called) != 2 {
			t.Errorf("called are %v", called)
		}
	})
}

// skewed is a store whose targets were added by a clock that was ahead.
type skewed struct {
	Store
	by time.Duration
}

func (s skewed) DueTargets(ctx context.Context, t pbx.TenantID, campaign string, at time.Time, limit int) ([]pbx.Target, time.Time, error) {
	list, next, err := s.Store.DueTargets(ctx, t, campaign, at, limit)
	for i := range list {
		list[i].Added = list[i].Added.Add(s.by)
	}
	return list, next, err
}

// TestConsentAfterClockWasPutBack: who was added before the clock of the computer was put back
// is called once the consent is not in the future any more, not skipped for good.
func TestConsentAfterClockWasPutBack(t *testing.T) {
	bubble(t, 34, monday, company(campaign("news")), func(w *world) {
		w.runner.Close()
		w.between = func(s Store) Store { return skewed{s, 10 * time.Minute} }
		w.start()
		w.exchange.habits = func(string) habits { return habits{human: 1} }
		w.add("news", 5)
		k := w.store.Directory().Company("acme").Campaigns["news"]
		w.must(w.runner.StartCampaign(w.t.Context(), "acme", k.Name, "anna"))
		time.Sleep(15 * time.Minute)
		if n := len(w.exchange.calls()); n != 5 {
			w.t.Errorf("%d calls, targets %v", n, w.counts("news"))
		}
	})
}

// TestTrunkDiesWhileAdded: a campaign without a trunk is paused also when people are added to
// it all the time.
func TestTrunkDiesWhileAdded(t *testing.T) {
	bubble(t, 35, monday, company(campaign("news")), func(w *world) {
		t := w.t
		w.add("news", 500)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(30 * time.Second)
		w.trunk("carrier", false)
		for n := range 24 {
			if _, err := w.store.AddTargets(t.Context(), "acme", "news", []pbx.Target{{Numbers: []string{number(1000 + n)}}}); err != nil {
				t.Fatal(err)
			}
			w.runner.CampaignChanged("acme", "news")
			time.Sleep(5 * time.Second)
		}
		if s, err := w.store.CampaignState(t.Context(), "acme", "news"); err != nil || s.Status != pbx.CampaignPaused || !strings.Contains(s.Alert, "trunk") {
			t.Errorf("%s, alert %q, %v", s.Status, s.Alert, err)
		}
	})
}

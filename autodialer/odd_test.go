package autodialer

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestSecondNumberAbroad: a number that may not be called at all leaves its turn to the next
// one of the target, which is judged by the law of its own country.
func TestSecondNumberAbroad(t *testing.T) {
	k := campaign("news")
	k.Callers = []pbx.CampaignCaller{{Prefix: "+7", Number: "+74950000000", Label: "Acme"}}
	bubble(t, 21, monday, company(k), func(w *world) {
		t := w.t
		list := []pbx.Target{{Key: "abroad first", Numbers: []string{"+442079460000", number(1)}}, {Key: "abroad", Numbers: []string{"+442079460001"}}}
		if _, err := w.store.AddTargets(t.Context(), "acme", "news", list); err != nil {
			t.Fatal(err)
		}
		w.exchange.habits = func(string) habits { return habits{human: 1} }
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(5 * time.Minute)
		if c := w.counts("news"); c[pbx.TargetDone] != 1 || c[pbx.TargetSkipped] != 1 {
			t.Errorf("targets %v", c)
		}
		for _, d := range w.exchange.calls() {
			if d.c.Number != number(1) {
				t.Errorf("%s is called", d.c.Number)
			}
		}
	})
}

// TestSkippedIsTold: the CRM is told of a target that ends without having been called.
func TestSkippedIsTold(t *testing.T) {
	k := campaign("news")
	k.Callers = []pbx.CampaignCaller{{Prefix: "+44", Number: "+74950000000", Label: "Acme"}, {Prefix: number(1), Number: "+74950000000", Label: "Acme"}}
	acme := company(k)
	acme.CRM = pbx.CRM{Kind: "webhook", URL: "http://127.0.0.1/", Webhook: &pbx.Webhook{Secret: "0123456789abcdef"}}
	bubble(t, 22, monday, acme, func(w *world) {
		t := w.t
		if !acme.CRM.Wants(pbx.NotifyTarget) {
			t.Fatal("the CRM does not want to know")
		}
		w.add("news", 3)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(time.Minute)
		skipped := w.counts("news")[pbx.TargetSkipped]
		n, err := w.store.OutboxPending(t.Context())
		if err != nil || skipped != 2 || n < 2 {
			t.Errorf("%d are skipped, %d notifications wait, %v", skipped, n, err)
		}
	})
}

// TestCooldownOfAnotherCampaign: a number that one campaign has abandoned is not dialled by
// another that had read it before, within the time that the law lays down.
func TestCooldownOfAnotherCampaign(t *testing.T) {
	sales := func(name string) *pbx.Campaign {
		k := campaign(name)
		k.Kind, k.Mode, k.Script = pbx.CampaignOperators, pbx.DialPredictive, nil
		k.Operators = pbx.Operators{Queue: name, Within: 2 * time.Second, SafeHarbour: "hello"}
		return k
	}
	bubble(t, 23, monday, company(sales("first"), sales("second")), func(w *world) {
		t := w.t
		w.exchange.habits = func(string) habits { return habits{human: 1} }
		crews := crewsOf{exchange: w.exchange}
		w.runner.Close()
		w.runner = nil
		w.dialer = &crews
		w.start()
		crews.free.Store(1)
		w.add("second", 1)
		crews.second.Store(false)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "second", "anna")) // it reads the target, and nobody is free
		time.Sleep(10 * time.Second)
		w.add("first", 1)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "first", "anna")) // its operator goes away: abandoned
		time.Sleep(40 * time.Second)
		crews.second.Store(true)
		time.Sleep(time.Hour)
		var abandoned time.Time
		for _, d := range w.exchange.calls() {
			if d.outcome == pbx.AttemptAbandoned && d.c.Campaign == "first" {
				abandoned = d.at
			}
			if d.c.Campaign == "second" && !abandoned.IsZero() {
				t.Errorf("dialled %s after it was abandoned", d.at.Sub(abandoned))
			}
		}
		if abandoned.IsZero() {
			t.Error("nobody was abandoned")
		}
	})
}

// crewsOf are operators who are said to be free, and are not there.
type crewsOf struct {
	*exchange
	free   atomic.Int64
	second atomic.Bool
}

func (c *crewsOf) Operators(_ pbx.TenantID, queue string) (int, int) {
	if queue == "second" && !c.second.Load() {
		return 1, 0
	}
	return 1, int(c.free.Load())
}

// TestCampaignsShareOperators: campaigns with one queue do not each dial for all of its
// operators.
func TestCampaignsShareOperators(t *testing.T) {
	for _, mode := range []pbx.DialMode{pbx.DialProgressive, pbx.DialPredictive} {
		t.Run(string(mode), func(t *testing.T) {
			var list []*pbx.Campaign
			for _, name := range []string{"east", "west", "north"} {
				k := campaign(name)
				k.Kind, k.Mode, k.Script = pbx.CampaignOperators, mode, nil
				k.Pace.PerSecond = 20
				k.Operators = pbx.Operators{Queue: "700", Within: safeHarbour, SafeHarbour: "hello"}
				list = append(list, k)
			}
			bubble(t, 24, monday, company(list...), func(w *world) {
				w.exchange.crew = crew{6, 6}
				calls := map[string]int{}
				for i, k := range list {
					var targets []pbx.Target
					for n := range 800 {
						targets = append(targets, pbx.Target{Numbers: []string{number(1000*i + n)}})
					}
					if _, err := w.store.AddTargets(w.t.Context(), "acme", k.Name, targets); err != nil {
						w.t.Fatal(err)
					}
					w.must(w.runner.StartCampaign(w.t.Context(), "acme", k.Name, "anna"))
				}
				for range 1800 {
					time.Sleep(time.Second)
					w.exchange.mu.Lock()
					n := 0
					for _, calls := range w.exchange.atNow {
						n += calls
					}
					w.exchange.mu.Unlock()
					if mode == pbx.DialProgressive && n > 6 {
						w.t.Fatalf("%d calls with 6 operators", n)
					}
				}
				live, abandoned := 0, 0
				for _, d := range w.exchange.calls() {
					calls[d.c.Campaign]++
					if d.outcome.Live() {
						live++
					}
					if d.outcome == pbx.AttemptAbandoned {
						abandoned++
					}
				}
				w.t.Logf("%s: calls %v, %d of %d live abandoned", mode, calls, abandoned, live)
				if float64(abandoned) > 0.03*float64(live)+3 {
					w.t.Errorf("%d of %d live answers are abandoned", abandoned, live)
				}
				for _, k := range list {
					if calls[k.Name] < len(w.exchange.calls())/6 {
						w.t.Errorf("calls %v: not fair", calls)
					}
				}
			})
		})
	}
}

// TestConsentTakenBack: a consent that is taken back counts for targets that were read
// before.
func TestConsentTakenBack(t *testing.T) {
	k := campaign("news")
	k.Consent = pbx.ConsentNeeded
	k.Pace.PerSecond = 1
	bubble(t, 25, monday, company(k), func(w *world) {
		t := w.t
		var consents []pbx.Consent
		for i := range 300 {
			consents = append(consents, pbx.Consent{Number: number(i), Source: "web", Text: "yes", At: monday.Add(-time.Hour)})
		}
		if err := w.store.AddConsents(t.Context(), "acme", consents); err != nil {
			t.Fatal(err)
		}
		w.add("news", 200)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(10 * time.Second)
		if err := w.store.RemoveConsent(t.Context(), "acme", number(100)); err != nil {
			t.Fatal(err)
		}
		w.runner.CampaignChanged("acme", "")
		time.Sleep(10 * time.Minute)
		for _, d := range w.exchange.calls() {
			if d.c.Number == number(100) {
				t.Errorf("called at %s", d.at)
			}
		}
		if len(w.exchange.calls()) < 199 {
			t.Errorf("%d calls", len(w.exchange.calls()))
		}
	})
}

// TestFullSpeedKeepsUp: attempts that end all the time do not keep the runner from reading
// whom to call next.
func TestFullSpeedKeepsUp(t *testing.T) {
	k := campaign("news")
	k.Pace = pbx.CampaignPace{PerSecond: 100, AtOnce: 3000, Abandoned: 0.03}
	acme := company(k)
	acme.Limits.Calls, acme.Limits.PerMinute = 10000, 60000
	bubble(t, 26, monday, acme, func(w *world) {
		w.exchange.habits = func(string) habits { return habits{busy: 1} }
		w.add("news", 3000)
		w.must(w.runner.StartCampaign(w.t.Context(), "acme", "news", "anna"))
		time.Sleep(20 * time.Second)
		if n := len(w.exchange.calls()) + w.exchange.now("news"); n < 1900 {
			w.t.Errorf("%d calls in 20 seconds of 100 a second", n)
		}
	})
}

// TestPromptWithoutSound: a campaign whose calls cannot be made here is paused before its list
// is used up.
func TestPromptWithoutSound(t *testing.T) {
	bubble(t, 27, monday, company(campaign("news")), func(w *world) {
		w.runner.Close()
		w.dialer = mute{w.exchange}
		w.start()
		w.add("news", 500)
		w.must(w.runner.StartCampaign(w.t.Context(), "acme", "news", "anna"))
		s := w.until("news", pbx.CampaignPaused, 10*time.Minute)
		if c := w.counts("news"); c[pbx.TargetWaiting] < 400 || s.Alert == "" {
			w.t.Errorf("targets %v, alert %q", c, s.Alert)
		}
	})
}

// mute has no sound for any call.
type mute struct{ *exchange }

func (m mute) Dial(_ context.Context, c pbx.CampaignCall) (pbx.CDR, error) {
	cause := pbx.NewCause(pbx.PartyPBX, pbx.NoPrompt)
	return pbx.CDR{ID: c.Call, Tenant: c.Tenant, Ended: time.Now(), Cause: pbx.CDRCause{Cause: cause, Text: cause.Text()},
		Campaign: &pbx.InCampaign{Outcome: pbx.AttemptFailed}}, nil
}

// TestCompanyMadeAnew: a company that is removed and made anew while a campaign runs has a
// campaign that was never started.
func TestCompanyMadeAnew(t *testing.T) {
	acme := company(campaign("news"))
	bubble(t, 28, monday, acme, func(w *world) {
		t := w.t
		w.add("news", 500)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(20 * time.Second)
		for _, c := range []*pbx.Company{nil, acme} {
			if err := w.store.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return c, nil }); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		w.add("news", 50)
		before := len(w.exchange.calls())
		time.Sleep(10 * time.Minute)
		if n := len(w.exchange.calls()) - before; n != 0 {
			t.Errorf("%d calls of a campaign that was not started", n)
		}
		p, err := w.runner.CampaignProgress(t.Context(), "acme", "news")
		if err != nil || p.Status != pbx.CampaignReady {
			t.Errorf("%s, %v", p.Status, err)
		}
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		w.until("news", pbx.CampaignFinished, 8*time.Hour)
	})
}

// TestPauseKeptThoughRefused: a pause whose answer was lost is one: nobody is dialled, and
// the runner finds out.
func TestPauseKeptThoughRefused(t *testing.T) {
	failing(t, company(campaign("news")), func(w *world, x *faulty) {
		t := w.t
		w.add("news", 500)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(10 * time.Second)
		x.loseSave.Store(true)
		if _, err := w.runner.PauseCampaign(t.Context(), "acme", "news", "anna"); err == nil {
			t.Error("no error")
		}
		x.loseSave.Store(false)
		begins := x.begins.Load()
		time.Sleep(5 * time.Minute)
		if n := x.begins.Load() - begins; n > 60 {
			t.Errorf("%d attempts are begun", n)
		}
		p, err := w.runner.CampaignProgress(t.Context(), "acme", "news")
		if err != nil || p.Status != pbx.CampaignPaused {
			t.Errorf("%s, %v", p.Status, err)
		}
		x.loseSave.Store(true)
		if _, err := w.runner.ResumeCampaign(t.Context(), "acme", "news", "anna"); err == nil {
			t.Error("no error")
		}
		x.loseSave.Store(false)
		w.until("news", pbx.CampaignFinished, 8*time.Hour)
	})
}

// TestStartKeptThoughRefused: so does it about a start.
func TestStartKeptThoughRefused(t *testing.T) {
	failing(t, company(campaign("news")), func(w *world, x *faulty) {
		t := w.t
		w.add("news", 50)
		x.loseSave.Store(true)
		if _, err := w.runner.StartCampaign(t.Context(), "acme", "news", "anna"); err == nil {
			t.Error("no error")
		}
		x.loseSave.Store(false)
		w.until("news", pbx.CampaignFinished, 8*time.Hour)
	})
}

// TestNightIsQuiet: targets that wait for the morning cost nothing, and neither does a runner
// that is drained.
func TestNightIsQuiet(t *testing.T) {
	failing(t, company(campaign("news")), func(w *world, x *faulty) {
		t := w.t
		time.Sleep(9 * time.Hour) // it is evening
		w.add("news", 3000)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(10 * time.Minute)
		w.looks.Store(0)
		before := x.reads.Load()
		time.Sleep(10 * time.Hour)
		if n, looks := x.reads.Load()-before, w.looks.Load(); n > 60 || looks > 1300 {
			t.Errorf("%d reads and %d looks in a night", n, looks)
		}
		w.runner.Drain()
		time.Sleep(time.Second)
		w.looks.Store(0)
		time.Sleep(10 * time.Minute)
		if n := w.looks.Load(); n > 100 {
			t.Errorf("%d looks in ten minutes, drained", n)
		}
	})
}

package autodialer

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/autodialer/law"
	"vpbx/pbx"
	"vpbx/store"
)

// world is a company with campaigns, its store and a runner, in a bubble.
type world struct {
	t        *testing.T
	dir      string
	store    *store.Store
	exchange *exchange
	runner   *Runner
	dialer   Dialer            // in the place of exchange; nil: that
	looks    atomic.Int64      // at the directory
	between  func(Store) Store // what stands between the store and the runner; nil: nothing
	mu       sync.Mutex
	down     map[string]bool // trunks
	targets  int             // of a simulated day
}

// company is acme with campaigns.
func company(campaigns ...*pbx.Campaign) *pbx.Company {
	hours := func(first, last int) []pbx.Hours {
		return []pbx.Hours{{Days: pbx.EveryDay, From: first * 60, To: last * 60}}
	}
	c := &pbx.Company{Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test", Name: "Acme", Zone: "Europe/Moscow", Country: "RU", Limits: pbx.Limits{Calls: 200, PerMinute: 6000}},
		Trunks:    []*pbx.Trunk{{Name: "carrier", Host: "127.0.0.1", Transport: "udp"}},
		Numbers:   map[string]*pbx.Number{"+74950000000": {Number: "+74950000000", Trunk: "carrier"}},
		Outbound:  []pbx.Outbound{{Prefix: "+", Trunks: []string{"carrier"}}},
		Prompts:   map[string]*pbx.Prompt{"hello": {Name: "hello", Text: "hello"}},
		Schedules: map[string]*pbx.Schedule{"day": {Name: "day", Hours: hours(10, 18)}},
		CRM:       pbx.CRM{Kind: "none"},
		Campaigns: map[string]*pbx.Campaign{}}
	for _, k := range campaigns {
		c.Campaigns[k.Name] = k
	}
	return c
}

// campaign is one in which everybody is told hello.
func campaign(name string) *pbx.Campaign {
	return &pbx.Campaign{Name: name, Kind: pbx.CampaignInform, Mode: pbx.DialMessage, When: "day", Local: true, Ring: 25 * time.Second,
		Callers: []pbx.CampaignCaller{{Number: "+74950000000", Label: "Acme"}}, Trunks: []string{"carrier"},
		Pace: pbx.CampaignPace{PerSecond: 5, AtOnce: 40, Abandoned: 0.03}, Consent: pbx.ConsentGiven,
		Redial: pbx.Redial{Attempts: 3, PerNumber: 2, Spacing: time.Minute, Rules: map[pbx.AttemptOutcome]pbx.RedialRule{
			pbx.AttemptBusy: {Times: 2, After: 5 * time.Minute}, pbx.AttemptNoAnswer: {Times: 1, After: time.Hour}, pbx.AttemptCongestion: {Times: 1, After: time.Minute}}},
		Script: []pbx.ScriptBlock{{Name: "start", Play: []string{"hello"}, Keys: map[string]pbx.ScriptAction{"9": {OptOut: true}}}}}
}

// bubble runs f in a world, whose clock stands at at.
func bubble(t *testing.T, seed uint64, at time.Time, c *pbx.Company, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(at))
		w := &world{t: t, dir: t.TempDir(), exchange: newExchange(t, seed), down: map[string]bool{}}
		w.open()
		if err := w.store.UpdateCompany(t.Context(), c.ID, func(*pbx.Company) (*pbx.Company, error) { return c, nil }); err != nil {
			t.Fatal(err)
		}
		w.start()
		f(w)
		w.close()
		time.Sleep(2 * wrapup) // of operators who talked last
	})
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.store, err = store.Open(w.t.Context(), store.Options{Dir: w.dir, Node: "test"}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start() {
	w.t.Helper()
	rules, err := law.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	var kept Store = w.store
	if w.between != nil {
		kept = w.between(kept)
	}
	var dialer Dialer = w.exchange
	if w.dialer != nil {
		dialer = w.dialer
	}
	directory := func() *pbx.Directory { w.looks.Add(1); return w.store.Directory() }
	w.runner = NewRunner(Options{Dialer: dialer, Store: kept, Directory: directory, Law: rules,
		TrunkUp: func(_ pbx.TenantID, name string) bool { return w.isUp(name) }, Publish: func(pbx.TenantID, string, any) {},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: prometheus.NewRegistry()})
	w.exchange.heard = w.runner.Heard
	if err := w.runner.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.t.Helper()
	w.runner.Close()
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

// trunk makes a trunk reachable or not.
func (w *world) trunk(name string, up bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[name] = !up
}

func (w *world) isUp(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.down[name]
}

// add gives a campaign n targets.
func (w *world) add(name string, n int) {
	w.t.Helper()
	var list []pbx.Target
	for i := range n {
		list = append(list, pbx.Target{Key: fmt.Sprint(i), Numbers: []string{number(i)}})
		if len(list) == 1000 || i == n-1 {
			if _, err := w.store.AddTargets(w.t.Context(), "acme", name, list); err != nil {
				w.t.Fatal(err)
			}
			list = nil
		}
	}
	w.runner.CampaignChanged("acme", name)
}

func (w *world) must(s pbx.CampaignState, err error) pbx.CampaignState {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// until waits until a campaign has a status, for d at most.
func (w *world) until(name string, s pbx.CampaignStatus, d time.Duration) pbx.CampaignState {
	w.t.Helper()
	var now pbx.CampaignState
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Second) {
		var err error
		if now, err = w.store.CampaignState(w.t.Context(), "acme", name); err == nil && now.Status == s {
			return now
		}
	}
	w.t.Fatalf("the campaign is %s after %s, want %s (alert %q)", now.Status, d, s, now.Alert)
	return now
}

// counts are the targets of a campaign by state.
func (w *world) counts(name string) map[pbx.TargetState]int {
	w.t.Helper()
	m, err := w.store.CountTargets(w.t.Context(), "acme", name)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// monday is 10:00 in Moscow, when the hours of the campaigns begin.
var monday = time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)

// TestA03States: start, pause, resume and cancel do what they say and survive a restart.
func TestA03States(t *testing.T) {
	k := campaign("news")
	bubble(t, 1, monday, company(k), func(w *world) {
		t := w.t
		ctx := t.Context()
		if _, err := w.runner.StartCampaign(ctx, "acme", "news", "anna"); pbx.KindOf(err) != pbx.Conflict {
			t.Errorf("started without targets: %v", err)
		}
		if _, err := w.runner.StartCampaign(ctx, "acme", "nothing", "anna"); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("a campaign that is not there: %v", err)
		}
		w.add("news", 2000)
		if s := w.must(w.runner.StartCampaign(ctx, "acme", "news", "anna")); s.Status != pbx.CampaignRunning || s.By != "anna" || s.Started == nil {
			t.Errorf("%+v", s)
		}
		if _, err := w.runner.StartCampaign(ctx, "acme", "news", "anna"); pbx.KindOf(err) != pbx.Conflict {
			t.Errorf("started twice: %v", err)
		}
		time.Sleep(time.Minute)
		w.must(w.runner.PauseCampaign(ctx, "acme", "news", "anna"))
		time.Sleep(5 * time.Minute)
		made := len(w.exchange.calls())
		if made < 100 || made > 320 {
			t.Errorf("%d calls in the first minute", made)
		}
		w.close()
		w.open()
		w.start()
		time.Sleep(5 * time.Minute)
		if n := len(w.exchange.calls()); n != made {
			t.Errorf("%d calls of a paused campaign after a restart", n-made)
		}
		w.must(w.runner.ResumeCampaign(ctx, "acme", "news", "boris"))
		time.Sleep(time.Minute)
		w.runner.Close()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
		made = len(w.exchange.calls())
		w.open()
		w.start() // it goes on by itself
		time.Sleep(time.Minute)
		if n := len(w.exchange.calls()) - made; n < 60 {
			t.Errorf("%d calls in the first minute of a campaign that ran", n)
		}
		w.must(w.runner.CancelCampaign(ctx, "acme", "news", "boris"))
		time.Sleep(3 * time.Minute)
		c := w.counts("news")
		if c[pbx.TargetWaiting] != 0 || c[pbx.TargetDialling] != 0 || c[pbx.TargetExpired] == 0 {
			t.Errorf("after cancel: %v", c)
		}
		if _, err := w.runner.ResumeCampaign(ctx, "acme", "news", "boris"); pbx.KindOf(err) != pbx.Conflict {
			t.Errorf("resumed after cancel: %v", err)
		}
	})
}

// TestEverybodyIsCalled: a campaign ends when each target has its fate, and what is kept
// of the attempts is what the exchange has seen.
func TestEverybodyIsCalled(t *testing.T) {
	k := campaign("news")
	bubble(t, 2, monday, company(k), func(w *world) {
		t := w.t
		w.add("news", 500)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		w.until("news", pbx.CampaignFinished, 8*time.Hour)
		c := w.counts("news")
		if c[pbx.TargetDone]+c[pbx.TargetExhausted] != 500 {
			t.Errorf("targets %v", c)
		}
		r, err := w.store.CampaignReport(t.Context(), "acme", "news", time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[pbx.AttemptOutcome]int{}
		for _, d := range w.exchange.calls() {
			seen[d.outcome]++
		}
		if r.Attempts != len(w.exchange.calls()) {
			t.Errorf("%d attempts reported, %d calls", r.Attempts, len(w.exchange.calls()))
		}
		for o, n := range seen {
			if r.Outcomes[o] != n {
				t.Errorf("%s: %d reported, %d seen", o, r.Outcomes[o], n)
			}
		}
		if m := w.exchange.peak("news"); m > k.Pace.AtOnce {
			t.Errorf("%d calls at once", m)
		}
	})
}

// TestA07Caps: calls per second and at once are never exceeded.
func TestA07Caps(t *testing.T) {
	k := campaign("news")
	k.Pace = pbx.CampaignPace{PerSecond: 3, AtOnce: 7, Abandoned: 0.03}
	bubble(t, 3, monday, company(k), func(w *world) {
		t := w.t
		w.add("news", 300)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(20 * time.Minute)
		if m := w.exchange.peak("news"); m != 7 {
			t.Errorf("%d calls at once, 7 are the limit and are wanted", m)
		}
		seen := w.exchange.calls()
		for i, d := range seen {
			n := 0
			for _, e := range seen[i:] {
				if gap := e.at.Sub(d.at); gap >= 0 && gap < time.Second {
					n++
				}
			}
			if n > 3 {
				t.Fatalf("%d calls within a second", n)
			}
		}
	})
}

// TestA04Window: nobody is called outside the hours of the campaign by its own clock, a
// target with a zone of its own not by another's.
func TestA04Window(t *testing.T) {
	k := campaign("news")
	bubble(t, 4, monday.Add(-10*time.Hour), company(k), func(w *world) {
		t := w.t
		kamchatka, _ := time.LoadLocation("Asia/Kamchatka")
		moscow, _ := time.LoadLocation("Europe/Moscow")
		var list []pbx.Target
		for i := range 60 {
			target := pbx.Target{Numbers: []string{number(i)}}
			if i%2 == 0 {
				target.Zone = "Asia/Kamchatka"
			}
			list = append(list, target)
		}
		if _, err := w.store.AddTargets(t.Context(), "acme", "news", list); err != nil {
			t.Fatal(err)
		}
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		w.until("news", pbx.CampaignFinished, 72*time.Hour)
		zones := map[string]int{}
		for _, d := range w.exchange.calls() {
			zone := moscow
			if target, err := w.store.Target(t.Context(), "acme", "news", d.c.Target); err != nil || target.Zone != "" {
				zone = kamchatka
			}
			zones[zone.String()]++
			if h := d.at.In(zone).Hour(); h < 10 || h >= 18 {
				t.Errorf("%s is called at %s", d.c.Number, d.at.In(zone))
			}
		}
		if zones["Asia/Kamchatka"] < 30 || zones["Europe/Moscow"] < 30 {
			t.Errorf("calls by zone %v", zones)
		}
	})
}

// TestTrunkDies: a campaign whose trunk fails is paused with an alert, and the list is
// not used up.
func TestTrunkDies(t *testing.T) {
	for name, dies := range map[string]func(*world){
		"calls fail": func(w *world) { w.exchange.mu.Lock(); w.exchange.down = true; w.exchange.mu.Unlock() },
		"is down":    func(w *world) { w.trunk("carrier", false) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 5, monday, company(campaign("news")), func(w *world) {
				t := w.t
				w.add("news", 1000)
				w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
				time.Sleep(30 * time.Second)
				synctest.Wait()
				dies(w)
				s := w.until("news", pbx.CampaignPaused, 5*time.Minute)
				if !strings.Contains(s.Alert, "trunk") {
					t.Errorf("alert %q", s.Alert)
				}
				time.Sleep(time.Minute)
				if c := w.counts("news"); c[pbx.TargetWaiting] < 600 {
					t.Errorf("targets %v", c)
				}
			})
		})
	}
}

// TestA12ProgressiveOperators: never more dials than operators who are free, and nobody is
// abandoned for that.
func TestA12ProgressiveOperators(t *testing.T) {
	k := campaign("sales")
	k.Kind, k.Mode, k.Script = pbx.CampaignOperators, pbx.DialProgressive, nil
	k.Operators = pbx.Operators{Queue: "700", Within: 2 * time.Second, SafeHarbour: "hello"}
	bubble(t, 6, monday, company(k), func(w *world) {
		t := w.t
		w.exchange.crew = crew{5, 5}
		w.add("sales", 200)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "sales", "anna"))
		for range 3600 {
			time.Sleep(time.Second)
			w.exchange.mu.Lock()
			free, calls := w.exchange.crew.free, w.exchange.atNow["sales"]
			w.exchange.mu.Unlock()
			if calls > 5 {
				t.Fatalf("%d calls with 5 operators, %d free", calls, free)
			}
		}
		for _, d := range w.exchange.calls() {
			if d.outcome == pbx.AttemptAbandoned {
				t.Errorf("%s was abandoned", d.c.Number)
			}
		}
		if n := len(w.exchange.calls()); n < 100 {
			t.Errorf("%d calls in an hour", n)
		}
	})
}

// TestEndIsTakenUp: a process that dies between the end of a campaign and that of its
// targets leaves none that waits for ever.
func TestEndIsTakenUp(t *testing.T) {
	bubble(t, 7, monday, company(campaign("news")), func(w *world) {
		t := w.t
		w.add("news", 2500)
		state := pbx.CampaignState{Tenant: "acme", Campaign: "news", Status: pbx.CampaignCancelled, Version: 7, Updated: time.Now()}
		if err := w.store.SaveCampaign(t.Context(), "acme", state); err != nil {
			t.Fatal(err)
		}
		w.close()
		w.open()
		w.start()
		time.Sleep(time.Minute)
		if c := w.counts("news"); c[pbx.TargetExpired] != 2500 {
			t.Errorf("targets %v", c)
		}
	})
}

// TestInterrupted: an attempt that a dead process left is not made again: by the record of
// its call where there is one, as interrupted otherwise.
func TestInterrupted(t *testing.T) {
	bubble(t, 8, monday, company(campaign("news")), func(w *world) {
		t := w.t
		w.add("news", 3)
		ctx := t.Context()
		if err := w.store.SaveCampaign(ctx, "acme", pbx.CampaignState{Tenant: "acme", Campaign: "news", Status: pbx.CampaignRunning, Version: 1, Updated: time.Now()}); err != nil {
			t.Fatal(err)
		}
		list, _, err := w.store.DueTargets(ctx, "acme", "news", time.Now(), 10)
		if err != nil || len(list) != 3 {
			t.Fatalf("%d targets, %v", len(list), err)
		}
		var made []pbx.Attempt
		for _, x := range list[:2] {
			a := pbx.Attempt{Tenant: "acme", Campaign: "news", Target: x.ID, N: 1, Number: x.Numbers[0], Call: pbx.NewCallID(time.Now()), Kind: pbx.CampaignInform,
				Mode: pbx.DialMessage, Began: time.Now()}
			if held, err := w.store.BeginAttempt(ctx, "acme", a, pbx.AttemptGuard{Attempts: 3, PerNumber: 3}); err != nil || held != "" {
				t.Fatal(held, err)
			}
			made = append(made, a)
		}
		answered := time.Now()
		cdr := pbx.CDR{ID: made[0].Call, Tenant: "acme", Direction: pbx.Out, Started: answered, Answered: &answered, Ended: answered.Add(30 * time.Second), Talk: 30,
			Outcome: pbx.OutcomeAnswered, Campaign: &pbx.InCampaign{Outcome: pbx.AttemptAnswered, Told: true}}
		if err := w.store.SaveCall(ctx, "acme", cdr, []pbx.CallEvent{{At: answered, Kind: pbx.Arrived}}); err != nil {
			t.Fatal(err)
		}
		w.close()
		w.open()
		w.start()
		time.Sleep(10 * time.Minute)
		first, err := w.store.Target(ctx, "acme", "news", made[0].Target)
		if err != nil || first.State != pbx.TargetDone || first.Outcome != pbx.AttemptAnswered {
			t.Errorf("with a record: %+v, %v", first, err)
		}
		second, err := w.store.Target(ctx, "acme", "news", made[1].Target)
		if err != nil || second.State != pbx.TargetInterrupted {
			t.Errorf("without a record: %+v, %v", second, err)
		}
		for _, d := range w.exchange.calls() {
			if d.c.Number == made[0].Number || d.c.Number == made[1].Number {
				t.Errorf("%s is dialled again", d.c.Number)
			}
		}
	})
}

// TestTrunkDownByNight: a trunk that is down while nobody may be called pauses nothing.
func TestTrunkDownByNight(t *testing.T) {
	bubble(t, 9, monday.Add(-10*time.Hour), company(campaign("news")), func(w *world) {
		t := w.t
		w.add("news", 50)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(time.Minute)
		w.trunk("carrier", false)
		time.Sleep(time.Hour)
		w.trunk("carrier", true)
		w.until("news", pbx.CampaignFinished, 20*time.Hour)
	})
}

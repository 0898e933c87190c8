package autodialer

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
)

// TestWhyNobodyIsCalled: progress says in words for what those wait who are called next, and
// nothing of a campaign that is paused.
func TestWhyNobodyIsCalled(t *testing.T) {
	k := campaign("news")
	bubble(t, 6, monday.Add(-6*time.Hour), company(k), func(w *world) {
		t := w.t
		why := func(want string) {
			t.Helper()
			synctest.Wait()
			p, err := w.runner.CampaignProgress(t.Context(), "acme", "news")
			if err != nil || (want == "") != (p.Why == "") || !strings.Contains(p.Why, want) {
				t.Errorf("%s (next %v), %v; want %q", p.Why, p.Next, err, want)
			}
		}
		w.add("news", 3)
		why("")
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(time.Second)
		why("in which the campaign and the law let people be called")
		w.trunk("carrier", false)
		time.Sleep(time.Until(monday.Add(10 * time.Second)))
		why("no trunk")
		w.until("news", pbx.CampaignPaused, time.Minute)
		why("")
	})
}

// TestHeld: each reason has words.
func TestHeld(t *testing.T) {
	for _, reason := range []pbx.HoldReason{pbx.HeldWindow, pbx.HeldDebtDay, pbx.HeldAbandoned, pbx.HeldSilent, pbx.HeldSpacing, pbx.HeldDialled, pbx.HeldReserved, pbx.HeldContacts, pbx.HeldWaits} {
		if got := held(pbx.Target{Reason: reason}); len(got) < 20 {
			t.Errorf("%s: %q", reason, got)
		}
	}
	if a, b := held(pbx.Target{Reason: pbx.HeldWindow}), held(pbx.Target{Reason: pbx.HeldWindow, Zone: "Europe/Samara"}); a == b || !strings.Contains(a, "zone") {
		t.Errorf("%q, %q", a, b)
	}
}

// TestEventsAreShort: what is published of a campaign is its state, not its settings: a script
// of fifty blocks each second would be all that watchers read.
func TestEventsAreShort(t *testing.T) {
	k := campaign("news")
	bubble(t, 7, monday, company(k), func(w *world) {
		t := w.t
		w.add("news", 3)
		synctest.Wait()
		kinds := map[string]int{}
		w.runner.Publish = func(_ pbx.TenantID, kind string, body any) {
			kinds[kind]++
			switch b := body.(type) {
			case pbx.CampaignState:
				if b.Settings != nil {
					t.Errorf("%s has settings", kind)
				}
			case pbx.CampaignProgress:
				if b.Settings != nil {
					t.Errorf("%s has settings", kind)
				}
			}
		}
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		if s := w.until("news", pbx.CampaignFinished, 24*time.Hour); s.Settings == nil {
			t.Error("the settings are not kept")
		}
		synctest.Wait()
		for _, kind := range []string{"campaign.running", "campaign.progress", "campaign.target", "campaign.finished"} {
			if kinds[kind] == 0 {
				t.Errorf("no %s: %v", kind, kinds)
			}
		}
	})
}

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/internal/phone"
	"vpbx/pbx"
)

// spoken is a campaign of a message, of that name, hours and further keys.
func spoken(name, when, more string) string {
	return fmt.Sprintf(`  - name: %s
    kind: inform
    when: %s
    callers: [{number: "+74950000000", label: "Акме, новости"}]
    ring: 10s
    script: [{name: main, play: hello, keys: {"9": {opt_out: true}}}]
%s`, name, when, more)
}

// TestCampaignRefused starts campaigns that lack something: each is refused with the
// reason, and nobody is called.
func TestCampaignRefused(t *testing.T) {
	t.Parallel()
	carrier := startMass(t, various)
	company := campaigned(acme{Carrier: carrier.Addr().String()}, `"101"`, spoken("whole", "always", "    consent: given\n")+
		spoken("agreed", "always", "")+spoken("nights", "night", "    consent: given\n"))
	s := serve(t, serverOptions{Company: strings.Replace(company, "schedules: [", `schedules: [{name: night, hours: ["02:00-04:00"]}, `, 1)})
	refused := func(what, path, body, why string) {
		t.Helper()
		status, _, answer := s.request("POST", path, body)
		if status/100 != 4 || !strings.Contains(string(answer), why) {
			t.Errorf("%s: %d %s, want the reason %q", what, status, answer, why)
		}
	}
	refused("no list", "campaigns/whole/start", "", "no targets")
	for _, name := range []string{"whole", "agreed", "nights"} {
		s.addList(name, "+79160000051;Пётр;1;"+noon())
	}
	refused("no sound of the prompt", "campaigns/whole/start", "", "no sound was uploaded yet for the prompts hello")
	s.upload("hello", 1040)
	refused("no consent", "campaigns/agreed/start", "", "ru-mass-consent")
	refused("hours that the law never allows", "campaigns/nights/start", "", "never meet")

	item := func(keys string) string {
		return `{"name": "other", "kind": "inform", "callers": [{"number": "+74950000000", "label": "Акме"}], ` + keys + `}`
	}
	script := `"script": [{"name": "main", "play": ["hello"], "keys": {"9": {"opt_out": true}}}]`
	refused("no hours", "campaigns", item(script), "is needed: the schedule")
	refused("no such hours", "campaigns", item(`"when": "never", `+script), `no schedule \"never\"`)
	refused("no script", "campaigns", item(`"when": "always"`), "script")
	refused("no such prompt", "campaigns", item(`"when": "always", `+strings.Replace(script, "hello", "nothing", 1)), "nothing")
	refused("no such trunk", "campaigns", item(`"when": "always", "trunks": ["nowhere"], `+script), `no trunk \"nowhere\"`)
	if n := len(carrier.dialled()); n > 0 {
		t.Errorf("%d numbers were dialled", n)
	}
	for _, name := range []string{"whole", "agreed", "nights"} {
		var p pbx.CampaignProgress
		if s.get("campaigns/"+name+"/progress", &p); p.Status != pbx.CampaignDraft && p.Status != pbx.CampaignReady {
			t.Errorf("campaign %s is %s", name, p.Status)
		}
	}
}

// TestCampaignTrunkDies ends the carrier in the middle of a campaign: that pauses with an
// alert, and its list is still there. When the carrier is back it is resumed and goes on.
func TestCampaignTrunkDies(t *testing.T) {
	t.Parallel()
	const atOnce, faults = 5, 10
	busy := func(_ context.Context, c *phone.Call) { _ = c.Reject(486) }
	carrier := startMassAt(t, "tcp", "127.0.0.30:"+freePort(t, "127.0.0.30"), busy) // where it comes back
	company := campaigned(acme{Carrier: carrier.Addr().String()}, `"101"`, spoken("news", "always", fmt.Sprintf("    consent: given\n    pace: {per_second: 20, at_once: %d}\n", atOnce)))
	s := serve(t, serverOptions{Company: strings.Replace(company, "transport: udp", "transport: tcp", 1)})
	s.upload("hello", 1040)
	var rows []string
	for i := range 300 {
		rows = append(rows, fmt.Sprintf("+7916%07d;Абонент;%d;%s", i, i, noon()))
	}
	s.addList("news", rows...)
	s.startCampaign("news")
	refused := func() int {
		var f pbx.CampaignReport
		s.get("campaigns/news/report", &f)
		return f.Outcomes[pbx.AttemptBusy]
	}
	waitFor(t, 60*time.Second, "some were dialled", func() bool { return refused() >= 20 })
	carrier.Close()
	p := s.waitCampaign("news", pbx.CampaignPaused)
	if !strings.Contains(p.Alert, "calls in a row failed at its trunks") {
		t.Errorf("the alert says %q", p.Alert)
	}
	waitFor(t, 60*time.Second, "the last calls are over", func() bool { return s.metric("vpbx_calls_active") == 0 })
	var f pbx.CampaignReport
	s.get("campaigns/news/report", &f)
	if failed := f.Attempts - f.Outcomes[pbx.AttemptBusy]; failed < faults || failed > faults+atOnce {
		t.Errorf("%d attempts failed, want %d to %d: %v", failed, faults, faults+atOnce, f.Outcomes)
	}
	if f.Targets[pbx.TargetWaiting] != len(rows) { // those who were busy, or could not be called, are called again
		t.Errorf("of %d targets: %v", len(rows), f.Targets)
	}
	before := refused()
	startMassAt(t, "tcp", carrier.Addr().String(), busy)
	if status, _, answer := s.request("POST", "campaigns/news/resume", ""); status != 200 {
		t.Fatalf("resume: %d %s", status, answer)
	}
	waitFor(t, 60*time.Second, "it goes on", func() bool { return refused() >= before+10 })
	if status, _, answer := s.request("POST", "campaigns/news/cancel", ""); status != 200 {
		t.Fatalf("cancel: %d %s", status, answer)
	}
}

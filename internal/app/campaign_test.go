package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestCampaignEventsByTheCompanysClock: all times of what watchers are told are in the
// zone of the company, and those of whoever tells it stay as they are.
func TestCampaignEventsByTheCompanysClock(t *testing.T) {
	at := time.Date(2026, 11, 22, 21, 0, 0, 0, time.UTC)
	zone := time.FixedZone("", 3*60*60)
	state := pbx.CampaignState{Campaign: "autumn", Status: pbx.CampaignRunning, Started: &at, Resumed: &at, Ended: &at, Updated: at}
	target := pbx.Target{ID: 1, Next: at, Added: at, Updated: at}
	for _, body := range []any{state, pbx.CampaignProgress{CampaignState: state, Next: &at}, pbx.TargetNotice{Campaign: "autumn", Target: target}} {
		text, err := json.Marshal(inZone(body, zone))
		if err != nil {
			t.Fatal(err)
		}
		if s := string(text); strings.Contains(s, "21:00:00Z") || !strings.Contains(s, "2026-11-23T00:00:00+03:00") || strings.Contains(s, `"targets":null`) {
			t.Errorf("%T: %s", body, s)
		}
	}
	if at.Location() != time.UTC || state.Started.Location() != time.UTC {
		t.Error("the time of the campaign itself is another now")
	}
	if got := inZone("else", zone); got != "else" {
		t.Errorf("%v", got)
	}
}

package call

import (
	"testing"

	"vpbx/pbx"
)

// TestNextTrunk: another trunk is tried where it can help, and never for a
// phone that has rung already.
func TestNextTrunk(t *testing.T) {
	for _, c := range []struct {
		cause   pbx.Cause
		alerted bool
		want    bool
	}{
		{pbx.FromSIP(pbx.PartyTrunk, 503), false, true},
		{pbx.FromSIP(pbx.PartyTrunk, 500), false, true},
		{pbx.FromSIP(pbx.PartyTrunk, 408), false, true},
		{pbx.NewCause(pbx.PartyPBX, pbx.OverLimit), false, true},
		{pbx.FromSIP(pbx.PartyTrunk, 503), true, false},
		{pbx.FromSIP(pbx.PartyTrunk, 408), true, false},
		{pbx.FromSIP(pbx.PartyCallee, 486), false, false},
		{pbx.FromSIP(pbx.PartyCallee, 603), false, false},
		{pbx.FromSIP(pbx.PartyCallee, 404), false, false},
		{pbx.FromSIP(pbx.PartyCallee, 484), false, false},
		{pbx.FromSIP(pbx.PartyCallee, 600), false, false},
		{pbx.FromSIP(pbx.PartyCallee, 604), false, false},
		{pbx.NewCause(pbx.PartyCallee, pbx.NoAnswer), false, false},
		{pbx.FromSIP(pbx.PartyTrunk, 403), false, false},
	} {
		if got := nextTrunk(c.cause, c.alerted); got != c.want {
			t.Errorf("%d %s, rang %v: next trunk %v, want %v", c.cause.SIP, c.cause.Reason, c.alerted, got, c.want)
		}
	}
}

package routing

import (
	"testing"

	"vpbx/pbx"
)

// TestContinue: steps within a plan need not come to anything, and nothing is added.
func TestContinue(t *testing.T) {
	c := acme()
	req := Request{Company: c, From: "+79160000001", To: "+74950000000"}
	f := Continue(req, []pbx.Step{{Kind: pbx.StepPlay, Target: "welcome"}})
	if len(f.Steps) != 1 || f.Record {
		t.Errorf("a prompt alone: %+v", f)
	}
	f = Continue(req, []pbx.Step{{Kind: pbx.StepRing, Target: "999"}})
	if len(f.Steps) != 0 || len(f.Why) != 1 {
		t.Errorf("nobody: %+v", f)
	}
	c.Extensions["101"].Record = true
	f = Continue(req, []pbx.Step{{Kind: pbx.StepRing, Target: "101"}, {Kind: pbx.StepReject, Code: 486}, {Kind: pbx.StepRing, Target: "102"}})
	if len(f.Steps) != 2 || !f.Record {
		t.Errorf("one who is recorded, then an end: %+v", f)
	}
}

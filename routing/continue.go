package routing

import "vpbx/pbx"

// Continue decides about the steps that a step of a plan leads to, such as what a key
// of a menu does. When they come to nothing the plan goes on behind that step, so they
// need not connect or refuse.
func Continue(req Request, list []pbx.Step) Forwarded {
	p := plan{req: req, inner: true, Decision: Decision{To: req.Company.E164(req.To)}}
	p.lay(list)
	p.recordings()
	return Forwarded{Steps: p.Steps, Record: p.Record, Notice: p.Notice, Why: p.Why}
}

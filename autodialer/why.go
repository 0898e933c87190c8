package autodialer

import (
	"context"
	"time"

	"vpbx/pbx"
)

// waitsFor says in words for what those wait who are called next, at a moment when nobody
// may be called now.
func (r *Runner) waitsFor(ctx context.Context, k key, next time.Time) (string, error) {
	list, _, err := r.Store.DueTargets(ctx, k.tenant, k.name, next, 1)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "nobody waits to be called", nil
	}
	return held(list[0]), nil
}

// held says why a target that waits is not called before its time.
func held(t pbx.Target) string {
	switch t.Reason {
	case pbx.HeldWindow:
		if t.Zone == "" {
			return "hours in which the campaign and the law let people be called; without a zone in the list a mobile number is called only when that is allowed in every zone of its country"
		}
		return "hours in which the campaign and the law let people be called, by their clock"
	case pbx.HeldDebtDay, pbx.HeldDebtWeek, pbx.HeldDebtMonth, pbx.HeldContacts:
		return "a time when the law lets people be reached again (" + string(t.Reason) + ")"
	case pbx.HeldAbandoned, pbx.HeldSilent:
		return "the end of the time for which the law forbids to call whoever was abandoned or heard nothing (" + string(t.Reason) + ")"
	case pbx.HeldSpacing:
		return "the time that redial.spacing leaves between attempts"
	case pbx.HeldDialled:
		return "another campaign of the company that calls the same number just now"
	case pbx.HeldReserved:
		return "the operator who is reserved for the next call"
	case pbx.HeldWaits:
		return "the time of the next attempt, as redial.rules say"
	}
	return string(t.Reason)
}

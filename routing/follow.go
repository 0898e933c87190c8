package routing

import (
	"cmp"
	"slices"
	"time"

	"vpbx/pbx"
)

// Place is where the owner of an extension is looked for: the phones of an extension,
// or an outside number.
type Place struct {
	Ring    string        // extension, "" for an outside number
	Dial    Dial          // of an outside number
	After   time.Duration // from the start of the search
	For     time.Duration
	Confirm bool      // who answers has to press a key
	Cause   pbx.Cause // why an outside number must not or cannot be called
	Why     string
}

// FollowMe lays out where the owner of an extension is looked for, in the order in which
// the places begin to ring. Outside numbers are called as that extension would call
// them. The caller is not called itself.
func FollowMe(req Request, e *pbx.Extension) (places []Place, why []string) {
	p := plan{req: req}
	outside := plan{req: req}
	outside.req.Caller = e
	for _, f := range e.Follow {
		place := Place{Ring: f.Ring, After: f.After, For: ringTime(f.For, DefaultRing), Confirm: f.Confirm}
		switch number := req.Company.E164(f.Dial); {
		case f.Ring != "" && req.Company.Extensions[f.Ring] == nil:
			why = append(why, f.Ring+" is not an extension")
			continue
		case f.Ring != "" && p.isCaller(f.Ring), f.Dial != "" && number == req.Company.E164(req.From):
			why = append(why, cmp.Or(f.Ring, number)+" is the caller")
			continue
		case f.Dial != "":
			var reason pbx.Reason
			if place.Dial, reason, place.Why = outside.outside(f.Dial, place.For); reason != "" {
				place.Dial.Number, place.Cause = number, pbx.NewCause(pbx.PartyPBX, reason)
			}
		}
		places = append(places, place)
	}
	slices.SortStableFunc(places, func(a, b Place) int { return cmp.Compare(a.After, b.After) })
	return places, why
}

package tenants

import (
	"fmt"
	"time"

	"vpbx/pbx"
)

// Follow is one place where the owner of an extension is looked for: Ring or Dial.
type Follow struct {
	Ring    string   `yaml:"ring" json:"ring,omitempty"`       // an extension, mostly the own one
	Dial    string   `yaml:"dial" json:"dial,omitempty"`       // an outside number
	After   Duration `yaml:"after" json:"after,omitzero"`      // begins to ring so long after the call came, default at once
	For     Duration `yaml:"for" json:"for,omitzero"`          // default 20 s
	Confirm *bool    `yaml:"confirm" json:"confirm,omitempty"` // who answers has to press 1; default for outside numbers
}

const maxFollow = 10 // places of one extension

func (c *checker) checkFollow(path string, e *Extension) {
	if len(e.Follow) > maxFollow {
		c.note(path, "%d places; %d at most", len(e.Follow), maxFollow)
		return
	}
	seen := map[string]int{}
	for i, f := range e.Follow {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case (f.Ring == "") == (f.Dial == ""):
			c.note(at, "a place is one of ring and dial")
		case f.Ring != "":
			if _, ok := c.extensions[f.Ring]; !ok {
				c.note(at+".ring", "there is no extension %.60q", f.Ring)
			}
			c.once(at+".ring", seen, f.Ring, i, path+"[%d]")
		default:
			c.checkFollowNumber(at+".dial", f.Dial)
			c.once(at+".dial", seen, c.tenant.E164(f.Dial), i, path+"[%d]")
		}
		c.duration(at+".for", f.For, minRing, maxRing)
		if f.After < 0 || time.Duration(f.After) > maxRing {
			c.note(at+".after", "must be 0s to %s", maxRing)
		} else if time.Duration(f.After+orElse(f.For, defaultRing)) > maxRing {
			c.note(at, "rings until %s after the call came; %s at most", f.After+orElse(f.For, defaultRing), maxRing)
		}
	}
	if len(e.Follow) > 0 && e.Forward != nil && e.Forward.After != 0 {
		c.note(path, "says how long each place rings: forward.after is not used beside it")
	}
}

func (c *checker) checkFollowNumber(path, number string) {
	full := c.tenant.E164(number)
	switch _, own := c.numbers[full]; {
	case own:
		c.note(path, "%s is a number of the company itself", full)
	case c.inside(number) || !c.outside(number):
		c.note(path, "%.60q is not a number that outbound carries", number)
	case pbx.Emergency(full):
		c.note(path, "%s is for emergencies", full)
	}
}

func follow(list []Follow) []pbx.Follow {
	var all []pbx.Follow
	for _, f := range list {
		x := pbx.Follow{Ring: f.Ring, Dial: f.Dial, After: time.Duration(f.After), For: time.Duration(orElse(f.For, defaultRing)), Confirm: f.Dial != ""}
		if f.Confirm != nil {
			x.Confirm = *f.Confirm
		}
		all = append(all, x)
	}
	return all
}

func documentFollow(list []pbx.Follow) []Follow {
	var all []Follow
	for _, f := range list {
		x := Follow{Ring: f.Ring, Dial: f.Dial, After: Duration(f.After), For: Duration(f.For)}
		if f.Confirm != (f.Dial != "") {
			confirm := f.Confirm
			x.Confirm = &confirm
		}
		all = append(all, x)
	}
	return all
}

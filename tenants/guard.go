package tenants

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"

	"vpbx/pbx"
)

// Bounds of what the fraud guard and the trunks reckon with.
const (
	maxAmount = 1e9     // of a rate or a limit of spending
	maxAtOnce = 1000000 // of a limit that is a number
	maxWeight = 1000
	maxStrip  = 15
)

// added is what can be put before a number.
var added = regexp.MustCompile(`^\+?[0-9*#]{0,15}$`)

func (c *checker) checkLimits() {
	l := &c.Limits
	for _, n := range []struct {
		key   string
		value int
	}{{"calls", l.Calls}, {"per_minute", l.PerMinute}, {"extension.calls", l.Extension.Calls}, {"extension.per_minute", l.Extension.PerMinute}} {
		c.notNegative("limits."+n.key, n.value)
		if n.value > maxAtOnce {
			c.note("limits."+n.key, "must be %d at most", maxAtOnce)
		}
	}
	c.checkSpend("limits.spend", l.Spend)
	c.checkSpend("limits.extension.spend", l.Extension.Spend)
	seen := map[string]int{}
	for i, p := range l.Barred {
		at := fmt.Sprintf("limits.barred[%d]", i)
		c.match(at, p, prefix, "the first digits of numbers, with + or without")
		c.once(at, seen, p, i, "limits.barred[%d]")
	}
}

// checkSpend notes a limit of spending that is none, or that cannot be reckoned.
func (c *checker) checkSpend(path string, v float64) {
	if !c.amount(path, v) && v > 0 && len(c.Rates) == 0 {
		c.note(path, "is of no use without rates")
	}
}

// amount notes an amount that is out of its range and says whether it did.
func (c *checker) amount(path string, v float64) bool {
	if v < 0 || v > maxAmount || math.IsNaN(v) {
		c.note(path, "must be 0 to %.0f", maxAmount)
		return true
	}
	return false
}

func (c *checker) checkRates() {
	seen := map[string]int{}
	for i, r := range c.Rates {
		path := fmt.Sprintf("rates[%d]", i)
		c.match(path+".prefix", r.Prefix, prefix, "the first digits of numbers, with + or without")
		c.once(path+".prefix", seen, r.Prefix, i, "rates[%d]")
		c.amount(path+".minute", r.Minute)
	}
}

func (c *checker) checkWeights(path string, o *Outbound) {
	for _, name := range slices.Sorted(maps.Keys(o.Weights)) {
		at := path + ".weights." + name
		switch w := o.Weights[name]; {
		case !slices.Contains(o.Trunks, name):
			c.note(path+".weights", "%.60q is not one of its trunks", name)
		case w < 1 || w > maxWeight:
			c.note(at, "must be 1 to %d", maxWeight)
		}
	}
}

func (c *checker) checkRewriting(path string, strip int, add string) {
	if strip < 0 || strip > maxStrip {
		c.note(path+".strip", "must be 0 to %d", maxStrip)
	}
	if !added.MatchString(add) {
		c.note(path+".add", "%.60q is not what numbers begin with", add)
	}
}

// checkTrunkCaller checks how a trunk is told who calls, and what it is dialled.
func (c *checker) checkTrunkCaller(path string, t *Trunk) {
	if t.Proxy != "" && !hostPort(t.Proxy) {
		c.note(path+".proxy", "%.60q is neither host nor host:port", t.Proxy)
	}
	c.checkRewriting(path, t.Strip, t.Add)
	for _, x := range []struct{ key, template string }{
		{"contact", t.Contact}, {"caller.from", t.Caller.From}, {"caller.pai", t.Caller.PAI}, {"caller.ppi", t.Caller.PPI}, {"caller.rpid", t.Caller.RPID},
	} {
		if err := pbx.Template(x.template).Check(); err != nil {
			c.note(path+"."+x.key, "%v", err)
		}
	}
}

// money is an amount of a document that was checked.
func money(v float64) pbx.Money { return pbx.Money(math.Round(v * 1e6)) }

// amount is the way back.
func amount(m pbx.Money) float64 { return float64(m) / 1e6 }

func limitsOf(l Limits) pbx.Limits {
	return pbx.Limits{
		Calls: l.Calls, PerMinute: l.PerMinute, International: l.International, Premium: l.Premium, Barred: clone(l.Barred),
		ExtCalls: l.Extension.Calls, ExtPerMinute: l.Extension.PerMinute, Spend: money(l.Spend), ExtSpend: money(l.Extension.Spend),
	}
}

func documentLimits(l pbx.Limits) Limits {
	return Limits{
		Calls: l.Calls, PerMinute: l.PerMinute, International: l.International, Premium: l.Premium, Barred: clone(l.Barred), Spend: amount(l.Spend),
		Extension: ExtLimits{Calls: l.ExtCalls, PerMinute: l.ExtPerMinute, Spend: amount(l.ExtSpend)},
	}
}

// weightsOf lists the weights of the trunks in their order, nil when there are
// none.
func weightsOf(o *Outbound) []int {
	if len(o.Weights) == 0 {
		return nil
	}
	list := make([]int, len(o.Trunks))
	for i, name := range o.Trunks {
		list[i] = o.Weights[name]
	}
	return list
}

func documentWeights(o pbx.Outbound) map[string]int {
	var weights map[string]int
	for i, w := range o.Weights {
		if w > 0 && i < len(o.Trunks) {
			if weights == nil {
				weights = map[string]int{}
			}
			weights[o.Trunks[i]] = w
		}
	}
	return weights
}

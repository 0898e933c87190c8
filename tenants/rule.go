package tenants

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// Owner says whether the owner of a caller is rung before the steps of a rule. It
// is written true, false, or {ring: 20s, fallback: "101"}.
type Owner struct {
	On       bool
	Ring     Duration // how long, 0: 20 s
	Fallback string   // extension or group that rings for an owner who is not there
}

// IsZero says whether there is no owner routing.
func (o Owner) IsZero() bool { return o == Owner{} }

// UnmarshalStrict reads either form.
func (o *Owner) UnmarshalStrict(n strict.Node) {
	if n.Kind() != strict.Map {
		n.Decode(&o.On)
		return
	}
	var m struct {
		Ring     Duration `yaml:"ring"`
		Fallback string   `yaml:"fallback"`
	}
	n.Decode(&m)
	*o = Owner{true, m.Ring, m.Fallback}
}

// MarshalJSON writes the shortest form.
func (o Owner) MarshalJSON() ([]byte, error) {
	if o.Ring == 0 && o.Fallback == "" {
		return json.Marshal(o.On)
	}
	return json.Marshal(struct {
		Ring     Duration `json:"ring,omitzero"`
		Fallback string   `json:"fallback,omitempty"`
	}{o.Ring, o.Fallback})
}

// numbers lists the numbers of a rule.
func (r *Rule) numbers() []string {
	if len(r.Numbers) > 0 {
		return r.Numbers
	}
	return []string{r.Number}
}

// checkRules notes rules that are wrong, that no call reaches, or that lead to
// each other for ever.
func (c *checker) checkRules() {
	for i := range c.Rules {
		path, r := fmt.Sprintf("rules[%d]", i), &c.Rules[i]
		c.checkRuleNumbers(path, r)
		c.checkWhen(path+".when", r.When)
		c.checkCallers(path+".callers", &r.Callers)
		c.checkOwner(path+".owner", r.Owner)
		c.checkRecord(path+".record", r.Record)
		if len(r.Steps) == 0 {
			c.note(path+".steps", "a rule needs steps")
		}
		c.checkSteps(path+".steps", r.Steps)
	}
	c.checkReached()
	c.checkCircles()
}

func (c *checker) checkRuleNumbers(path string, r *Rule) {
	if len(r.Numbers) == 0 {
		c.checkRuleNumber(path+".number", r.Number, true)
		return
	}
	if r.Number != "" {
		c.note(path+".number", "goes without numbers")
	}
	if len(r.Numbers) > maxList {
		c.note(path+".numbers", "%d items; %d at most", len(r.Numbers), maxList)
		return
	}
	seen := map[string]int{}
	for j, n := range r.Numbers {
		at := fmt.Sprintf("%s.numbers[%d]", path, j)
		c.checkRuleNumber(at, n, false)
		c.once(at, seen, n, j, path+".numbers[%d]")
	}
}

func (c *checker) checkRuleNumber(path, number string, any bool) {
	if any && number == pbx.AnyNumber {
		return
	}
	if _, ok := c.numbers[number]; number == "" {
		c.note(path, "is needed")
	} else if !ok {
		c.note(path, "the company has no number %.60q", number)
	}
}

func (c *checker) checkOwner(path string, o Owner) {
	c.duration(path+".ring", o.Ring, minRing, maxRing)
	if o.Fallback != "" && !c.internal(o.Fallback) {
		c.note(path+".fallback", "%.60q is neither extension nor group", o.Fallback)
	}
}

// condition tells the conditions of rules apart.
type condition struct {
	when    pbx.When
	callers string
}

func (r *Rule) condition() condition {
	if len(r.Callers.Only)+len(r.Callers.Not) == 0 {
		return condition{when: r.When}
	}
	return condition{r.When, strings.Join(r.Callers.Only, ",") + "/" + strings.Join(r.Callers.Not, ",")}
}

// opposite is the condition that holds when this one does not; ok is false when
// there is none.
func (k condition) opposite() (other condition, ok bool) {
	if k.callers != "" || k.when == "" {
		return k, false
	}
	name, not := k.when.Schedule()
	if not {
		return condition{when: pbx.When(name)}, true
	}
	return condition{when: pbx.When("not " + name)}, true
}

// checkReached notes rules that no call reaches: for each of their numbers an
// earlier rule takes every call, or those under the same condition.
func (c *checker) checkReached() {
	taken := map[string]map[condition]int{} // by number
	by := func(number string, k condition) (int, bool) {
		for _, n := range []string{number, pbx.AnyNumber} {
			for _, k := range []condition{{}, k} {
				if i, ok := taken[n][k]; ok {
					return i, true
				}
			}
		}
		return 0, false
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		k := r.condition()
		first, free := -1, false
		for _, n := range r.numbers() {
			j, before := by(n, k)
			if before && first < 0 {
				first = j
			}
			free = free || !before
			if taken[n] == nil {
				taken[n] = map[condition]int{}
			}
			if !before {
				taken[n][k] = i
			}
			if other, ok := k.opposite(); ok && !before {
				if _, both := taken[n][other]; both {
					taken[n][condition{}] = i
				}
			}
		}
		if !free && r.numbers()[0] != "" {
			c.note(fmt.Sprintf("rules[%d]", i), "is never reached: %s", c.takes(first, r))
		}
	}
}

// takes says what a rule takes from a later one.
func (c *checker) takes(first int, r *Rule) string {
	numbers := strings.Join(r.numbers(), ", ")
	if c.Rules[first].condition() == (condition{}) {
		return fmt.Sprintf("rules[%d] takes every call to %.60s", first, numbers)
	}
	return fmt.Sprintf("rules[%d] takes these calls to %.60s", first, numbers)
}

// checkCircles notes rules that lead to each other: one dials a number of the
// company whose rules dial the first. Whatever their conditions are, such a circle
// is a mistake.
func (c *checker) checkCircles() {
	leads := map[string][]string{} // by number, to which numbers its rules lead
	done := map[string]bool{}      // numbers of which every call is taken
	of := make([][]string, len(c.Rules))
	for i := range c.Rules {
		r := &c.Rules[i]
		of[i] = r.numbers()
		if r.Number == pbx.AnyNumber {
			of[i] = keys(c.numbers)
		}
		of[i] = slices.DeleteFunc(slices.Clone(of[i]), func(n string) bool { return done[n] })
		for _, n := range of[i] {
			leads[n] = append(leads[n], c.dialsOwn(r)...)
			done[n] = r.condition() == condition{}
		}
	}
	round := circles(leads)
	for i := range c.Rules {
		if !slices.ContainsFunc(of[i], func(n string) bool { return round[n] }) {
			continue
		}
		for j, s := range c.Rules[i].Steps {
			if to := c.tenant.E164(s.Dial); round[to] {
				c.note(fmt.Sprintf("rules[%d].steps[%d].dial", i, j), "the rules of %s lead back to this one", to)
			}
		}
	}
}

// dialsOwn lists the numbers of the company that a rule dials.
func (c *checker) dialsOwn(r *Rule) []string {
	var own []string
	for _, s := range r.Steps {
		to := c.tenant.E164(s.Dial)
		if _, ours := c.numbers[to]; ours && s.Dial != "" {
			own = append(own, to)
		}
	}
	return own
}

// circles gives what lies on a circle, or between two, of those that lead to each
// other: what is left when all are taken away again and again that nothing leads
// to, or that lead nowhere.
func circles(leads map[string][]string) map[string]bool {
	back := map[string][]string{}
	for from, to := range leads {
		for _, n := range to {
			back[n] = append(back[n], from)
		}
	}
	left := map[string]bool{}
	for n := range leads {
		left[n] = true
	}
	for _, edges := range []struct{ out, in map[string][]string }{{leads, back}, {back, leads}} {
		count := map[string]int{} // how many it leads to
		var next []string
		for n := range left {
			for _, to := range edges.out[n] {
				if left[to] {
					count[n]++
				}
			}
			if count[n] == 0 {
				next = append(next, n)
			}
		}
		for len(next) > 0 {
			n := next[len(next)-1]
			next = next[:len(next)-1]
			if !left[n] {
				continue
			}
			delete(left, n)
			for _, from := range edges.in[n] {
				if count[from]--; count[from] == 0 {
					next = append(next, from)
				}
			}
		}
	}
	return left
}

func ruleOf(r Rule) pbx.Rule {
	return pbx.Rule{Number: r.Number, Numbers: clone(r.Numbers), When: r.When,
		Callers: pbx.Callers{Only: clone(r.Callers.Only), Not: clone(r.Callers.Not)},
		Owner:   r.Owner.On, OwnerRing: time.Duration(r.Owner.Ring), Fallback: r.Owner.Fallback,
		Record: r.Record != "", Notice: r.Record.notice(), Steps: steps(r.Steps)}
}

func documentRule(r pbx.Rule) Rule {
	return Rule{Number: r.Number, Numbers: clone(r.Numbers), When: r.When,
		Callers: Callers{Only: clone(r.Callers.Only), Not: clone(r.Callers.Not)},
		Owner:   Owner{r.Owner, Duration(r.OwnerRing), r.Fallback},
		Record:  recordOf(r.Record, r.Notice), Steps: documentSteps(r.Steps)}
}

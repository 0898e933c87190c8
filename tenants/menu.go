package tenants

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"vpbx/pbx"
)

// Menu is a choice that callers make by keys.
type Menu struct {
	Name      string            `yaml:"name" json:"name"`
	Number    string            `yaml:"number" json:"number,omitempty"`              // phones of the company call it by that, "": none does
	Prompt    string            `yaml:"prompt" json:"prompt"`                        // says what can be chosen
	Invalid   string            `yaml:"invalid" json:"invalid,omitempty"`            // prompt for keys that say nothing
	NoInput   string            `yaml:"no_input" json:"no_input,omitempty"`          // prompt for who presses nothing
	Timeout   Duration          `yaml:"timeout" json:"timeout,omitzero"`             // for the first key, default 5 s
	Digits    Duration          `yaml:"digit_timeout" json:"digit_timeout,omitzero"` // for each further one of an extension, default 2 s
	Tries     int               `yaml:"tries" json:"tries,omitempty"`                // how often the caller is asked, default 3
	Direct    bool              `yaml:"direct" json:"direct,omitempty"`              // an extension can be dialled
	Keys      map[string][]Step `yaml:"keys" json:"keys,omitempty"`                  // by 0 to 9, * or #
	Otherwise []Step            `yaml:"otherwise" json:"otherwise,omitempty"`        // when the tries are used up
}

// Bounds of a menu and what holds where it says nothing.
const (
	maxMenus       = 200 // of a company
	minKeyTime     = 500 * time.Millisecond
	maxKeyTime     = time.Minute
	maxTries       = 10
	defaultKeyTime = Duration(5 * time.Second)
	defaultDigits  = Duration(2 * time.Second)
	defaultTries   = 3
)

// menuKeys are the keys of a phone, in the order in which they are checked.
const menuKeys = "1234567890*#"

// indexMenus finds the menus by name. A number of theirs is of the plan that
// extensions, groups and conferences share.
func (c *checker) indexMenus() {
	numbers := map[string]int{}
	for i, m := range c.Menus {
		path := fmt.Sprintf("menus[%d]", i)
		c.match(path+".name", m.Name, identifier, "letters, digits, dots and dashes, 40 at most")
		c.once(path+".name", c.menus, m.Name, i, "menus[%d]")
		if m.Number == "" {
			continue
		}
		c.match(path+".number", m.Number, extension, "1 to 10 digits")
		c.once(path+".number", numbers, m.Number, i, "menus[%d]")
		for _, taken := range []struct {
			list  string
			index map[string]int
		}{{"extensions", c.extensions}, {"groups", c.groups}, {"conferences", c.conferences}} {
			if other, is := taken.index[m.Number]; is {
				c.note(path+".number", "%s is already %s[%d]", m.Number, taken.list, other)
			}
		}
	}
	c.menuNumbers = numbers
}

func (c *checker) checkMenus() {
	for i := range c.Menus {
		c.checkMenu(fmt.Sprintf("menus[%d]", i), &c.Menus[i])
	}
	c.checkExits()
	c.checkRounds()
}

func (c *checker) checkMenu(path string, m *Menu) {
	if m.Prompt == "" {
		c.note(path+".prompt", "is needed")
	}
	c.checkPromptName(path+".prompt", m.Prompt)
	c.checkPromptName(path+".invalid", m.Invalid)
	c.checkPromptName(path+".no_input", m.NoInput)
	c.duration(path+".timeout", m.Timeout, minKeyTime, maxKeyTime)
	c.duration(path+".digit_timeout", m.Digits, minKeyTime, maxKeyTime)
	if m.Tries < 0 || m.Tries > maxTries {
		c.note(path+".tries", "must be 1 to %d", maxTries)
	}
	if len(m.Keys) == 0 && !m.Direct {
		c.note(path+".keys", "a menu needs keys, or direct")
	}
	for _, key := range keys(m.Keys) {
		if len(key) != 1 || !strings.Contains(menuKeys, key) {
			c.note(path+".keys", "%.60q is not a key: 0 to 9, * and # are", key)
			continue
		}
		at := path + ".keys." + key
		if len(m.Keys[key]) == 0 {
			c.note(at, "a key needs steps")
		}
		c.checkSteps(at, m.Keys[key])
	}
	c.checkSteps(path+".otherwise", m.Otherwise)
}

// lists gives what a menu leads to: what each key does, then otherwise.
func (m *Menu) lists() [][]Step {
	var all [][]Step
	for _, key := range keys(m.Keys) {
		all = append(all, m.Keys[key])
	}
	return append(all, m.Otherwise)
}

// checkExits notes menus that nobody gets out of: whatever is pressed leads to sounds
// and to menus of the same kind.
func (c *checker) checkExits() {
	exit := make([]bool, len(c.Menus))
	for more := true; more; {
		more = false
		for i := range c.Menus {
			if !exit[i] && c.leadsOut(&c.Menus[i], exit) {
				exit[i], more = true, true
			}
		}
	}
	for i := range c.Menus {
		if m := &c.Menus[i]; !exit[i] && len(m.Keys) > 0 {
			c.note(fmt.Sprintf("menus[%d]", i), "has no way out: no key of it, and of no menu that it leads to, connects or rejects the caller")
		}
	}
}

// leadsOut tells whether a menu lets the caller out, by itself or by one of which that
// is known.
func (c *checker) leadsOut(m *Menu, exit []bool) bool {
	if m.Direct {
		return true
	}
	for _, list := range m.lists() {
		for j := range list {
			next, known := c.menus[list[j].Menu]
			if list[j].connects() || list[j].Menu != "" && known && exit[next] {
				return true
			}
		}
	}
	return false
}

// connects tells whether a step does more than to play and to ask.
func (s *Step) connects() bool { return s.Menu == "" && s.Play.IsZero() }

// checkRounds notes menus that a caller who presses nothing would be led through in a
// circle: tries is for that.
func (c *checker) checkRounds() {
	r := rounds{checker: c, state: make([]int, len(c.Menus))}
	for i := range c.Menus {
		r.visit(i)
	}
}

// rounds is a walk through what menus do otherwise.
type rounds struct {
	*checker
	state []int // 0: not visited, 1: on the way, 2: done
	way   []int
}

func (r *rounds) visit(i int) {
	if r.state[i] != 0 {
		return
	}
	r.state[i] = 1
	r.way = append(r.way, i)
	for j := range r.Menus[i].Otherwise {
		s := &r.Menus[i].Otherwise[j]
		if s.connects() {
			break
		}
		next, known := r.menus[s.Menu]
		switch {
		case s.Menu == "" || !known:
		case r.state[next] == 1:
			r.note(fmt.Sprintf("menus[%d].otherwise[%d].menu", i, j), "a caller who presses nothing goes round: %s", r.round(next))
		default:
			r.visit(next)
		}
	}
	r.way = r.way[:len(r.way)-1]
	r.state[i] = 2
}

// round names the menus on the way from one back to itself.
func (r *rounds) round(from int) string {
	var names []string
	for _, i := range r.way {
		if i == from || len(names) > 0 {
			names = append(names, r.Menus[i].Name)
		}
	}
	return strings.Join(append(names, r.Menus[from].Name), ", ")
}

func (b *build) menus() {
	for i := range b.Menus {
		x := &b.Menus[i]
		m := &pbx.Menu{
			Name: x.Name, Number: x.Number, Prompt: x.Prompt, Invalid: x.Invalid, NoInput: x.NoInput, Direct: x.Direct,
			Timeout: time.Duration(cmp.Or(x.Timeout, defaultKeyTime)), Digits: time.Duration(cmp.Or(x.Digits, defaultDigits)),
			Tries: cmp.Or(x.Tries, defaultTries), Otherwise: steps(x.Otherwise),
		}
		for key, list := range x.Keys {
			if m.Keys == nil {
				m.Keys = map[string][]pbx.Step{}
			}
			m.Keys[key] = steps(list)
		}
		if b.company.Menus == nil {
			b.company.Menus = map[string]*pbx.Menu{}
		}
		b.company.Menus[x.Name] = m
	}
}

func documentMenu(m *pbx.Menu) Menu {
	x := Menu{
		Name: m.Name, Number: m.Number, Prompt: m.Prompt, Invalid: m.Invalid, NoInput: m.NoInput, Direct: m.Direct,
		Timeout: Duration(m.Timeout), Digits: Duration(m.Digits), Tries: m.Tries, Otherwise: documentSteps(m.Otherwise),
	}
	for key, list := range m.Keys {
		if x.Keys == nil {
			x.Keys = map[string][]Step{}
		}
		x.Keys[key] = documentSteps(list)
	}
	return x
}

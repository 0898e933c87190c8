package routing

import (
	"strings"

	"vpbx/pbx"
)

// Menu lets the caller choose by keys. What is chosen is laid out then, by [Continue].
type Menu struct {
	Menu *pbx.Menu
}

func (Menu) step() {}

// Picked is what keys say in a menu: a key of it, an extension, or nothing.
type Picked struct {
	Key       string
	Extension string
	More      bool // a further key can change it
}

// None tells whether the keys say nothing.
func (p Picked) None() bool { return p.Key == "" && p.Extension == "" }

// Pick reads the keys that were pressed in a menu. Where extensions can be dialled, a
// key of the menu that some of them begin with counts when no other follows it; # ends
// a number. A number that nobody has is read to the length of the longest, so that its
// last digits are not taken for another choice.
func Pick(c *pbx.Company, m *pbx.Menu, typed string) Picked {
	if !m.Direct || len(typed) == 1 && strings.Contains("*#", typed) {
		return keyOf(m, typed)
	}
	number, ended := strings.CutSuffix(typed, "#")
	p := keyOf(m, number)
	if p.Key == "" && c.Extensions[number] != nil {
		p.Extension = number
	}
	begins, longest := false, 0
	for n := range c.Extensions {
		begins = begins || len(n) > len(number) && strings.HasPrefix(n, number)
		longest = max(longest, len(n))
	}
	p.More = !ended && (begins || p.None() && len(number) < longest)
	return p
}

func keyOf(m *pbx.Menu, typed string) Picked {
	if _, is := m.Keys[typed]; is {
		return Picked{Key: typed}
	}
	return Picked{}
}

// choose lays out the way into a menu.
func (p *plan) choose(name string) {
	menu := p.req.Company.Menus[name]
	if menu == nil {
		p.why("there is no menu " + name)
		return
	}
	p.Steps = append(p.Steps, Menu{menu})
	if !p.inner { // else the choice that has led here says so
		p.why("menu " + name)
	}
}

package call

import (
	"fmt"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
)

const (
	maxMenus  = 16 // that one call is led into: menus that lead to each other end there
	maxChoice = 11 // keys of one choice: an extension and the # behind it
)

// menu lets the caller choose and does what the choice leads to; when that comes to
// nothing, the plan goes on behind the menu. It returns true when the plan is over.
func (c *Call) menu(s routing.Menu) bool {
	m := s.Menu
	if c.menus++; c.menus > maxMenus {
		c.fail(pbx.NewCause(pbx.PartyPBX, pbx.NoChoice))
		c.why(fmt.Sprintf("menu %s is left out: the call was in %d menus already", m.Name, maxMenus))
		return false
	}
	picked, err := c.choose(m)
	if err != nil {
		return true
	}
	chose := pbx.CallEvent{Kind: pbx.Chose, Who: c.caller.who, Text: m.Name}
	list, why := m.Otherwise, "otherwise → "+pbx.Outline(m.Otherwise)
	switch {
	case picked.Key != "":
		list = m.Keys[picked.Key]
		chose.Digit, why = picked.Key, picked.Key+" → "+pbx.Outline(list)
	case picked.Extension != "":
		chose.To, why = picked.Extension, picked.Extension+" was dialled"
		list = []pbx.Step{{Kind: pbx.StepRing, Target: picked.Extension}}
	case len(list) == 0:
		c.note(chose)
		c.fail(pbx.NewCause(pbx.PartyPBX, pbx.NoChoice))
		return false
	}
	chose.Why = []string{"menu " + m.Name + ": " + why}
	c.note(chose)
	return c.follow(list)
}

// choose asks the caller, as often as the menu says. An error means that the call is
// over. Keys that say nothing are kept nowhere: they may have been meant for somebody
// else.
func (c *Call) choose(m *pbx.Menu) (picked routing.Picked, err error) {
	c.listens = true // also between two prompts: who knows the menu presses ahead
	defer func() { c.listens = false }()
	prompt, err := c.prompt(m.Prompt)
	if err != nil {
		return picked, err
	}
	if prompt == nil {
		prompt = media.PINPrompt() // something has to say that a key is waited for
	}
	if err := c.answerAlone(spoken); err != nil {
		c.why(fmt.Sprintf("menu %s cannot be played: %v", m.Name, err))
		return picked, nil
	}
	ask := collect{interrupt: true, max: maxChoice, first: m.Timeout, between: m.Digits,
		enough: func(keys string) bool { return !routing.Pick(c.company, m, keys).More }}
	var wrong []sound // what was wrong the last time
	for try := 1; try <= m.Tries; try++ {
		ask.sounds = append(wrong, sound{m.Prompt, prompt})
		keys, err := c.collect(ask)
		if err != nil {
			return picked, err
		}
		if picked = routing.Pick(c.company, m, keys); !picked.None() {
			return picked, nil
		}
		says, why := m.NoInput, "nothing was pressed"
		if keys != "" {
			c.typed = nil
			says, why = m.Invalid, "what was pressed is no choice"
		}
		c.why(fmt.Sprintf("menu %s: %s (%d of %d)", m.Name, why, try, m.Tries))
		if wrong, err = c.tellWrong(says); err != nil {
			return picked, err
		}
	}
	_, err = c.collect(collect{sounds: wrong})
	c.spoke = len(wrong) > 0
	return picked, err
}

// tellWrong is the prompt that says what was wrong, none where the menu has none.
func (c *Call) tellWrong(name string) ([]sound, error) {
	p, err := c.prompt(name)
	if err != nil || p == nil {
		return nil, err
	}
	return []sound{{name, p}}, nil
}

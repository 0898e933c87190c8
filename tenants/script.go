package tenants

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"vpbx/pbx"
)

// does tells whether a key of the script, or that none is pressed, does something.
func (x *Campaign) does(what func(ScriptAction) bool) bool {
	for i := range x.Script {
		b := &x.Script[i]
		for _, a := range b.Keys {
			if what(a) {
				return true
			}
		}
		if b.Otherwise != nil && what(*b.Otherwise) {
			return true
		}
	}
	return false
}

// checkScript notes what is wrong with what the autoinformer says.
func (c *checker) checkScript(path string, x *Campaign) {
	mode := x.modeOf()
	path += ".script"
	switch {
	case len(x.Script) == 0:
		if mode == pbx.DialMessage {
			c.note(path, "is needed in mode message: what is said")
		}
		return
	case mode.OperatorMode() && len(x.Script) > 0:
		c.note(path, "goes with mode message")
	case len(x.Script) > maxBlocks:
		c.note(path, "%d blocks; %d at most", len(x.Script), maxBlocks)
		return
	}
	s := script{checker: c, path: path, blocks: x.Script, index: map[string]int{}, state: make([]int, len(x.Script))}
	for i := range s.blocks {
		at := fmt.Sprintf("%s[%d].name", path, i)
		c.match(at, s.blocks[i].Name, identifier, "letters, digits, dots and dashes, 40 at most")
		c.once(at, s.index, s.blocks[i].Name, i, path+"[%d]")
	}
	for i := range s.blocks {
		s.block(fmt.Sprintf("%s[%d]", path, i), &s.blocks[i])
	}
	s.checkReached()
	for i := range s.blocks {
		s.visit(i)
	}
}

// checkSaid checks a list of prompts that may be empty.
func (c *checker) checkSaid(path string, list names) { c.checkPlay(path, Play{Prompts: list}) }

// script is a walk through the blocks of a script.
type script struct {
	*checker
	path   string
	blocks []ScriptBlock
	index  map[string]int // by name
	state  []int          // of a walk by what happens without a key; 0: not visited, 1: on the way, 2: done
	way    []int
}

func (s *script) block(path string, b *ScriptBlock) {
	if len(b.Play) == 0 {
		s.note(path+".play", "is needed")
	}
	s.checkSaid(path+".play", b.Play)
	s.duration(path+".timeout", b.Timeout, minKeyTime, maxKeyTime)
	if b.Tries < 0 || b.Tries > maxTries {
		s.note(path+".tries", "must be 1 to %d", maxTries)
	}
	if len(b.Keys) == 0 && b.Timeout != 0 {
		s.note(path+".timeout", "goes with keys")
	}
	if len(b.Keys) == 0 && b.Tries > 1 {
		s.note(path+".tries", "goes with keys")
	}
	for _, key := range keys(b.Keys) {
		if len(key) != 1 || !strings.Contains(menuKeys, key) {
			s.note(path+".keys", "%.60q is not a key: 0 to 9, * and # are", key)
			continue
		}
		a := b.Keys[key]
		if a.idle() {
			s.note(path+".keys."+key, "does nothing: a key needs answer, play, connect, go, repeat or opt_out")
		}
		s.action(path+".keys."+key, &a)
	}
	if b.Otherwise != nil {
		s.action(path+".otherwise", b.Otherwise)
		if b.Otherwise.Repeat {
			s.note(path+".otherwise.repeat", "goes with keys: write tries")
		}
	}
}

// idle tells whether an action does nothing but to end the call.
func (a *ScriptAction) idle() bool {
	return a.Answer == "" && len(a.Play) == 0 && a.Connect == "" && a.Go == "" && !a.Repeat && !a.OptOut
}

func (s *script) action(path string, a *ScriptAction) {
	ways := 0
	for _, given := range []bool{a.Connect != "", a.Go != "", a.Repeat, a.OptOut} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		s.note(path, "does one of connect, go, repeat and opt_out, not %d of them", ways)
	}
	s.text(path+".answer", a.Answer)
	if utf8.RuneCountInString(a.Answer) > maxAnswer {
		s.note(path+".answer", "is longer than %d characters", maxAnswer)
	}
	s.checkSaid(path+".play", a.Play)
	if a.Connect != "" && !s.internal(a.Connect) {
		s.note(path+".connect", "%.60q is neither extension nor group nor queue", a.Connect)
	}
	if _, ok := s.index[a.Go]; a.Go != "" && !ok {
		s.note(path+".go", "there is no block %.60q", a.Go)
	}
}

// checkReached notes blocks that nothing leads to from the first.
func (s *script) checkReached() {
	reached := make([]bool, len(s.blocks))
	next := []int{0}
	for len(next) > 0 {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		if reached[i] {
			continue
		}
		reached[i] = true
		b := &s.blocks[i]
		for _, a := range b.Keys {
			if to, ok := s.index[a.Go]; ok && a.Go != "" {
				next = append(next, to)
			}
		}
		if to, ok := s.silent(b); ok {
			next = append(next, to)
		}
	}
	for i := range s.blocks {
		if !reached[i] {
			s.note(fmt.Sprintf("%s[%d]", s.path, i), "is never reached: the first block leads nowhere to it")
		}
	}
}

// silent gives the block that follows one in which no key is pressed.
func (s *script) silent(b *ScriptBlock) (int, bool) {
	if b.Otherwise == nil || b.Otherwise.Go == "" {
		return 0, false
	}
	to, ok := s.index[b.Otherwise.Go]
	return to, ok
}

// visit notes blocks that lead who presses nothing round and round.
func (s *script) visit(i int) {
	if s.state[i] != 0 {
		return
	}
	s.state[i] = 1
	s.way = append(s.way, i)
	if to, ok := s.silent(&s.blocks[i]); ok && s.state[to] == 1 {
		s.note(fmt.Sprintf("%s[%d].otherwise.go", s.path, i), "who presses nothing goes round: %s", s.round(to))
	} else if ok {
		s.visit(to)
	}
	s.way = s.way[:len(s.way)-1]
	s.state[i] = 2
}

// round names the blocks on the way from one back to itself.
func (s *script) round(from int) string {
	var list []string
	for _, i := range s.way {
		if i == from || len(list) > 0 {
			list = append(list, s.blocks[i].Name)
		}
	}
	return strings.Join(append(list, s.blocks[from].Name), ", ")
}

// playedByCampaign says which campaign plays a prompt, "" when none does.
func playedByCampaign(c *pbx.Company, name string) string {
	for _, campaign := range keys(c.Campaigns) {
		x := c.Campaigns[campaign]
		said := slices.Concat(x.Machine.Play, x.Spoken())
		if slices.Contains(said, name) {
			return "the campaign " + campaign
		}
	}
	return ""
}

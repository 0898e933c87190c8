package tenants

import (
	"cmp"
	"fmt"
	"regexp"

	"vpbx/pbx"
)

// pin is what can be pressed on a phone: # ends it.
var pin = regexp.MustCompile(`^[0-9]{4,12}$`)

// indexConferences finds the conferences by number. They share the plan of
// extensions and groups.
func (c *checker) indexConferences() {
	for i, x := range c.Conferences {
		path := fmt.Sprintf("conferences[%d].number", i)
		c.match(path, x.Number, extension, "1 to 10 digits")
		if other, taken := c.extensions[x.Number]; taken && x.Number != "" {
			c.note(path, "%s is already extensions[%d]", x.Number, other)
		}
		if other, taken := c.groups[x.Number]; taken && x.Number != "" {
			c.note(path, "%s is already groups[%d]", x.Number, other)
		}
		c.once(path, c.conferences, x.Number, i, "conferences[%d]")
	}
}

func (c *checker) checkConferences() {
	for i := range c.Conferences {
		path, x := fmt.Sprintf("conferences[%d]", i), &c.Conferences[i]
		c.text(path+".name", x.Name)
		c.checkPIN(path+".pin", x.PIN)
		c.checkPIN(path+".moderator_pin", x.ModeratorPIN)
		if x.PIN != nil && x.ModeratorPIN != nil && *x.PIN != "" && *x.PIN == *x.ModeratorPIN {
			c.note(path+".moderator_pin", "must not be the pin of everybody")
		}
		if x.Max != 0 && (x.Max < 2 || x.Max > pbx.MaxConference) {
			c.note(path+".max", "must be 2 to %d", pbx.MaxConference)
		}
		c.checkPromptName(path+".pin_prompt", x.PINPrompt)
		c.checkPromptName(path+".announce", x.Announce)
	}
}

func (c *checker) checkPromptName(path, name string) {
	if _, ok := c.prompts[name]; name != "" && !ok {
		c.note(path, "there is no prompt %.60q", name)
	}
}

// checkPIN does not show what is wrong: it may be nearly right.
func (c *checker) checkPIN(path string, p *string) {
	if p != nil && *p != "" && !pin.MatchString(*p) {
		c.note(path, "must have 4 to 12 digits")
	}
}

// conferences keeps the PINs that the document leaves out.
func (b *build) conferences() {
	for i := range b.Conferences {
		x := &b.Conferences[i]
		n := &pbx.Conference{
			Number: x.Number, Name: x.Name, Max: cmp.Or(x.Max, pbx.MaxConference), Record: x.Record, Tones: x.Tones,
			Wait: x.Wait, Muted: x.Muted, PINPrompt: x.PINPrompt, Announce: x.Announce,
		}
		if b.old != nil && b.old.Conferences[x.Number] != nil {
			was := b.old.Conferences[x.Number]
			n.PIN, n.ModeratorPIN = was.PIN, was.ModeratorPIN
		}
		if x.PIN != nil {
			n.PIN = *x.PIN
		}
		if x.ModeratorPIN != nil {
			n.ModeratorPIN = *x.ModeratorPIN
		}
		if n.PIN != "" && n.PIN == n.ModeratorPIN {
			b.note(fmt.Sprintf("conferences[%d].moderator_pin", i), "must not be the pin of everybody")
		}
		if n.Wait && n.ModeratorPIN == "" {
			b.note(fmt.Sprintf("conferences[%d].wait_for_moderator", i), "is of no use without moderator_pin")
		}
		b.company.Conferences[x.Number] = n
	}
}

// documentConference leaves out the PINs, so that applied again they stay.
func documentConference(c *pbx.Conference) Conference {
	return Conference{Number: c.Number, Name: c.Name, Max: c.Max, Record: c.Record, Tones: c.Tones,
		Wait: c.Wait, Muted: c.Muted, PINPrompt: c.PINPrompt, Announce: c.Announce}
}

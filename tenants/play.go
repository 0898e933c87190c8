package tenants

import (
	"encoding/json"
	"fmt"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// maxPlays bounds the prompts of one step.
const maxPlays = 20

// Play is what a step plays. It is written welcome, [welcome, hours] or
// {prompt: welcome, interrupt: true}, where prompt may be a list, too.
type Play struct {
	Prompts   []string
	Interrupt bool // a key of the caller ends it
}

// IsZero says whether nothing is played.
func (p Play) IsZero() bool { return len(p.Prompts) == 0 && !p.Interrupt }

// UnmarshalStrict reads any of the three forms.
func (p *Play) UnmarshalStrict(n strict.Node) {
	switch n.Kind() {
	case strict.Null:
		n.Errorf("has no value")
	case strict.Map:
		var m struct {
			Prompt    names `yaml:"prompt"`
			Interrupt bool  `yaml:"interrupt"`
		}
		n.Decode(&m)
		p.Prompts, p.Interrupt = m.Prompt, m.Interrupt
	default:
		n.Decode((*names)(&p.Prompts))
	}
}

// MarshalJSON writes the shortest form.
func (p Play) MarshalJSON() ([]byte, error) {
	var what any = p.Prompts
	if len(p.Prompts) == 1 {
		what = p.Prompts[0]
	}
	if !p.Interrupt {
		return json.Marshal(what)
	}
	return json.Marshal(map[string]any{"prompt": what, "interrupt": true})
}

// names is one name, or a list of them.
type names []string

// UnmarshalStrict reads either.
func (l *names) UnmarshalStrict(n strict.Node) {
	if n.Kind() != strict.Scalar {
		n.Decode((*[]string)(l))
		return
	}
	var name string
	if n.Decode(&name) {
		*l = names{name}
	}
}

// step is the stored form.
func (p Play) step() pbx.Step {
	s := pbx.Step{Kind: pbx.StepPlay, Interrupt: p.Interrupt}
	if len(p.Prompts) == 1 {
		s.Target = p.Prompts[0]
	} else {
		s.Prompts = clone(p.Prompts)
	}
	return s
}

func (c *checker) checkPlay(path string, p Play) {
	if p.Interrupt && len(p.Prompts) == 0 {
		c.note(path, "names no prompt")
	}
	if len(p.Prompts) > maxPlays {
		c.note(path, "%d prompts; %d at most", len(p.Prompts), maxPlays)
		return
	}
	for i, name := range p.Prompts {
		if _, ok := c.prompts[name]; ok {
			continue
		}
		at := path
		if len(p.Prompts) > 1 {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		c.note(at, "there is no prompt %.60q", name)
	}
}

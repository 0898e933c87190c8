package tenants

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"vpbx/pbx"
)

// SetSound gives a prompt of a company its uploaded sound, and makes the prompt when
// there is none. A prompt that the document makes of a file or a text is a Conflict.
func (s *Service) SetSound(ctx context.Context, t pbx.TenantID, name, hash string) error {
	return s.changePrompts(ctx, t, func(c *pbx.Company) error {
		was := c.Prompts[name]
		switch {
		case !identifier.MatchString(name):
			return &pbx.Error{Kind: pbx.Invalid, Field: "name", Msg: "name: must be letters, digits, dots and dashes, 40 at most"}
		case was == nil && len(c.Prompts) >= maxList:
			return &pbx.Error{Kind: pbx.Conflict, Msg: fmt.Sprintf("the company has %d prompts; that is the most", maxList)}
		case was != nil && !was.Upload:
			return &pbx.Error{Kind: pbx.Conflict, Msg: "the prompt is a file or a text of the company document; write upload: true there"}
		}
		next := pbx.Prompt{Name: name, Upload: true}
		if was != nil {
			next = *was
		}
		next.Sound = hash
		c.Prompts[name] = &next
		return nil
	})
}

// RecordSound gives a prompt of a company the sound that an extension has recorded of it:
// a Conflict when the prompt is gone, Denied when that extension may not record it (any
// more). Calls that begin then hear it.
func (s *Service) RecordSound(ctx context.Context, t pbx.TenantID, name, extension, hash string) error {
	return s.changePrompts(ctx, t, func(c *pbx.Company) error {
		was := c.Prompts[name]
		switch {
		case was == nil:
			return &pbx.Error{Kind: pbx.Conflict, Msg: "the prompt was removed meanwhile"}
		case !was.Upload || !was.RecordedBy(extension):
			return &pbx.Error{Kind: pbx.Denied, Msg: extension + " may not record it any more"}
		}
		next := *was
		next.Sound = hash
		c.Prompts[name] = &next
		return nil
	})
}

// RemovePrompt removes a prompt of a company; a Conflict as long as something plays it.
func (s *Service) RemovePrompt(ctx context.Context, t pbx.TenantID, name string) error {
	return s.changePrompts(ctx, t, func(c *pbx.Company) error {
		if c.Prompts[name] == nil {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such prompt"}
		}
		if by := PlayedBy(c, name); by != "" {
			return &pbx.Error{Kind: pbx.Conflict, Msg: "the prompt is played by " + by}
		}
		delete(c.Prompts, name)
		return nil
	})
}

// changePrompts changes a copy of the prompts of a company in one transaction.
func (s *Service) changePrompts(ctx context.Context, t pbx.TenantID, change func(*pbx.Company) error) error {
	err := s.store.UpdateCompany(ctx, t, func(old *pbx.Company) (*pbx.Company, error) {
		if old == nil {
			return nil, unknown()
		}
		next := *old
		if next.Prompts = maps.Clone(old.Prompts); next.Prompts == nil {
			next.Prompts = map[string]*pbx.Prompt{}
		}
		return &next, change(&next)
	})
	if err != nil {
		return fmt.Errorf("change the prompts of company %s: %w", t, err)
	}
	return nil
}

// PlayedBy says what of a company plays a prompt, "" when nothing does.
func PlayedBy(c *pbx.Company, name string) string {
	for _, r := range c.Rules {
		if plays(r.Steps, name) {
			return "the rule of " + r.Number
		}
	}
	for menu, m := range c.Menus {
		if name == m.Prompt || name == m.Invalid || name == m.NoInput || plays(m.Otherwise, name) {
			return "the menu " + menu
		}
		for _, list := range m.Keys {
			if plays(list, name) {
				return "the menu " + menu
			}
		}
	}
	if by := playedByQueue(c, name); by != "" {
		return by
	}
	if by := playedByCampaign(c, name); by != "" {
		return by
	}
	if c.Recordings.Announce == name {
		return "the announcement of recordings"
	}
	for number, conf := range c.Conferences {
		if conf.PINPrompt == name || conf.Announce == name {
			return "the conference " + number
		}
	}
	for music, m := range c.Music {
		if slices.Contains(m.Prompts, name) {
			return "the music " + music
		}
	}
	return ""
}

// plays says whether one of the steps plays a prompt.
func plays(list []pbx.Step, name string) bool {
	return slices.ContainsFunc(list, func(s pbx.Step) bool { return s.Kind == pbx.StepPlay && slices.Contains(s.Plays(), name) })
}

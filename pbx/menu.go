package pbx

import (
	"strconv"
	"strings"
	"time"
)

// Menu is a choice that callers make by keys.
type Menu struct {
	Name    string        `json:"name"`
	Number  string        `json:"number,omitempty"`   // by which phones of the company call it, "": by none
	Prompt  string        `json:"prompt"`             // name of the prompt that says what can be chosen
	Invalid string        `json:"invalid,omitempty"`  // heard after keys that say nothing, "": nothing
	NoInput string        `json:"no_input,omitempty"` // heard when nothing was pressed, "": nothing
	Timeout time.Duration `json:"timeout"`            // how long the first key is waited for
	Digits  time.Duration `json:"digits"`             // and each further one of an extension
	Tries   int           `json:"tries"`              // how often the caller is asked
	Direct  bool          `json:"direct,omitempty"`   // an extension can be dialled
	// Keys says what a key does. A key is 0 to 9, * or #.
	Keys      map[string][]Step `json:"keys,omitempty"`
	Otherwise []Step            `json:"otherwise,omitempty"` // done when the tries are used up
}

// MenuAt gives the menu that is called by a number, nil when none is.
func (c *Company) MenuAt(number string) *Menu {
	if number == "" {
		return nil
	}
	for _, m := range c.Menus {
		if m.Number == number {
			return m
		}
	}
	return nil
}

// Outline names what steps lead to in few words, for a manager to read.
func Outline(list []Step) string {
	var parts []string
	for _, s := range list {
		switch {
		case s.Kind == StepReject:
			parts = append(parts, "reject "+strconv.Itoa(s.Code))
		case len(s.Prompts) > 0:
			parts = append(parts, string(s.Kind)+" "+strings.Join(s.Prompts, ", "))
		default:
			parts = append(parts, string(s.Kind)+" "+s.Target)
		}
	}
	return strings.Join(parts, ", then ")
}

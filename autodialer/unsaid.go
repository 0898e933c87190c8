package autodialer

import (
	"fmt"
	"slices"

	"vpbx/pbx"
	"vpbx/speech/words"
)

// saidOfAll are the variables of texts that every call of a campaign has; package call
// fills them.
var saidOfAll = []string{"number", "dialled", "campaign", "company", "date", "time"}

// unsaid names the first variable that a prompt of the campaign says and that none of
// these targets has: each of their calls would fail for want of it. "" is none.
func unsaid(company *pbx.Company, s *pbx.Campaign, targets []pbx.Target) string {
	if len(targets) == 0 {
		return ""
	}
	has := map[string]bool{}
	for _, name := range saidOfAll {
		has[name] = true
	}
	for _, t := range targets {
		has["name"] = has["name"] || t.Name != ""
		for name := range t.Variables {
			has[name] = true
		}
	}
	names := s.Spoken()
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		p := company.Prompts[name]
		if p == nil || p.Text == "" {
			continue
		}
		text, err := words.Parse(p.Text)
		if err != nil {
			continue // the document was checked
		}
		for _, v := range text.Variables() {
			if !has[v] {
				return fmt.Sprintf("none of the targets has {%s}, which the prompt %s says: name its column when the list is sent (map=%s:COLUMN)", v, name, column(v))
			}
		}
	}
	return ""
}

// column is how the mapping of a list calls the column of a variable.
func column(variable string) string {
	if variable == "name" {
		return variable
	}
	return "var." + variable
}

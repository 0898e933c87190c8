package law

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"vpbx/pbx"
)

// Facts are what is known of a campaign before it starts.
type Facts struct {
	At        time.Time
	Campaign  *pbx.Campaign
	Schedule  *pbx.Schedule  // of Campaign.When; nil: there is none
	Home      *time.Location // whose clock it is by; nil: the callee's
	Countries []string       // of the targets' numbers, ISO codes
	Consented bool           // some target has a record of consent
	Own       Terms          // what the company demands besides, and the campaign does not say
}

// Problem is why a campaign must not start.
type Problem struct {
	Rule    string `json:"rule"`              // id; "" when no law is in question
	Country string `json:"country,omitempty"` // whose; "" when of all
	Field   string `json:"field"`             // of the campaign's settings
	English string `json:"en"`
	Russian string `json:"ru"`
}

// CheckStart finds all that forbids the start of a campaign; none lets it start. Numbers
// that may not be dialled though the campaign runs are left to [Law.Judge].
func (l *Law) CheckStart(f Facts) []Problem {
	var list []Problem
	add := func(p ...Problem) {
		for _, one := range p {
			if !slices.Contains(list, one) {
				list = append(list, one)
			}
		}
	}
	if neverOpen(f) {
		add(Problem{Field: "when", English: "The campaign has no hours in which it calls.", Russian: "У кампании нет часов для звонков."})
	}
	for _, k := range f.Campaign.Callers {
		if n := utf8.RuneCountInString(k.Label); n > pbx.MaxLabel {
			add(Problem{Field: "callers", English: fmt.Sprintf("The label of %s has %d characters; %d are allowed.", k.Number, n, pbx.MaxLabel),
				Russian: fmt.Sprintf("Маркировка номера %s длиной %d символов, допустимо %d.", k.Number, n, pbx.MaxLabel)})
		}
	}
	for _, country := range f.Countries {
		terms := slices.Concat(l.Terms(country, f.Campaign.Kind, f.Campaign.Mode, f.At), OwnOf(f.Campaign), f.Own)
		add(settings(f.Campaign, country, terms, f.Consented)...)
		add(callers(f.Campaign, country, terms)...)
		add(l.hours(f, country, terms)...)
	}
	return list
}

// neverOpen tells whether the campaign has no hours at all.
func neverOpen(f Facts) bool {
	return f.Schedule == nil || f.Schedule.At(f.At.In(home(f))) == (pbx.State{})
}

func home(f Facts) *time.Location {
	if f.Home != nil {
		return f.Home
	}
	return time.UTC
}

// settings finds what the law forbids in the settings of a campaign to a country.
func settings(c *pbx.Campaign, country string, terms Terms, consented bool) []Problem {
	var list []Problem
	for _, t := range terms {
		field := ""
		switch {
		case t.Operator && !c.Mode.OperatorMode():
			field = "mode"
		case t.Consent && c.Consent != pbx.ConsentGiven && !consented:
			field = "consent"
		case t.OptOut && !optsOut(c):
			field = "script"
		case t.Ring > c.Ring:
			field = "ring"
		case t.ToldWithin > 0 && c.Operators.SafeHarbour == "":
			field = "operators.sorry"
		case t.ToldWithin > 0 && c.Operators.Within > t.ToldWithin:
			field = "operators.within"
		case t.Abandoned != nil && c.Pace.Abandoned > t.Abandoned.Share:
			field = "pace.abandoned"
		default:
			continue
		}
		list = append(list, problem(t.Rule, country, field))
	}
	return list
}

// problem is a setting that a rule forbids, in the rule's own words.
func problem(r *Rule, country, field string) Problem {
	return Problem{Rule: r.ID, Country: country, Field: field, English: r.English, Russian: r.Russian}
}

// optsOut tells whether some key of the script is for being called no more.
func optsOut(c *pbx.Campaign) bool {
	return slices.ContainsFunc(c.Script, func(b pbx.ScriptBlock) bool {
		for _, a := range b.Keys {
			if a.OptOut {
				return true
			}
		}
		return false
	})
}

// callers finds numbers that would be shown in a country without the label it asks for.
func callers(c *pbx.Campaign, country string, terms Terms) []Problem {
	var list []Problem
	code := pbx.CallingCode(country)
	for _, t := range terms {
		for _, k := range c.Callers {
			shown := strings.HasPrefix(k.Prefix, code) || strings.HasPrefix(code, k.Prefix)
			if t.Label > 0 && shown && badLabel(k.Label, t.Label, c.Unlabelled) {
				list = append(list, problem(t.Rule, country, "callers"))
			}
		}
	}
	return list
}

// hours finds hours that never meet those of the law in any zone of a country, and laws whose
// holidays are not known any more.
func (l *Law) hours(f Facts, country string, terms Terms) []Problem {
	var list []Problem
	today := f.At.In(home(f))
	date := pbx.Date{Year: today.Year(), Month: today.Month(), Day: today.Day()}
	for _, t := range terms {
		_, known := l.holidays.of(country)
		if t.Hours != nil && t.Hours.Closed && known && (date.Compare(l.holidays.First) < 0 || date.Compare(l.holidays.Last) > 0) {
			list = append(list, Problem{Rule: t.ID, Country: country, Field: "when",
				English: fmt.Sprintf("The holidays of %s are known until %s only; a newer program is needed.", country, l.holidays.Last),
				Russian: fmt.Sprintf("Праздники страны %s известны только до %s; нужна новая версия программы.", country, l.holidays.Last)})
		}
	}
	if neverOpen(f) {
		return list
	}
	for _, zone := range locations(pbx.ZonesOf(country)) {
		if _, ok := NewWindow(terms, []*time.Location{zone}, f.Schedule, f.Home).Next(f.At); ok {
			return list
		}
	}
	english, russian := Text(pbx.HeldNoWindow)
	return append(list, Problem{Country: country, Field: "when", English: english, Russian: russian})
}

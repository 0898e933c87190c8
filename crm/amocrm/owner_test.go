package amocrm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vpbx/crm"
	"vpbx/crm/amocrm/amosim"
	"vpbx/pbx"
)

// TestM04 is the smart contact manager step by step.
func TestM04(t *testing.T) {
	off, dull, other := scenario(), scenario(), scenario()
	off.On, dull.Smart, other.Lines = false, false, []string{line2}
	except := scenario()
	except.Exceptions = []string{"102", "103"}
	for name, test := range map[string]struct {
		scenarios []pbx.AmoScenario
		from      string
		change    func(*pbx.AmoCRM)
		want      pbx.Contact
	}{
		"who is responsible":     {[]pbx.AmoScenario{scenario()}, known, nil, pbx.Contact{Name: "Иван Петров", Owner: "102"}},
		"nobody knows him":       {[]pbx.AmoScenario{scenario()}, stranger, nil, pbx.Contact{Why: "amoCRM: no contact has this number"}},
		"no scenario":            {nil, known, nil, pbx.Contact{Why: "amoCRM: no scenario has the line " + line}},
		"switched off":           {[]pbx.AmoScenario{off}, known, nil, pbx.Contact{Why: "amoCRM: no scenario has the line " + line}},
		"of another line":        {[]pbx.AmoScenario{other}, known, nil, pbx.Contact{Why: "amoCRM: no scenario has the line " + line}},
		"the next has the line":  {[]pbx.AmoScenario{other, scenario()}, known, nil, pbx.Contact{Name: "Иван Петров", Owner: "102"}},
		"smart manager off":      {[]pbx.AmoScenario{dull}, known, nil, pbx.Contact{Why: `amoCRM: the smart manager of scenario "Все" is off`}},
		"an exception":           {[]pbx.AmoScenario{except}, known, nil, pbx.Contact{Name: "Иван Петров", Why: `amoCRM: 102, who is responsible, is an exception of scenario "Все"`}},
		"without a number":       {[]pbx.AmoScenario{scenario()}, "+79160000005", nil, pbx.Contact{Name: "Без номера", Owner: "103", Why: "amoCRM: user 504, who is responsible, has no internal number: fallback manager 103"}},
		"without, no fallback":   {[]pbx.AmoScenario{scenario()}, "+79160000005", func(a *pbx.AmoCRM) { a.Fallback = "" }, pbx.Contact{Name: "Без номера", Why: "amoCRM: user 504, who is responsible, has no internal number, and there is no fallback manager"}},
		"the fallback excepted":  {[]pbx.AmoScenario{except}, "+79160000005", nil, pbx.Contact{Name: "Без номера", Why: "amoCRM: user 504, who is responsible, has no internal number, and the fallback manager 103 is an exception"}},
		"a user who was deleted": {[]pbx.AmoScenario{scenario()}, known, func(a *pbx.AmoCRM) { delete(a.Users, 502) }, pbx.Contact{Name: "Иван Петров", Owner: "103", Why: "amoCRM: user 502, who is responsible, has no internal number: fallback manager 103"}},
		"disconnected":           {[]pbx.AmoScenario{scenario()}, known, func(a *pbx.AmoCRM) { a.Link = nil }, pbx.Contact{Why: "amoCRM: no account is connected"}},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, test.scenarios, func(d *desk) {
				if test.change != nil {
					test.change(d.company.CRM.Amo)
				}
				ctx, cancel := d.within(700 * time.Millisecond)
				defer cancel()
				got, err := d.b.Owner(ctx, d.company, test.from, line, "c")
				if err != nil || got != test.want {
					t.Errorf("%+v %v", got, err)
				}
			})
		})
	}
}

// TestM05: the name is that of the card, also where the caller goes by the rules.
func TestM05(t *testing.T) {
	except := scenario()
	except.Exceptions = []string{"102"}
	atDesk(t, []pbx.AmoScenario{except}, func(d *desk) {
		got, err := d.b.Owner(d.Context(), d.company, known, line, "c")
		if err != nil || got.Name != "Иван Петров" || got.Owner != "" {
			t.Errorf("%+v %v", got, err)
		}
	})
}

// TestChoose: of several cards with the number the first is taken whose user can be rung.
func TestChoose(t *testing.T) {
	a := &pbx.AmoCRM{Users: map[int64]string{1: "101", 2: "102"}}
	card := func(id, user int64) Contact { return Contact{ID: id, Responsible: user} }
	for name, test := range map[string]struct {
		found []Contact
		want  int64
	}{
		"none":      {nil, 0},
		"one":       {[]Contact{card(7, 9)}, 7},
		"mapped":    {[]Contact{card(7, 9), card(8, 2), card(9, 1)}, 9},
		"excepted":  {[]Contact{card(7, 9), card(8, 2)}, 8},
		"no number": {[]Contact{card(7, 9), card(8, 10)}, 7},
	} {
		if got, ok := choose(a, []string{"102"}, test.found); got.ID != test.want || ok != (test.want != 0) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestOwnerBad: whatever amoCRM does, there is an answer or an error in time.
func TestOwnerBad(t *testing.T) {
	for name, test := range map[string]struct {
		fault amosim.Fault
		bad   bool
	}{
		"500":    {amosim.Fault{Kind: "status", Code: 500, Times: -1}, true},
		"html":   {amosim.Fault{Kind: "html", Times: -1}, true},
		"broken": {amosim.Fault{Kind: "broken", Times: -1}, true},
		"10 MB":  {amosim.Fault{Kind: "huge", Times: -1}, true},
		"slow":   {amosim.Fault{Kind: "slow", Delay: time.Minute, Times: -1}, false},
		"drops":  {amosim.Fault{Kind: "drop", Times: -1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, []pbx.AmoScenario{scenario()}, func(d *desk) {
				d.sim.SetFault(test.fault)
				ctx, cancel := context.WithTimeout(d.Context(), 700*time.Millisecond)
				defer cancel()
				began := time.Now()
				got, err := d.b.Owner(ctx, d.company, known, line, "c")
				if err == nil || got != (pbx.Contact{}) || time.Since(began) > 750*time.Millisecond {
					t.Errorf("%+v %v after %v", got, err, time.Since(began))
				}
				if test.bad != errors.Is(err, crm.ErrBadAnswer) {
					t.Errorf("error %v", err)
				}
				if err != nil && strings.Contains(err.Error(), known[1:]) {
					t.Errorf("the error has the caller's number: %v", err)
				}
			})
		})
	}
}

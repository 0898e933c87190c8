package tenants

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// campaigns is a company with campaigns of every mode.
const campaigns = `tenant: a
domain: a.test
zone: Europe/Moscow
country: RU
extensions: [{number: "101", password: secret1}]
groups: [{number: "600", members: ["101"]}, {number: "700", kind: queue, members: ["101"]}]
trunks: [{name: t, host: h.test}, {name: u, host: h.test}]
numbers: [{number: "+74950000000", trunk: t}, {number: "+78120000000", trunk: t}]
outbound: [{prefix: "+", trunks: [t]}]
schedules: [{name: day, hours: ["09:00-20:00"]}]
recordings: {beep: 15s}
prompts: [{name: hello, text: "{name}, здравствуйте"}, {name: more, upload: true}, {name: bye, upload: true}]
campaigns:
- {name: short, kind: inform, when: day, callers: [{number: "+74950000000", label: Акме}], script: [{name: only, play: hello}]}
- name: debts
  title: Долги за март
  kind: debt
  mode: message
  start: 2027-03-01 09:00
  until: 2027-03-31T18:00:00+05:00
  when: day
  local: false
  weight: 3
  callers: [{prefix: "+7812", number: "+78120000000", label: Акме. Долг}, {number: "+74950000000", label: Акме. Долг}]
  trunks: [u, t]
  ring: 25s
  pace: {per_second: 2.5, at_once: 40, ramp_up: 10m, abandoned: 0.02}
  redial: {attempts: 8, per_number: 4, spacing: 30m, by_turn: true, rules: {busy: {times: 3, after: 10m}, no_answer: {times: 0}, rejected: {after: 24h}, failed: {after: 1h}}}
  script:
  - {name: main, play: [hello, more], timeout: 7s, tries: 3, otherwise: {answer: silent, play: bye},
     keys: {"1": {answer: will pay, play: bye}, "2": {connect: "700"}, "3": {go: again}, "9": {opt_out: true, play: [more, bye]}, "*": {repeat: true}}}
  - {name: again, play: more, otherwise: {go: main}}
  operators: {within: 3s, sorry: bye}
  machine: {do: message, play: more, unsure: true}
  record: beep
  consent: needed
  unlabelled: true
  keep_open: true
- {name: talks, kind: operators, when: day, callers: [{number: "+74950000000", label: Акме}], operators: {queue: "700", sorry: bye, wrapup: 20s}, machine: {do: hangup}}
- {name: cards, kind: survey, mode: preview, when: day, callers: [{number: "+74950000000", label: Акме}], operators: {queue: "700", sorry: bye}}
- {name: fast, kind: advertising, mode: predictive, when: day, consent: given, callers: [{number: "+74950000000", label: Акме}], operators: {queue: "700", sorry: bye, reserve: false}}
`

func TestCampaigns(t *testing.T) {
	c := company(t, parse(t, campaigns, ""), nil)
	usual := map[pbx.AttemptOutcome]pbx.RedialRule{
		pbx.AttemptBusy: {Times: 2, After: 5 * time.Minute}, pbx.AttemptNoAnswer: {Times: 2, After: time.Hour},
		pbx.AttemptCongestion: {Times: 2, After: 5 * time.Minute}, pbx.AttemptFailed: {Times: 1, After: 15 * time.Minute},
	}
	same(t, "short", c.Campaigns["short"], &pbx.Campaign{
		Name: "short", Kind: pbx.CampaignInform, Mode: pbx.DialMessage, When: "day", Local: true,
		Callers: []pbx.CampaignCaller{{Number: "+74950000000", Label: "Акме"}}, Ring: 30 * time.Second,
		Pace:   pbx.CampaignPace{PerSecond: 1, AtOnce: 10, Abandoned: 0.03},
		Redial: pbx.Redial{Attempts: 3, PerNumber: 2, Spacing: time.Minute, Rules: usual},
		Script: []pbx.ScriptBlock{{Name: "only", Play: []string{"hello"}, Tries: 1}},
	})
	same(t, "debts", c.Campaigns["debts"], &pbx.Campaign{
		Name: "debts", Title: "Долги за март", Kind: pbx.CampaignDebt, Mode: pbx.DialMessage, When: "day", Weight: 3,
		Start: time.Date(2027, 3, 1, 6, 0, 0, 0, time.UTC), Until: time.Date(2027, 3, 31, 13, 0, 0, 0, time.UTC),
		Callers: []pbx.CampaignCaller{{Prefix: "+7812", Number: "+78120000000", Label: "Акме. Долг"}, {Number: "+74950000000", Label: "Акме. Долг"}},
		Trunks:  []string{"u", "t"}, Ring: 25 * time.Second,
		Pace: pbx.CampaignPace{PerSecond: 2.5, AtOnce: 40, RampUp: 10 * time.Minute, Abandoned: 0.02},
		Redial: pbx.Redial{Attempts: 8, PerNumber: 4, Spacing: 30 * time.Minute, ByTurn: true, Rules: map[pbx.AttemptOutcome]pbx.RedialRule{
			pbx.AttemptBusy: {Times: 3, After: 10 * time.Minute}, pbx.AttemptRejected: {Times: 1, After: 24 * time.Hour},
			pbx.AttemptCongestion: {Times: 2, After: 5 * time.Minute}, pbx.AttemptFailed: {Times: 1, After: time.Hour},
		}},
		Script: []pbx.ScriptBlock{
			{Name: "main", Play: []string{"hello", "more"}, Timeout: 7 * time.Second, Tries: 3, Otherwise: &pbx.ScriptAction{Answer: "silent", Play: []string{"bye"}},
				Keys: map[string]pbx.ScriptAction{"1": {Answer: "will pay", Play: []string{"bye"}}, "2": {Connect: "700"}, "3": {Go: "again"},
					"9": {OptOut: true, Play: []string{"more", "bye"}}, "*": {Repeat: true}}},
			{Name: "again", Play: []string{"more"}, Tries: 1, Otherwise: &pbx.ScriptAction{Go: "main"}},
		},
		Operators: pbx.Operators{Within: 3 * time.Second, SafeHarbour: "bye"},
		Machine:   pbx.MachineRule{Do: pbx.MachineMessage, Play: []string{"more"}, Unsure: true},
		Record:    true, Notice: pbx.Notice{Beep: true}, Consent: pbx.ConsentNeeded, Unlabelled: true, KeepOpen: true,
	})
	talks := c.Campaigns["talks"]
	if talks.Mode != pbx.DialProgressive || talks.Operators != (pbx.Operators{Queue: "700", Within: 2 * time.Second, SafeHarbour: "bye", Wrapup: 20 * time.Second, Reserve: true}) {
		t.Errorf("talks: %+v", talks)
	}
	if r := talks.Redial.Rules; len(r) != 7 || r[pbx.AttemptAbandoned].Times != 1 || r[pbx.AttemptMissed].Times != 2 || r[pbx.AttemptMachine].After != 4*time.Hour {
		t.Errorf("talks: %+v", r)
	}
	if o := c.Campaigns["cards"].Operators; o != (pbx.Operators{Queue: "700", Within: 2 * time.Second, SafeHarbour: "bye", Card: 15 * time.Second}) {
		t.Errorf("cards: %+v", o)
	}
	if x := c.Campaigns["fast"]; x.Operators.Reserve || x.Redial.Rules[pbx.AttemptAbandoned] != (pbx.RedialRule{}) || x.Consent != pbx.ConsentGiven {
		t.Errorf("fast: %+v", x)
	}
	text, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"start":"2027-03-01T09:00:00+03:00"`) {
		t.Errorf("the start in %s", text)
	}
	if changes := diff(c, company(t, parse(t, string(text), ""), c)); len(changes) != 0 {
		t.Errorf("read and written back: %v\n%s", changes, text)
	}
	if all := Campaigns.Items(FromCompany(c)); len(all) != 5 || Campaigns.Key(all[0]) != "cards" {
		t.Errorf("%+v", all)
	}
	for prompt, want := range map[string]string{"hello": "the campaign debts", "bye": "the campaign cards", "none": ""} {
		if by := PlayedBy(c, prompt); by != want {
			t.Errorf("%s is played by %q, want %q", prompt, by, want)
		}
	}
}

// TestCampaignMistakes: each case is a campaign, and what is wrong with it.
func TestCampaignMistakes(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\nextensions: [{number: \"1\", password: secret}]\ngroups: [{number: \"7\", kind: queue, members: [\"1\"]}, {number: \"6\", members: [\"1\"]}]\n" +
		"trunks: [{name: t, host: h.test}]\nnumbers: [{number: \"+74950000000\", trunk: t}, {number: \"+442079460000\", trunk: t}]\noutbound: [{prefix: \"+\", trunks: [t]}]\n" +
		"schedules: [{name: day, hours: [\"09:00-20:00\"]}]\nprompts: [{name: p, upload: true}]\n"
	with := func(rest string) string {
		return head + "campaigns:\n- {name: x, when: day, " + rest + "}\n"
	}
	const callers = `callers: [{number: "+442079460000"}], `
	message := func(rest string) string {
		return with(callers + "kind: inform, script: [{name: a, play: p}], " + rest)
	}
	talk := func(rest string) string {
		return with(callers + "kind: operators, " + rest)
	}
	blocks := func(rest string) string { return with(callers + "kind: inform, script: [" + rest + "]") }
	for name, test := range map[string]struct{ text, want string }{
		"good":     {message("mode: message"), ""},
		"needs":    {head + "campaigns:\n- {}\n- {name: a b, kind: spam, mode: shout, when: night}\n- {name: c, title: \"\\n\", kind: debt, mode: shout, when: day, " + callers + "}\n- {name: c, kind: debt, when: day, " + callers + "script: [{name: a, play: p}]}\n", `11 campaigns[0].name: is needed; 11 campaigns[0].kind: is needed: one of inform, debt, advertising, survey, operators; 11 campaigns[0].when: is needed: the schedule; 11 campaigns[0].callers: a campaign needs a number; 11 campaigns[0].script: is needed in mode message; 12 campaigns[1].callers: a campaign; 12 campaigns[1].name: "a b" is not; 12 campaigns[1].kind: "spam" is none of inform; 12 campaigns[1].mode: "shout" is none of message, preview, progressive, predictive; 12 campaigns[1].when: there is no schedule "night"; 13 campaigns[2].title: holds control; 13 campaigns[2].mode: "shout"; 14 campaigns[3].name: "c" is already campaigns[2]`},
		"unknown":  {message("rate: 1, pace: {persecond: 1}"), `11 campaigns[0].rate: unknown key; 11 campaigns[0].pace.persecond: unknown key, did you mean per_second?`},
		"twice":    {message("") + "- {name: x, kind: inform, when: day, " + callers + "script: [{name: a, play: p}]}\n", `12 campaigns[1].name: "x" is already campaigns[0]`},
		"times":    {message("start: tomorrow, until: 2027-13-01 09:00"), `11 campaigns[0].start: "tomorrow" is not a time; write 2027-03-01 09:00; 11 campaigns[0].until: "2027-13-01 09:00" is not`},
		"years":    {message("start: 1999-01-01 09:00, until: 9999-12-31 23:59"), `11 campaigns[0].start: must be of the years; 11 campaigns[0].until: must be of the years`},
		"behind":   {message("start: 2027-03-01 09:00, until: 2027-03-01T09:00:00Z"), `11 campaigns[0].until: must be behind start`},
		"ranges":   {message("weight: 101, ring: 4s, pace: {per_second: 1001, at_once: -1, ramp_up: 25h, abandoned: 3}, redial: {attempts: 101, per_number: -1, spacing: 721h}, consent: maybe"), `11 campaigns[0].weight: must be 1 to 100; 11 campaigns[0].ring: must be 5s to 2m0s; 11 campaigns[0].pace.per_second: must be 0.01 to 1000; 11 campaigns[0].pace.at_once: must be 1 to 10000; 11 campaigns[0].pace.ramp_up: must be; 11 campaigns[0].pace.abandoned: must be 0.001 to 0.1: 0.03 is 3 %; 11 campaigns[0].redial.attempts: must be 1 to 100; 11 campaigns[0].redial.per_number: must be 1 to 100; 11 campaigns[0].redial.spacing: must be; 11 campaigns[0].consent: "maybe" is none of law, needed, given`},
		"no float": {message("pace: {per_second: .nan, abandoned: -.inf}"), `11 campaigns[0].pace.per_second: ; 11 campaigns[0].pace.abandoned: `},
		"rules":    {message("redial: {rules: {busy: {times: 101, after: 1ms, again: 1}, connected: {times: 1}, invalid: {times: 1}, ringing: {}, failed: {times: 0}}}"), `11 campaigns[0].redial.rules: "ringing" is none of busy; 11 campaigns[0].redial.rules.busy.times: must be 0 to 100; 11 campaigns[0].redial.rules.busy.after: must be; 11 campaigns[0].redial.rules.busy.again: unknown key; 11 campaigns[0].redial.rules.connected: nobody is called again; 11 campaigns[0].redial.rules.invalid: nobody is called again`},
		"trunks":   {message("trunks: [t, t, v]"), `11 campaigns[0].trunks[1]: "t" is already campaigns[0].trunks[0]; 11 campaigns[0].trunks[2]: there is no trunk "v"`},
		"record":   {message("record: announce"), `11 campaigns[0].record: announce needs recordings.announce`},
		"callers": {with(`kind: inform, script: [{name: a, play: p}], callers: [{prefix: "7", number: "+442079460000"}, {number: "+442079460001", label: "` + strings.Repeat("я", 33) + `"}, {number: "+74950000000"}, {prefix: "+1"}]`),
			`11 campaigns[0].callers[0].prefix: "7" is not the beginning; 11 campaigns[0].callers[1].number: the company has no number "+442079460001"; 11 campaigns[0].callers[1].label: is longer than 32 characters; 11 campaigns[0].callers[2].prefix: "" is already campaigns[0].callers[1]; 11 campaigns[0].callers[2].label: is needed for a Russian number; 11 campaigns[0].callers[3].number: is needed`},
		"operators": {talk(`mode: message, operators: {queue: "6", sorry: q, within: 1ms, card: 1s, wrapup: 2h, reserve: true}, script: [{name: a, play: p}]`),
			`11 campaigns[0].mode: must be preview, progressive or predictive with kind: operators; 11 campaigns[0].operators.queue: there is no queue "6"; 11 campaigns[0].operators.queue: goes with modes with operators; a key of the script connects to a queue; 11 campaigns[0].operators.sorry: there is no prompt "q"; 11 campaigns[0].operators.within: must be; 11 campaigns[0].operators.card: goes with mode preview; 11 campaigns[0].operators.wrapup: must be; 11 campaigns[0].operators.wrapup: goes with modes; 11 campaigns[0].operators.reserve: goes with modes progressive`},
		"a14 no operators": {talk("ring: 14s"), `11 campaigns[0].operators.queue: is needed in mode progressive; 11 campaigns[0].operators.sorry: is needed in mode progressive: the prompt for who gets no operator; 11 campaigns[0].ring: must be 15s to 2m0s`},
		"script of talks":  {talk(`operators: {queue: "7", sorry: p}, script: [{name: a, play: p}]`), `11 campaigns[0].script: goes with mode message`},
		"machine":          {message("machine: {do: shout}"), `11 campaigns[0].machine.do: "shout" is none of ignore, hangup, message`},
		"machine play":     {message("machine: {do: message}"), `11 campaigns[0].machine.play: is needed with do: message`},
		"machine other":    {message("machine: {play: [p, q], unsure: true}"), `11 campaigns[0].machine.play: goes with do: message; 11 campaigns[0].machine.play[1]: there is no prompt "q"; 11 campaigns[0].machine.unsure: goes with do: hangup and do: message`},

		"blocks":        {blocks(`{play: p}, {name: a}, {name: a, play: [p, q]}`), `11 campaigns[0].script[0].name: is needed; 11 campaigns[0].script[1].play: is needed; 11 campaigns[0].script[1]: is never reached; 11 campaigns[0].script[2]: is never reached; 11 campaigns[0].script[2].name: "a" is already campaigns[0].script[1]; 11 campaigns[0].script[2].play[1]: there is no prompt "q"`},
		"keys":          {blocks(`{name: a, play: p, timeout: 2m, tries: 11, keys: {"10": {answer: x}, "1": {}, "2": {connect: "9"}, "3": {connect: "1", opt_out: true}, "4": {go: b}, "5": {play: q, answer: "` + strings.Repeat("x", 65) + `"}, "6": {hangup: true, answer: no}}}`), `11 campaigns[0].script[0].timeout: must be 500ms; 11 campaigns[0].script[0].tries: must be 1 to 10; 11 campaigns[0].script[0].keys: "10" is not a key; 11 campaigns[0].script[0].keys.1: does nothing; 11 campaigns[0].script[0].keys.2.connect: "9" is neither; 11 campaigns[0].script[0].keys.3: does one of connect, go, repeat and opt_out, not 2 of them; 11 campaigns[0].script[0].keys.4.go: there is no block "b"; 11 campaigns[0].script[0].keys.5.play: there is no prompt "q"; 11 campaigns[0].script[0].keys.5.answer: is longer than 64; 11 campaigns[0].script[0].keys.6.hangup: unknown key`},
		"without keys":  {blocks(`{name: a, play: p, timeout: 5s, tries: 2}`), `11 campaigns[0].script[0].timeout: goes with keys; 11 campaigns[0].script[0].tries: goes with keys`},
		"repeat":        {blocks(`{name: a, play: p, otherwise: {repeat: true}}`), `11 campaigns[0].script[0].otherwise.repeat: goes with keys: write tries`},
		"round":         {blocks(`{name: a, play: p, otherwise: {go: b}}, {name: b, play: p, otherwise: {go: c}}, {name: c, play: p, otherwise: {go: b}}`), `11 campaigns[0].script[2].otherwise.go: who presses nothing goes round: b, c, b`},
		"round of one":  {blocks(`{name: a, play: p, keys: {"1": {answer: x}}, otherwise: {go: a}}`), `11 campaigns[0].script[0].otherwise.go: who presses nothing goes round: a, a`},
		"round by keys": {blocks(`{name: a, play: p, keys: {"1": {go: b}}}, {name: b, play: p, keys: {"1": {go: a}}}`), ""},
		"not reached":   {blocks(`{name: a, play: p}, {name: b, play: p, keys: {"1": {go: c}}}, {name: c, play: p}`), `11 campaigns[0].script[1]: is never reached; 11 campaigns[0].script[2]: is never reached`},

		"a16 of a russian number":  {with(`kind: advertising, callers: [{number: "+74950000000", label: x}], script: [{name: a, play: p, keys: {"9": {opt_out: true}}}]`), `11 campaigns[0].script: advertising in Russia needs an operator`},
		"a16 of a russian company": {strings.Replace(with(`kind: advertising, `+callers+`script: [{name: a, play: p, keys: {"9": {opt_out: true}}}]`), "domain: a.test", "domain: a.test\ncountry: RU", 1), `12 campaigns[0].script: advertising in Russia needs an operator`},
		"a16 with an operator":     {with(`kind: advertising, callers: [{number: "+74950000000", label: x}], script: [{name: a, play: p, keys: {"1": {connect: "6"}, "9": {opt_out: true}}}]`), ""},
		"advertising elsewhere":    {with(`kind: advertising, ` + callers + `script: [{name: a, play: p, keys: {"9": {opt_out: true}}}]`), ""},
		"no opt-out":               {with(`kind: advertising, ` + callers + `script: [{name: a, play: p, keys: {"9": {connect: "1"}}}]`), `11 campaigns[0].script: advertising needs a key with opt_out`},
		"no outbound":              {strings.Replace(message(""), "outbound: [{prefix: \"+\", trunks: [t]}]\n", "", 1), `10 campaigns[0].trunks: are needed: the company has no outbound`},
		"what it refers to":        {"tenant: a\ndomain: a.test\ncampaigns: [{name: x, kind: inform, when: day, callers: [{number: \"+442079460000\"}], trunks: [t], script: [{name: a, play: p, keys: {\"1\": {connect: \"1\"}}}], operators: {sorry: p}}]\n", `3 campaigns[0].when: there is no schedule "day"; 3 campaigns[0].callers[0].number: the company has no number "+442079460000"; 3 campaigns[0].trunks[0]: there is no trunk "t"; 3 campaigns[0].script[0].play: there is no prompt "p"; 3 campaigns[0].script[0].keys.1.connect: "1" is neither; 3 campaigns[0].operators.sorry: there is no prompt "p"`},
	} {
		t.Run(name, func(t *testing.T) { testMistakes(t, test.text, test.want) })
	}
	many := head + "campaigns: [" + strings.Repeat("{},", 201) + "]\n"
	if _, err := Parse([]byte(many), ""); err == nil || !strings.Contains(err.Error(), "201 items; 200 at most") {
		t.Error("201 campaigns are taken")
	}
}

// TestA19LabelOf32Characters: the longest label is counted in characters.
func TestA19LabelOf32Characters(t *testing.T) {
	label := strings.Repeat("я", pbx.MaxLabel)
	text := strings.Replace(campaigns, "label: Акме}], script", "label: "+label+"}], script", 1)
	if c := company(t, parse(t, text, ""), nil); c.Campaigns["short"].Callers[0].Label != label {
		t.Errorf("%+v", c.Campaigns["short"].Callers)
	}
	testMistakes(t, strings.Replace(text, label, label+"я", 1), "14 campaigns[0].callers[0].label: is longer than 32 characters")
}

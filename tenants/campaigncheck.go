package tenants

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"vpbx/pbx"
)

// Bounds of campaigns.
const (
	maxCampaigns  = 200 // of a company
	maxCallers    = 500
	maxRoutes     = 20 // trunks of a campaign
	maxBlocks     = 50
	maxAnswer     = 64 // characters
	minRun        = 2000
	maxRun        = 2200
	minTalkRing   = 15 * time.Second // 47 CFR 64.1200(a)(6), Ofcom
	maxAbandoned  = 0.1
	maxRedials    = 100
	maxRedialWait = 30 * 24 * time.Hour
)

// callerPrefix is the beginning of numbers in E.164 form.
var callerPrefix = regexp.MustCompile(`^\+[1-9][0-9]{0,14}$`)

// The words of campaigns.
var (
	campaignKinds  = wordsOf(pbx.CampaignKinds)
	campaignModes  = wordsOf(pbx.DialModes)
	consents       = []string{"law", string(pbx.ConsentNeeded), string(pbx.ConsentGiven)}
	machineActions = []string{"ignore", string(pbx.MachineHangup), string(pbx.MachineMessage)}
	// redialled are the outcomes that another attempt may follow. Behind the others a
	// person was reached, or the number is not called any more.
	redialled = wordsOf([]pbx.AttemptOutcome{pbx.AttemptBusy, pbx.AttemptNoAnswer, pbx.AttemptRejected, pbx.AttemptMachine, pbx.AttemptCongestion,
		pbx.AttemptFailed, pbx.AttemptAbandoned, pbx.AttemptInterrupted, pbx.AttemptMissed})
)

func wordsOf[T ~string](list []T) []string {
	var all []string
	for _, v := range list {
		all = append(all, string(v))
	}
	return all
}

func (c *checker) checkCampaigns() {
	seen := map[string]int{}
	for i := range c.Campaigns {
		path, x := fmt.Sprintf("campaigns[%d]", i), &c.Campaigns[i]
		c.match(path+".name", x.Name, identifier, "letters, digits, dots and dashes, 40 at most")
		c.once(path+".name", seen, x.Name, i, "campaigns[%d]")
		c.checkCampaign(path, x)
	}
}

func (c *checker) checkCampaign(path string, x *Campaign) {
	c.text(path+".title", x.Title)
	if x.Kind == "" {
		c.note(path+".kind", "is needed: one of %s", strings.Join(campaignKinds, ", "))
	}
	c.oneOf(path+".kind", x.Kind, campaignKinds)
	c.oneOf(path+".mode", x.Mode, campaignModes)
	c.checkRun(path, x)
	if x.Weight < 0 || x.Weight > maxPriority {
		c.note(path+".weight", "must be 1 to %d", maxPriority)
	}
	c.checkCallerNumbers(path+".callers", x)
	c.checkRoutes(path+".trunks", x.Trunks)
	least := 5 * time.Second
	if x.modeOf().OperatorMode() {
		least = minTalkRing
	}
	c.duration(path+".ring", x.Ring, least, maxRing)
	c.checkRecord(path+".record", x.Record)
	c.oneOf(path+".consent", x.Consent, consents)
	c.checkPace(path+".pace", &x.Pace)
	c.checkRedial(path+".redial", &x.Redial)
	c.checkScript(path, x)
	c.checkOperators(path, x)
	c.checkMachine(path+".machine", &x.Machine)
	c.checkLawful(path, x)
}

// checkRun notes what is wrong with the time in which a campaign runs.
func (c *checker) checkRun(path string, x *Campaign) {
	zone := zoneOf(c.Zone)
	for _, m := range []struct {
		key string
		at  Moment
	}{{"start", x.Start}, {"until", x.Until}} {
		if year := m.at.in(zone).UTC().Year(); !m.at.IsZero() && (year < minRun || year > maxRun) {
			c.note(path+"."+m.key, "must be of the years %d to %d", minRun, maxRun)
		}
	}
	if !x.Start.IsZero() && !x.Until.IsZero() && !x.Start.in(zone).Before(x.Until.in(zone)) {
		c.note(path+".until", "must be behind start")
	}
	if x.When == "" {
		c.note(path+".when", "is needed: the schedule of the hours in which people may be called")
	} else if _, ok := c.schedules[x.When]; !ok {
		c.note(path+".when", "there is no schedule %.60q", x.When)
	}
}

// checkCallerNumbers notes numbers that the company cannot show, and labels that are
// missing or too long.
func (c *checker) checkCallerNumbers(path string, x *Campaign) {
	switch n := len(x.Callers); {
	case n == 0:
		c.note(path, "a campaign needs a number that is shown")
	case n > maxCallers:
		c.note(path, "%d items; %d at most", n, maxCallers)
		return
	}
	seen := map[string]int{}
	for i, k := range x.Callers {
		at := fmt.Sprintf("%s[%d]", path, i)
		if k.Prefix != "" && !callerPrefix.MatchString(k.Prefix) {
			c.note(at+".prefix", "%.60q is not the beginning of an E.164 number such as +7495", k.Prefix)
		}
		if first, twice := seen[k.Prefix]; twice {
			c.note(at+".prefix", "%.60q is already %s[%d]", k.Prefix, path, first)
		}
		seen[k.Prefix] = i
		if _, ours := c.numbers[k.Number]; k.Number == "" {
			c.note(at+".number", "is needed")
		} else if !ours {
			c.note(at+".number", "the company has no number %.60q", k.Number)
		}
		c.text(at+".label", k.Label)
		switch {
		case utf8.RuneCountInString(k.Label) > pbx.MaxLabel:
			c.note(at+".label", "is longer than %d characters", pbx.MaxLabel)
		case k.Label == "" && !x.Unlabelled && russian(k.Number):
			c.note(at+".label", "is needed for a Russian number: name and purpose of the caller; or unlabelled: true")
		}
	}
}

// russian tells whether a number in E.164 form is of Russia: +76 and +77 are of
// Kazakhstan.
func russian(number string) bool {
	rest, is := strings.CutPrefix(number, "+7")
	return is && rest != "" && rest[0] != '6' && rest[0] != '7'
}

// checkRoutes notes trunks that do not exist, and that there is no way out at all.
func (c *checker) checkRoutes(path string, trunks []string) {
	if len(trunks) == 0 && len(c.Outbound) == 0 {
		c.note(path, "are needed: the company has no outbound")
	}
	if len(trunks) > maxRoutes {
		c.note(path, "%d trunks; %d at most", len(trunks), maxRoutes)
		return
	}
	seen := map[string]int{}
	for i, name := range trunks {
		at := fmt.Sprintf("%s[%d]", path, i)
		if _, ok := c.trunks[name]; !ok {
			c.note(at, "there is no trunk %.60q", name)
		}
		c.once(at, seen, name, i, path+"[%d]")
	}
}

func (c *checker) checkPace(path string, p *CampaignPace) {
	if p.PerSecond != 0 && !(p.PerSecond >= 0.01 && p.PerSecond <= 1000) {
		c.note(path+".per_second", "must be 0.01 to 1000")
	}
	if p.AtOnce < 0 || p.AtOnce > 10_000 {
		c.note(path+".at_once", "must be 1 to 10000")
	}
	c.duration(path+".ramp_up", p.RampUp, time.Second, 24*time.Hour)
	if p.Abandoned != 0 && !(p.Abandoned >= 0.001 && p.Abandoned <= maxAbandoned) {
		c.note(path+".abandoned", "must be 0.001 to %g: 0.03 is 3 %%", maxAbandoned)
	}
}

func (c *checker) checkRedial(path string, r *Redial) {
	if r.Attempts < 0 || r.Attempts > maxRedials {
		c.note(path+".attempts", "must be 1 to %d", maxRedials)
	}
	if r.PerNumber < 0 || r.PerNumber > maxRedials {
		c.note(path+".per_number", "must be 1 to %d", maxRedials)
	}
	c.duration(path+".spacing", r.Spacing, time.Second, maxRedialWait)
	for _, word := range keys(r.Rules) {
		at, rule := path+".rules."+word, r.Rules[word]
		switch {
		case !slices.Contains(wordsOf(pbx.AttemptOutcomes), word):
			c.note(path+".rules", "%.60q is none of %s", word, strings.Join(redialled, ", "))
			continue
		case !slices.Contains(redialled, word):
			c.note(at, "nobody is called again behind that")
			continue
		}
		if rule.Times != nil && (*rule.Times < 0 || *rule.Times > maxRedials) {
			c.note(at+".times", "must be 0 to %d", maxRedials)
		}
		c.duration(at+".after", rule.After, time.Second, maxRedialWait)
	}
}

// checkOperators notes what is wrong with those who talk with people who are called.
func (c *checker) checkOperators(path string, x *Campaign) {
	o, mode := &x.Operators, x.modeOf()
	path += ".operators"
	c.checkPromptName(path+".sorry", o.Sorry)
	c.duration(path+".within", o.Within, 500*time.Millisecond, 2*time.Minute)
	c.duration(path+".card", o.Card, time.Second, 10*time.Minute)
	c.duration(path+".wrapup", o.Wrapup, time.Second, time.Hour)
	if i, ok := c.groups[o.Queue]; o.Queue != "" && (!ok || c.Groups[i].Kind != "queue") {
		c.note(path+".queue", "there is no queue %.60q", o.Queue)
	}
	if mode.OperatorMode() {
		if o.Queue == "" {
			c.note(path+".queue", "is needed in mode %s: whose agents the operators are", mode)
		}
		if o.Sorry == "" {
			c.note(path+".sorry", "is needed in mode %s: the prompt for who gets no operator says who has called and why", mode)
		}
	}
	for _, k := range []struct {
		key   string
		given bool
		fits  bool
		where string
	}{
		{"queue", o.Queue != "", mode.OperatorMode(), "modes with operators; a key of the script connects to a queue"},
		{"wrapup", o.Wrapup != 0, mode.OperatorMode(), "modes with operators"},
		{"card", o.Card != 0, mode == pbx.DialPreview, "mode preview"},
		{"reserve", o.Reserve != nil, reserves(mode), "modes progressive and predictive"},
	} {
		if k.given && !k.fits && mode != "" {
			c.note(path+"."+k.key, "goes with %s", k.where)
		}
	}
}

func (c *checker) checkMachine(path string, m *Machine) {
	c.oneOf(path+".do", m.Do, machineActions)
	c.checkSaid(path+".play", m.Play)
	switch {
	case m.Do == string(pbx.MachineMessage) && len(m.Play) == 0:
		c.note(path+".play", "is needed with do: message")
	case m.Do != string(pbx.MachineMessage) && len(m.Play) > 0:
		c.note(path+".play", "goes with do: message")
	}
	if m.Unsure && (m.Do == "" || m.Do == "ignore") {
		c.note(path+".unsure", "goes with do: hangup and do: message")
	}
}

// checkLawful notes what the law forbids whoever is called: rule sets that depend on
// the number are asked when it is dialled.
func (c *checker) checkLawful(path string, x *Campaign) {
	mode := x.modeOf()
	if x.Kind == string(pbx.CampaignOperators) && mode == pbx.DialMessage {
		c.note(path+".mode", "must be preview, progressive or predictive with kind: operators")
	}
	if x.Kind != string(pbx.CampaignAdvertising) || mode != pbx.DialMessage {
		return
	}
	if !x.does(func(a ScriptAction) bool { return a.OptOut }) {
		c.note(path+".script", "advertising needs a key with opt_out: true")
	}
	ours := c.Country == "RU" || slices.ContainsFunc(x.Callers, func(k CampaignCaller) bool { return russian(k.Number) })
	if ours && !x.does(func(a ScriptAction) bool { return a.Connect != "" }) {
		c.note(path+".script", "advertising in Russia needs an operator: a key with connect, or another mode (38-FZ, article 18, part 2)")
	}
}

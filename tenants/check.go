package tenants

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"vpbx/pbx"
)

// Bounds of a document.
const (
	minRing     = time.Second
	maxRing     = 2 * time.Minute
	maxMembers  = 32 // parties that one call rings
	maxSteps    = 64
	maxContacts = 100
	maxList     = 1000 // trunks, outbound entries and prompts
	maxEmail    = 254  // RFC 5321 §4.5.3.1.3
	maxText     = 128  // characters of a name
	minPassword = 6
	maxPassword = 128
)

var (
	tenantID   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	extension  = regexp.MustCompile(`^[0-9]{1,10}$`)
	e164       = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	prefix     = regexp.MustCompile(`^\+?[0-9*#]{0,15}$`)
	identifier = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._-]{0,39}$`)
)

// codecs are the names of a document, by the lower-case form people may write.
var codecs = map[string]string{"pcma": "PCMA", "pcmu": "PCMU", "g722": "G722", "opus": "opus", "g729": "G729"}

// noteFunc notes a mistake at a path of the document.
type noteFunc func(path, format string, args ...any)

// checker is one pass over a document for what its parts say about each other.
type checker struct {
	*Document
	note       noteFunc
	tenant     pbx.Tenant
	extensions map[string]int // index by number, likewise below
	groups     map[string]int
	trunks     map[string]int
	numbers    map[string]int
	prompts    map[string]int
	music      map[string]int
	prefixes   map[string]int
	schedules  map[string]int
	lists      map[string]int
	tooLong    bool
	joined     map[string][]string // by group, the extensions that name it

	conferences map[string]int // index by number
	menus       map[string]int // index by name
	menuNumbers map[string]int // by number
}

// check notes all mistakes that can be seen without knowing what is stored.
func (d *Document) check(note noteFunc) {
	c := &checker{
		Document: d, note: note, tenant: pbx.Tenant{Country: d.Country},
		extensions: map[string]int{}, groups: map[string]int{}, trunks: map[string]int{},
		numbers: map[string]int{}, prompts: map[string]int{}, music: map[string]int{}, prefixes: map[string]int{}, schedules: map[string]int{}, lists: map[string]int{}, conferences: map[string]int{}, menus: map[string]int{},
		joined: d.joined(),
	}
	c.checkTenant()
	c.checkLength("trunks", len(d.Trunks))
	c.checkLength("outbound", len(d.Outbound))
	c.checkLength("prompts", len(d.Prompts))
	c.checkLength("conferences", len(d.Conferences))
	c.checkLength("music", len(d.Music))
	c.checkLength("rates", len(d.Rates))
	c.checkLength("schedules", len(d.Schedules))
	c.checkLength("lists", len(d.Lists))
	c.checkLength("limits.barred", len(d.Limits.Barred))
	if len(d.Menus) > maxMenus {
		c.note("menus", "%d items; %d at most", len(d.Menus), maxMenus)
		c.tooLong = true
	}
	if len(d.Campaigns) > maxCampaigns {
		c.note("campaigns", "%d items; %d at most", len(d.Campaigns), maxCampaigns)
		c.tooLong = true
	}
	if c.tooLong {
		return
	}
	c.index()
	c.checkNotices()
	for i := range d.Extensions {
		c.checkExtension(fmt.Sprintf("extensions[%d]", i), &d.Extensions[i])
	}
	for i := range d.Groups {
		c.checkGroup(fmt.Sprintf("groups[%d]", i), &d.Groups[i])
	}
	for i := range d.Trunks {
		c.checkTrunk(fmt.Sprintf("trunks[%d]", i), &d.Trunks[i])
	}
	c.checkNumbers()
	c.checkOutbound()
	c.checkRates()
	c.checkSchedules()
	c.checkLists()
	for i := range d.Prompts {
		c.checkPrompt(fmt.Sprintf("prompts[%d]", i), &d.Prompts[i])
	}
	c.checkConferences()
	c.checkMusic()
	c.checkMenus()
	c.checkPauses()
	c.checkRules()
	c.checkCampaigns()
	c.checkCRM()
}

func (c *checker) checkTenant() {
	c.match("tenant", string(c.Tenant), tenantID, "lower-case letters, digits and dashes, 40 at most")
	switch {
	case c.Domain == "":
		c.note("domain", "is needed")
	case !hostName(c.Domain):
		c.note("domain", "%q is not a host name", c.Domain)
	}
	c.text("name", c.Name)
	if _, err := time.LoadLocation(c.Zone); err != nil || c.Zone == "Local" {
		c.note("zone", "%q is not a time zone; write it as Europe/Moscow", c.Zone)
	}
	if c.Country != "" && !isCountry(c.Country) {
		c.note("country", "%q is not a country; write two capital letters as RU", c.Country)
	}
	c.checkLimits()
	c.checkRecordings()
}

// checkLength notes a list that is longer than any company needs: the rest of
// the checks would take too long.
func (c *checker) checkLength(path string, n int) {
	if n > maxList {
		c.note(path, "%d items; %d at most", n, maxList)
		c.tooLong = true
	}
}

// index finds everything by its name and notes names that are used twice.
// Extensions and groups share one plan of numbers.
func (c *checker) index() {
	for i, e := range c.Extensions {
		path := fmt.Sprintf("extensions[%d].number", i)
		c.match(path, e.Number, extension, "1 to 10 digits")
		c.once(path, c.extensions, e.Number, i, "extensions[%d]")
	}
	for i, g := range c.Groups {
		path := fmt.Sprintf("groups[%d].number", i)
		c.match(path, g.Number, extension, "1 to 10 digits")
		if other, taken := c.extensions[g.Number]; taken && g.Number != "" {
			c.note(path, "%s is already extensions[%d]", g.Number, other)
		}
		c.once(path, c.groups, g.Number, i, "groups[%d]")
	}
	for i, t := range c.Trunks {
		path := fmt.Sprintf("trunks[%d].name", i)
		c.match(path, t.Name, identifier, "letters, digits, dots and dashes, 40 at most")
		c.once(path, c.trunks, t.Name, i, "trunks[%d]")
	}
	for i, n := range c.Numbers {
		path := fmt.Sprintf("numbers[%d].number", i)
		c.match(path, n.Number, e164, "an E.164 number such as +74950000000")
		c.once(path, c.numbers, n.Number, i, "numbers[%d]")
	}
	codes := map[string]int{}
	for i, p := range c.Prompts {
		path := fmt.Sprintf("prompts[%d].name", i)
		c.match(path, p.Name, identifier, "letters, digits, dots and dashes, 40 at most")
		c.once(path, c.prompts, p.Name, i, "prompts[%d]")
		c.once(fmt.Sprintf("prompts[%d].code", i), codes, p.Code, i, "prompts[%d].code")
	}
	c.indexConferences()
	c.indexMenus()
	for i, m := range c.Music {
		path := fmt.Sprintf("music[%d].name", i)
		c.match(path, m.Name, identifier, "letters, digits, dots and dashes, 40 at most")
		c.once(path, c.music, m.Name, i, "music[%d]")
	}
	c.indexSchedules()
	c.indexLists()
	for i, o := range c.Outbound {
		path := fmt.Sprintf("outbound[%d].prefix", i)
		c.match(path, o.Prefix, prefix, "the first digits of numbers, with + or without")
		if o.When == "" {
			c.once(path, c.prefixes, o.Prefix, i, "outbound[%d]")
		} else if first, ok := c.prefixes[o.Prefix]; ok && o.Prefix != "" {
			c.note(path, "is never used: outbound[%d] carries %.60q at any time", first, o.Prefix)
		}
	}
}

func (c *checker) checkExtension(path string, e *Extension) {
	c.text(path+".name", e.Name)
	if e.Password != "" {
		c.checkPassword(path+".password", e)
	}
	c.checkEmail(path+".email", e.Email)
	c.checkVoicemail(path+".voicemail", e.Voicemail)
	c.checkMailed(path+".voicemail", e.Voicemail, e.Email)
	c.checkRecord(path+".record", e.Record)
	c.oneOf(path+".srtp", e.SRTP, srtpModes)
	c.checkCodecs(path+".codecs", e.Codecs)
	c.oneOf(path+".dtmf", e.DTMF, dtmfWays)
	if e.Caller != pbx.Anonymous {
		c.checkCaller(path+".caller", e.Caller)
	}
	c.notNegative(path+".calls", e.Calls)
	c.notNegative(path+".per_minute", e.PerMinute)
	c.checkSpend(path+".spend", e.Spend)
	if e.Contacts < 0 || e.Contacts > maxContacts {
		c.note(path+".contacts", "must be 0 to %d", maxContacts)
	}
	seen := map[string]int{}
	for i, g := range e.Groups {
		at := fmt.Sprintf("%s.groups[%d]", path, i)
		if _, ok := c.groups[g]; !ok {
			c.note(at, "there is no group %q", g)
		}
		c.once(at, seen, g, i, path+".groups[%d]")
	}
	c.checkFollow(path+".follow", e)
	c.checkSkills(path+".skills", e.Skills)
	if e.Forward != nil {
		c.checkForward(path+".forward", e.Number, e.Forward)
	}
}

func (c *checker) checkPassword(path string, e *Extension) {
	switch n := utf8.RuneCountInString(e.Password); {
	case n < minPassword || n > maxPassword:
		c.note(path, "must have %d to %d characters", minPassword, maxPassword)
	case e.Password == e.Number:
		c.note(path, "must not be the number itself")
	case strings.ContainsFunc(e.Password, unicode.IsControl):
		c.note(path, "holds control characters")
	}
}

func (c *checker) checkForward(path, own string, f *Forward) {
	for _, t := range []struct{ key, target string }{
		{"always", f.Always}, {"busy", f.Busy}, {"no_answer", f.NoAnswer}, {"unregistered", f.Unregistered},
	} {
		at := path + "." + t.key
		switch {
		case t.target == "":
		case t.target == own:
			c.note(at, "%s cannot forward to itself", own)
		case c.forwardsToBox(own, t.target):
		case !c.inside(t.target) && !c.outside(t.target):
			c.note(at, "%q is no extension, no group, no conference, no menu and no number that outbound carries", t.target)
		}
	}
	c.duration(path+".after", f.After, minRing, maxRing)
}

func (c *checker) checkGroup(path string, g *Group) {
	c.text(path+".name", g.Name)
	c.oneOf(path+".kind", g.Kind, groupKinds)
	c.duration(path+".ring", g.Ring, minRing, maxRing)
	c.checkVoicemail(path+".voicemail", g.Voicemail)
	c.checkMailed(path+".voicemail", g.Voicemail, "")
	if _, ok := c.music[g.Music]; g.Music != "" && g.Music != pbx.DefaultMusic && !ok {
		c.note(path+".music", "there is no music %.60q", g.Music)
	}
	seen := map[string]int{}
	for i, m := range g.Members {
		at := fmt.Sprintf("%s.members[%d]", path, i)
		if _, ok := c.extensions[m.Extension]; !ok {
			c.note(at, "there is no extension %q", m.Extension)
		}
		c.once(at, seen, m.Extension, i, path+".members[%d]")
	}
	if g.Kind == "queue" {
		c.checkQueue(path, g)
		if g.SkipBusy {
			c.note(path+".skip_busy", "is of ring groups: agents who talk are not rung")
		}
		return
	}
	c.oneOf(path+".strategy", g.Strategy, strategies)
	if g.Strategy == "skills" {
		c.note(path+".strategy", "skills is a strategy of queues: a ring group is one of all, linear, round_robin, least_recent and random")
	}
	c.checkRingOnly(path, g)
	switch n := len(members(g, c.joined)); {
	case n == 0:
		c.note(path+".members", "a group needs members")
	case n > maxMembers:
		c.note(path+".members", "%d members; %d at most", n, maxMembers)
	}
}

// joined lists, by group, the extensions that name the group.
func (d *Document) joined() map[string][]string {
	joined := map[string][]string{}
	for _, e := range d.Extensions {
		for _, g := range e.Groups {
			joined[g] = append(joined[g], e.Number)
		}
	}
	return joined
}

// members lists the members of a group: those of its own list, then those that
// joined it, each once.
func members(g *Group, joined map[string][]string) []string {
	var all []string
	for _, m := range g.Members {
		all = append(all, m.Extension)
	}
	all = append(all, joined[g.Number]...)
	seen := make(map[string]bool, len(all))
	return slices.DeleteFunc(all, func(m string) bool {
		before := seen[m]
		seen[m] = true
		return before
	})
}

func (c *checker) checkCodecs(path string, names []string) {
	seen := map[string]int{}
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		known, ok := codecs[strings.ToLower(name)]
		if !ok {
			c.note(at, "%q is not a codec; PCMA, PCMU, G722, opus and G729 are", name)
			continue
		}
		c.once(at, seen, known, i, path+"[%d]")
	}
}

// checkCaller checks a number that is shown to others.
func (c *checker) checkCaller(path, number string) {
	if number != "" && !e164.MatchString(number) {
		c.note(path, "must be an E.164 number such as +74950000000")
	}
}

// inside says whether number can be called within the company.
func (c *checker) inside(number string) bool {
	_, isConference := c.conferences[number]
	_, isMenu := c.menuNumbers[number]
	return c.internal(number) || isConference || isMenu
}

// internal says whether number is an extension or a group.
func (c *checker) internal(number string) bool {
	_, isExtension := c.extensions[number]
	_, isGroup := c.groups[number]
	return isExtension || isGroup
}

// outside says whether some outbound entry carries number, as written or in
// E.164 form.
func (c *checker) outside(number string) bool {
	dialled := pbx.CleanNumber(number)
	if dialled == "" {
		return false
	}
	full := c.tenant.E164(number)
	return slices.ContainsFunc(c.Outbound, func(o Outbound) bool {
		return o.Prefix != "" && (strings.HasPrefix(full, o.Prefix) || strings.HasPrefix(dialled, o.Prefix))
	})
}

// match notes text that is missing or not of the form.
func (c *checker) match(path, text string, form *regexp.Regexp, want string) {
	switch {
	case text == "":
		c.note(path, "is needed")
	case !form.MatchString(text):
		c.note(path, "%.60q is not %s", text, want)
	}
}

// once notes a name that is in index already, as where says, or adds it.
func (c *checker) once(path string, index map[string]int, name string, i int, where string) {
	if first, ok := index[name]; ok {
		if name != "" {
			c.note(path, "%.60q is already "+where, name, first)
		}
		return
	}
	index[name] = i
}

// oneOf notes a word that is not of the set; "" stands for the default.
func (c *checker) oneOf(path, word string, set []string) {
	if word != "" && !slices.Contains(set, word) {
		c.note(path, "%.60q is none of %s", word, strings.Join(set, ", "))
	}
}

// duration notes a duration out of its range; 0 stands for the default.
func (c *checker) duration(path string, d Duration, least, most time.Duration) {
	if d != 0 && (time.Duration(d) < least || time.Duration(d) > most) {
		c.note(path, "must be %s to %s", least, most)
	}
}

func (c *checker) notNegative(path string, n int) {
	if n < 0 {
		c.note(path, "must not be negative")
	}
}

// text notes a name that is too long or would tear a message or a log apart.
func (c *checker) text(path, s string) {
	switch {
	case utf8.RuneCountInString(s) > maxText:
		c.note(path, "is longer than %d characters", maxText)
	case strings.ContainsFunc(s, unicode.IsControl):
		c.note(path, "holds control characters")
	}
}

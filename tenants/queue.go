package tenants

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// Bounds of queues.
const (
	maxAgents   = 1000
	maxPriority = 100
	maxLevel    = 100
	maxPauses   = 9 // one digit of a feature code
	maxSkills   = 32
)

// What a queue is when the document does not say.
const (
	defaultQueueRing = Duration(15 * time.Second)
	defaultRetry     = Duration(10 * time.Second)
	defaultMaxWait   = Duration(5 * time.Minute)
	defaultSLA       = Duration(20 * time.Second)
	defaultEvery     = Duration(30 * time.Second)
	defaultMaxSize   = 50
	defaultAttempts  = 2
	defaultRedial    = Duration(5 * time.Minute)
	defaultExpires   = Duration(4 * time.Hour)
)

// The words of queues.
var (
	logins        = []string{"optional", "required", "open"}
	announcements = []string{"off", "position", "wait", "both"}
	whenEmpty     = []string{"wait", "overflow"}
)

// Member is a member of a group: "102", or {extension: "102", priority: 1}, where agents
// of a queue with the lowest priority are offered calls first.
type Member struct {
	Extension string
	Priority  int
}

// UnmarshalStrict reads either form.
func (m *Member) UnmarshalStrict(n strict.Node) {
	if n.Kind() != strict.Map {
		n.Decode(&m.Extension)
		return
	}
	var long struct {
		Extension string `yaml:"extension"`
		Priority  int    `yaml:"priority"`
	}
	n.Decode(&long)
	m.Extension, m.Priority = long.Extension, long.Priority
}

// MarshalJSON writes the shorter form where that says all.
func (m Member) MarshalJSON() ([]byte, error) {
	if m.Priority == 0 {
		return json.Marshal(m.Extension)
	}
	return json.Marshal(map[string]any{"extension": m.Extension, "priority": m.Priority})
}

// Skills are those of an extension: {english: 3}, or a list, where each is 1.
type Skills map[string]int

// UnmarshalStrict reads either form.
func (s *Skills) UnmarshalStrict(n strict.Node) {
	if n.Kind() == strict.Map {
		n.Decode((*map[string]int)(s))
		return
	}
	var names []string
	if !n.Decode(&names) {
		return
	}
	*s = Skills{}
	for _, name := range names {
		(*s)[name] = 1
	}
}

// PauseReason is a reason for which agents can pause. The first is *461, the second *462.
type PauseReason struct {
	Name string `yaml:"name" json:"name"`
	Paid bool   `yaml:"paid" json:"paid,omitempty"`
}

// Queue are the keys of a group that is a queue.
type Queue struct {
	Login      string    `yaml:"login" json:"login,omitempty"`       // optional, the default, required or open
	Skills     []string  `yaml:"skills" json:"skills,omitempty"`     // that an agent must have
	Weight     int       `yaml:"weight" json:"weight,omitempty"`     // the highest of the queues that want an agent has it
	Wrapup     Duration  `yaml:"wrapup" json:"wrapup,omitzero"`      // default: none
	Retry      Duration  `yaml:"retry" json:"retry,omitzero"`        // default 10 s
	Misses     int       `yaml:"misses" json:"misses,omitempty"`     // then an agent is paused, 0: never
	MaxWait    Duration  `yaml:"max_wait" json:"max_wait,omitzero"`  // default 5 m
	MaxSize    *int      `yaml:"max_size" json:"max_size,omitempty"` // callers, default 50
	Greeting   string    `yaml:"greeting" json:"greeting,omitempty"` // prompt
	Announce   string    `yaml:"announce" json:"announce,omitempty"` // off, the default, position, wait or both
	Every      Duration  `yaml:"announce_every" json:"announce_every,omitzero"`
	JoinEmpty  string    `yaml:"join_empty" json:"join_empty,omitempty"`   // overflow, the default, or wait
	LeaveEmpty string    `yaml:"leave_empty" json:"leave_empty,omitempty"` // wait, the default, or overflow
	Overflow   []Step    `yaml:"overflow" json:"overflow,omitempty"`
	SLA        Duration  `yaml:"sla" json:"sla,omitzero"` // default 20 s
	Callback   *Callback `yaml:"callback" json:"callback,omitempty"`
	Record     Record    `yaml:"record" json:"record,omitempty"` // as of an extension
}

// Callback lets callers of a queue hang up and keep their place.
type Callback struct {
	Key      string   `yaml:"key" json:"key"`
	After    Duration `yaml:"after" json:"after,omitzero"`
	Offer    string   `yaml:"offer" json:"offer,omitempty"`       // prompt
	Confirm  string   `yaml:"confirm" json:"confirm,omitempty"`   // prompt
	Attempts int      `yaml:"attempts" json:"attempts,omitempty"` // default 2
	Retry    Duration `yaml:"retry" json:"retry,omitzero"`        // default 5 m
	Expires  Duration `yaml:"expires" json:"expires,omitzero"`    // default 4 h
}

// checkPauses notes what is wrong with the reasons for which agents pause.
func (c *checker) checkPauses() {
	if len(c.Pauses) > maxPauses {
		c.note("pauses", "%d pauses; %d at most", len(c.Pauses), maxPauses)
	}
	seen := map[string]int{}
	for i, p := range c.Pauses {
		path := fmt.Sprintf("pauses[%d].name", i)
		c.match(path, p.Name, identifier, "letters, digits, dots and dashes, 40 at most")
		c.once(path, seen, p.Name, i, "pauses[%d]")
		if p.Name == pbx.PausedPlain || p.Name == pbx.PausedMissed {
			c.note(path, "%s is the name of a pause of the PBX itself", p.Name)
		}
	}
}

// checkSkills notes what is wrong with the skills of an extension.
func (c *checker) checkSkills(path string, s Skills) {
	if len(s) > maxSkills {
		c.note(path, "%d skills; %d at most", len(s), maxSkills)
	}
	for _, name := range keys(s) {
		c.skillName(path, name)
		if s[name] < 1 || s[name] > maxLevel {
			c.note(path+"."+name, "must be 1 to %d", maxLevel)
		}
	}
}

func (c *checker) skillName(path, name string) {
	c.match(path, name, identifier, "letters, digits, dots and dashes, 40 at most")
}

// checkQueue notes what is wrong with a group that is a queue.
func (c *checker) checkQueue(path string, g *Group) {
	c.oneOf(path+".strategy", g.Strategy, strategies)
	c.oneOf(path+".login", g.Login, logins)
	c.oneOf(path+".announce", g.Announce, announcements)
	c.oneOf(path+".join_empty", g.JoinEmpty, whenEmpty)
	c.oneOf(path+".leave_empty", g.LeaveEmpty, whenEmpty)
	c.checkRecord(path+".record", g.Record)
	c.checkPromptName(path+".greeting", g.Greeting)
	for _, d := range []struct {
		key         string
		d           Duration
		least, most time.Duration
	}{
		{"wrapup", g.Wrapup, time.Second, time.Hour}, {"retry", g.Retry, time.Second, time.Hour}, {"sla", g.SLA, time.Second, time.Hour},
		{"max_wait", g.MaxWait, 5 * time.Second, 24 * time.Hour}, {"announce_every", g.Every, 10 * time.Second, time.Hour},
	} {
		c.duration(path+"."+d.key, d.d, d.least, d.most)
	}
	if g.MaxSize != nil && (*g.MaxSize < 1 || *g.MaxSize > pbx.MaxQueue) {
		c.note(path+".max_size", "must be 1 to %d", pbx.MaxQueue)
	}
	if g.Weight < 0 || g.Weight > maxPriority {
		c.note(path+".weight", "must be 0 to %d", maxPriority)
	}
	if g.Misses < 0 || g.Misses > maxPriority {
		c.note(path+".misses", "must be 0 to %d", maxPriority)
	}
	for i, m := range g.Members {
		if m.Priority < 0 || m.Priority > maxPriority {
			c.note(fmt.Sprintf("%s.members[%d].priority", path, i), "must be 0 to %d", maxPriority)
		}
	}
	switch n := len(members(g, c.joined)); {
	case n == 0 && g.Login != string(pbx.LoginOpen):
		c.note(path+".members", "a queue needs members, or login: open")
	case n > maxAgents:
		c.note(path+".members", "%d members; %d at most", n, maxAgents)
	}
	c.checkWanted(path+".skills", g, g.Skills)
	c.checkCallback(path+".callback", g.Callback)
	c.checkSteps(path+".overflow", g.Overflow)
	c.checkOverflow(path+".overflow", g)
}

// checkWanted notes skills that no agent of a queue has: callers would wait in vain.
func (c *checker) checkWanted(path string, g *Group, skills []string) {
	if len(skills) > maxSkills {
		c.note(path, "%d skills; %d at most", len(skills), maxSkills)
		return
	}
	seen := map[string]int{}
	for i, s := range skills {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.skillName(at, s)
		c.once(at, seen, s, i, path+"[%d]")
	}
	if len(skills) == 0 || g.Login == string(pbx.LoginOpen) {
		return
	}
	for _, m := range members(g, c.joined) {
		i, known := c.extensions[m]
		if known && !slices.ContainsFunc(append(slices.Clone(skills), g.Skills...), func(s string) bool { return c.Extensions[i].Skills[s] < 1 }) {
			return
		}
	}
	c.note(path, "no member of queue %s has %s", g.Number, strings.Join(skills, " and "))
}

func (c *checker) checkCallback(path string, b *Callback) {
	if b == nil {
		return
	}
	if len(b.Key) != 1 || !strings.Contains("0123456789*#", b.Key) {
		c.note(path+".key", "must be one key of a phone")
	}
	c.checkPromptName(path+".offer", b.Offer)
	c.checkPromptName(path+".confirm", b.Confirm)
	if b.Attempts < 0 || b.Attempts > 10 {
		c.note(path+".attempts", "must be 1 to 10")
	}
	c.duration(path+".after", b.After, time.Second, time.Hour)
	c.duration(path+".retry", b.Retry, 10*time.Second, 24*time.Hour)
	c.duration(path+".expires", b.Expires, time.Minute, 7*24*time.Hour)
}

// checkOverflow notes an overflow that leads back to its own queue: callers would go
// round and round.
func (c *checker) checkOverflow(path string, g *Group) {
	for i, s := range g.Overflow {
		if way := c.way(s.queueTarget(), g.Number, []string{g.Number}); len(way) > 0 {
			c.note(fmt.Sprintf("%s[%d]", path, i), "leads back to queue %s: %s", g.Number, strings.Join(way, ", "))
		}
	}
}

// queueTarget is the number of the queue that a step may lead into, "" when there is none.
func (s Step) queueTarget() string { return orElse(s.Queue, s.Ring) }

// way gives the queues from one to another by their overflows, nil when there is no way.
func (c *checker) way(from, to string, seen []string) []string {
	i, known := c.groups[from]
	if !known || c.Groups[i].Kind != "queue" {
		return nil
	}
	if from == to {
		return append(seen, to)
	}
	if slices.Contains(seen, from) {
		return nil
	}
	seen = append(slices.Clone(seen), from)
	for _, s := range c.Groups[i].Overflow {
		if way := c.way(s.queueTarget(), to, seen); len(way) > 0 {
			return way
		}
	}
	return nil
}

// checkRingOnly notes keys of queues that a ring group has.
func (c *checker) checkRingOnly(path string, g *Group) {
	v := reflect.ValueOf(g.Queue)
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			c.note(path+"."+key, "goes with kind: queue only")
		}
	}
	for i, m := range g.Members {
		if m.Priority != 0 {
			c.note(fmt.Sprintf("%s.members[%d].priority", path, i), "goes with kind: queue only")
		}
	}
}

// checkQueueStep notes what is wrong with a step that leads into a queue.
func (c *checker) checkQueueStep(path string, s *Step) {
	if s.Queue == "" {
		if s.Priority != 0 {
			c.note(path+".priority", "goes with queue only")
		}
		if len(s.Skills) > 0 {
			c.note(path+".skills", "goes with queue only")
		}
		return
	}
	i, known := c.groups[s.Queue]
	if !known || c.Groups[i].Kind != "queue" {
		c.note(path+".queue", "there is no queue %.60q", s.Queue)
		return
	}
	if s.Priority < -maxPriority || s.Priority > maxPriority {
		c.note(path+".priority", "must be %d to %d", -maxPriority, maxPriority)
	}
	c.checkWanted(path+".skills", &c.Groups[i], s.Skills)
}

// queueOf makes the queue of a group, nil for a ring group.
func queueOf(g *Group) *pbx.Queue {
	if g.Kind != "queue" {
		return nil
	}
	size := defaultMaxSize
	if g.MaxSize != nil {
		size = *g.MaxSize
	}
	q := &pbx.Queue{
		Login: pbx.Login(orElse(g.Login, string(pbx.LoginOptional))), Skills: clone(g.Skills), Weight: g.Weight,
		Wrapup: time.Duration(g.Wrapup), Retry: time.Duration(orElse(g.Retry, defaultRetry)), Misses: g.Misses,
		MaxWait: time.Duration(orElse(g.MaxWait, defaultMaxWait)), MaxSize: size, Greeting: g.Greeting,
		Announce: pbx.Announcement(orElse(g.Announce, string(pbx.AnnounceOff))), Every: time.Duration(orElse(g.Every, defaultEvery)),
		JoinEmpty: pbx.WhenEmpty(orElse(g.JoinEmpty, string(pbx.Overflows))), LeaveEmpty: pbx.WhenEmpty(orElse(g.LeaveEmpty, string(pbx.Waits))),
		Overflow: steps(g.Overflow), SLA: time.Duration(orElse(g.SLA, defaultSLA)), Record: g.Record != "", Notice: g.Record.notice(),
	}
	for _, m := range g.Members {
		if m.Priority != 0 {
			if q.Priorities == nil {
				q.Priorities = map[string]int{}
			}
			q.Priorities[m.Extension] = m.Priority
		}
	}
	if b := g.Callback; b != nil {
		q.Callback = &pbx.Callback{Key: b.Key, After: time.Duration(b.After), Offer: b.Offer, Confirm: b.Confirm, Attempts: orElse(b.Attempts, defaultAttempts),
			Retry: time.Duration(orElse(b.Retry, defaultRedial)), Expires: time.Duration(orElse(b.Expires, defaultExpires))}
	}
	return q
}

// documentQueue is the other way round.
func documentQueue(q *pbx.Queue) Queue {
	if q == nil {
		return Queue{}
	}
	size := q.MaxSize
	d := Queue{
		Login: string(q.Login), Skills: clone(q.Skills), Weight: q.Weight, Wrapup: Duration(q.Wrapup), Retry: Duration(q.Retry), Misses: q.Misses,
		MaxWait: Duration(q.MaxWait), MaxSize: &size, Greeting: q.Greeting, Announce: string(q.Announce), Every: Duration(q.Every),
		JoinEmpty: string(q.JoinEmpty), LeaveEmpty: string(q.LeaveEmpty), Overflow: documentSteps(q.Overflow), SLA: Duration(q.SLA),
		Record: recordOf(q.Record, q.Notice),
	}
	if b := q.Callback; b != nil {
		d.Callback = &Callback{Key: b.Key, After: Duration(b.After), Offer: b.Offer, Confirm: b.Confirm, Attempts: b.Attempts,
			Retry: Duration(b.Retry), Expires: Duration(b.Expires)}
	}
	return d
}

// queueDefaults are what a group that is a queue has of its own where the document says
// nothing: how it rings, and what callers hear.
func queueDefaults(g *pbx.Group, d *Group) {
	if g.Queue == nil {
		return
	}
	g.Strategy = pbx.Strategy(orElse(d.Strategy, string(pbx.LeastRecent)))
	g.Ring = time.Duration(orElse(d.Ring, defaultQueueRing))
	g.Music = orElse(d.Music, pbx.DefaultMusic)
}

// groupKind is the kind of a group in a document.
func groupKind(g *pbx.Group) string {
	if g.Queue != nil {
		return "queue"
	}
	return ""
}

// documentMembers are the members of a group with their priorities.
func documentMembers(g *pbx.Group) []Member {
	var list []Member
	for _, m := range g.Members {
		x := Member{Extension: m}
		if g.Queue != nil {
			x.Priority = g.Queue.Priorities[m]
		}
		list = append(list, x)
	}
	return list
}

// pauses are the reasons for which agents pause, as they are stored.
func pauses(list []PauseReason) []pbx.PauseReason {
	var all []pbx.PauseReason
	for _, p := range list {
		all = append(all, pbx.PauseReason(p))
	}
	return all
}

func documentPauses(list []pbx.PauseReason) []PauseReason {
	var all []PauseReason
	for _, p := range list {
		all = append(all, PauseReason(p))
	}
	return all
}

// playedByQueue says which queue plays a prompt, "" when none does.
func playedByQueue(c *pbx.Company, name string) string {
	for _, number := range keys(c.Groups) {
		q := c.Groups[number].Queue
		if q == nil {
			continue
		}
		b := q.Callback
		plays := slices.ContainsFunc(q.Overflow, func(s pbx.Step) bool { return s.Kind == pbx.StepPlay && slices.Contains(s.Plays(), name) })
		if plays || q.Greeting == name || b != nil && (b.Offer == name || b.Confirm == name) {
			return "the queue " + number
		}
	}
	return ""
}

// skillsOf copies skills; none are nil, as they are after they were stored.
func skillsOf[M ~map[string]int](s M) map[string]int {
	if len(s) == 0 {
		return nil
	}
	return maps.Clone(map[string]int(s))
}

package pbx

import (
	"slices"
	"strings"
	"time"
)

const (
	maxClauses = 9 // of a sentence; of more, those in the middle are left out
	maxAtOnce  = 6 // names in one clause
)

// Explain tells in one sentence, in English and in Russian, how a call went:
// who called whom, who was tried and what came of it, and who ended it and why.
// It is a pure function of the record and the trace it was folded from.
func Explain(c CDR, trace []CallEvent) Text {
	x := explanation{cdr: c, tries: map[LegID]*try{}}
	for _, e := range trace {
		x.add(e)
	}
	x.flush()
	x.finish()
	return x.sentence(trace)
}

// TransferFailed begins what a call notes when a transfer has come to nothing.
const TransferFailed = "the transfer failed: "

// supervised says what a supervisor does.
var supervised = map[Supervision]phrase{
	Listen:  {"{who} listened to the call", "{who} слушал разговор", ""},
	Whisper: {"{who} whispered in the call", "{who} подсказывал в разговоре", ""},
	Barge:   {"{who} joined the call", "{who} присоединился к разговору", ""},
}

// explanation is a sentence in the making.
type explanation struct {
	cdr     CDR
	clauses []clause
	tries   map[LegID]*try
	failed  []failure // of tries that ended alike, not yet told
	calling []string  // who was still being called when the call ended
	group   string    // whose heading the next clause carries
	trunk   string    // the last trunk that was dialled
	silent  string    // from whom no sound came any more
	left    bool      // a message was left
	joined  string    // who talked with the caller
	hungUp  string    // who ended the talk
	moving  bool      // a transfer into another call is not told yet
	sentBy  string    // who has transferred the call, until it has come to something
	by, to  string    // of the last transfer
	sent    int       // and its clause, counted from 1; 0: none
	entered int       // likewise, of who came in last
	waits   waiting   // in a queue
	attempt attempted // of a campaign
}

// clause is one part of the sentence: what it says, and of whom.
type clause struct {
	Text
	reason Reason // why that party is out; "": it is not
	who    string // who answered
}

// try is one phone that was called.
type try struct {
	who, trunk string
	at         time.Time
	answered   bool
}

// failure is a try that came to nothing.
type failure struct {
	who    string
	trunk  bool // who is a trunk
	waited time.Duration
	cause  Cause
}

func (x *explanation) add(e CallEvent) {
	if x.campaigned(e) {
		return
	}
	switch e.Kind {
	case LookedUp:
		x.lookedUp(e.CRM)
	case Routed:
		x.routed(e)
	case Noted:
		x.noted(e)
	case Guarded:
		if e.Cause != nil && x.joined == "" { // else it is the end of the talk
			x.fail(failure{cause: *e.Cause})
		}
	case Playing:
		name := named(e.Text)
		x.say(Text{"the prompt " + name + " was played", "проиграна запись " + name})
	case Chose:
		x.chose(e)
	case Dialled, CallerDialled:
		x.tries[e.Leg] = &try{who: named(e.Who), trunk: e.Trunk, at: e.At}
		if x.sentBy == named(e.Who) {
			x.sentBy = "" // it is called back
		}
		if e.Trunk != "" {
			x.trunk = e.Trunk
		}
	case Answered:
		if t := x.tries[e.Leg]; t != nil && !t.answered {
			t.answered = true
			x.answered(t, e.At)
		}
	case RecordEnd:
		x.message(e.Recording)
	case Queued, QueueLeft:
		x.queued(e)
	case JoinedRoom:
		x.flush()
		x.joined = ""
		name := named(e.To)
		switch n := named(e.Text); {
		case n != "" && e.Other != "":
			name = n
		case n != "":
			name = n + " (" + name + ")"
		}
		x.say(phrase{"{who} came into the conference ", "{who}: вход в конференцию ", ""}.say([]string{named(e.Who)}, 0).plus(Text{name, name}))
	case LeftRoom:
		if p, ok := leftRoom[e.Text]; ok {
			x.say(p.say([]string{named(e.Who)}, 0))
		}
	case Transferring:
		x.flush()
		x.sentBy = named(e.Who)
		x.by, x.to, x.sent = named(e.Who), named(e.To), 0
		if x.moving = e.Other != ""; !x.moving {
			x.transferred(e)
			x.sent = len(x.clauses)
		}
	case Entered:
		if !x.moving {
			x.flush()
			x.say(phrase{"{who} took the call", "{who} забрал вызов", ""}.say([]string{named(e.Who)}, 0))
			x.entered = len(x.clauses)
		}
	case Supervised:
		if p, ok := supervised[Supervision(e.Text)]; ok && x.entered > 0 {
			x.clauses[x.entered-1].Text = p.say([]string{named(e.Who)}, 0)
		}
	case Transferred:
		if x.moving {
			x.transferred(e)
		}
		x.moving, x.sentBy = false, ""
	case Bridged:
		x.joined = named(e.Who)
		if x.sentBy == x.joined && x.sentBy != "" {
			x.flush()
			x.say(Text{"the call went back to " + x.joined, "вызов вернулся к " + x.joined})
		}
		x.sentBy = ""
	case Ended:
		x.hungUp = named(e.Who)
	case LegEnded:
		x.legEnded(e)
	}
}

// message tells of a message that was left.
func (x *explanation) message(r *Recording) {
	if r == nil || !r.isMessage() {
		return
	}
	x.flush()
	x.left = true
	box, length := named(r.Box), span(fromSeconds(r.Seconds))
	x.say(Text{"a message of " + length.EN + " was left for " + box, "для " + box + " оставлено сообщение, " + length.RU})
}

func (x *explanation) transferred(e CallEvent) {
	by, to := named(e.Who), named(e.To)
	if by == to && x.moving {
		x.say(Text{by + " went on with another phone", by + " продолжил разговор с другого телефона"})
		return
	}
	x.say(Text{by + " transferred the call to " + to, by + " перевёл вызов на " + to})
}

// chose tells what the caller did in a menu.
func (x *explanation) chose(e CallEvent) {
	x.flush()
	menu, key := named(e.Text), named(e.Digit+e.To)
	if key == "" {
		x.say(Text{"nothing was chosen in the menu " + menu, "в меню " + menu + " ничего не выбрано"})
		x.clauses[len(x.clauses)-1].reason = NoChoice
		return
	}
	x.say(Text{"the caller pressed " + key + " in the menu " + menu, "в меню " + menu + " нажато " + key})
}

// untransferred takes back that a call was transferred.
func (x *explanation) untransferred() {
	t := Text{x.by + " tried to transfer the call", x.by + " пытался перевести вызов"}
	if x.to != "" {
		t = t.plus(Text{" to " + x.to, " на " + x.to})
	}
	if x.sent > 0 {
		x.clauses[x.sent-1].Text = t
	} else {
		x.say(t)
	}
	x.moving, x.sent = false, 0
}

func (x *explanation) lookedUp(l *Lookup) {
	if l == nil {
		return
	}
	if owner := named(l.Owner); owner != "" {
		x.say(Text{"the CRM named " + owner + " as owner", "CRM назвала ответственным " + owner})
		return
	}
	if p, ok := lookups[l.Result]; ok {
		x.say(p.say(nil, 0))
	}
}

// routed adds why the owner is not called.
func (x *explanation) routed(e CallEvent) {
	if x.cdr.CRM == nil || x.cdr.CRM.Owner == "" || len(x.clauses) == 0 {
		return
	}
	for _, why := range e.Why {
		end, ok := strings.CutPrefix(why, "owner "+x.cdr.CRM.Owner+" ")
		if p, known := unused[end]; ok && known {
			last := &x.clauses[len(x.clauses)-1]
			last.Text = last.plus(p.say(nil, 0))
		}
	}
}

// noted takes what has no event of its own: a group that is rung, somebody who
// forwards, somebody who could not be called, silence.
func (x *explanation) noted(e CallEvent) {
	if (x.moving || x.sent > 0) && len(e.Why) > 0 && strings.HasPrefix(e.Why[0], TransferFailed) {
		x.untransferred()
	}
	switch {
	case e.Cause != nil && e.Cause.Reason == NoMedia:
		x.silent = named(e.Who)
	case e.Cause != nil:
		x.fail(failure{who: named(e.Who), trunk: e.Trunk != "", cause: *e.Cause})
	case e.To != "" && e.Who != "":
		x.flush()
		by, to := named(e.Who), named(e.To)
		x.say(Text{by + " forwards to " + to, "переадресация с " + by + " на " + to})
	case e.To != "":
		x.flush()
		x.group = named(e.To)
	}
}

func (x *explanation) answered(t *try, at time.Time) {
	x.flush()
	text := phrase{"{who} answered", "{who} ответил", ""}.say([]string{t.who}, 0).after(at.Sub(t.at))
	x.say(text)
	x.clauses[len(x.clauses)-1].who = t.who
}

func (x *explanation) legEnded(e CallEvent) {
	t := x.tries[e.Leg]
	if t == nil || e.Cause == nil || e.Cause.Reason == Elsewhere || e.Cause.Reason == SentOn || e.Cause.Reason == Joined {
		return
	}
	delete(x.tries, e.Leg)
	f := failure{who: t.who, cause: *e.Cause}
	switch {
	case t.answered && (x.joined != "" || f.cause == x.cdr.Cause.Cause):
		return // the end of the talk is the end of the call
	case !t.answered && e.At.Equal(x.cdr.Ended) && f.cause == x.cdr.Cause.Cause && f.cause.Party != PartyCallee && f.cause.Party != PartyTrunk:
		if !slices.Contains(x.calling, t.who) {
			x.calling = append(x.calling, t.who)
		}
		return
	case f.cause.Reason == NoAnswer && !t.answered:
		f.waited = e.At.Sub(t.at)
	}
	if t.trunk != "" && f.cause.Party == PartyTrunk {
		f.who, f.trunk = named(t.trunk), true
	}
	x.fail(f)
}

// fail keeps a failure until it is known whether others came to the same.
func (x *explanation) fail(f failure) {
	if len(x.failed) > 0 {
		last := x.failed[0]
		if last.cause != f.cause || last.trunk != f.trunk || last.waited.Round(time.Second) != f.waited.Round(time.Second) {
			x.flush()
		}
	}
	if !slices.ContainsFunc(x.failed, func(g failure) bool { return g.who == f.who }) {
		x.failed = append(x.failed, f)
	}
}

// flush tells of those who failed alike, in one clause.
func (x *explanation) flush() {
	if len(x.failed) == 0 {
		return
	}
	var who []string
	for _, f := range x.failed {
		if f.who != "" {
			who = append(who, f.who)
		}
	}
	f := x.failed[0]
	x.failed = nil
	t := reasonOf(f.cause, few(who))
	if f.trunk {
		t = ofTrunk(f.cause, few(who))
	}
	x.say(t.in(f.waited))
	x.clauses[len(x.clauses)-1].reason = f.cause.Reason
}

// few cuts a list of names.
func few(who []string) []string {
	if len(who) > maxAtOnce {
		return append(slices.Clone(who[:maxAtOnce-1]), "…")
	}
	return who
}

// ofTrunk is reasonOf about trunks.
func ofTrunk(c Cause, names []string) Text {
	name := list(names, ", ")
	en, ru := reasonOf(c, []string{"trunk " + name}), reasonOf(c, []string{"оператор " + name})
	return Text{en.EN, ru.RU}
}

// reasonOf puts a cause and who it is about into words.
func reasonOf(c Cause, who []string) Text {
	if c.Party == PartyPBX || len(who) == 0 {
		if p, ok := ofPBX[c.Reason]; ok {
			return p.say(nil, c.SIP)
		}
	}
	if p, ok := phrases[c.Reason]; ok && len(who) > 0 {
		return p.say(who, c.SIP)
	}
	t := c.Text()
	return Text{lower(t.EN), lower(t.RU)}
}

// say adds a clause, under the heading of its group.
func (x *explanation) say(t Text) {
	if x.group != "" {
		t = Text{"group " + x.group + ": ", "группа " + x.group + ": "}.plus(t)
		x.group = ""
	}
	x.clauses = append(x.clauses, clause{Text: t})
}

// finish adds how the call ended, unless the last that was said tells it.
func (x *explanation) finish() {
	c := x.cdr
	if c.Cause.Reason == Interrupted && x.joined == "" { // nobody was left to note the end of the legs
		for _, p := range c.Parties {
			if t := x.tries[p.Leg]; t != nil && !t.answered && !slices.Contains(x.calling, t.who) {
				x.calling = append(x.calling, t.who)
			}
		}
	}
	if len(x.calling) > 0 {
		x.say(phrase{"{who} {was} being called", "вызов шёл на {who}", ""}.say(few(x.calling), 0))
	}
	cause := c.Cause.Cause
	who := x.blamed(cause.Party)
	if x.left { // a message is the end of a call, also behind a talk
		return
	}
	if c.Answered != nil {
		x.endOfTalk(cause, who)
		return
	}
	if slices.ContainsFunc(x.clauses, func(p clause) bool { return p.reason == cause.Reason }) {
		return
	}
	gaveUp := cause.Party == PartyCaller && (cause.Reason == Cancelled || cause.Reason == Hangup)
	switch {
	case gaveUp:
		x.say(Text{"the caller gave up", "звонивший не дождался ответа и положил трубку"}.after(fromSeconds(c.Wait)))
	case cause.Party == PartyCaller:
		x.sayOfCaller(cause)
	case cause.Party == PartyTrunk && len(who) > 0:
		x.say(ofTrunk(cause, who))
	default:
		x.say(reasonOf(cause, who))
	}
}

// endOfTalk adds who ended the talk; right behind the answer of the same party
// it goes on with "and".
func (x *explanation) endOfTalk(cause Cause, who []string) {
	talk := fromSeconds(x.cdr.Talk)
	last := len(x.clauses) - 1
	switch {
	case cause.Party == PartyCaller:
		x.sayOfCaller(cause)
	case cause.Reason == Hangup && last >= 0 && len(who) == 1 && x.clauses[last].who == who[0]:
		x.clauses[last].Text = x.clauses[last].plus(Text{" and hung up", " и положил трубку"})
	case cause.Party == PartyTrunk && len(who) > 0:
		x.say(ofTrunk(cause, who))
	default:
		x.say(reasonOf(cause, who))
	}
	if cause.Reason != NoACK { // it is always after 32 s
		last = len(x.clauses) - 1
		x.clauses[last].Text = x.clauses[last].after(talk)
	}
}

// sayOfCaller tells of the caller, who is not named again; NoMedia and
// Unregistered want another case in Russian.
func (x *explanation) sayOfCaller(cause Cause) {
	t := reasonOf(cause, []string{"the caller"})
	ru := "звонивший"
	if cause.Reason == NoMedia || cause.Reason == Unregistered {
		ru = "звонившего"
	}
	t.RU = reasonOf(cause, []string{ru}).RU
	x.say(t)
}

// blamed names the party of the final cause.
func (x *explanation) blamed(p Party) []string {
	name := ""
	switch p {
	case PartyCallee:
		if name = x.hungUp; name == "" {
			name = x.joined
		}
		if name == "" {
			name = named(x.cdr.To)
		}
	case PartyTrunk:
		if name = x.trunk; name == "" {
			name = x.cdr.Trunk
		}
	case PartyMedia:
		name = x.silent
	}
	if name == "" {
		return nil
	}
	return []string{name}
}

// sentence joins the clauses behind who called whom.
func (x *explanation) sentence(trace []CallEvent) Text {
	s := x.opening(trace)
	left := len(x.clauses) - maxClauses
	for i, c := range x.clauses {
		if left > 0 && i == maxClauses/2 {
			s = s.plus(Text{"; …", "; …"})
		}
		if left <= 0 || i < maxClauses/2 || i >= maxClauses/2+left {
			s = s.plus(Text{"; ", "; "}).plus(c.Text)
		}
	}
	return Text{EN: capital(s.EN) + ".", RU: capital(s.RU) + "."}
}

// opening says who called whom. In Russian no verb stands beside a name: it
// would have to know whether the caller is a man or a woman.
func (x *explanation) opening(trace []CallEvent) Text {
	c := x.cdr
	if x.attempt.ref != nil {
		return x.openingOfCampaign()
	}
	from, to, name, asked := named(c.From), named(c.To), "", false
	if len(trace) > 0 {
		name = named(trace[0].Name)
		asked = trace[0].Leg == "" && slices.ContainsFunc(trace, func(e CallEvent) bool { return e.Kind == CallerDialled })
	}
	if c.CRM != nil && named(c.CRM.Contact) != "" {
		name = named(c.CRM.Contact)
	}
	en, ru := from, "с номера "+from
	switch {
	case from == "" || from == "anonymous":
		en, ru = "a hidden number", "со скрытого номера"
	case name != "" && name != from:
		en, ru = name+" ("+from+")", ru+" ("+name+")"
	}
	if to == "" {
		return Text{en + " called", "звонок " + ru}
	}
	if asked {
		return Text{en + " asked for a call to " + to, "заказан звонок " + ru + " на " + to}
	}
	return Text{en + " called " + to, "звонок " + ru + " на " + to}
}

// fromSeconds is the way back from the seconds of a record.
func fromSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

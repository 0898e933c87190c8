package pbx

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// story is a trace in the making: each event comes some time after the one
// before.
type story struct {
	at    time.Time
	trace []CallEvent
}

func begin(e CallEvent) *story {
	e.Kind, e.At = Arrived, time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	return &story{e.At, []CallEvent{e}}
}

func (s *story) add(after time.Duration, e CallEvent) *story {
	s.at = s.at.Add(after)
	e.At = s.at
	s.trace = append(s.trace, e)
	return s
}

func (s *story) dial(who string) *story {
	return s.add(0, CallEvent{Kind: Dialled, Who: who, Leg: LegID("leg-" + who)})
}

func (s *story) out(after time.Duration, who string, c Cause) *story {
	return s.add(after, CallEvent{Kind: LegEnded, Who: who, Leg: LegID("leg-" + who), Cause: &c})
}

func (s *story) answer(after time.Duration, who string) *story {
	leg := LegID("leg-" + who)
	return s.add(after, CallEvent{Kind: Answered, Who: who, Leg: leg}).add(0, CallEvent{Kind: Bridged, Who: who, Leg: leg})
}

func (s *story) end(after time.Duration, c Cause) *story {
	return s.add(after, CallEvent{Kind: Ended, Cause: &c})
}

// TestExplain tells calls whole.
func TestExplain(t *testing.T) {
	in := CallEvent{Leg: "in", Who: "+79160000001", From: "+79160000001", To: "+74950000000", Direction: In, Trunk: "z"}
	inside := CallEvent{Leg: "in", Who: "101", From: "101", To: "102", Name: "Анна", Direction: InternalTo}
	out := CallEvent{Leg: "in", Who: "101", From: "101", To: "+79990000001", Direction: Out}
	hidden := in
	hidden.From, hidden.Who = "anonymous", "anonymous"
	caller, callee := NewCause(PartyCaller, Hangup), NewCause(PartyCallee, Hangup)
	gaveUp, late, elsewhere := NewCause(PartyCaller, Cancelled), NewCause(PartyCallee, NoAnswer), NewCause(PartyCallee, Elsewhere)
	overTrunk := func(s *story, name string) *story {
		return s.add(0, CallEvent{Kind: Dialled, Who: "+79990000001", Leg: LegID("leg-" + name), Trunk: name})
	}
	limit := NewCause(PartyPBX, OverLimit)
	for _, c := range []struct {
		name   string
		story  *story
		en, ru string
	}{
		{"owner, then the group",
			begin(in).add(0, CallEvent{Kind: LookedUp, CRM: &Lookup{Contact: "Пётр", Owner: "101", Result: "found"}}).
				dial("101").out(20*time.Second, "101", late).
				add(0, CallEvent{Kind: Noted, To: "600", Why: []string{"group 600"}}).dial("102").dial("103").
				answer(3*time.Second, "102").out(0, "103", elsewhere).
				out(61*time.Second, "102", callee).end(0, callee),
			"Пётр (+79160000001) called +74950000000; the CRM named 101 as owner; 101 did not answer in 20 s; group 600: 102 answered after 3 s and hung up after 61 s.",
			"Звонок с номера +79160000001 (Пётр) на +74950000000; CRM назвала ответственным 101; 101 не ответил за 20 секунд; группа 600: 102 ответил через 3 секунды и положил трубку через 61 секунду."},
		{"the caller hangs up", begin(inside).dial("102").answer(0, "102").end(0, caller),
			"Анна (101) called 102; 102 answered at once; the caller hung up at once.",
			"Звонок с номера 101 (Анна) на 102; 102 ответил сразу; звонивший положил трубку сразу."},
		{"the caller gives up", begin(hidden).dial("101").dial("102").add(22*time.Second, CallEvent{Kind: Ringing, Who: "101"}).
			out(0, "101", gaveUp).out(0, "102", gaveUp).end(0, gaveUp),
			"A hidden number called +74950000000; 101 and 102 were being called; the caller gave up after 22 s.",
			"Звонок со скрытого номера на +74950000000; вызов шёл на 101 и 102; звонивший не дождался ответа и положил трубку через 22 секунды."},
		{"nobody of a group", begin(in).add(0, CallEvent{Kind: Noted, To: "600"}).
			add(0, CallEvent{Kind: Noted, Who: "101", Cause: &Cause{Party: PartyCallee, Reason: Unregistered}}).
			dial("102").dial("103").dial("104").out(time.Second, "104", NewCause(PartyCallee, Busy)).
			out(20*time.Second, "102", late).out(0, "103", late).end(0, late),
			"+79160000001 called +74950000000; group 600: no phone of 101 was registered; 104 was busy; 102 and 103 did not answer in 21 s.",
			"Звонок с номера +79160000001 на +74950000000; группа 600: ни один телефон 101 не был зарегистрирован; 104: занято; 102 и 103 не ответили за 21 секунду."},
		{"the second trunk", overTrunk(overTrunk(begin(out).add(0, CallEvent{Kind: Noted, Who: "a", Trunk: "a", Cause: &limit}), "b").
			add(time.Second, CallEvent{Kind: LegEnded, Leg: "leg-b", Cause: &Cause{Party: PartyTrunk, Reason: Refused, SIP: 503}}), "c").
			add(5*time.Second, CallEvent{Kind: Answered, Who: "+79990000001", Leg: "leg-c"}).
			add(0, CallEvent{Kind: Bridged, Who: "+79990000001", Leg: "leg-c"}).end(time.Hour+61*time.Second, callee),
			"101 called +79990000001; trunk a had no line free; trunk b refused the call (SIP 503); +79990000001 answered after 5 s and hung up after 1 h 1 min 1 s.",
			"Звонок с номера 101 на +79990000001; оператор a: нет свободных линий; оператор b не принял вызов (SIP 503); +79990000001 ответил через 5 секунд и положил трубку через 1 час 1 минуту 1 секунду."},
		{"silence", begin(inside).dial("102").answer(11*time.Second, "102").
			add(30*time.Second, CallEvent{Kind: Noted, Who: "102", Cause: &Cause{Party: PartyMedia, Reason: NoMedia}}).end(0, NewCause(PartyMedia, NoMedia)),
			"Анна (101) called 102; 102 answered after 11 s; no sound came from 102 any more after 30 s.",
			"Звонок с номера 101 (Анна) на 102; 102 ответил через 11 секунд; от 102 пропал звук через 30 секунд."},
		{"an owner without a phone", begin(in).add(0, CallEvent{Kind: LookedUp, CRM: &Lookup{Owner: "101", Result: "cached"}}).
			add(0, CallEvent{Kind: Routed, Why: []string{"owner 101 is not registered"}}).add(0, CallEvent{Kind: Playing, Text: "welcome"}).
			end(time.Second, NewCause(PartyPBX, NoAnswer)),
			"+79160000001 called +74950000000; the CRM named 101 as owner, of whom no phone was registered; the prompt welcome was played; nobody answered.",
			"Звонок с номера +79160000001 на +74950000000; CRM назвала ответственным 101 (ни один его телефон не был зарегистрирован); проиграна запись welcome; никто не ответил."},
		{"a menu, and a mobile that is not confirmed", begin(in).add(time.Second, CallEvent{Kind: Chose, Who: "+79160000001", Text: "main", Digit: "2"}).
			add(0, CallEvent{Kind: Chose, Text: "sales", To: "101"}).dial("101").out(3*time.Second, "101", NewCause(PartyCallee, Unconfirmed)).
			add(0, CallEvent{Kind: Chose, Text: "more"}).end(0, NewCause(PartyPBX, NoChoice)),
			"+79160000001 called +74950000000; the caller pressed 2 in the menu main; the caller pressed 101 in the menu sales; 101 did not take the call by the key; nothing was chosen in the menu more.",
			"Звонок с номера +79160000001 на +74950000000; в меню main нажато 2; в меню sales нажато 101; 101: вызов не принят клавишей; в меню more ничего не выбрано."},
		{"the process died", begin(in).dial("101").dial("102"),
			"+79160000001 called +74950000000; 101 and 102 were being called; the PBX was interrupted.",
			"Звонок с номера +79160000001 на +74950000000; вызов шёл на 101 и 102; работа АТС прервалась."},
		{"click-to-call", begin(CallEvent{Who: "101", From: "101", To: "+79990000001", Direction: Out}).
			add(0, CallEvent{Kind: CallerDialled, Who: "101", Leg: "own"}).
			add(30*time.Second, CallEvent{Kind: LegEnded, Who: "101", Leg: "own", Cause: &Cause{Party: PartyCallee, Reason: NoAnswer}}).
			end(0, Cause{Party: PartyCaller, Reason: NoAnswer}),
			"101 asked for a call to +79990000001; 101 did not answer in 30 s.",
			"Заказан звонок с номера 101 на +79990000001; 101 не ответил за 30 секунд."},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Summarize("acme", "1", c.story.trace).Explained
			if got.EN != c.en || got.RU != c.ru {
				t.Errorf("got\n%s\n%s\nwant\n%s\n%s", got.EN, got.RU, c.en, c.ru)
			}
		})
	}
}

// TestExplainHandover tells of transfers that fail and of who comes in.
func TestExplainHandover(t *testing.T) {
	in := CallEvent{Leg: "in", Who: "101", From: "101", To: "102", Direction: InternalTo}
	bye, busy, no := NewCause(PartyCaller, Hangup), NewCause(PartyCallee, Busy), NewCause(PartyPBX, Forbidden)
	answered := func() *story { return begin(in).dial("102").answer(time.Second, "102") }
	back := CallEvent{Kind: Noted, Why: []string{TransferFailed + "back to 102"}}
	refused := back
	refused.Cause = &no
	entered := CallEvent{Kind: Entered, Who: "104", Leg: "leg-104", Other: "other"}
	for _, c := range []struct {
		name   string
		story  *story
		en, ru string
	}{
		{"a transfer to one who is busy", answered().add(time.Second, CallEvent{Kind: Transferring, Who: "102", To: "103"}).dial("103").
			out(time.Second, "103", busy).add(0, back).end(time.Second, bye),
			"102 tried to transfer the call to 103; 103 was busy;", "102 пытался перевести вызов на 103; 103: занято;"},
		{"a transfer that is not allowed", answered().add(time.Second, CallEvent{Kind: Transferring, Who: "102", To: "+4930"}).add(0, refused).end(time.Second, bye),
			"102 tried to transfer the call to +4930; this call is not allowed;", "102 пытался перевести вызов на +4930; такой вызов запрещён;"},
		{"a transfer to a call that is gone", answered().add(time.Second, CallEvent{Kind: Transferring, Who: "102", Other: "other"}).add(0, back).
			add(time.Second, entered).end(time.Second, bye),
			"102 tried to transfer the call; 104 took the call;", "102 пытался перевести вызов; 104 забрал вызов;"},
		{"another phone of the same extension", answered().add(time.Second, CallEvent{Kind: Transferring, Who: "102", Other: "other"}).
			add(0, CallEvent{Kind: Transferred, Who: "102", To: "102"}).end(time.Second, bye),
			"102 went on with another phone;", "102 продолжил разговор с другого телефона;"},
		{"a supervisor", answered().add(time.Second, entered).add(0, CallEvent{Kind: Supervised, Who: "104", Leg: "leg-104", Text: string(Listen)}).end(time.Second, bye),
			"104 listened to the call;", "104 слушал разговор;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Summarize("acme", "1", c.story.trace).Explained
			if !strings.Contains(got.EN, c.en) || !strings.Contains(got.RU, c.ru) || strings.Contains(got.EN, "transferred") {
				t.Errorf("%s\n%s", got.EN, got.RU)
			}
		})
	}
}

// TestExplainReasons holds that no reason and no party leaves the sentence
// without its words, before and after the answer.
func TestExplainReasons(t *testing.T) {
	from := CallEvent{Leg: "in", Who: "101", From: "101", To: "102", Direction: InternalTo}
	for reason := range reasons {
		for party := range parties {
			cause := NewCause(party, reason)
			for name, s := range map[string]*story{
				"at once":  begin(from).end(time.Second, cause),
				"rung":     begin(from).dial("102").out(2*time.Second, "102", cause).end(0, cause),
				"answered": begin(from).dial("102").answer(time.Second, "102").out(2*time.Second, "102", cause).end(0, cause),
			} {
				cdr := Summarize("acme", "1", s.trace)
				for _, text := range []string{cdr.Explained.EN, cdr.Explained.RU} {
					_, said, ok := strings.Cut(text, "; ")
					if !ok || len(said) < 8 || strings.Count(text, ".") != 1 || !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "{}%") || strings.Contains(text, "  ") {
						t.Errorf("%s, %s %s: %q", name, party, reason, text)
					}
				}
				if again := Explain(cdr, s.trace); again != cdr.Explained {
					t.Errorf("%s, %s %s: explained differently the second time: %q", name, party, reason, again)
				}
			}
		}
	}
}

// TestExplainOutcomes goes through the outcomes that a call can have.
func TestExplainOutcomes(t *testing.T) {
	from := CallEvent{Leg: "in", Who: "101", From: "101", To: "102", Direction: InternalTo}
	seen := map[Outcome]bool{}
	for reason := range reasons {
		for _, party := range []Party{PartyCaller, PartyCallee} {
			seen[Summarize("acme", "1", begin(from).end(0, NewCause(party, reason)).trace).Outcome] = true
		}
	}
	for _, o := range Outcomes {
		if o != OutcomeAnswered && o != OutcomeVoicemail && !seen[o] {
			t.Errorf("TestExplainReasons never has a call that is %s", o)
		}
	}
}

// TestExplainBounds holds that names from outside cannot break the sentence,
// nor many tries make it endless.
func TestExplainBounds(t *testing.T) {
	name := "Анна\r\nBcc: x\x00\xff" + strings.Repeat("я", 1000)
	s := begin(CallEvent{Leg: "in", Who: "101", From: "101", To: "102", Name: name})
	for i := range 40 {
		who := "1" + strings.Repeat("0", i)
		s.dial(who).out(time.Duration(i)*time.Second, who, NewCause(PartyCallee, NoAnswer))
	}
	got := Summarize("acme", "1", s.end(0, NewCause(PartyCallee, NoAnswer)).trace).Explained
	for _, text := range []string{got.EN, got.RU} {
		if len(text) > 2000 || strings.ContainsAny(text, "\r\n\x00") || !utf8.ValidString(text) || !strings.Contains(text, "; …; ") {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
	if got := Explain(CDR{}, nil); !strings.HasSuffix(got.EN, ".") {
		t.Errorf("no call is explained as %q", got.EN)
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{
		1: "1 секунду", 2: "2 секунды", 4: "4 секунды", 5: "5 секунд", 10: "10 секунд", 11: "11 секунд", 12: "12 секунд", 14: "14 секунд",
		20: "20 секунд", 21: "21 секунду", 22: "22 секунды", 25: "25 секунд", 101: "101 секунду", 111: "111 секунд", 112: "112 секунд",
	} {
		if got := plural(n, "секунду", "секунды", "секунд"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for d, want := range map[time.Duration]Text{
		400 * time.Millisecond:            {},
		600 * time.Millisecond:            {"1 s", "1 секунду"},
		119 * time.Second:                 {"119 s", "119 секунд"},
		2 * time.Minute:                   {"2 min", "2 минуты"},
		3*time.Minute + 5*time.Second:     {"3 min 5 s", "3 минуты 5 секунд"},
		11 * time.Minute:                  {"11 min", "11 минут"},
		time.Hour:                         {"1 h", "1 час"},
		5*time.Hour + time.Minute:         {"5 h 1 min", "5 часов 1 минуту"},
		22*time.Hour + 31*time.Second - 1: {"22 h 31 s", "22 часа 31 секунду"},
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q", d, got)
		}
	}
}

package pbx

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What the network says, and what that is for an attempt; q is the value of a Reason header.
func TestAttemptOutcomeOf(t *testing.T) {
	from := func(p Party, status, q int) Cause {
		c := FromSIP(p, status)
		if q != 0 {
			c.Q850 = q
		}
		return c
	}
	blocked := from(PartyTrunk, 603, 0)
	blocked.Reason = Blocked
	for _, c := range []struct {
		name  string
		cause Cause
		rang  bool
		want  AttemptOutcome
	}{
		{"busy here", from(PartyCallee, 486, 0), true, AttemptBusy},
		{"busy everywhere", from(PartyCallee, 600, 0), false, AttemptBusy},
		{"busy by Q.850", from(PartyCallee, 480, 17), false, AttemptBusy},
		{"rang for its time", NewCause(PartyCallee, NoAnswer), true, AttemptNoAnswer},
		{"absent", from(PartyCallee, 480, 20), false, AttemptNoAnswer},
		{"a phone that rang and vanished", from(PartyTrunk, 408, 0), true, AttemptNoAnswer},
		{"a dead trunk", from(PartyTrunk, 408, 0), false, AttemptFailed},
		{"declined", from(PartyCallee, 603, 0), true, AttemptRejected},
		{"declined by Q.850", from(PartyTrunk, 503, 21), true, AttemptRejected},
		{"not found", from(PartyCallee, 404, 0), false, AttemptInvalid},
		{"gone", from(PartyCallee, 410, 0), false, AttemptInvalid},
		{"incomplete", from(PartyCallee, 484, 0), false, AttemptInvalid},
		{"nowhere", from(PartyCallee, 604, 0), false, AttemptInvalid},
		{"unallocated by Q.850", from(PartyTrunk, 503, 1), false, AttemptInvalid},
		{"changed", from(PartyTrunk, 500, 22), false, AttemptInvalid},
		{"incomplete by Q.850", from(PartyTrunk, 500, 28), false, AttemptInvalid},
		{"no circuit", from(PartyTrunk, 500, 34), false, AttemptCongestion},
		{"congested", from(PartyCallee, 480, 42), false, AttemptCongestion},
		{"unavailable", from(PartyTrunk, 503, 0), false, AttemptCongestion},
		{"unavailable, nothing special", from(PartyTrunk, 503, 31), false, AttemptCongestion},
		{"no route", from(PartyTrunk, 404, 3), false, AttemptFailed},
		{"broken trunk", from(PartyTrunk, 500, 0), false, AttemptFailed},
		{"our account", from(PartyTrunk, 403, 0), false, AttemptFailed},
		{"no codec", from(PartyCallee, 488, 0), false, AttemptFailed},
		{"unwanted", from(PartyCallee, 607, 0), true, AttemptRefused},
		{"unwanted by Q.850, too", from(PartyCallee, 607, 17), true, AttemptRefused},
		{"rejected on the way", from(PartyTrunk, 608, 0), false, AttemptRefused},
		{"blocked by the network", blocked, false, AttemptRefused},
		{"our limit", NewCause(PartyPBX, OverLimit), false, AttemptCongestion},
		{"no port", NewCause(PartyPBX, NoPorts), false, AttemptCongestion},
		{"no room", NewCause(PartyPBX, Overloaded), false, AttemptCongestion},
		{"our rules", NewCause(PartyPBX, Forbidden), false, AttemptFailed},
		{"spent", NewCause(PartyPBX, Spent), false, AttemptFailed},
		{"no trunk", NewCause(PartyPBX, NoRoute), false, AttemptFailed},
		{"unreadable", NewCause(PartyPBX, UnknownNumber), false, AttemptInvalid},
		{"no prompt", NewCause(PartyPBX, NoPrompt), false, AttemptFailed},
		{"our fault", NewCause(PartyPBX, Broken), true, AttemptFailed},
		{"cancelled", NewCause(PartyPBX, Hangup), true, AttemptInterrupted},
		{"stopped", NewCause(PartyPBX, ShuttingDown), true, AttemptInterrupted},
		{"killed", NewCause(PartyPBX, Interrupted), true, AttemptInterrupted},
		{"the operator", NewCause(PartyCaller, Unanswered), false, AttemptMissed},
	} {
		if got := AttemptOutcomeOf(c.cause, c.rang); got != c.want {
			t.Errorf("%s: %s, want %s (%+v)", c.name, got, c.want, c.cause)
		}
	}
}

// Every cause there can be has an outcome of the closed set, and none says that somebody
// answered.
func TestAttemptOutcomeOfAnything(t *testing.T) {
	parties := []Party{PartyCaller, PartyCallee, PartyTrunk, PartyPBX, PartyMedia}
	check := func(c Cause) {
		if o := AttemptOutcomeOf(c, true); !slices.Contains(AttemptOutcomes, o) || o.Live() || o == AttemptMachine {
			t.Errorf("%+v is %q", c, o)
		}
	}
	for _, p := range parties {
		for r := range reasons {
			check(NewCause(p, r))
		}
		for status := 300; status < 700; status++ {
			for q := range 128 {
				c := FromSIP(p, status)
				c.Q850 = q
				check(c)
			}
		}
	}
}

// attempted begins the call of a campaign up to where its target rings.
func attemptOf(name string) *story {
	s := begin(CallEvent{Who: "+74950000000", From: "+74950000000", To: "+79160000001", Direction: Out})
	s.add(0, CallEvent{Kind: Campaigned, Name: name, Attempt: &AttemptRef{Campaign: "autumn", Target: 7, N: 2, Number: "+79160000001"}})
	s.add(0, CallEvent{Kind: Dialled, Who: "+79160000001", Leg: "t", Trunk: "z"})
	return s.add(0, CallEvent{Kind: Ringing, Who: "+79160000001", Leg: "t"})
}

// cardOf begins one in which an operator is shown the card first.
func cardOf() *story {
	s := begin(CallEvent{Who: "+74950000000", From: "+74950000000", To: "+79160000001", Direction: Out})
	s.add(0, CallEvent{Kind: Campaigned, Attempt: &AttemptRef{Campaign: "autumn", Target: 7, N: 2, Number: "+79160000001"}})
	return s.add(0, CallEvent{Kind: Carded, Who: "101"})
}

func (s *story) targetAnswers() *story {
	return s.add(3*time.Second, CallEvent{Kind: Answered, Who: "+79160000001", Leg: "t"}).add(0, CallEvent{Kind: Served, Who: "+79160000001", Leg: "t"})
}

// TestInCampaign folds and tells whole calls.
func TestInCampaign(t *testing.T) {
	declined := NewCause(PartyCallee, Declined)
	pbxEnds, callee := NewCause(PartyPBX, Hangup), NewCause(PartyCallee, Hangup)
	reply := func(key, answer string) CallEvent {
		return CallEvent{Kind: Replied, Text: "menu", Digit: key, Name: answer}
	}
	for _, c := range []struct {
		name    string
		story   *story
		outcome AttemptOutcome
		en, ru  string
	}{
		{"told", attemptOf("Иван").targetAnswers().add(5*time.Second, CallEvent{Kind: Told}).add(0, reply("1", "yes")).add(0, reply("", "")).end(0, pbxEnds), AttemptAnswered,
			"The campaign autumn called +79160000001 (Иван) from +74950000000; +79160000001 answered after 3 s; the message was heard to its end; 1 was pressed in the block menu (yes); nothing was pressed in the block menu; the PBX ended the call after 5 s.",
			"Кампания autumn: звонок на +79160000001 (Иван) с номера +74950000000; +79160000001 ответил через 3 секунды; сообщение прослушано до конца; в блоке menu нажато 1 (yes); в блоке menu ничего не нажато; АТС завершила вызов через 5 секунд."},
		{"opted out", attemptOf("").targetAnswers().add(time.Second, CallEvent{Kind: OptedOut}).end(time.Second, callee), AttemptAnswered,
			"The campaign autumn called +79160000001 from +74950000000; +79160000001 answered after 3 s; the number is not to be called any more; +79160000001 hung up after 2 s.",
			"Кампания autumn: звонок на +79160000001 с номера +74950000000; +79160000001 ответил через 3 секунды; абонент просил больше не звонить; +79160000001 положил трубку через 2 секунды."},
		{"abandoned", attemptOf("").targetAnswers().add(0, CallEvent{Kind: Wanted}).add(2*time.Second, CallEvent{Kind: Sorry}).end(0, pbxEnds), AttemptAbandoned,
			"The campaign autumn called +79160000001 from +74950000000; +79160000001 answered after 3 s; no operator was there in 2 s; the PBX ended the call after 2 s.",
			"Кампания autumn: звонок на +79160000001 с номера +74950000000; +79160000001 ответил через 3 секунды; оператора не нашлось за 2 секунды; АТС завершила вызов через 2 секунды."},
		{"a machine", attemptOf("").targetAnswers().add(time.Second, CallEvent{Kind: Detected, Text: AnswererMachine, Name: AnswererMachine}).
			add(9*time.Second, CallEvent{Kind: Told}).end(0, pbxEnds), AttemptMachine,
			"The campaign autumn called +79160000001 from +74950000000; +79160000001 answered after 3 s; it was an answering machine; the message was left; the PBX ended the call after 10 s.",
			"Кампания autumn: звонок на +79160000001 с номера +74950000000; +79160000001 ответил через 3 секунды; это был автоответчик; сообщение оставлено; АТС завершила вызов через 10 секунд."},
		{"taken for a person", attemptOf("").targetAnswers().add(2*time.Second, CallEvent{Kind: Detected, Text: AnswererUnsure, Name: AnswererHuman}).end(0, callee), AttemptAnswered,
			"The campaign autumn called +79160000001 from +74950000000; +79160000001 answered after 3 s; it was not clear who answered: taken for a person; +79160000001 hung up after 2 s.",
			"Кампания autumn: звонок на +79160000001 с номера +74950000000; +79160000001 ответил через 3 секунды; не удалось понять, кто ответил: принят за человека; +79160000001 положил трубку через 2 секунды."},
		{"connected", attemptOf("").targetAnswers().add(0, CallEvent{Kind: Wanted}).dial("101").answer(time.Second, "101").end(time.Minute, callee), AttemptConnected, "", ""},
		{"killed in a talk", attemptOf("").targetAnswers().dial("101").answer(time.Second, "101"), AttemptInterrupted, "", ""},
		{"killed while it rang", attemptOf(""), AttemptInterrupted, "", ""},
		{"no operator", cardOf().add(0, CallEvent{Kind: Dialled, Who: "101", Leg: "o"}).add(0, CallEvent{Kind: LegEnded, Who: "101", Leg: "o", Cause: &declined}).end(0, NewCause(PartyPBX, Unanswered)), AttemptMissed,
			"The campaign autumn was to call +79160000001 from +74950000000; 101 declined the call; the operator did not take it, and the number was not called.",
			"Кампания autumn: предстоял звонок на +79160000001 с номера +74950000000; 101 отклонил вызов; оператор не взялся за звонок, и номер не набирали."},
		{"a card is skipped", cardOf().add(0, CallEvent{Kind: Entered, Who: "101", Leg: "o"}).end(time.Second, NewCause(PartyPBX, Unanswered)), AttemptMissed,
			"The campaign autumn was to call +79160000001 from +74950000000; 101 saw the card; the operator did not take it, and the number was not called.",
			"Кампания autumn: предстоял звонок на +79160000001 с номера +74950000000; 101 увидел карточку; оператор не взялся за звонок, и номер не набирали."},
		{"busy", attemptOf("").end(0, NewCause(PartyCallee, Busy)), AttemptBusy, "", ""},
	} {
		cdr := Summarize("acme", "1", c.story.trace)
		k := cdr.Campaign
		if k == nil || k.Outcome != c.outcome || k.Campaign != "autumn" || k.N != 2 {
			t.Errorf("%s: %+v", c.name, k)
			continue
		}
		if c.en != "" && (cdr.Explained.EN != c.en || cdr.Explained.RU != c.ru) {
			t.Errorf("%s:\n%s\n%s", c.name, cdr.Explained.EN, cdr.Explained.RU)
		}
		if cdr.Direction != Out || cdr.From != "+74950000000" || cdr.To != "+79160000001" || cdr.Callback || strings.Contains(cdr.Explained.EN, "{") {
			t.Errorf("%s: %+v", c.name, cdr)
		}
	}
	if k := Summarize("acme", "1", attemptOf("").targetAnswers().add(0, CallEvent{Kind: Wanted}).dial("101").answer(1500*time.Millisecond, "101").trace).Campaign; k.Operator != "101" || *k.Connected != 1.5 || k.Sorry != nil {
		t.Errorf("%+v", k)
	}
}

package pbx

import "time"

// attempted is the attempt of a campaign while a sentence is made of its call.
type attempted struct {
	ref     *AttemptRef
	name    string // of the target
	machine bool
	wanted  time.Time // since when an operator is to come
}

// campaigned takes what happens in the call of a campaign, and tells whether e is that.
func (x *explanation) campaigned(e CallEvent) bool {
	if e.Kind == Campaigned && e.Attempt != nil {
		x.attempt = attempted{ref: e.Attempt, name: named(e.Name)}
		return true
	}
	if x.attempt.ref == nil {
		return false
	}
	switch e.Kind {
	case Playing: // what was heard is told by Told
	case Entered:
		if !x.missed() {
			return false
		}
		x.flush()
		x.say(phrase{"{who} saw the card", "{who} увидел карточку", ""}.say([]string{named(e.Who)}, 0))
	case Detected:
		x.detected(e)
	case Told:
		x.flush()
		if x.attempt.machine {
			x.say(Text{"the message was left", "сообщение оставлено"})
		} else {
			x.say(Text{"the message was heard to its end", "сообщение прослушано до конца"})
		}
	case Replied:
		x.replied(e)
	case OptedOut:
		x.flush()
		x.say(Text{"the number is not to be called any more", "абонент просил больше не звонить"})
	case Wanted:
		x.attempt.wanted = e.At
	case Sorry:
		x.flush()
		x.say(Text{"no operator was there", "оператора не нашлось"}.in(e.At.Sub(x.attempt.wanted)))
	default:
		return false
	}
	return true
}

func (x *explanation) detected(e CallEvent) {
	x.flush()
	x.attempt.machine = e.Name == AnswererMachine
	switch {
	case e.Text == AnswererUnsure && x.attempt.machine:
		x.say(Text{"it was not clear who answered: taken for an answering machine", "не удалось понять, кто ответил: принят за автоответчик"})
	case e.Text == AnswererUnsure:
		x.say(Text{"it was not clear who answered: taken for a person", "не удалось понять, кто ответил: принят за человека"})
	case x.attempt.machine:
		x.say(Text{"it was an answering machine", "это был автоответчик"})
	default:
		x.say(Text{"it was a person", "это был человек"})
	}
}

func (x *explanation) replied(e CallEvent) {
	x.flush()
	block, key, answer := named(e.Text), named(e.Digit), named(e.Name)
	if key == "" {
		x.say(Text{"nothing was pressed in the block " + block, "в блоке " + block + " ничего не нажато"})
		return
	}
	t := Text{key + " was pressed in the block " + block, "в блоке " + block + " нажато " + key}
	if answer != "" {
		t = t.plus(Text{" (" + answer + ")", " (" + answer + ")"})
	}
	x.say(t)
}

// openingOfCampaign says which campaign called whom.
func (x *explanation) openingOfCampaign() Text {
	to, from, campaign := named(x.cdr.To), named(x.cdr.From), named(x.attempt.ref.Campaign)
	if x.attempt.name != "" {
		to += " (" + x.attempt.name + ")"
	}
	if x.missed() {
		return Text{"the campaign " + campaign + " was to call " + to + " from " + from, "кампания " + campaign + ": предстоял звонок на " + to + " с номера " + from}
	}
	return Text{"the campaign " + campaign + " called " + to + " from " + from, "кампания " + campaign + ": звонок на " + to + " с номера " + from}
}

// missed tells whether the number was not called, since no operator took the call.
func (x *explanation) missed() bool {
	return x.cdr.Campaign != nil && x.cdr.Campaign.Outcome == AttemptMissed
}

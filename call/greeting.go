package call

import (
	"context"
	"errors"

	"vpbx/pbx"
)

// options is the menu of what the owner of a box can set.
func (x *mailbox) options() error {
	if !x.own {
		return nil // a group, or somebody at another phone: what is set belongs to the owner
	}
	for {
		menu, err := x.spokenText(x.voice().options, nil)
		if err != nil {
			return err
		}
		key, err := x.choose("123*#", menu)
		if err != nil {
			return err
		}
		switch key {
		case '1':
			err = x.recordGreeting()
		case '2':
			err = x.setGreeting("", x.voice().back)
		case '3':
			err = x.changePIN()
		default:
			return nil
		}
		if err != nil && !errors.Is(err, errFailed) {
			return err
		}
	}
}

// recordGreeting records a greeting until the owner is content with it.
func (x *mailbox) recordGreeting() error {
	for {
		if err := x.say(x.voice().speak, nil); err != nil {
			return err
		}
		if _, err := x.collect(collect{sounds: []sound{{p: x.m.prompts.speakNow()}}}); err != nil {
			return err
		}
		again, err := x.takeGreeting()
		if err != nil || !again {
			return err
		}
	}
}

// takeGreeting records once, plays it back and asks. What was recorded is thrown away:
// what is kept is a sound of the company.
func (x *mailbox) takeGreeting() (again bool, err error) {
	r, err := x.tapeFor("")
	if err != nil {
		return false, errFailed
	}
	_, err = x.whileSpeaking(r, maxGreeting, pbx.MessageSilence)
	rec := x.untape(r)
	defer func() { x.discard(rec, "a greeting was recorded") }()
	if err != nil {
		return false, err
	}
	if voiced, _ := r.Heard(); voiced < pbx.LeastVoice || rec.Error != "" {
		return false, errFailed
	}
	p, err := x.recordedSound(rec.ID)
	if err != nil || p == nil {
		return false, err
	}
	menu, err := x.spokenText(x.voice().reviewed, nil)
	if err != nil {
		return false, err
	}
	key, err := x.choose("12*#", sound{p: p}, menu)
	if err != nil || key != '1' {
		return key == '2', err
	}
	var hash string
	err = x.done(func(ctx context.Context) error {
		data, err := x.soundOf(rec.ID)
		if err != nil {
			return err
		}
		stored, err := x.m.Library.Add(ctx, x.company.ID, data)
		hash = stored.Hash
		return err
	}, "the greeting could not be kept")
	if err != nil {
		return false, err
	}
	return false, x.setGreeting(hash, x.voice().greeted)
}

// setGreeting keeps a greeting, "" for the one of the company.
func (x *mailbox) setGreeting(hash, said string) error {
	err := x.done(func(ctx context.Context) error {
		return x.m.Extensions.UpdateExtension(ctx, x.company.ID, x.number, func(e *pbx.Extension) { e.SetGreeting(hash) })
	}, "the greeting could not be kept")
	if err != nil {
		return err
	}
	x.why("the greeting of " + x.number + " is another")
	return x.say(said, nil)
}

// changePIN asks twice for a new PIN. What is pressed is kept nowhere but as a hash.
func (x *mailbox) changePIN() error {
	first, err := x.digits(x.voice().newPIN)
	if err != nil {
		return err
	}
	second, err := x.digits(x.voice().repeatPIN)
	if err != nil {
		return err
	}
	if first != second || !pbx.GoodPIN(first) {
		return x.say(x.voice().differs, nil)
	}
	hash, err := pbx.HashPIN(first)
	if err != nil {
		x.log.Error("PIN not hashed", "error", err)
		return errFailed
	}
	err = x.done(func(ctx context.Context) error {
		return x.m.Extensions.UpdateExtension(ctx, x.company.ID, x.number, func(e *pbx.Extension) { e.SetPIN(hash) })
	}, "the PIN could not be kept")
	if err != nil {
		return err
	}
	x.why("the PIN of the voicemail of " + x.number + " was changed")
	return x.say(x.voice().changed, nil)
}

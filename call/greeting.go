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
			err = x.dropGreeting()
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
	kept, err := x.take(take{
		saved: "the greeting of " + x.number + " is another",
		what:  "greeting", longest: maxGreeting, speak: x.voice().speak, reviewed: x.voice().reviewed, keys: "12*#",
		save: func(ctx context.Context, hash string) error {
			return x.m.Extensions.UpdateExtension(ctx, x.company.ID, x.number, func(e *pbx.Extension) { e.SetGreeting(hash) })
		},
	})
	if err != nil || !kept {
		return err
	}
	return x.say(x.voice().greeted, nil)
}

// dropGreeting goes back to the greeting of the company.
func (x *mailbox) dropGreeting() error {
	err := x.done(func(ctx context.Context) error {
		return x.m.Extensions.UpdateExtension(ctx, x.company.ID, x.number, func(e *pbx.Extension) { e.SetGreeting("") })
	}, "the greeting could not be kept")
	if err != nil {
		return err
	}
	x.why("the greeting of " + x.number + " is another")
	return x.say(x.voice().back, nil)
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

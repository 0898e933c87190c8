package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sounds"
)

const (
	maxHeard    = 200              // messages that one call goes through
	keyFirst    = 10 * time.Second // for a key of a menu
	maxIdle     = 3                // times that no key comes
	maxChoices  = 500              // keys of one call: it must not last for ever
	maxGreeting = 60 * time.Second
)

// errDone ends a menu; the call goes on.
var errDone = errors.New("nothing more is wanted")

// mailbox lets the caller listen to the messages of a box, by its code.
func (c *Call) mailbox(s routing.Feature) {
	if c.serve(s) == nil {
		c.openBox(s.Number)
	}
}

// openBox is the whole of listening, for a caller who has been answered. The call is
// over then.
func (c *Call) openBox(number string) {
	ok, err := c.mayListen(number)
	if err != nil {
		return
	}
	if !ok {
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.WrongPIN))
		return
	}
	x := &mailbox{chooser: chooser{Call: c}, number: number, own: c.caller.number == number && c.company.Extensions[number] != nil}
	if err := x.run(); err == nil || errors.Is(err, errDone) {
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
	}
}

// mayListen tells whether the caller may listen to a box. Its own phone, and those of the
// members of a group, need a PIN only when there is one, all others always. An error
// means that the call is over. What is pressed is kept nowhere.
func (c *Call) mayListen(number string) (bool, error) {
	hash := c.company.BoxPIN(number)
	own := c.caller.number != "" && c.caller.number == number
	if g := c.company.Groups[number]; g != nil {
		own = slices.Contains(g.Members, c.caller.number)
	}
	if hash == "" {
		if !own {
			c.why("the voicemail of " + number + " has no PIN: it is for its own phone only")
		}
		return own, nil
	}
	key := usage(c.company.ID, "box", number+"/"+c.caller.number)
	for try := 1; try <= pinTries; try++ {
		if c.m.pinLocked(key, time.Now()) {
			c.why("too many wrong PINs: the voicemail of " + number + " is locked")
			return false, c.say(c.voice().locked, nil)
		}
		digits, err := c.digits(c.voice().pin)
		if err != nil {
			return false, err
		}
		if digits == "" {
			c.why(fmt.Sprintf("no PIN was pressed (%d of %d)", try, pinTries))
			continue
		}
		if pbx.KnowsPIN(hash, digits) {
			return true, nil
		}
		c.m.pinWrong(key, time.Now())
		c.m.metrics.boxPINs.Inc()
		c.why(fmt.Sprintf("wrong PIN (%d of %d)", try, pinTries))
		if err := c.say(c.voice().wrongPIN, nil); err != nil {
			return false, err
		}
	}
	return false, nil
}

// pinLocked tells whether so many wrong PINs were pressed that none is looked at for a
// time.
func (m *Manager) pinLocked(key string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.pins[key]
	if g == nil {
		return false
	}
	if now.Sub(g.since) >= pinMemory {
		delete(m.pins, key)
		return false
	}
	return g.wrong >= pinTries
}

// digits asks for digits that end with #.
func (c *Call) digits(text string) (string, error) {
	s, err := c.spokenText(text, nil)
	if err != nil {
		return "", err
	}
	defer c.offRecord("not recorded: a PIN")()
	return c.collect(collect{sounds: []sound{s}, interrupt: true, max: 13, until: '#', again: '*', first: pinFirst, between: pinNext})
}

// chooser reads the keys by which a caller chooses, in one menu or several.
type chooser struct {
	*Call
	idle    int
	choices int
}

// mailbox is the menu of a box.
type mailbox struct {
	chooser
	number string
	own    bool // the caller is its owner, at its own phone
}

// choose plays sounds and gives the key that the caller presses; what is not in keys is
// asked again. errDone: the caller says nothing more.
func (x *chooser) choose(keys string, list ...sound) (byte, error) {
	for {
		got, err := x.collect(collect{sounds: list, interrupt: true, max: 1, first: keyFirst})
		if err != nil {
			return 0, err
		}
		if x.choices++; x.choices > maxChoices {
			return 0, errDone
		}
		if got == "" {
			if x.idle++; x.idle == maxIdle {
				return 0, errDone
			}
			continue
		}
		if x.idle = 0; strings.Contains(keys, got) {
			return got[0], nil
		}
	}
}

// run is the menu until the caller has had enough.
func (x *mailbox) run() error {
	counts, err := x.count(x.number)
	if err != nil {
		return err
	}
	intro := x.voice().counts
	if counts == (pbx.Mailbox{}) {
		intro = x.voice().none
	}
	if err := x.say(intro, map[string]string{"new": strconv.Itoa(counts.New), "old": strconv.Itoa(counts.Old)}); err != nil {
		return err
	}
	if counts != (pbx.Mailbox{}) {
		if err := x.listen(); err != nil {
			return err
		}
	}
	for {
		menu, err := x.spokenText(x.voice().menu, nil)
		if err != nil {
			return err
		}
		key, err := x.choose("10#*", menu)
		if err != nil {
			return err
		}
		switch key {
		case '1':
			err = x.listen()
		case '0':
			err = x.options()
		default:
			return errDone
		}
		if err != nil {
			return err
		}
	}
}

// listen goes through the messages: first the new ones and then the others, each in the
// order in which they were left.
func (x *mailbox) listen() error {
	list, err := x.messages()
	if err != nil {
		return err
	}
	for i := 0; i < len(list); {
		key, err := x.message(&list[i], i+1)
		if err != nil {
			return err
		}
		switch key {
		case '4':
			i = max(i-1, 0)
		case '6', '9':
			i++
		case '7':
			list = slices.Delete(list, i, i+1)
		case '0':
			if err := x.options(); err != nil {
				return err
			}
		case '*', '#':
			return nil
		}
	}
	return x.say(x.voice().noMore, nil)
}

// messages lists the messages in the order in which they are heard.
func (x *mailbox) messages() ([]pbx.VoiceMessage, error) {
	type read struct {
		list []pbx.VoiceMessage
		err  error
	}
	r, err := await(x.Call, func(ctx context.Context) read {
		ctx, cancel := context.WithTimeout(ctx, saveBound)
		defer cancel()
		var all []pbx.VoiceMessage
		for _, heard := range []bool{false, true} {
			list, _, err := x.m.Boxes.VoiceMessages(ctx, x.company.ID, pbx.VoiceQuery{Box: x.number, Read: &heard, Limit: maxHeard})
			if err != nil {
				return read{nil, err}
			}
			slices.Reverse(list)
			all = append(all, list...)
		}
		return read{all, nil}
	})
	if err != nil {
		return nil, err
	}
	if r.err != nil {
		x.log.Error("messages not read", "box", x.number, "error", r.err)
		x.why("the messages cannot be read")
	}
	return r.list, nil
}

// message plays one message and does what the caller wants with it. It gives the key
// that was pressed last.
func (x *mailbox) message(m *pbx.VoiceMessage, n int) (byte, error) {
	envelope, err := x.envelope(m, n)
	if err != nil {
		return 0, err
	}
	body, err := x.body(m)
	if err != nil {
		return 0, err
	}
	menu, err := x.spokenText(x.voice().afterMessage, nil)
	if err != nil {
		return 0, err
	}
	x.note(pbx.CallEvent{Kind: pbx.Noted, Who: x.caller.who, Why: []string{fmt.Sprintf("listens to message %d of %s", n, x.number)}})
	if _, err := x.collect(collect{sounds: []sound{envelope, body}, interrupt: true}); err != nil {
		return 0, err
	}
	if len(x.typed) == 0 { // heard to the end
		if err := x.mark(m); err != nil {
			return 0, err
		}
	}
	key, err := x.choose("1467890*#", menu)
	if err != nil {
		return 0, err
	}
	switch key {
	case '7':
		err = x.remove(m)
	case '9':
		if err = x.mark(m); err == nil {
			err = x.say(x.voice().kept, nil)
		}
	}
	return key, err
}

// envelope says when a message was left, and by whom.
func (x *mailbox) envelope(m *pbx.VoiceMessage, n int) (sound, error) {
	at := m.At
	if zone, err := time.LoadLocation(x.company.Zone); err == nil {
		at = at.In(zone)
	}
	values := map[string]string{"n": strconv.Itoa(n), "day": at.Format(time.DateOnly), "time": at.Format("15:04"), "from": m.From}
	text := x.voice().hidden
	switch {
	case strings.HasPrefix(m.From, "+"):
		text = x.voice().envelope
	case m.From != "" && strings.Trim(m.From, "0123456789") == "":
		text = x.voice().internal
	}
	return x.spokenText(text, values)
}

// body is the sound of a message.
func (x *mailbox) body(m *pbx.VoiceMessage) (sound, error) {
	p, err := x.recordedSound(m.ID)
	if err != nil {
		return sound{}, err
	}
	if p == nil {
		x.why("the sound of a message cannot be played")
		return x.spokenText(x.voice().noSound, nil)
	}
	return sound{p: p}, nil
}

// recordedSound gives a recording for playing, nil when that cannot be.
func (c *Call) recordedSound(id pbx.RecordingID) (*media.Prompt, error) {
	type loaded struct {
		p   *media.Prompt
		err error
	}
	l, err := await(c, func(ctx context.Context) loaded {
		data, err := c.soundOf(id)
		if err != nil {
			return loaded{nil, err}
		}
		p, err := c.m.Library.Decode(ctx, data)
		return loaded{p, err}
	})
	if err != nil {
		return nil, err
	}
	if l.err != nil {
		c.log.Error("recording not played", "recording", id, "error", l.err)
	}
	return l.p, nil
}

// soundOf reads the file of a recording. For await only.
func (c *Call) soundOf(id pbx.RecordingID) ([]byte, error) {
	f, size, _, err := c.m.Recordings.Open(c.company.ID, id)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > sounds.MaxFile {
		return nil, fmt.Errorf("recording %s has %d bytes", id, size)
	}
	return io.ReadAll(io.LimitReader(f, sounds.MaxFile))
}

// mark notes that a message was heard.
func (x *mailbox) mark(m *pbx.VoiceMessage) error {
	if m.Read {
		return nil
	}
	m.Read = true
	err := x.done(func(ctx context.Context) error {
		return x.m.Boxes.MarkMessage(ctx, x.company.ID, x.number, m.ID, true)
	}, "a message could not be marked as heard")
	if errors.Is(err, errFailed) {
		return nil
	}
	return err
}

// remove removes a message, whose tombstone names the extension.
func (x *mailbox) remove(m *pbx.VoiceMessage) error {
	why := pbx.Removal{At: time.Now().UTC(), By: "voicemail of " + x.number, Why: "deleted by phone"}
	if x.caller.number != "" {
		why.By = "extension " + x.caller.number
	}
	err := x.done(func(ctx context.Context) error {
		err := x.m.Remove(ctx, x.company.ID, m.ID, why)
		if pbx.KindOf(err) == pbx.Gone {
			return nil
		}
		return err
	}, "a message could not be deleted")
	if errors.Is(err, errFailed) {
		return nil
	}
	if err != nil {
		return err
	}
	return x.say(x.voice().deleted, nil)
}

// errFailed means that something could not be kept; the record says what.
var errFailed = errors.New("not done")

// done does what may take time. errFailed: it could not be done, the record has why;
// another error means that the call is over.
func (c *Call) done(f func(ctx context.Context) error, why string) error {
	type came struct{ err error }
	r, err := await(c, func(ctx context.Context) came {
		ctx, cancel := context.WithTimeout(ctx, saveBound)
		defer cancel()
		return came{f(ctx)}
	})
	if err != nil {
		return err
	}
	if r.err != nil {
		c.log.Error(why, "error", r.err)
		c.why(why)
		return errFailed
	}
	return nil
}

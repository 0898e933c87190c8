package call

import (
	"time"

	"vpbx/media"
	"vpbx/pbx"
)

// maxTyped bounds the keys that wait to be read.
const maxTyped = 32

// collect says what is played and which keys are read then.
type collect struct {
	sounds    []sound       // played one after the other
	interrupt bool          // a key ends what is played
	max       int           // keys to be read, 0: none
	until     byte          // a key that ends the reading and is not read, 0: none
	late      bool          // such a key, if it is the first, belongs to what was read before
	again     byte          // a key that begins the reading anew, 0: none
	first     time.Duration // how long the first key is waited for behind the sounds
	between   time.Duration // and each further one

	enough func(keys string) bool // no further key is wanted; nil: only max counts
}

// collect is play and collect: it plays to the caller and reads what it presses. A key
// that interrupts a prompt is the first that is read, now or, where no keys are read, by
// who reads next. An error means that the call is over.
func (c *Call) collect(q collect) (keys string, err error) {
	before := c.listens
	c.listens = before || q.interrupt || q.max > 0
	defer func() { c.listens = before }()
	for _, s := range q.sounds {
		if c.interrupted(&q) {
			break
		}
		if err := c.playOne(s, &q); err != nil {
			return "", err
		}
	}
	wait := q.first
	for len(keys) < q.max {
		if len(c.typed) == 0 {
			if err := c.awaitKey(wait); err != nil || len(c.typed) == 0 {
				return keys, err
			}
		}
		key := c.typed[0]
		c.typed = c.typed[1:]
		wait = q.between
		switch {
		case key == q.until && q.late:
			q.late, wait = false, q.first
			continue
		case key == q.until:
			return keys, nil
		case key == q.again:
			keys = ""
			continue
		}
		q.late = false
		keys += string(rune(key))
		if q.enough != nil && q.enough(keys) {
			break
		}
	}
	return keys, nil
}

// interrupted tells whether a key has come that ends what is played. One that belongs to
// what was read before does not.
func (c *Call) interrupted(q *collect) bool {
	if q.late && len(c.typed) > 0 {
		q.late = false
		if c.typed[0] == q.until {
			c.typed = c.typed[1:]
		}
	}
	return q.interrupt && len(c.typed) > 0
}

// playOne plays a prompt to its end or, where that is allowed, to a key.
func (c *Call) playOne(s sound, q *collect) error {
	if s.name != "" {
		c.note(pbx.CallEvent{Kind: pbx.Playing, Who: c.caller.who, Text: s.name})
	}
	began, to := time.Now(), c.caller
	to.media.Play(s.p, false)
	for {
		e, err := c.next(nil)
		if err != nil {
			return err
		}
		if to != c.caller { // who has consulted has hung up: the one who waited hears it
			began, to = time.Now(), c.caller
			to.media.Play(s.p, false)
			continue
		}
		if c.interrupted(q) {
			c.caller.media.StopPlay()
			return nil
		}
		// One that comes early belongs to a prompt that was interrupted at its end.
		if _, ok := e.(media.PlayDone); ok && time.Since(began) > s.p.Duration()/2 {
			return nil
		}
	}
}

// awaitKey waits for a key, or until the time is over.
func (c *Call) awaitKey(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for len(c.typed) == 0 {
		e, err := c.next(timer.C)
		if err != nil {
			return err
		}
		if _, over := e.(expired); over {
			return nil
		}
	}
	return nil
}

// typing takes a key of a caller whose keys are read, and tells whether it did.
func (c *Call) typing(p *party, key byte) bool {
	if !c.listens || p == nil || p != c.caller {
		return false
	}
	if len(c.typed) < maxTyped {
		c.typed = append(c.typed, key)
	}
	return true
}

package call

import (
	"crypto/subtle"
	"fmt"
	"time"

	"vpbx/media"
	"vpbx/pbx"
)

const (
	pinTries  = 3
	pinFirst  = 10 * time.Second // for the first digit
	pinNext   = 5 * time.Second  // for each after it
	pinMemory = 10 * time.Minute // wrong PINs are remembered for so long
	pinFree   = 3                // wrong ones that slow nobody down
	pinSlow   = 10 * time.Second // between two that are looked at, at most
	pinQueue  = 30 * time.Second // who would have to wait longer is refused
)

// pinGate lets those who guess at a PIN have one looked at now and then only,
// however many calls they make. Each extension has its own, all callers from
// outside have one together: strangers do not keep colleagues out.
type pinGate struct {
	wrong int       // since
	since time.Time // when the first of them was
	next  time.Time // when the next PIN is looked at
}

// pinTurn says how long a caller has to wait until its PIN is looked at; false:
// too long.
func (m *Manager) pinTurn(key string, now time.Time) (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.pins[key]
	if g == nil || now.Sub(g.since) >= pinMemory {
		delete(m.pins, key)
		return 0, true
	}
	if g.wrong < pinFree {
		return 0, true
	}
	turn := now
	if g.next.After(now) {
		turn = g.next
	}
	if turn.Sub(now) > pinQueue {
		return 0, false
	}
	g.next = turn.Add(min(time.Second<<min(g.wrong-pinFree, 8), pinSlow))
	return turn.Sub(now), true
}

// pinWrong counts a PIN that was wrong.
func (m *Manager) pinWrong(key string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.pins[key]
	if g == nil {
		g = &pinGate{since: now}
		m.pins[key] = g
	}
	g.wrong++
}

// askPIN asks the caller, who has been answered, for the PIN of a conference. An
// error means that the call is over. What is pressed is kept nowhere.
func (c *Call) askPIN(conf *pbx.Conference) (moderator, ok bool, err error) {
	prompt, err := c.prompt(conf.PINPrompt)
	if err != nil {
		return false, false, err
	}
	if prompt == nil {
		prompt = media.PINPrompt()
	}
	key := usage(c.company.ID, "pin", conf.Number+"/"+c.caller.number)
	ask := collect{
		sounds: []sound{{conf.PINPrompt, prompt}}, interrupt: true, max: max(len(conf.PIN), len(conf.ModeratorPIN)),
		until: '#', again: '*', first: pinFirst, between: pinNext,
	}
	for try := 1; try <= pinTries; try++ {
		digits, err := c.collect(ask)
		if err != nil {
			return false, false, err
		}
		ask.late = len(digits) == ask.max
		if digits == "" && conf.PIN != "" {
			c.why(fmt.Sprintf("no PIN was pressed (%d of %d)", try, pinTries))
			continue
		}
		wait, turn := c.m.pinTurn(key, time.Now())
		if !turn {
			c.why("too many wrong PINs: no other is looked at now")
			return false, false, nil
		}
		if err := c.pause(wait); err != nil {
			return false, false, err
		}
		if moderator, ok = knows(conf, digits); ok {
			return moderator, true, nil
		}
		c.m.pinWrong(key, time.Now())
		c.m.metrics.pins.Inc()
		c.why(fmt.Sprintf("wrong PIN (%d of %d)", try, pinTries))
	}
	return false, false, nil
}

// knows tells whether digits are a PIN of the conference. Where there is one for
// moderators only, who presses nothing is a guest.
func knows(conf *pbx.Conference, digits string) (moderator, ok bool) {
	same := func(pin string) bool {
		return pin != "" && subtle.ConstantTimeCompare([]byte(pin), []byte(digits)) == 1
	}
	if same(conf.ModeratorPIN) {
		return true, true
	}
	return false, same(conf.PIN) || conf.PIN == "" && digits == ""
}

package phone

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

var errSessionExpired = errors.New("the session timer ran out")

// session is the session timer of a call (RFC 4028).
type session struct {
	interval time.Duration // 0: none
	ours     bool          // we refresh
	alarm    *alarm
}

// parseSessionExpires reads a Session-Expires value.
func parseSessionExpires(value string) (interval time.Duration, refresher string) {
	text, params, _ := strings.Cut(value, ";")
	seconds, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || seconds <= 0 {
		return 0, ""
	}
	for param := range strings.SplitSeq(params, ";") {
		if key, v, _ := strings.Cut(strings.TrimSpace(param), "="); strings.EqualFold(key, "refresher") {
			refresher = strings.ToLower(v)
		}
	}
	return time.Duration(seconds) * time.Second, refresher
}

// acceptTimer agrees to the session timer that a request asks for and returns the
// headers of the 2xx (RFC 4028 §9). It also starts or renews the timer.
func (c *Call) acceptTimer(req *sip.Request) []sip.Header {
	interval, refresher := parseSessionExpires(headerOf(req, "Session-Expires"))
	if interval == 0 {
		interval, refresher = parseSessionExpires(headerOf(req, "x"))
	}
	if interval == 0 || c.p.cfg.NoTimers {
		return nil
	}
	knows := hasToken(req, "Supported", "timer")
	if refresher == "" || !knows {
		refresher = "uas"
		if knows {
			refresher = "uac"
		}
	}
	headers := []sip.Header{
		sip.NewHeader("Supported", "timer"),
		sip.NewHeader("Session-Expires", strconv.Itoa(int(interval.Seconds()))+";refresher="+refresher),
	}
	if refresher == "uac" {
		headers = append(headers, sip.NewHeader("Require", "timer"))
	}
	c.setTimer(interval, refresher == "uas")
	return headers
}

// startTimer takes the session timer from a 2xx to a request of ours. If the peer
// names none but we asked, we refresh (RFC 4028 §7.2).
func (c *Call) startTimer(res *sip.Response, asked, uac bool) {
	interval, refresher := parseSessionExpires(headerOf(res, "Session-Expires"))
	if c.p.cfg.NoTimers {
		return
	}
	if interval == 0 && asked {
		interval, refresher = c.timer.interval, "uac"
		if interval == 0 && c.invite != nil {
			interval, _ = parseSessionExpires(c.invite.headers["Session-Expires"])
		}
	}
	if interval == 0 {
		return
	}
	c.setTimer(interval, (refresher == "uac") == uac)
}

// setTimer arms the refresh at half of the interval, or the end of a session that
// the peer should have refreshed (RFC 4028 §10).
func (c *Call) setTimer(interval time.Duration, ours bool) {
	c.p.clock.stop(c.timer.alarm)
	c.timer = session{interval: interval, ours: ours}
	if ours {
		c.timer.alarm = c.p.clock.after(interval/2, c.refresh)
		return
	}
	c.timer.alarm = c.p.clock.after(interval-min(32*time.Second, interval/3), func() {
		c.bye(errSessionExpired)
	})
}

// refreshHeaders keep the session timer in requests that refresh it.
func (c *Call) refreshHeaders() map[string]string {
	if c.timer.interval == 0 {
		return nil
	}
	refresher := "uas"
	if c.timer.ours {
		refresher = "uac"
	}
	return map[string]string{
		"Supported":       "timer",
		"Session-Expires": strconv.Itoa(int(c.timer.interval.Seconds())) + ";refresher=" + refresher,
	}
}

// refresh sends UPDATE to a peer that allows it, else the last offer again.
func (c *Call) refresh() {
	if c.state != Answered || c.gone {
		return
	}
	c.timer.alarm = c.p.clock.after(c.timer.interval/2, func() { c.bye(errSessionExpired) })
	if c.reinviting {
		return
	}
	update := c.allowsUpdate
	c.p.wg.Go(func() {
		var err error
		if update {
			_, err = c.Update(c.p.ctx, nil)
		} else {
			_, err = c.reinvite(c.p.ctx, func(r *request) { c.version--; r.body = c.offer() })
		}
		if errors.Is(err, ErrTimeout) { // RFC 4028 §10: as any other request of the dialog
			c.p.do(func() { c.bye(errSessionExpired) })
		} else if err != nil {
			c.p.log.Debug("session was not refreshed", "error", err)
		}
	})
}

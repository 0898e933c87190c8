package sip

import (
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// minSession is the shortest session interval we take (RFC 4028 §5).
const minSession = 90 * time.Second

// maxSession bounds what a peer may ask for, so that no sum overflows.
const maxSession = 24 * time.Hour

// session is what two ends agreed on to keep a dialog alive (RFC 4028). The
// zero value: nothing, the dialog lives until a BYE.
type session struct {
	Interval time.Duration // how long the dialog lives without a refresh
	Ours     bool          // we send the refreshes
}

// refreshAt is when the refresher sends the next refresh: half way (RFC 4028
// §7.2).
func (s session) refreshAt(since time.Time) time.Time { return since.Add(s.Interval / 2) }

// expiresAt is when a dialog that was not refreshed is ended, a little before
// the interval is over (RFC 4028 §10).
func (s session) expiresAt(since time.Time) time.Time {
	return since.Add(s.Interval - min(32*time.Second, s.Interval/3))
}

// header gives the value of Session-Expires. sender says whether we send the
// request of the transaction it stands in: the uac of RFC 4028 is the sender
// of that request, not the caller.
func (s session) header(sender bool) string {
	who := "uas"
	if s.Ours == sender {
		who = "uac"
	}
	return strconv.Itoa(int(s.Interval/time.Second)) + ";refresher=" + who
}

// sessionAsk is what a message says about session timers.
type sessionAsk struct {
	Supported bool          // Supported or Require names timer
	Interval  time.Duration // Session-Expires, 0: none
	Min       time.Duration // Min-SE, 0: none
	Refresher string        // uac, uas, or "" when left open
}

// readSession reads the session timer headers of a message. A header that
// cannot be read counts as absent.
func readSession(m msg.Message) sessionAsk {
	a := sessionAsk{Supported: oneOf("timer", options(m, "supported")...) || oneOf("timer", options(m, "require")...)}
	a.Interval, a.Refresher = parseSessionExpires(value(m, "session-expires"))
	a.Min = parseDelta(value(m, "min-se"))
	return a
}

// parseSessionExpires reads "1800;refresher=uac". The interval is 0 when it
// cannot be read.
func parseSessionExpires(v string) (interval time.Duration, refresher string) {
	for p := range strings.SplitSeq(v, ";") {
		name, value, _ := strings.Cut(p, "=")
		if value = strings.ToLower(strings.TrimSpace(value)); strings.EqualFold(strings.TrimSpace(name), "refresher") && (value == "uac" || value == "uas") {
			refresher = value
		}
	}
	return parseDelta(v), refresher
}

// parseDelta reads the delta-seconds at the head of a header value, before any
// parameter; 0 when there are none, maxSession at most.
func parseDelta(v string) time.Duration {
	v, _, _ = strings.Cut(v, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxSession)
}

// tooShort says whether a request must be answered with 422: its interval is
// below ours, and the sender knows what 422 is (RFC 4028 §9).
func (a sessionAsk) tooShort() bool {
	return a.Supported && a.Interval > 0 && a.Interval < minSession
}

// accept is the answer to a request that asks a: what the session will be when
// we would like want, 0 for none (RFC 4028 §9). before is the session the
// dialog has now; a request that leaves the refresher open does not change it.
func (a sessionAsk) accept(want time.Duration, before session) session {
	if a.Interval == 0 && (!a.Supported || want == 0) {
		return session{}
	}
	s := session{Interval: a.Interval, Ours: true}
	least := max(a.Min, minSession)
	switch {
	case s.Interval == 0:
		s.Interval = max(want, least)
	case want != 0 && want < s.Interval:
		s.Interval = max(want, least) // we may shorten it, down to Min-SE
	}
	s.Interval = max(s.Interval, minSession)
	switch {
	case !a.Supported: // a proxy asked: only we can refresh
	case a.Refresher == "uac":
		s.Ours = false
	case a.Refresher == "" && before.Interval != 0:
		s.Ours = before.Ours
	}
	return s
}

// granted is the session that a 2xx to our request sets (RFC 4028 §7.2).
// Without Session-Expires the peer wants none. A peer that goes below the limit
// we named gets what it asked for, but never a storm of refreshes.
func (a sessionAsk) granted() session {
	if a.Interval == 0 {
		return session{}
	}
	return session{Interval: max(a.Interval, minSession/3), Ours: a.Refresher != "uas"}
}

package phone

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// maxNotifications bounds what one REFER reports and nobody has read.
const maxNotifications = 64

// referralTime is how long a REFER is waited for when the peer names no time.
const referralTime = 3 * time.Minute

// Dialog names a dialog as one side of it has it (RFC 3261 §12).
type Dialog struct {
	CallID, LocalTag, RemoteTag string
}

// Dialog is the dialog of the call; RemoteTag is empty while the peer has none.
func (c *Call) Dialog() Dialog {
	d := Dialog{CallID: c.callID, LocalTag: c.localTag}
	c.p.do(func() { d.RemoteTag = c.remoteTag })
	return d
}

// Replaces is the value by which the other side of the dialog finds it: to-tag is
// the tag of whoever receives the header (RFC 3891 §3).
func (d Dialog) Replaces() string {
	return d.CallID + ";to-tag=" + d.RemoteTag + ";from-tag=" + d.LocalTag
}

// Swapped is the dialog as the other side has it.
func (d Dialog) Swapped() Dialog { return Dialog{d.CallID, d.RemoteTag, d.LocalTag} }

// ReferTo is a Refer-To value for a URI in which the new call takes the place of
// one that is there; replaces is a Replaces value or "" (RFC 3515 §2.1, RFC 5589 §7.3).
func ReferTo(uri, replaces string) string {
	if replaces == "" {
		return "<" + uri + ">"
	}
	return "<" + uri + "?Replaces=" + escapeHeader(replaces) + ">"
}

// escapeHeader writes a header value into a URI: everything but unreserved
// characters is escaped (RFC 3261 §19.1.1, §25.1).
func escapeHeader(value string) string {
	const unreserved = "-_.!~*'()"
	var b strings.Builder
	for _, c := range []byte(value) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte(unreserved, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// Notification is what one NOTIFY says of a REFER (RFC 3515 §2.4.5).
type Notification struct {
	Status int    // of the status line in the body, 0 when there is none
	Reason string // phrase
	// Ended is why the subscription ended, "noresource" mostly; State is its state.
	State, Ended string
	Fault        string // what is wrong with the NOTIFY, "" when nothing is
	At           time.Time
}

// referral is a REFER of ours of which the peer tells. It belongs to the loop.
type referral struct {
	request *request
	news    chan Notification
	lapse   *alarm
}

// Refer asks the peer to call somebody (RFC 3515); referTo is the value of Refer-To.
// The channel tells what becomes of it and is closed when the subscription has
// ended, which may be after the end of the call; it is nil when the peer does not
// accept.
func (c *Call) Refer(ctx context.Context, referTo string) (*Reply, <-chan Notification, error) {
	h, err := c.reach(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("REFER: %w", err)
	}
	s := &referral{news: make(chan Notification, maxNotifications)}
	reply, err := c.p.roundTrip(ctx, h, func() (*request, error) {
		if c.state == Ended || c.remoteTag == "" || c.gone {
			return nil, fmt.Errorf("REFER: %w", ErrState)
		}
		s.request = c.newRequest("REFER")
		s.request.headers = map[string]string{"Refer-To": referTo, "Referred-By": "<" + c.p.URI() + ">"}
		c.referrals = append(c.referrals, s)
		c.p.referring[c.key()] = c
		s.lapse = c.p.clock.after(referralTime, func() { c.forgetReferral(s) })
		return s.request, nil
	}, func(_ *request, res *sip.Response, err error) {
		if err != nil || res.StatusCode >= 300 {
			c.forgetReferral(s)
		}
	})
	if err != nil || !reply.OK() {
		return reply, nil, err
	}
	return reply, s.news, nil
}

// forgetReferral ends what is heard of a REFER, once.
func (c *Call) forgetReferral(s *referral) {
	for i, other := range c.referrals {
		if other != s {
			continue
		}
		c.referrals = append(c.referrals[:i], c.referrals[i+1:]...)
		c.p.clock.stop(s.lapse)
		close(s.news)
		break
	}
	if len(c.referrals) == 0 {
		delete(c.p.referring, c.key())
	}
}

// notified deals with a NOTIFY in the dialog: those of package refer belong to a
// REFER, others are answered and no more.
func (c *Call) notified(tx *serverTx) {
	if c.misbehave.IgnoreNOTIFY {
		return
	}
	event, params, _ := strings.Cut(headerOf(tx.req, "Event"), ";")
	if strings.TrimSpace(event) != "refer" {
		tx.answer(200)
		return
	}
	s := c.referralOf(params)
	if s == nil { // RFC 6665 §4.1.3
		tx.answer(481)
		return
	}
	tx.answer(200)
	n, expires := readNotification(tx.req)
	select {
	case s.news <- n:
	default: // nobody reads
	}
	if n.State == "terminated" {
		c.forgetReferral(s)
		return
	}
	if expires > 0 {
		c.p.clock.stop(s.lapse)
		s.lapse = c.p.clock.after(expires, func() { c.forgetReferral(s) })
	}
}

// referralOf finds the REFER that a NOTIFY is about: by the number in its id, or the
// oldest when it has none (RFC 3515 §2.4.6).
func (c *Call) referralOf(params string) *referral {
	for _, s := range c.referrals {
		id := param(params, "id")
		if id == "" || id == strconv.FormatUint(uint64(s.request.cseq), 10) {
			return s
		}
	}
	return nil
}

// param is the value of a header parameter, "" when it is not there.
func param(params, name string) string {
	for p := range strings.SplitSeq(params, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// readNotification reads a NOTIFY of package refer and the time that its
// subscription is to last, 0 when it names none.
func readNotification(req *sip.Request) (n Notification, expires time.Duration) {
	n.At = time.Now()
	state, params, _ := strings.Cut(headerOf(req, "Subscription-State"), ";")
	n.State = strings.ToLower(strings.TrimSpace(state))
	if seconds, err := strconv.Atoi(param(params, "expires")); err == nil && seconds > 0 && seconds < 86400 {
		expires = time.Duration(seconds) * time.Second
	}
	n.Ended = param(params, "reason")
	mime, _, _ := strings.Cut(headerOf(req, "Content-Type"), ";")
	var ok bool
	n.Status, n.Reason, ok = readFragment(string(req.Body()))
	switch {
	case n.State != "active" && n.State != "pending" && n.State != "terminated":
		n.Fault = "no Subscription-State"
	case !strings.EqualFold(strings.TrimSpace(mime), "message/sipfrag"):
		n.Fault = "no message/sipfrag"
	case !ok:
		n.Fault = "no status line"
	}
	return n, expires
}

// readFragment reads the status line at the beginning of a message/sipfrag
// (RFC 3420, RFC 3515 §2.4.5).
func readFragment(body string) (status int, reason string, ok bool) {
	line, _, _ := strings.Cut(body, "\n")
	line, ok = strings.CutPrefix(strings.TrimRight(line, "\r"), "SIP/2.0 ")
	if !ok {
		return 0, "", false
	}
	code, reason, _ := strings.Cut(line, " ")
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || status < 100 || status > 699 {
		return 0, "", false
	}
	return status, reason, true
}

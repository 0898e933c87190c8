package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestCancelAtOnce: a CANCEL comes right behind its INVITE, as the request is
// being read. Whoever answers, all answers have one tag (RFC 3261 §8.2.6.2). It
// is for the race detector, too.
func TestCancelAtOnce(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		for i := range 200 {
			c := r.peer.newCall()
			c.id = fmt.Sprintf("call%d@10.0.0.2", i)
			branch := c.send("INVITE", 1, offerSDP)
			c.sendBranch(branch, "CANCEL", 1, "")
			tag := ""
			for code := ""; code != "487"; {
				m, ok := r.peer.next(2 * time.Second)
				if !ok {
					t.Fatalf("call %d: no answer", i)
				}
				_, code, _ = strings.Cut(m.start, " ")
				code, _, _ = strings.Cut(code, " ")
				if _, method := m.cseq(); method == "CANCEL" {
					if code == "481" { // it was faster than the INVITE
						c.sendBranch(branch, "CANCEL", 1, "")
					}
					continue
				}
				if tag == "" {
					tag = m.tag("To")
				}
				if tag == "" || m.tag("To") != tag {
					t.Fatalf("call %d: %s with tag %q, before it %q", i, m.start, m.tag("To"), tag)
				}
				c.to = m.one("To")
			}
			c.sendBranch(branch, "ACK", 1, "")
			for len(r.legs) > 0 {
				r.leg()
			}
			for len(r.events) > 0 {
				<-r.events
			}
		}
		r.peer.quiet(time.Minute)
	})
}

// TestTagOfTheInvite: an INVITE that begins a dialog shows as it came, its copies
// are answered with the same tag, and one that comes with a tag is in a dialog.
func TestTagOfTheInvite(t *testing.T) {
	for _, to := range []string{"", ";tag", ";TAG=", ";tag=;x=y"} {
		inBubble(t, nil, func(r *legRig) {
			c := r.peer.newCall()
			plain := c.to
			c.to += to
			branch := c.send("INVITE", 1, offerSDP)
			l := r.leg()
			l.Ring(180, nil)
			ringing := r.peer.want("SIP/2.0 180")
			tag := ringing.tag("To")
			if tag == "" || strings.Count(strings.ToLower(ringing.one("To")), "tag") != 1 {
				t.Fatalf("To of %q: %s", to, ringing.one("To"))
			}
			if came := strings.Join(l.Ladder()[0].Headers, "\n"); strings.Contains(came, tag) || !strings.Contains(came, plain) {
				t.Errorf("the ladder has\n%s", came)
			}
			c.sendBranch(branch, "INVITE", 1, offerSDP)
			if again := r.peer.want("SIP/2.0 180"); again.tag("To") != tag {
				t.Errorf("answer to a copy with tag %q, want %q", again.tag("To"), tag)
			}
			for _, foreign := range []string{"x", strings.ToUpper(tag), tag + "x"} {
				c.to = plain + ";tag=" + foreign
				c.send("INVITE", 2, offerSDP)
				refused := r.peer.want("SIP/2.0 481")
				if refused.tag("To") != foreign {
					t.Errorf("481 with tag %q", refused.tag("To"))
				}
			}
			c.to = plain + to
			c.sendBranch(branch, "CANCEL", 1, "")
			r.peer.want("SIP/2.0 200")
			if over := r.peer.want("SIP/2.0 487"); over.tag("To") != tag {
				t.Errorf("487 with tag %q, want %q", over.tag("To"), tag)
			}
			c.to = ringing.one("To")
			c.sendBranch(branch, "ACK", 1, "")
		})
	}
}

// TestInviteOfALivingCall: an INVITE comes again when its transaction is long over,
// with our tag or without. Its call goes on, and there is no second one.
func TestInviteOfALivingCall(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		plain := c.to
		branch := c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Answer([]byte(answerSDP))
		ok := r.peer.want("SIP/2.0 200")
		c.took(ok)
		c.send("ACK", 1, "")
		event[Confirmed](r)
		time.Sleep(40 * time.Second)
		for _, c.to = range []string{plain, ok.one("To")} {
			c.sendBranch(branch, "INVITE", 1, offerSDP)
			r.peer.want("SIP/2.0 482")
			c.sendBranch(branch, "ACK", 1, "")
			time.Sleep(40 * time.Second)
		}
		if n := r.alive(); n != 1 || len(r.legs) != 0 {
			t.Errorf("%d legs, %d of them new", n, len(r.legs))
		}
		c.send("BYE", 2, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

// TestStalledInvite: we are so slow with an INVITE that sipgo sends the 100 by
// itself (RFC 3261 §17.2.1) in the instant in which we go on with the request.
func TestStalledInvite(t *testing.T) {
	slow := func(cfg *Config, _ *pbx.Company) {
		next := cfg.Directory
		cfg.Directory = func() *pbx.Directory {
			time.Sleep(200 * time.Millisecond)
			return next()
		}
	}
	for range 20 {
		inBubble(t, slow, func(r *legRig) {
			c := r.peer.newCall()
			branch := c.send("INVITE", 1, offerSDP)
			trying := r.peer.want("SIP/2.0 100")
			r.leg().Ring(180, nil)
			ringing := r.peer.want("SIP/2.0 180")
			if tag := ringing.tag("To"); tag == "" || trying.tag("To") != tag {
				t.Errorf("100 with tag %q, 180 with %q", trying.tag("To"), tag)
			}
			c.sendBranch(branch, "CANCEL", 1, "")
			r.peer.want("SIP/2.0 200")
			r.peer.want("SIP/2.0 487")
			c.to = ringing.one("To")
			c.sendBranch(branch, "ACK", 1, "")
		})
	}
}

package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

func TestSessionAccept(t *testing.T) {
	const want = 1800 * time.Second
	for _, c := range []struct {
		headers string
		before  session
		want    session
	}{
		{"", session{}, session{}},
		{"Supported: 100rel", session{}, session{}},
		{"Supported: timer", session{}, session{want, true}},
		{"k: replaces, Timer", session{}, session{want, true}},
		{"Supported: timer\nMin-SE: 3600", session{}, session{3600 * time.Second, true}},
		{"Supported: timer\nSession-Expires: 600", session{}, session{600 * time.Second, true}},
		{"Supported: timer\nSession-Expires: 600;refresher=uac", session{}, session{600 * time.Second, false}},
		{"Supported: timer\nx: 600 ; Refresher=UAC", session{}, session{600 * time.Second, false}},
		{"Supported: timer\nSession-Expires: 600;refresher=uas", session{}, session{600 * time.Second, true}},
		{"Supported: timer\nSession-Expires: 7200;refresher=uac", session{}, session{want, false}},
		{"Supported: timer\nSession-Expires: 7200\nMin-SE: 5400", session{}, session{5400 * time.Second, true}},
		{"Require: timer\nSession-Expires: 600;refresher=uac", session{}, session{600 * time.Second, false}},
		{"Session-Expires: 600;refresher=uac", session{}, session{600 * time.Second, true}}, // by a proxy
		{"Supported: timer\nSession-Expires: 600", session{90 * time.Second, false}, session{600 * time.Second, false}},
		{"Supported: timer\nSession-Expires: x", session{}, session{want, true}},
		{"Supported: timer\nSession-Expires: 99999999999", session{}, session{want, true}},
	} {
		m := msg.NewRequest(msg.INVITE, msg.Uri{Host: "x"})
		for l := range strings.SplitSeq(c.headers, "\n") {
			if n, v, ok := strings.Cut(l, ": "); ok {
				m.AppendHeader(msg.NewHeader(n, v))
			}
		}
		if got := readSession(m).accept(want, c.before); got != c.want {
			t.Errorf("%q gives %+v, want %+v", c.headers, got, c.want)
		}
	}
	for s, want := range map[session]string{{90 * time.Second, true}: "90;refresher=uac", {90 * time.Second, false}: "90;refresher=uas"} {
		if got := s.header(true); got != want {
			t.Errorf("%+v is asked for as %q, want %q", s, got, want)
		}
	}
	if got := (session{90 * time.Second, true}).header(false); got != "90;refresher=uas" {
		t.Errorf("answered as %q", got)
	}
	at := time.Unix(0, 0)
	if got := (session{Interval: 90 * time.Second}).expiresAt(at).Sub(at); got != time.Minute {
		t.Errorf("90 s end after %v", got)
	}
	if got := (session{Interval: 1800 * time.Second}).expiresAt(at).Sub(at); got != 1768*time.Second {
		t.Errorf("1800 s end after %v", got)
	}
}

func FuzzSessionExpires(f *testing.F) {
	f.Add("1800;refresher=uac")
	f.Add(" 90 ; refresher = uas;x")
	f.Fuzz(func(t *testing.T, v string) {
		d, who := parseSessionExpires(v)
		if d < 0 || d > maxSession || who != "" && who != "uac" && who != "uas" {
			t.Errorf("%q: %v %q", v, d, who)
		}
	})
}

// TestTooShort: intervals below ours are refused, in and out of the dialog.
func TestTooShort(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		branch := c.send("INVITE", 1, offerSDP, "Supported: timer", "Session-Expires: 60")
		if m := r.peer.want("SIP/2.0 422"); m.one("Min-SE") != "90" {
			t.Errorf("422: %q", m.lines)
		} else {
			was := c.to
			c.to = m.one("To")
			c.sendBranch(branch, "ACK", 1, "")
			c.to = was
		}
		c.send("INVITE", 2, offerSDP, "Supported: timer", "Session-Expires: 90;refresher=uac")
		l := r.leg()
		l.Answer([]byte(answerSDP))
		m := r.peer.want("SIP/2.0 200")
		if m.one("Session-Expires") != "90;refresher=uac" || m.one("Require") != "timer" {
			t.Errorf("200: %q", m.lines)
		}
		c.took(m)
		c.send("ACK", 2, "")
		event[Confirmed](r)
		c.send("UPDATE", 3, "", "Supported: timer", "Session-Expires: 89")
		r.peer.want("SIP/2.0 422")
		time.Sleep(50 * time.Second)
		c.send("UPDATE", 4, "", "Supported: timer", "Session-Expires: 90;refresher=uac")
		if m := r.peer.want("SIP/2.0 200"); m.one("Session-Expires") != "90;refresher=uac" {
			t.Errorf("200: %q", m.lines)
		}
		began := time.Now()
		bye := r.peer.wantIn("BYE", 61*time.Second)
		if d := bye.at.Sub(began); d < 59*time.Second {
			t.Errorf("given up after %v", d)
		}
		r.peer.reply(bye, "200 OK", "", "")
		r.endedBy(pbx.PartyCaller, pbx.SessionExpired, 408)
	})
}

// TestWeRefresh: by UPDATE when the peer takes it, by re-INVITE otherwise.
func TestWeRefresh(t *testing.T) {
	inBubble(t, nil, func(r *legRig) { // the peer called, with UPDATE
		r.answered("Supported: timer", "Allow: INVITE, UPDATE", "Session-Expires: 600;refresher=uas")
		up := r.peer.wantIn("UPDATE", 301*time.Second)
		if up.one("Session-Expires") != "600;refresher=uac" || up.body != "" || up.one("Contact") == "" || up.one("Supported") != "timer, replaces" {
			t.Errorf("UPDATE: %q", up.lines)
		}
		r.peer.reply(up, "200 OK", "", "", "Session-Expires: 600;refresher=uac")
		up = r.peer.wantIn("UPDATE", 301*time.Second)
		r.peer.reply(up, "481 What?", "", "")
		if e := r.endedBy(pbx.PartyCaller, pbx.SessionExpired, 481); e.Cause.Q850 == 0 {
			t.Error("no Q.850 value")
		}
		r.peer.quiet(time.Minute)
	})
	inBubble(t, nil, func(r *legRig) { // we called, no UPDATE
		_, _, inv := r.pickedUp("Session-Expires: 600;refresher=uac", "Allow: INVITE, BYE")
		re := r.peer.wantIn("INVITE", 301*time.Second)
		if re.body != answerSDP || re.one("Session-Expires") != "600;refresher=uac" || re.tag("To") != "b1" {
			t.Errorf("re-INVITE: %q %q", re.lines, re.body)
		}
		n, _ := inv.cseq()
		if m, _ := re.cseq(); m != n+1 {
			t.Errorf("CSeq %d after %d", m, n)
		}
		r.peer.reply(re, "422 Session Interval Too Small", "", "", "Min-SE: 900")
		r.peer.want("ACK")
		re = r.peer.want("INVITE")
		if re.one("Session-Expires") != "900;refresher=uac" || re.one("Min-SE") != "900" {
			t.Errorf("re-INVITE after 422: %q", re.lines)
		}
		r.peer.reply(re, "200 OK", "", offerSDP, "Session-Expires: 900;refresher=uac")
		r.peer.want("ACK")
		r.noEvent(0)
		re = r.peer.wantIn("INVITE", 451*time.Second)
		r.peer.reply(re, "500 Not Now", "", "")
		r.peer.want("ACK")
		re = r.peer.wantIn("INVITE", 451*time.Second)
		r.peer.reply(re, "200 OK", "", holdSDP, "Session-Expires: 900;refresher=uac")
		r.peer.want("ACK")
		if e := event[OfferAnswered](r); string(e.SDP) != holdSDP {
			t.Errorf("a changed answer: %+v", e)
		}
		r.peer.wantIn("INVITE", 451*time.Second) // and silence
		r.endedBy(pbx.PartyCallee, pbx.NoReply, 408)
	})
}

// TestPeerRefreshes: the other end is to refresh, and dies.
func TestPeerRefreshes(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.pickedUp("Session-Expires: 300;refresher=uas")
		began := time.Now()
		r.peer.wantIn("BYE", 300*time.Second)
		if d := time.Since(began).Round(time.Second); d != 268*time.Second {
			t.Errorf("given up after %v, want 268 s", d)
		}
		r.endedBy(pbx.PartyCallee, pbx.SessionExpired, 408)
	})
}

// TestNoSession: a peer that knows no timers is left alone.
func TestNoSession(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.pickedUp()
		r.peer.quiet(3 * time.Hour)
		r.noEvent(0)
	})
	inBubble(t, nil, func(r *legRig) {
		r.answered()
		r.peer.quiet(3 * time.Hour)
		r.noEvent(0)
	})
}

// TestInviteTooShort: a callee whose least interval is longer than ours.
func TestInviteTooShort(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "422 Session Interval Too Small", "b1", "", "Min-SE: 3600")
		r.peer.want("ACK")
		second := r.peer.want("INVITE")
		n, _ := inv.cseq()
		if m, _ := second.cseq(); m != n+1 || second.one("Session-Expires") != "3600;refresher=uac" || second.one("Min-SE") != "3600" {
			t.Errorf("second INVITE: %q", second.lines)
		}
		r.peer.reply(second, "422 Session Interval Too Small", "b1", "", "Min-SE: 7200")
		r.peer.want("ACK")
		e := event[LegEnded](r)
		if fmt.Sprint(e.Cause.SIP) != "422" {
			t.Errorf("ended by %+v", e.Cause)
		}
	})
}

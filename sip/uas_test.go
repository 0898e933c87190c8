package sip

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func TestInboundCall(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP, "User-Agent: raw", "Record-Route: <sip:10.0.0.2;lr>")
		trying, _ := r.peer.next(time.Second)
		if !strings.HasPrefix(trying.start, "SIP/2.0 100") {
			t.Fatalf("first came %q", trying.start)
		}
		l := r.leg()
		if l.From.User != "+79160000001" || l.From.Name != `B"ob` || l.To != "+74950000000" || l.Trunk == nil || l.Company.ID != "acme" ||
			string(l.SDP) != offerSDP || l.UserAgent != "raw" || l.Source.String() != peerAddr || l.Transport != "udp" || l.CallID != c.id {
			t.Errorf("leg %+v", l)
		}
		l.Ring(180, nil)
		ringing := r.peer.want("SIP/2.0 180")
		l.Ring(183, []byte(answerSDP))
		early := r.peer.want("SIP/2.0 183")
		if early.body != answerSDP || early.tag("To") == "" || early.tag("To") != ringing.tag("To") {
			t.Errorf("183 with tag %q after 180 with %q, body %q", early.tag("To"), ringing.tag("To"), early.body)
		}
		l.Answer([]byte(answerSDP))
		ok := r.peer.want("SIP/2.0 200")
		if ok.tag("To") != ringing.tag("To") || ok.body != answerSDP || !strings.Contains(ok.one("Contact"), "@10.0.0.1:5060") ||
			ok.one("Record-Route") != "<sip:10.0.0.2;lr>" || !strings.Contains(ok.one("Allow"), "UPDATE") {
			t.Errorf("200: %q", ok.lines)
		}
		c.took(ok)
		c.send("ACK", 1, "")
		event[Confirmed](r)
		r.peer.quiet(40 * time.Second)
		if st := l.State(); st.Phase != "confirmed" || st.RemoteTag != "pt1" || st.LocalTag != ok.tag("To") || st.Target != "sip:peer@10.0.0.2:5060;line=Ab1" {
			t.Errorf("state %+v", st)
		}
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		bye := r.peer.want("BYE sip:peer@10.0.0.2:5060;line=Ab1 SIP/2.0")
		if bye.tag("To") != "pt1" || bye.tag("From") != ok.tag("To") || bye.one("Route") != "<sip:10.0.0.2;lr>" || !strings.HasPrefix(bye.one("Reason"), "Q.850;cause=16") {
			t.Errorf("BYE: %q", bye.lines)
		}
		r.peer.reply(bye, "200 OK", "", "")
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
		r.peer.quiet(time.Minute)
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		l.Answer(nil)
		r.noEvent(time.Minute)
	})
}

func TestPeerHangsUp(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		_, c := r.answered()
		c.send("BYE", 2, "", "Reason: SIP;cause=200, Q.850;cause=31;text=\"x\"")
		r.peer.want("SIP/2.0 200")
		if e := r.endedBy(pbx.PartyCaller, pbx.Hangup, 200); e.Cause.Q850 != 31 {
			t.Errorf("Q.850 %d, want that of the Reason header", e.Cause.Q850)
		}
		c.send("BYE", 3, "")
		r.peer.want("SIP/2.0 481")
	})
}

// TestStaleBye: a BYE with an old sequence number neither ends nor disturbs
// the call.
func TestStaleBye(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		_, c := r.answered()
		c.send("UPDATE", 7, "")
		r.peer.want("SIP/2.0 200")
		c.send("BYE", 6, "")
		r.peer.want("SIP/2.0 500")
		r.noEvent(time.Minute)
		c.send("INFO", 5, "") // overtaken, harmless
		r.peer.want("SIP/2.0 200")
		c.to = strings.Replace(c.to, ";tag=", ";tag=x", 1)
		c.send("BYE", 8, "")
		r.peer.want("SIP/2.0 481")
		c.to = strings.Replace(c.to, ";tag=x", ";tag=", 1)
		c.from = strings.Replace(c.from, "pt1", "pt2", 1)
		c.send("BYE", 9, "")
		r.peer.want("SIP/2.0 481")
		c.from = strings.Replace(c.from, "pt2", "pt1", 1)
		c.send("BYE", 8, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

// TestNoACK: the 200 is repeated at the times of RFC 3261 §13.3.1.4, then the
// call is hung up.
func TestNoACK(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Answer([]byte(answerSDP))
		first := r.peer.want("SIP/2.0 200").at
		for _, want := range []float64{0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5} {
			m := r.peer.wantIn("SIP/2.0 200", 5*time.Second)
			if got := m.at.Sub(first).Seconds(); got < want-0.01 || got > want+0.01 {
				t.Errorf("200 repeated after %.2f s, want %.1f", got, want)
			}
		}
		bye := r.peer.want("BYE")
		r.endedBy(pbx.PartyCaller, pbx.NoACK, 408)
		r.peer.reply(bye, "200 OK", "", "")
	})
}

// TestLostACK: whatever the peer sends next in the dialog confirms it.
func TestLostACK(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		c.send("UPDATE", 2, "")
		r.peer.want("SIP/2.0 200")
		event[Confirmed](r)
		c.send("ACK", 1, "") // overtaken
		r.peer.quiet(40 * time.Second)
		c.send("BYE", 3, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

// TestByeBeforeACK: the BYE is handled before the ACK that was sent first.
func TestByeBeforeACK(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		c.send("BYE", 2, "")
		c.send("ACK", 1, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
		r.peer.quiet(40 * time.Second)
	})
}

// TestHangupBeforeACK: our BYE waits for the ACK.
func TestHangupBeforeACK(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.NoMedia))
		r.endedBy(pbx.PartyPBX, pbx.NoMedia, 408)
		r.peer.quiet(300 * time.Millisecond)
		c.send("ACK", 1, "")
		bye := r.peer.want("BYE")
		r.peer.reply(bye, "200 OK", "", "")
	})
}

func TestDelayedOffer(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, "")
		l := r.leg()
		if l.SDP != nil {
			t.Error("an offer out of nowhere")
		}
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		c.send("ACK", 1, offerSDP)
		if e := event[Confirmed](r); string(e.SDP) != offerSDP {
			t.Errorf("answer in the ACK: %q", e.SDP)
		}
	})
}

func TestCancel(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		branch := c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Ring(180, nil)
		tag := r.peer.want("SIP/2.0 180").tag("To")
		c.sendBranch(branch, "CANCEL", 1, "")
		if m := r.peer.want("SIP/2.0 200"); !strings.HasSuffix(m.one("CSeq"), "CANCEL") {
			t.Errorf("200 to %s", m.one("CSeq"))
		}
		m := r.peer.want("SIP/2.0 487")
		if m.tag("To") != tag {
			t.Errorf("487 with tag %q, want that of the 180 %q", m.tag("To"), tag)
		}
		c.to = m.one("To")
		c.sendBranch(branch, "ACK", 1, "")
		r.endedBy(pbx.PartyCaller, pbx.Cancelled, 487)
		l.Answer([]byte(answerSDP))
		r.peer.quiet(time.Minute)
	})
}

// TestCancelAfterAnswer: once we have answered, the CANCEL has no effect.
func TestCancelAfterAnswer(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		branch := c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Answer([]byte(answerSDP))
		ok := r.peer.want("SIP/2.0 200")
		c.sendBranch(branch, "CANCEL", 1, "")
		if m := r.peer.want("SIP/2.0 200"); !strings.HasSuffix(m.one("CSeq"), "CANCEL") {
			t.Errorf("200 to %s", m.one("CSeq"))
		}
		c.took(ok)
		c.send("ACK", 1, "")
		event[Confirmed](r)
		r.noEvent(time.Minute)
	})
}

// TestAnswerAfterCancel: our answer comes too late; the caller must see 487
// and nothing else, also when its ACK is lost.
func TestAnswerAfterCancel(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		branch := c.send("INVITE", 1, offerSDP)
		l := r.leg()
		r.peer.want("SIP/2.0 100")
		x := l.theirs
		c.sendBranch(branch, "CANCEL", 1, "")
		r.peer.want("SIP/2.0 200")
		r.peer.want("SIP/2.0 487")
		if l.respond(x, r.s.response(x.req, 200)) {
			t.Error("a cancelled INVITE took a 200")
		}
		for range 3 {
			r.peer.wantIn("SIP/2.0 487", 5*time.Second) // repeated for want of an ACK
		}
		r.endedBy(pbx.PartyCaller, pbx.Cancelled, 487)
	})
}

func TestReject(t *testing.T) {
	for _, c := range []struct {
		cause  pbx.Cause
		status string
		header string
		want   string
	}{
		{pbx.NewCause(pbx.PartyPBX, pbx.Busy), "SIP/2.0 486", "Reason", `Q.850;cause=17;text="busy"`},
		{pbx.NewCause(pbx.PartyPBX, pbx.NoPorts), "SIP/2.0 503", "Retry-After", "10"},
		{pbx.NewCause(pbx.PartyPBX, pbx.Hangup), "SIP/2.0 480", "Reason", `Q.850;cause=16;text="hangup"`},
		{pbx.FromSIP(pbx.PartyCallee, 603), "SIP/2.0 603", "Reason", `Q.850;cause=21;text="declined"`},
	} {
		inBubble(t, nil, func(r *legRig) {
			call := r.peer.newCall()
			branch := call.send("INVITE", 1, offerSDP)
			l := r.leg()
			l.Reject(c.cause)
			m := r.peer.want(c.status)
			if m.one(c.header) != c.want {
				t.Errorf("%s: %q, want %q", c.header, m.one(c.header), c.want)
			}
			call.to = m.one("To")
			call.sendBranch(branch, "ACK", 1, "")
			if e := event[LegEnded](r); e.Cause != c.cause {
				t.Errorf("ended by %+v", e.Cause)
			}
			r.peer.quiet(40 * time.Second)
		})
	}
}

func TestNobodyOwns(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.peer.newCall().send("INVITE", 1, offerSDP)
		r.peer.wantIn("SIP/2.0 500", 6*time.Second)
		l := <-r.legs
		time.Sleep(time.Second)
		l.Own(r.events, r.gone)
		r.endedBy(pbx.PartyPBX, pbx.Broken, 500)
	})
}

func TestOwnerGone(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		gone := make(chan struct{})
		l := <-r.legs
		l.Own(make(chan any), gone)
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		c.send("ACK", 1, "")
		time.Sleep(time.Second)
		close(gone)
		r.peer.reply(r.peer.want("BYE"), "200 OK", "", "")
	})
}

// TestRingingIsRepeated: proxies drop calls that are silent for three minutes.
func TestRingingIsRepeated(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.peer.newCall().send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Ring(180, nil)
		first := r.peer.want("SIP/2.0 180").at
		if d := r.peer.wantIn("SIP/2.0 180", 2*time.Minute).at.Sub(first).Round(time.Millisecond); d != time.Minute {
			t.Errorf("repeated after %v", d)
		}
		l.Reject(pbx.NewCause(pbx.PartyPBX, pbx.NoAnswer))
		r.peer.want("SIP/2.0 480")
	})
}

func TestPeerOffers(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("INVITE", 2, holdSDP)
		if e := event[Offered](r); string(e.SDP) != holdSDP {
			t.Errorf("offer %q", e.SDP)
		}
		second := c.send("INVITE", 3, holdSDP) // before the first is answered
		if m := r.peer.want("SIP/2.0 500"); m.one("Retry-After") == "" {
			t.Error("500 without Retry-After")
		}
		c.sendBranch(second, "ACK", 3, "")
		l.AnswerOffer([]byte(answerSDP))
		if m := r.peer.want("SIP/2.0 200"); m.body != answerSDP || m.one("CSeq") != "2 INVITE" {
			t.Errorf("200 to %s: %q", m.one("CSeq"), m.body)
		}
		c.send("ACK", 2, "")
		r.peer.quiet(40 * time.Second)

		c.send("INVITE", 4, "") // offerless: ours is in the 200, the answer in the ACK
		if e := event[Offered](r); e.SDP != nil {
			t.Errorf("offer %q", e.SDP)
		}
		l.AnswerOffer([]byte(answerSDP))
		r.peer.want("SIP/2.0 200")
		c.send("ACK", 4, offerSDP)
		if e := event[OfferAnswered](r); e.Code != 200 || string(e.SDP) != offerSDP {
			t.Errorf("answered %+v", e)
		}

		c.send("UPDATE", 5, holdSDP)
		event[Offered](r)
		l.RefuseOffer(488)
		r.peer.want("SIP/2.0 488")

		c.send("UPDATE", 6, holdSDP)
		event[Offered](r)
		sent := time.Now()
		if m := r.peer.wantIn("SIP/2.0 500", 11*time.Second); m.at.Sub(sent) < 9*time.Second {
			t.Errorf("refused after %v", m.at.Sub(sent))
		}
		l.AnswerOffer([]byte(answerSDP)) // too late, ignored

		c.send("INVITE", 7, holdSDP)
		event[Offered](r)
		c.send("BYE", 8, "")
		var got []string
		for range 2 {
			m, _ := r.peer.next(time.Second)
			if strings.HasPrefix(m.start, "SIP/2.0 100") {
				m, _ = r.peer.next(time.Second)
			}
			got = append(got, m.start[:11]+" "+m.one("CSeq"))
		}
		if strings.Join(got, ", ") != "SIP/2.0 200 8 BYE, SIP/2.0 487 7 INVITE" {
			t.Errorf("after BYE: %v", got)
		}
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

func TestInDialogOthers(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		_, c := r.answered()
		for i, x := range []struct{ method, want string }{
			{"INFO", "200"}, {"OPTIONS", "200"}, {"PRACK", "481"}, {"REFER", "400"}, {"SUBSCRIBE", "489"}, {"MESSAGE", "405"}, {"FOO", "405"},
		} {
			c.send(x.method, 2+i, "")
			r.peer.want("SIP/2.0 " + x.want)
		}
		r.noEvent(time.Second)
	})
}

// TestPeerMoves: a target refresh changes where we send.
func TestPeerMoves(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.p = &rawPeer{t, r.peer.conn, "10.0.0.2:5060"}
		other := r.newPeer("10.0.0.3")
		c.headers = nil
		c.p.send("UPDATE "+c.uri+" SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKmove;rport", "From: "+c.from, "To: "+c.to,
			"Call-ID: "+c.id, "CSeq: 2 UPDATE", "Max-Forwards: 70", "Contact: <sip:peer@10.0.0.3:5060>", "Content-Length: 0", "", "")
		r.peer.want("SIP/2.0 200")
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		bye := other.want("BYE sip:peer@10.0.0.3:5060 SIP/2.0")
		other.reply(bye, "200 OK", "", "")
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
	})
}

func TestCloseHangsUp(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		_, c := r.answered()
		c.id, c.to, c.from = "call2", "<sip:+74950000000@10.0.0.1>", "<sip:+7916@10.0.0.2>;tag=z"
		c.uri = "sip:+74950000000@10.0.0.1"
		c.send("INVITE", 1, offerSDP)
		r.leg()
		r.peer.want("SIP/2.0 100")
		done := make(chan struct{})
		began := time.Now()
		go func() { r.s.Close(); close(done) }()
		var got []string
		for range 2 {
			m, ok := r.peer.next(time.Second)
			if !ok {
				t.Fatal("silence at Close")
			}
			got = append(got, m.start[:11])
		}
		if s := strings.Join(got, " "); !strings.Contains(s, "BYE") || !strings.Contains(s, "SIP/2.0 503") {
			t.Errorf("at Close: %q", s)
		}
		<-done
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

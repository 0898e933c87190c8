package phone_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// talkTo makes a call that the peer answers with tag b.
func talkTo(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) (*phone.Call, *sip.Request) {
	t.Helper()
	c, err := p.Dial(ctx, "bob", phone.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	invite := peer.expect("INVITE")
	peer.reply(invite, 200, "b", answerSDP)
	peer.expect("ACK")
	if err := c.Answered(ctx); err != nil {
		t.Fatal(err)
	}
	return c, invite
}

// ask sends a request in the dialog of an INVITE and gives the status it gets, 0
// when there is no answer in two seconds.
func (p *peer) ask(invite *sip.Request, method string, cseq int, body string, headers ...string) int {
	p.t.Helper()
	tag, _ := invite.From().Params.Get("tag")
	text := fmt.Sprintf("%s sip:alice@10.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK%s%d;rport\r\n"+
		"From: <sip:bob@test>;tag=b\r\nTo: <sip:alice@test>;tag=%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s",
		method, method, cseq, tag, invite.CallID().Value(), cseq, method, strings.Join(append(headers, ""), "\r\n"), len(body), body)
	if _, err := p.conn.WriteTo([]byte(text), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.1:5060"))); err != nil {
		p.t.Fatal(err)
	}
	buf := make([]byte, 65535)
	_ = p.conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	for {
		n, _, err := p.conn.ReadFrom(buf)
		if err != nil {
			return 0
		}
		msg, err := sip.ParseMessage(buf[:n])
		if err != nil {
			p.t.Fatal(err)
		}
		if res, ok := msg.(*sip.Response); ok && res.CSeq().Value() == fmt.Sprintf("%d %s", cseq, method) {
			return res.StatusCode
		}
	}
}

// notify tells of a REFER.
func (p *peer) notify(invite *sip.Request, cseq int, event, state, fragment string) int {
	return p.ask(invite, "NOTIFY", cseq, fragment, "Event: "+event, "Subscription-State: "+state, "Content-Type: message/sipfrag;version=2.0")
}

type referred struct {
	reply *phone.Reply
	news  <-chan phone.Notification
	err   error
}

func refer(ctx context.Context, c *phone.Call, to string) <-chan referred {
	done := make(chan referred, 1)
	go func() {
		reply, news, err := c.Refer(ctx, to)
		done <- referred{reply, news, err}
	}()
	return done
}

// TestRefer follows a REFER to its end, which comes after that of the call.
func TestRefer(t *testing.T) {
	withPeer(t, func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) {
		c, invite := talkTo(t, p, peer, ctx)
		done := refer(ctx, c, phone.ReferTo("sip:carol@test", ""))
		req := peer.expect("REFER")
		if to, by := req.GetHeader("Refer-To").Value(), req.GetHeader("Referred-By").Value(); to != "<sip:carol@test>" || by != "<sip:alice@test>" {
			t.Errorf("Refer-To %s, Referred-By %s", to, by)
		}
		if status := peer.notify(invite, 1, "refer", "active;expires=60", "SIP/2.0 100 Trying\r\n"); status != 200 { // before the 202
			t.Errorf("NOTIFY got %d", status)
		}
		peer.reply(req, 202, "b", "")
		r := <-done
		if r.err != nil || r.reply.Status != 202 {
			t.Fatalf("%+v", r)
		}
		go func() { _ = c.Hangup(ctx) }()
		peer.reply(peer.expect("BYE"), 200, "b", "")
		mustEnd(t, &pair{ctx: ctx}, c, "us", 200)
		id := fmt.Sprintf("refer;id=%d", req.CSeq().SeqNo)
		if status := peer.notify(invite, 2, id, "terminated;reason=noresource", "SIP/2.0 200 OK\r\nX: y\r\n"); status != 200 {
			t.Errorf("NOTIFY after the end of the call got %d", status)
		}
		if status := peer.notify(invite, 3, "refer", "active", "SIP/2.0 200 OK\r\n"); status != 481 {
			t.Errorf("NOTIFY after the end of the subscription got %d", status)
		}
		var got []string
		for n := range r.news {
			got = append(got, fmt.Sprintf("%d %s %s %s%s", n.Status, n.Reason, n.State, n.Ended, n.Fault))
		}
		if text := strings.Join(got, ", "); text != "100 Trying active , 200 OK terminated noresource" {
			t.Error(text)
		}
	})
}

// TestReferRefused: nothing is heard of a REFER that is not accepted, and of one that
// nobody tells about it is not waited for ever.
func TestReferRefused(t *testing.T) {
	withPeer(t, func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) {
		c, invite := talkTo(t, p, peer, ctx)
		done := refer(ctx, c, "")
		req := peer.expect("REFER")
		if req.GetHeader("Refer-To") != nil {
			t.Error("an empty Refer-To is sent")
		}
		peer.reply(req, 400, "b", "")
		if r := <-done; r.err != nil || r.news != nil || r.reply.Status != 400 {
			t.Errorf("%+v", r)
		}
		if status := peer.notify(invite, 1, "refer", "active", "SIP/2.0 100 Trying\r\n"); status != 481 {
			t.Errorf("NOTIFY of a refused REFER got %d", status)
		}
		if status := peer.notify(invite, 2, "dialog", "active", ""); status != 200 {
			t.Errorf("NOTIFY of another package got %d", status)
		}
		done = refer(ctx, c, "<sip:carol@test>")
		peer.reply(peer.expect("REFER"), 202, "b", "")
		r, began := <-done, time.Now()
		if _, ok := <-r.news; ok || time.Since(began) < time.Minute {
			t.Errorf("the REFER lapsed after %v", time.Since(began))
		}
		c.Misbehave(phone.Misbehave{IgnoreNOTIFY: true})
		if status := peer.notify(invite, 3, "refer", "active", "SIP/2.0 100 Trying\r\n"); status != 0 {
			t.Errorf("an ignored NOTIFY got %d", status)
		}
		if status := peer.ask(invite, "REFER", 4, "", "Refer-To: <sip:x@test>"); status != 405 {
			t.Errorf("a REFER to the phone got %d", status)
		}
	})
}

// TestTwoREFERs keeps the NOTIFYs of two REFERs apart.
func TestTwoREFERs(t *testing.T) {
	withPeer(t, func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) {
		c, invite := talkTo(t, p, peer, ctx)
		var news []<-chan phone.Notification
		var ids []string
		for range 2 {
			done := refer(ctx, c, "<sip:carol@test>")
			req := peer.expect("REFER")
			peer.reply(req, 202, "b", "")
			news = append(news, (<-done).news)
			ids = append(ids, fmt.Sprintf("refer;id=%d", req.CSeq().SeqNo))
		}
		for i, text := range []string{"SIP/2.0 486 Busy Here\r\n", "nonsense"} {
			if status := peer.notify(invite, i+1, ids[1-i], "terminated", text); status != 200 {
				t.Errorf("NOTIFY got %d", status)
			}
		}
		if n := <-news[1]; n.Status != 486 || n.Fault != "" {
			t.Errorf("of the second: %+v", n)
		}
		if n := <-news[0]; n.Status != 0 || n.Fault != "no status line" {
			t.Errorf("of the first: %+v", n)
		}
	})
}

// TestReplaces: what alice says of a dialog names the tags as bob has them.
func TestReplaces(t *testing.T) {
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		ours, theirs := p.connect(t)
		a, b := ours.Dialog(), theirs.Dialog()
		if a.Swapped() != b || a.CallID == "" || a.LocalTag == "" || a.RemoteTag == "" {
			t.Errorf("%+v, %+v", a, b)
		}
		value := a.Replaces()
		if value != b.CallID+";to-tag="+b.LocalTag+";from-tag="+b.RemoteTag {
			t.Error(value)
		}
		second, err := p.alice.Dial(p.ctx, "bob", phone.DialOptions{Headers: map[string]string{"Replaces": value}})
		if err != nil {
			t.Fatal(err)
		}
		if in := <-p.bob.Incoming(); in.Header("Replaces") != value {
			t.Errorf("Replaces: %s", in.Header("Replaces"))
		}
		_ = second.Cancel(p.ctx)
	})
}

func TestReferTo(t *testing.T) {
	for _, c := range []struct{ uri, replaces, want string }{
		{"sip:103@acme.test", "", "<sip:103@acme.test>"},
		{"sip:103@acme.test", "a@h;to-tag=1;from-tag=2", "<sip:103@acme.test?Replaces=a%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>"},
		{"sip:x@y", "a%~[é>", "<sip:x@y?Replaces=a%25~%5B%C3%A9%3E>"},
	} {
		if got := phone.ReferTo(c.uri, c.replaces); got != c.want {
			t.Errorf("%s", got)
		}
		var uri sip.Uri
		if err := sip.ParseUri(strings.Trim(phone.ReferTo(c.uri, c.replaces), "<>"), &uri); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestTwoCalls: a phone with two calls hears each peer in its own call only.
func TestTwoCalls(t *testing.T) {
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		h := p.net.Host("10.0.0.3")
		carol := start(t, on(h, phone.Config{Address: "10.0.0.3:5060", Server: "10.0.0.1:5060", Domain: "test", User: "carol", Media: true, Tone: 880}))
		defer carol.Close()
		first, _ := p.connect(t)
		second, err := p.alice.Dial(p.ctx, "sip:carol@10.0.0.3:5060", phone.DialOptions{To: "10.0.0.3:5060"})
		if err != nil {
			t.Fatal(err)
		}
		theirs := <-carol.Incoming()
		if err := errors.Join(theirs.Answer(p.ctx), second.Answered(p.ctx), first.Hold(p.ctx)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if first.Heard(660) || first.Heard(880) || !second.Heard(880) || second.Heard(660) || !theirs.Heard(440) {
			t.Error("the held call or the other one is not heard as it should be")
		}
		if err := first.Resume(p.ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if !first.Heard(660) || first.Heard(880) || !second.Heard(880) || second.Heard(660) || p.alice.Calls() != 2 {
			t.Error("the two calls are mixed up")
		}
		if err := first.Hangup(p.ctx); err != nil || second.State() != phone.Answered {
			t.Errorf("%v, the second is %v", err, second.State())
		}
	})
}

// TestINFO sends digits in INFO requests.
func TestINFO(t *testing.T) {
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		ours, theirs := p.connect(t)
		if err := ours.SendINFO(p.ctx, "5#a"); err != nil {
			t.Fatal(err)
		}
		if got := theirs.InfoDigits(); got != "5#A" || theirs.Digits() != "" {
			t.Errorf("INFO %q, events %q", got, theirs.Digits())
		}
		if err := ours.SendINFO(p.ctx, "x"); err == nil {
			t.Error("x is a key")
		}
	})
}

func TestINFORefused(t *testing.T) {
	withPeer(t, func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) {
		c, _ := talkTo(t, p, peer, ctx)
		done := make(chan error, 1)
		go func() { done <- c.SendINFO(ctx, "12") }()
		req := peer.expect("INFO")
		if req.GetHeader("Content-Type").Value() != "application/dtmf-relay" || string(req.Body()) != "Signal=1\r\nDuration=160\r\n" {
			t.Errorf("%s", req.String())
		}
		peer.reply(req, 415, "b", "")
		var s *phone.StatusError
		if err := <-done; !errors.As(err, &s) || s.Status != 415 {
			t.Error(err)
		}
	})
}

func TestAutoAnswer(t *testing.T) {
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		headers := map[string]string{"Alert-Info": "<http://localhost>;info=alert-autoanswer", "Answer-Mode": "Auto;require", "Call-Info": `<sip:test>;answer-after=2`}
		c, err := p.alice.Dial(p.ctx, "bob", phone.DialOptions{Headers: headers})
		if err != nil {
			t.Fatal(err)
		}
		in := <-p.bob.Incoming()
		after, by := in.AutoAnswer()
		if want := "Alert-Info: <http://localhost>;info=alert-autoanswer|Call-Info: <sip:test>;answer-after=2|Answer-Mode: Auto;require"; after != 2*time.Second || strings.Join(by, "|") != want {
			t.Errorf("%v %q", after, by)
		}
		_ = c.Cancel(p.ctx)
	})
}

package phone_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// peer is the other side, played by the test word by word.
type peer struct {
	t    *testing.T
	conn packetConn
}

type packetConn interface {
	ReadFrom(b []byte) (int, net.Addr, error)
	WriteTo(b []byte, a net.Addr) (int, error)
	SetReadDeadline(time.Time) error
}

// expect reads until a request with that method comes, skipping repetitions.
func (p *peer) expect(method string) *sip.Request {
	p.t.Helper()
	buf := make([]byte, 65535)
	_ = p.conn.SetReadDeadline(time.Now().Add(40 * time.Second))
	for {
		n, from, err := p.conn.ReadFrom(buf)
		if err != nil {
			p.t.Fatalf("no %s: %v", method, err)
		}
		msg, err := sip.ParseMessage(buf[:n])
		if err != nil {
			p.t.Fatal(err)
		}
		if req, ok := msg.(*sip.Request); ok && string(req.Method) == method {
			req.SetSource(from.String())
			return req
		}
	}
}

// reply answers a request; headers are lines.
func (p *peer) reply(req *sip.Request, status int, tag, body string, headers ...string) {
	p.t.Helper()
	res := sip.NewResponseFromRequest(req, status, "Test", nil)
	if status > 100 && !req.To().Params.Has("tag") {
		res.To().Params.Add("tag", tag)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		res.AppendHeader(sip.NewHeader(name, value))
	}
	res.AppendHeader(sip.NewHeader("Contact", "<sip:bob@10.0.0.2:5060>"))
	if body != "" {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody([]byte(body))
	}
	if _, err := p.conn.WriteTo([]byte(res.String()), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(req.Source()))); err != nil {
		p.t.Fatal(err)
	}
}

const answerSDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"

func withPeer(t *testing.T, f func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		conn, err := n.Host("10.0.0.2").ListenPacket("udp", "10.0.0.2:5060")
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, on(n.Host("10.0.0.1"), phone.Config{Address: "10.0.0.1:5060", Server: "10.0.0.2:5060", User: "alice", Domain: "test"}))
		defer p.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		f(t, p, &peer{t, conn}, ctx)
	})
}

// TestReliableProvisional expects PRACK for a 183 with 100rel, and the ACK with the
// number of the INVITE behind it.
func TestReliableProvisional(t *testing.T) {
	withPeer(t, func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) {
		c, err := p.Dial(ctx, "bob", phone.DialOptions{Supported: []string{"100rel"}})
		if err != nil {
			t.Fatal(err)
		}
		invite := peer.expect("INVITE")
		if s := invite.GetHeader("Supported").Value(); s != "timer, 100rel" {
			t.Errorf("Supported: %s", s)
		}
		peer.reply(invite, 183, "b", answerSDP, "Require: 100rel", "RSeq: 7", "Record-Route: <sip:10.0.0.2:5060;lr>")
		prack := peer.expect("PRACK")
		want := fmt.Sprintf("7 %d INVITE", invite.CSeq().SeqNo)
		if got := prack.GetHeader("RAck").Value(); got != want || prack.CSeq().SeqNo != invite.CSeq().SeqNo+1 {
			t.Errorf("RAck %q, CSeq %d", got, prack.CSeq().SeqNo)
		}
		if prack.Route() == nil || prack.Recipient.String() != "sip:bob@10.0.0.2:5060" {
			t.Errorf("PRACK to %s by %v", prack.Recipient.String(), prack.Route())
		}
		peer.reply(prack, 200, "b", "")
		peer.reply(invite, 200, "b", answerSDP)
		if ack := peer.expect("ACK"); ack.CSeq().SeqNo != invite.CSeq().SeqNo {
			t.Errorf("ACK with %d", ack.CSeq().SeqNo)
		}
		peer.reply(invite, 200, "b", answerSDP) // repeated
		peer.expect("ACK")
		if err := c.Answered(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestForkedAnswer expects the second of two 2xx to be acknowledged and ended.
func TestForkedAnswer(t *testing.T) {
	withPeer(t, func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) {
		c, _ := p.Dial(ctx, "bob", phone.DialOptions{})
		invite := peer.expect("INVITE")
		peer.reply(invite, 200, "one", answerSDP)
		peer.reply(invite, 200, "two", answerSDP)
		for range 2 {
			peer.expect("ACK")
		}
		bye := peer.expect("BYE")
		if tag, _ := bye.To().Params.Get("tag"); tag != "two" {
			t.Errorf("BYE to %q", tag)
		}
		peer.reply(bye, 200, "", "")
		time.Sleep(time.Second)
		if c.State() != phone.Answered {
			t.Error(c.State())
		}
	})
}

func TestTimerTooSmall(t *testing.T) {
	withPeer(t, func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) {
		_, _ = p.Dial(ctx, "bob", phone.DialOptions{SessionExpires: 100 * time.Second, Refresher: "uac"})
		first := peer.expect("INVITE")
		peer.reply(first, 422, "b", "", "Min-SE: 200")
		peer.expect("ACK")
		second := peer.expect("INVITE")
		if second.GetHeader("Session-Expires").Value() != "200;refresher=uac" || second.GetHeader("Min-SE").Value() != "200" ||
			second.CSeq().SeqNo != first.CSeq().SeqNo+1 {
			t.Errorf("%s", second.String())
		}
		peer.reply(second, 486, "b", "")
		peer.expect("ACK")
	})
}

// TestCancelCrossesAnswer: the 200 was on its way when the caller gave up.
func TestCancelCrossesAnswer(t *testing.T) {
	withPeer(t, func(t *testing.T, p *phone.Phone, peer *peer, ctx context.Context) {
		c, _ := p.Dial(ctx, "bob", phone.DialOptions{})
		invite := peer.expect("INVITE")
		done := make(chan error)
		go func() { done <- c.Cancel(ctx) }()
		time.Sleep(100 * time.Millisecond)
		peer.reply(invite, 200, "b", answerSDP)
		peer.expect("ACK")
		peer.reply(peer.expect("BYE"), 200, "", "")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestInviteDigest answers 407 and expects another INVITE with credentials,
// a greater number and the same Call-ID.
func TestInviteDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		conn, _ := n.Host("10.0.0.2").ListenPacket("udp", "10.0.0.2:5060")
		peer := &peer{t, conn}
		p := start(t, on(n.Host("10.0.0.1"), phone.Config{
			Address: "10.0.0.1:5060", Server: "10.0.0.2:5060", User: "alice", Password: "x", Domain: "test",
		}))
		defer p.Close()
		c, _ := p.Dial(t.Context(), "bob", phone.DialOptions{})
		first := peer.expect("INVITE")
		challenge := `Proxy-Authenticate: Digest realm="test", nonce="%s", algorithm=%s, qop="auth"`
		peer.reply(first, 407, "b", "", fmt.Sprintf(challenge, "md5nonce", "MD5"), fmt.Sprintf(challenge, "shanonce", "SHA-256"))
		peer.expect("ACK")
		second := peer.expect("INVITE")
		auth := second.GetHeader("Proxy-Authorization").Value()
		if !strings.Contains(auth, `nonce="shanonce"`) || second.CSeq().SeqNo != 2 || second.CallID().Value() != first.CallID().Value() {
			t.Errorf("%s", second.String())
		}
		peer.reply(second, 407, "b", "", fmt.Sprintf(challenge, "another", "SHA-256"))
		peer.expect("ACK")
		if err := c.Answered(t.Context()); err == nil || !strings.Contains(err.Error(), "407") {
			t.Errorf("refused credentials: %v", err)
		}
	})
}

package sip

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// ladderINVITE has everything that is kept, left out and hidden.
const ladderINVITE = "INVITE sip:+74950000000:geheim@10.0.0.1 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP 10.0.0.3;branch=z9hG4bK2\r\n" +
	"From: \"Анна\" <sip:101:geheim@acme.test>;tag=a\r\nTo: <sip:102@acme.test>\r\nCall-ID: a:b:c@host\r\nCSeq: 1 INVITE\r\n" +
	"Contact: <sip:101:geheim@10.0.0.2:5060;x=1>\r\nMax-Forwards: 70\r\nUser-Agent: raw\r\nX-Token: geheim\r\nSession-Expires: 1800\r\n" +
	"Authorization: Digest username=\"101\", nonce=\"geheim\", response=\"geheim\"\r\nProxy-Authorization: Digest response=\"geheim\"\r\n" +
	"Content-Type: application/sdp\r\nContent-Length: 170\r\n\r\n"

const ladderSDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nk=clear:geheim\r\nm=audio 4000 RTP/AVP 8\r\n" +
	"a=rtpmap:8 PCMA/8000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:geheim\r\na=sendonly\r\na=ptime:20\r\n"

func parsed(t testing.TB, text string) msg.Message {
	t.Helper()
	m, err := msg.NewParser(msg.WithHeadersParsers(headersParsers())).ParseSIP([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTrim(t *testing.T) {
	m := parsed(t, strings.Replace(ladderINVITE, "170", fmt.Sprint(len(ladderSDP)), 1)+ladderSDP)
	got := string(trim(nil, m))
	for _, want := range []string{
		"INVITE sip:+74950000000:******@10.0.0.1 SIP/2.0\n", "branch=z9hG4bK1", "tag=a\n", "Call-ID: a:b:c@host\n", "CSeq: 1 INVITE\n",
		"<sip:101:******@10.0.0.2:5060;x=1>", "User-Agent: raw\n", "Session-Expires: 1800\n",
		"Authorization: (not kept)\n", "Proxy-Authorization: (not kept)\n",
		"\n\nc=IN IP4 10.0.0.2\nm=audio 4000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendonly\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	for _, never := range []string{"geheim", "z9hG4bK2", "X-Token", "Max-Forwards", "o=-", "crypto", "\r"} {
		if strings.Contains(got, never) {
			t.Errorf("%q is kept in\n%s", never, got)
		}
	}
}

// TestTrimBounds: what a peer makes large costs it lines, not us memory.
func TestTrimBounds(t *testing.T) {
	huge := strings.Replace(ladderINVITE, "User-Agent: raw", "User-Agent: "+strings.Repeat("x", 5000)+strings.Repeat("\r\nReason: "+strings.Repeat("y", 400), 20), 1)
	got := trim(nil, parsed(t, strings.Replace(huge, "Content-Length: 170", "Content-Length: 0", 1)))
	if len(got) > maxRungBytes || !strings.Contains(string(got), "CSeq: 1 INVITE\n") {
		t.Errorf("%d bytes:\n%s", len(got), got)
	}
}

func FuzzMaskPasswords(f *testing.F) {
	f.Add("<sip:a:b@c>")
	f.Add("sips:a@[::1]:5061;x=sip:a:b:c@d")
	f.Fuzz(func(t *testing.T, s string) {
		line := []byte(s)
		maskPasswords(line)
		if len(line) != len(s) || !strings.Contains(s, "@") && string(line) != s {
			t.Fatalf("%q became %q", s, line)
		}
	})
}

func FuzzTrim(f *testing.F) {
	f.Add(ladderINVITE + ladderSDP)
	f.Add("SIP/2.0 200 OK\r\nv: SIP/2.0/UDP a\r\nf: <sip:a@b>;tag=1\r\nt: <sip:a@b>\r\ni: 1\r\nCSeq: 1 BYE\r\nl: 0\r\n\r\n")
	p := msg.NewParser(msg.WithHeadersParsers(headersParsers()))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := p.ParseSIP([]byte(text))
		if err != nil {
			return
		}
		if got := trim(nil, m); len(got) > maxRungBytes || strings.Count(string(got), "\n\n") > 1 || strings.ContainsAny(string(got), "\r\x00") {
			t.Fatalf("%q was trimmed to %q", text, got)
		}
	})
}

// TestLadderBounds: the beginning and the end of a long leg are kept.
func TestLadderBounds(t *testing.T) {
	l := &Leg{}
	m := parsed(t, strings.Replace(ladderINVITE, "Content-Length: 170", "Content-Length: 0", 1)).(*msg.Request)
	var work sync.WaitGroup
	work.Go(func() { l.Ladder() })
	for i := range 200 {
		m.CSeq().SeqNo = uint32(i)
		l.in("udp", "10.0.0.2:5060", m)
	}
	work.Wait()
	list := l.Ladder()
	has := func(i int, seq int) bool {
		return slices.Contains(list[i].Headers, fmt.Sprintf("CSeq: %d INVITE", seq))
	}
	if len(list) != maxRungs || !has(0, 0) || !has(31, 31) || !has(32, 168) || !has(63, 199) || list[32].LeftOut != 136 {
		t.Errorf("%d messages, %d left out; %q %q", len(list), list[32].LeftOut, list[32].Headers, list[63].Headers)
	}
}

// steps gives a ladder in short: direction and start of each message.
func steps(list []pbx.Message) string {
	var s []string
	for _, m := range list {
		start := strings.TrimPrefix(m.Start, "SIP/2.0 ")
		start, _, _ = strings.Cut(start, " ")
		s = append(s, m.Dir+" "+start)
	}
	return strings.Join(s, ", ")
}

func TestLadderOfCalls(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("BYE", 2, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
		<-l.Done()
		list := l.Ladder()
		if got := steps(list); got != "in INVITE, out 100, out 200, in ACK, in BYE, out 200" {
			t.Error(got)
		}
		first, last := list[0], list[len(list)-1]
		if first.Leg != l.ID || first.Transport != "udp" || first.From != peerAddr || first.To != pbxAddr || last.From != pbxAddr || last.To != peerAddr || len(first.SDP) == 0 {
			t.Errorf("first %+v, last %+v", first, last)
		}
	})
	inBubble(t, nil, func(r *legRig) {
		l, _, _ := r.pickedUp()
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		r.peer.reply(r.peer.want("BYE"), "200 OK", "", "")
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
		<-l.Done()
		if got := steps(l.Ladder()); got != "out INVITE, in 200, out ACK, out BYE, in 200" {
			t.Error(got)
		}
	})
	inBubble(t, nil, func(r *legRig) { // a challenge, a refusal, and its ACK
		l := r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "486 Busy Here", "b1", "")
		r.endedBy(pbx.PartyCallee, pbx.Busy, 486)
		<-l.Done()
		if got := steps(l.Ladder()); got != "out INVITE, in 486, out ACK" {
			t.Error(got)
		}
		r.peer.want("ACK")
	})
	inBubble(t, nil, func(r *legRig) { // a call that is cancelled
		c := r.peer.newCall()
		c.sendBranch("z9hG4bKx", "INVITE", 1, offerSDP)
		l := r.leg()
		l.Ring(180, nil)
		r.peer.want("SIP/2.0 180")
		c.sendBranch("z9hG4bKx", "CANCEL", 1, "")
		r.endedBy(pbx.PartyCaller, pbx.Cancelled, 487)
		time.Sleep(time.Second)
		if got := steps(l.Ladder()); got != "in INVITE, out 100, out 180, in CANCEL, out 200, out 487" {
			t.Error(got)
		}
	})
}

// BenchmarkLadder is what a ladder costs per message.
func BenchmarkLadder(b *testing.B) {
	m := parsed(b, strings.Replace(ladderINVITE, "170", fmt.Sprint(len(ladderSDP)), 1)+ladderSDP)
	b.ReportAllocs()
	var l *Leg
	for i := 0; b.Loop(); i++ {
		if i%10 == 0 {
			l = &Leg{}
		}
		l.in("udp", "10.0.0.2:5060", m)
	}
}

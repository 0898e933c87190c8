package sip

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"vpbx/pbx"
)

// rfc5118 are the messages of RFC 5118 §4, with what the RFC asks for: those
// that are well-formed are understood (401 asks for credentials), the one of
// §4.2 is refused with 400.
var rfc5118 = []struct {
	name, text string
	want       int
}{
	{"4.1 valid SIP message with an IPv6 reference", `REGISTER sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::1]>
CSeq: 98176 REGISTER
Content-Length: 0

`, 401},
	{"4.2 invalid SIP message with an IPv6 reference", `REGISTER sip:2001:db8::10 SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::1]>
CSeq: 98176 REGISTER
Content-Length: 0

`, 400},
	{"4.3 port ambiguous in a SIP URI", `REGISTER sip:[2001:db8::10:5070] SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::1]>
Max-Forwards: 70
CSeq: 98176 REGISTER
Content-Length: 0

`, 401},
	{"4.4 port unambiguous in a SIP URI", `REGISTER sip:[2001:db8::10]:5070 SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::1]>
Max-Forwards: 70
CSeq: 98176 REGISTER
Content-Length: 0

`, 401},
	{"4.5 IPv6 reference delimiters in received", `BYE sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com;tag=bd76ya
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
CSeq: 321 BYE
Content-Length: 0

`, 481},
	{"4.5 without delimiters", `OPTIONS sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3
Call-ID: SSG95523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
CSeq: 921 OPTIONS
Content-Length: 0

`, 200},
	{"4.6 a SIP request with IPv6 addresses in SDP", `INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::20]>
CSeq: 8612 INVITE
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: @

v=0
o=assistant 971731711378798081 0 IN IP6 2001:db8::20
s=Live video feed for today's meeting
c=IN IP6 2001:db8::20
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
`, 401},
	{"4.7 multiple IP addresses in SIP headers", `BYE sip:user@host.example.net SIP/2.0
Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144
Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200
Call-ID: 997077@lau_4100
Max-Forwards: 70
CSeq: 89187 BYE
To: sip:user@example.net;tag=9817--94
From: sip:user@example.com;tag=81x2
Content-Length: 0

`, 481},
	{"4.8 multiple IP addresses in SDP", `INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
Max-Forwards: 70
CSeq: 8912 INVITE
Content-Type: application/sdp
Content-Length: @

v=0
o=bob 280744730 28977631 IN IP4 host.example.com
s=
t=0 0
m=audio 22334 RTP/AVP 0
c=IN IP4 192.0.2.1
m=video 6024 RTP/AVP 107
c=IN IP6 2001:db8::1
a=rtpmap:107 H263-1998/90000
`, 401},
	{"4.9 IPv4-mapped IPv6 addresses", `INVITE sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:user@east.example.com;tag=81x2
Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19
Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "T. desk phone" <sip:ted@[::ffff:192.0.2.2]>
CSeq: 612 INVITE
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: @

v=0
o=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2
s=Call me soon, please!
c=IN IP6 ::ffff:192.0.2.2
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
`, 401},
	{"4.10 IPv6 reference bug in the grammar of RFC 3261", `OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0
To: sip:user@[2001:db8:::192.0.2.1]
From: sip:user@example.com;tag=810x2
Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111
Call-ID: G9559905523997077@hlau_4100
CSeq: 689 OPTIONS
Max-Forwards: 70
Content-Length: 0

`, 200},
}

// TestRFC5118 sends the IPv6 torture messages over UDP and TCP, from the
// address that each names and from another one.
func TestRFC5118(t *testing.T) {
	for _, tt := range rfc5118 {
		head, body, _ := strings.Cut(strings.ReplaceAll(tt.text, "\n", "\r\n"), "\r\n\r\n")
		text := strings.Replace(head, "Content-Length: @", "Content-Length: "+strconv.Itoa(len(body)), 1) + "\r\n\r\n" + body
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				six := r.net.Host("2001:db8::10")
				c := rigCompany("example", "+74950000003")
				c.Domain = "example.com"
				r.dir = pbx.NewDirectory([]*pbx.Company{c})
				s, err := New(Config{Listen: []Listen{{"udp", "[2001:db8::10]:5060"}, {"tcp", "[2001:db8::10]:5060"}},
					ListenPacket: six.ListenPacket, ListenTCP: six.Listen, Dial: six.Dial, LocalFor: six.LocalFor,
					Directory: r.s.cfg.Directory, Accept: func(*Leg) {}})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Start(); err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				h := r.net.Host("2001:db8::9:1")
				at := 5060
				for _, port := range []int{6050, 19823} {
					if strings.Contains(head, "]:"+strconv.Itoa(port)+";") {
						at = port
					}
				}
				p := newRaw(t, h, "2001:db8::9:1", at)
				if _, err := p.conn.WriteTo([]byte(text), udpAddr("[2001:db8::10]:5060")); err != nil {
					t.Fatal(err)
				}
				if got := p.status(); got != tt.want {
					t.Errorf("UDP: answered with %d, want %d", got, tt.want)
				}
				conn, err := h.Dial(t.Context(), "tcp", "[2001:db8::10]:5060")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				st := newStream(t, conn)
				st.send(text)
				want := tt.want
				if want == 400 {
					want = 0 // what breaks the framing of a stream closes it
				}
				if got := st.status(); got != want {
					t.Errorf("TCP: answered with %d, want %d", got, want)
				}
			})
		})
	}
}

package sip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"vpbx/pbx"
)

// TestEndpoints: the transports of a domain in the order it wishes them
// (RFC 3263 §4.1), of those we have; without NAPTR records the one that has SRV
// records, else UDP.
func TestEndpoints(t *testing.T) {
	udp := NAPTR{Order: 50, Preference: 50, Flags: "s", Service: "SIP+D2U", Replacement: "_sip._udp.x.test."}
	tcp := NAPTR{Order: 50, Preference: 10, Flags: "S", Service: "sip+d2t", Replacement: "_sip._tcp.x.test."}
	tls := NAPTR{Order: 10, Preference: 90, Flags: "s", Service: "SIPS+D2T", Replacement: "other.test."}
	srv := map[string][]*net.SRV{
		"  _sip._udp.x.test": {{Target: "b.test.", Port: 5070}},
		"  _sip._tcp.x.test": {{Target: "a.test.", Port: 5060, Priority: 2}, {Target: "b.test.", Port: 5080, Priority: 1}},
		"  other.test":       {{Target: "a.test.", Port: 5061}},
		"sip tcp plain.test": {{Target: "a.test.", Port: 7000}},
	}
	for _, tt := range []struct {
		name    string
		way     way
		records []NAPTR
		err     error
		have    string
		want    string
	}{
		{"all", way{"", "x.test"}, []NAPTR{udp, tcp, tls}, nil, "udp tcp tls", "tls 10.0.0.1:5061, tcp 10.0.0.2:5080, tcp 10.0.0.1:5060, udp 10.0.0.2:5070"},
		{"no TLS here", way{"", "x.test"}, []NAPTR{udp, tcp, tls}, nil, "udp tcp", "tcp 10.0.0.2:5080, tcp 10.0.0.1:5060, udp 10.0.0.2:5070"},
		{"only UDP here", way{"", "x.test"}, []NAPTR{udp, tcp, tls}, nil, "udp", "udp 10.0.0.2:5070"},
		{"others' services", way{"", "plain.test"}, []NAPTR{{Flags: "u", Service: "E2U+sip", Replacement: "."}, {Flags: "s", Service: "SIPS+D2S", Replacement: "x."}}, nil, "udp tcp", "tcp 10.0.0.1:7000"},
		{"none, SRV of TCP", way{"", "plain.test"}, nil, nil, "udp tcp", "tcp 10.0.0.1:7000"},
		{"none, and no SRV", way{"", "a.test"}, nil, &net.DNSError{IsNotFound: true}, "udp tcp", "udp 10.0.0.1:5060"},
		{"it leads nowhere", way{"", "a.test"}, []NAPTR{{Flags: "s", Service: "SIP+D2T", Replacement: "nowhere.test."}}, nil, "udp tcp", "udp 10.0.0.1:5060"},
		{"name server fails", way{"", "a.test"}, nil, errors.New("no answer"), "udp tcp", "udp 10.0.0.1:5060"},
		{"transport is given", way{"tcp", "a.test:99"}, []NAPTR{udp}, nil, "udp tcp", "tcp 10.0.0.1:99"},
		{"unknown host", way{"", "c.test"}, nil, nil, "udp", ""},
	} {
		c := Config{
			ResolveNAPTR: func(context.Context, string) ([]NAPTR, error) { return tt.records, tt.err },
			ResolveSRV: func(_ context.Context, service, proto, name string) ([]*net.SRV, error) {
				if l, ok := srv[service+" "+proto+" "+name]; ok {
					return l, nil
				}
				return nil, &net.DNSError{IsNotFound: true}
			},
			Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
				switch host {
				case "a.test":
					return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
				case "b.test":
					return []netip.Addr{netip.MustParseAddr("10.0.0.2")}, nil
				}
				return nil, errors.New("no such host")
			},
		}
		var n names
		n.init(&c)
		for range 2 { // the second time out of memory
			found, err := n.endpoints(t.Context(), tt.way, func(s string) bool { return strings.Contains(tt.have, s) })
			var got []string
			for _, e := range found {
				got = append(got, e.transport+" "+e.addr.String())
			}
			if strings.Join(got, ", ") != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("%s: %v, %v; want %s", tt.name, got, err, tt.want)
			}
		}
	}
}

// TestTrunkWithoutTransport: an INVITE goes by the transport that the records
// say, and on to the next one when nobody takes it there; URIs name none.
func TestTrunkWithoutTransport(t *testing.T) {
	inBubble(t, func(c *Config, company *pbx.Company) {
		company.Trunks[0].Transport, company.Trunks[0].Host = "", "carrier.test"
		c.ResolveNAPTR = func(context.Context, string) ([]NAPTR, error) {
			return []NAPTR{{Order: 2, Flags: "s", Service: "SIP+D2U", Replacement: "u"}, {Order: 1, Flags: "s", Service: "SIP+D2T", Replacement: "t"}}, nil
		}
		c.ResolveSRV = func(context.Context, string, string, string) ([]*net.SRV, error) {
			return []*net.SRV{{Target: "host.test", Port: 5060}}, nil
		}
		c.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.0.0.2")}, nil
		}
	}, func(r *legRig) {
		_, err := r.s.Locate(context.Background(), r.trunk())
		if err != nil {
			t.Fatal(err)
		}
		l := r.dial()
		inv := r.peer.want("INVITE sip:+79160000001@carrier.test SIP/2.0")
		r.peer.reply(inv, "200 OK", "b1", offerSDP)
		r.peer.want("ACK")
		event[PickedUp](r)
		l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
		r.peer.reply(r.peer.want("BYE"), "200 OK", "", "")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

// data writes the data of a NAPTR record.
func (r NAPTR) data(regexp string) []byte {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, r.Order), r.Preference)
	for _, s := range []string{r.Flags, r.Service, regexp} {
		b = append(append(b, byte(len(s))), s...)
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(r.Replacement, "."), ".") {
		if l != "" {
			b = append(append(b, byte(len(l))), l...)
		}
	}
	return append(b, 0)
}

// naptrAnswer answers a question with records, as a name server does.
func naptrAnswer(question []byte, rcode dnsmessage.RCode, truncated bool, records ...NAPTR) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil
	}
	m.Response, m.RCode, m.Truncated = true, rcode, truncated
	name := m.Questions[0].Name
	m.Answers = append(m.Answers, dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 60}, Body: &dnsmessage.AResource{A: [4]byte{1, 2, 3, 4}}})
	for _, r := range records {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Type: typeNAPTR, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.UnknownResource{Type: typeNAPTR, Data: r.data("")}})
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// TestAskNAPTR: a name server on loopback is understood, over TCP when its answer
// is too long for UDP.
func TestAskNAPTR(t *testing.T) {
	want := []NAPTR{{10, 20, "s", "SIP+D2U", "_sip._udp.example.com."}, {65535, 0, "s", "SIPS+D2T", "_sips._tcp.example.com."}}
	for _, tt := range []struct {
		name      string
		rcode     dnsmessage.RCode
		truncated bool
		want      []NAPTR
		missing   bool
		fails     bool
	}{
		{"records", dnsmessage.RCodeSuccess, false, want, false, false},
		{"over TCP", dnsmessage.RCodeSuccess, true, want, false, false},
		{"none", dnsmessage.RCodeSuccess, false, nil, false, false},
		{"no such name", dnsmessage.RCodeNameError, false, nil, true, true},
		{"server failure", dnsmessage.RCodeServerFailure, false, nil, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			u, err := net.ListenPacket("udp", l.Addr().String())
			if err != nil {
				t.Skip("the UDP port is taken:", err)
			}
			defer u.Close()
			go func() {
				b := make([]byte, 1024)
				for {
					n, from, err := u.ReadFrom(b)
					if err != nil {
						return
					}
					records := tt.want
					if tt.truncated {
						records = nil
					}
					u.WriteTo(naptrAnswer(b[:n], tt.rcode, tt.truncated, records...), from)
				}
			}()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					b := make([]byte, 1024)
					io.ReadFull(c, b[:2])
					n, _ := io.ReadFull(c, b[:binary.BigEndian.Uint16(b)])
					a := naptrAnswer(b[:n], tt.rcode, false, tt.want...)
					c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
					c.Close()
				}
			}()
			got, err := askNAPTR(t.Context(), l.Addr().String(), "example.com")
			if !reflect.DeepEqual(got, tt.want) || (err != nil) != tt.fails || notFound(err) != tt.missing {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// TestForgedAnswer: an answer to another question is none.
func TestForgedAnswer(t *testing.T) {
	q, id, err := questionNAPTR("example.com")
	if err != nil {
		t.Fatal(err)
	}
	good := naptrAnswer(q, dnsmessage.RCodeSuccess, false, NAPTR{Flags: "s"})
	if found, _, err := parseNAPTR(good, id, "Example.COM."); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	for i, f := range []func() ([]NAPTR, bool, error){
		func() ([]NAPTR, bool, error) { return parseNAPTR(good, id+1, "example.com") },
		func() ([]NAPTR, bool, error) { return parseNAPTR(good, id, "example.org") },
		func() ([]NAPTR, bool, error) { return parseNAPTR(q, id, "example.com") },
		func() ([]NAPTR, bool, error) { return parseNAPTR(good[:len(good)-3], id, "example.com") },
		func() ([]NAPTR, bool, error) { return parseNAPTR(nil, id, "example.com") },
	} {
		if found, _, err := f(); err == nil {
			t.Errorf("%d: %v", i, found)
		}
	}
}

func TestNameServers(t *testing.T) {
	got := nameServers("# x\nnameserver 192.0.2.1\noptions ndots:1\nnameserver\n nameserver 2001:db8::1\nnameserver 1.1.1.1\nnameserver 2.2.2.2\n")
	if fmt.Sprint(got) != "[192.0.2.1:53 [2001:db8::1]:53 1.1.1.1:53]" {
		t.Errorf("%v", got)
	}
}

// FuzzNAPTR: no answer breaks the reader; the names it gives are names.
func FuzzNAPTR(f *testing.F) {
	q, _, _ := questionNAPTR("example.com")
	f.Add(naptrAnswer(q, dnsmessage.RCodeSuccess, false, NAPTR{1, 2, "s", "SIP+D2U", "_sip._udp.example.com."}), NAPTR{1, 2, "u", "E2U+sip", "."}.data("!^.*$!sip:a@b!"))
	f.Fuzz(func(t *testing.T, answer, data []byte) {
		id := uint16(0)
		if len(answer) > 1 {
			id = binary.BigEndian.Uint16(answer)
		}
		found, _, _ := parseNAPTR(answer, id, "example.com")
		if r, ok := readNAPTR(data); ok {
			found = append(found, r)
		}
		for _, r := range found {
			if len(r.Replacement) >= 255 || strings.ContainsAny(r.Replacement, " \r\n:/@") {
				t.Errorf("%q", r.Replacement)
			}
		}
	})
}

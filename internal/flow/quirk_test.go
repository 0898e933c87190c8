package flow

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// message is a SIP message taken apart, to be changed on its way out.
type message struct {
	start   string
	headers []string
	body    string
}

// quirks are the ways of real phones, carriers and proxies, by the names that a
// script uses. A quirk changes what its owner sends, just before it is sent.
var quirks = map[string]func(m *message){
	// A REGISTER now and then without credentials, counted from 1 again.
	"forgetful": func(m *message) {
		if m.is("REGISTER") {
			m.drop("Authorization")
			m.replace("CSeq", "1 REGISTER")
		}
	},
	// A registrar that tells us our Contact as it likes to see it, beside one that
	// somebody else has left there.
	"rewrites-contacts": func(m *message) {
		for i, h := range m.headers {
			if v, ok := strings.CutPrefix(h, "Contact: "); ok && strings.Contains(m.value("CSeq"), "REGISTER") {
				user, expires := contactParts.ReplaceAllString(v, "$1"), contactParts.ReplaceAllString(v, "$2")
				m.headers[i] = "Contact: <sip:old@192.0.2.99>;expires=3000, <SIP:" + user + "@203.0.113.77:61234;transport=UDP;nat=yes>;q=0.5;expires=" + expires
			}
		}
	},
	// The user part of the Contact is no number, its port is nobody's.
	"contact-id": func(m *message) {
		if v := m.value("Contact"); v != "" {
			m.replace("Contact", contactHost.ReplaceAllString(v, "<sip:user-0x7f3a9c40@$1:49152$2"))
		}
	},
	// sips: and transport=tcp in the Contact of a phone on TLS.
	"sips-contact": func(m *message) {
		v := strings.Replace(m.value("Contact"), "<sip:", "<sips:", 1)
		if v != "" {
			m.replace("Contact", strings.Replace(v, "transport=tls", "transport=tcp", 1))
		}
	},
	"ack-without-max-forwards": func(m *message) {
		if m.is("ACK") {
			m.drop("Max-Forwards")
		}
	},
	// Hold as RFC 2543 had it, in both families, and by a=inactive.
	"hold-by-zero":     func(m *message) { m.hold("c=IN IP4 0.0.0.0", "a=sendrecv") },
	"hold-by-zero6":    func(m *message) { m.hold("c=IN IP6 ::", "a=sendrecv") },
	"hold-by-nothing":  func(m *message) { m.hold("c=IN IP4 0.0.0.0", "") },
	"hold-by-inactive": func(m *message) { m.hold("", "a=inactive") },
	// The last line of a description ends without a line break.
	"open-sdp": func(m *message) { m.body = strings.TrimSuffix(m.body, "\r\n") },
	// The description of a 18x is not that of the 200.
	"early-sdp-differs": func(m *message) {
		if strings.HasPrefix(m.start, "SIP/2.0 18") {
			m.body = audioPort.ReplaceAllString(m.body, "m=audio 9 ")
			m.body = strings.Replace(m.body, "o=- ", "o=early ", 1)
		}
	},
	// An answer without a description, and one that nobody can read.
	"answers-without-sdp": func(m *message) {
		if strings.HasPrefix(m.start, "SIP/2.0 200") && strings.Contains(m.value("CSeq"), "INVITE") {
			m.body = ""
			m.drop("Content-Type")
		}
	},
	"answers-with-nonsense": func(m *message) {
		if strings.HasPrefix(m.start, "SIP/2.0 200") && strings.Contains(m.value("CSeq"), "INVITE") {
			m.body = "v=0\r\nm=audio x\r\n"
		}
	},
	// A BYE with the number of a request before it: a call that is over for the
	// books of some, and goes on.
	"old-bye": func(m *message) {
		if m.is("BYE") {
			m.replace("CSeq", "1 BYE")
		}
	},
}

var (
	contactParts = regexp.MustCompile(`^<sip:([^@]+)@[^>]*>;expires=(\d+)$`)
	contactHost  = regexp.MustCompile(`<sip:[^@>]*@([0-9.]+)(?::\d+)?([^>]*>)`)
	audioPort    = regexp.MustCompile(`m=audio \d+ `)
	connection   = regexp.MustCompile(`c=IN IP4 [0-9.]+`)
)

func (m *message) is(method string) bool { return strings.HasPrefix(m.start, method+" ") }

// value is that of the first header with a name.
func (m *message) value(name string) string {
	for _, h := range m.headers {
		if v, ok := strings.CutPrefix(h, name+": "); ok {
			return v
		}
	}
	return ""
}

func (m *message) replace(name, value string) {
	for i, h := range m.headers {
		if strings.HasPrefix(h, name+": ") {
			m.headers[i] = name + ": " + value
		}
	}
}

func (m *message) drop(name string) {
	m.headers = slices.DeleteFunc(m.headers, func(h string) bool { return strings.HasPrefix(h, name+": ") })
}

// hold writes the hold of an offer in another way.
func (m *message) hold(address, direction string) {
	if !m.is("INVITE") || !strings.Contains(m.body, "a=sendonly\r\n") {
		return
	}
	if direction != "" {
		direction += "\r\n"
	}
	m.body = strings.Replace(m.body, "a=sendonly\r\n", direction, 1)
	if address != "" {
		m.body = connection.ReplaceAllString(m.body, address)
	}
}

// mangle is a quirk as a phone wants it.
func mangle(change func(m *message)) func(raw []byte) []byte {
	return func(raw []byte) []byte {
		head, body, ok := strings.Cut(string(raw), "\r\n\r\n")
		if !ok {
			return raw
		}
		lines := strings.Split(head, "\r\n")
		m := message{lines[0], lines[1:], body}
		change(&m)
		m.replace("Content-Length", fmt.Sprint(len(m.body)))
		return []byte(m.start + "\r\n" + strings.Join(m.headers, "\r\n") + "\r\n\r\n" + m.body)
	}
}

// takeUp gives an agent a quirk.
func (a *agent) takeUp(name string) error {
	change, ok := quirks[name]
	if !ok {
		return fmt.Errorf("%s is no quirk; there are %s", name, strings.Join(slices.Sorted(maps.Keys(quirks)), ", "))
	}
	a.quirk.Store(&quirk{name: name, change: mangle(change)})
	return nil
}

// quirk is one that an agent has.
type quirk struct {
	name   string
	change func(raw []byte) []byte
	shown  atomic.Bool // something that was sent was changed
}

// say is what an agent sends in the place of raw.
func (a *agent) say(raw []byte) []byte {
	q := a.quirk.Load()
	if q == nil {
		return raw
	}
	odd := q.change(raw)
	if !bytes.Equal(odd, raw) {
		q.shown.Store(true)
	}
	return odd
}

// checkQuirk makes sure that the quirk of an agent was seen: else the flow says
// nothing about it.
func (a *agent) checkQuirk() error {
	if q := a.quirk.Load(); q != nil && !q.shown.Load() {
		return fmt.Errorf("%s never showed its quirk %s", a.name, q.name)
	}
	return nil
}

// saidIn is what a description says of the session, in words.
func saidIn(sdp []byte) string {
	var said []string
	for line := range strings.SplitSeq(string(sdp), "\r\n") {
		switch {
		case strings.HasPrefix(line, "o="):
			said = append(said, "version "+strings.Fields(line)[2])
		case strings.HasPrefix(line, "c="), line == "a=sendrecv", line == "a=sendonly", line == "a=recvonly", line == "a=inactive":
			said = append(said, line)
		}
	}
	return strings.Join(said, ", ")
}

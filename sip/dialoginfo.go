package sip

import (
	"encoding/xml"
	"fmt"
	"strings"

	"vpbx/pbx"
)

// scene is all there is to tell of a watched number at one moment.
type scene struct {
	number  string
	domain  string
	calls   []pbx.DialogState
	mailbox pbx.Mailbox
	known   bool // there is a phone registered for it
	dnd     bool // its owner does not want to be disturbed
}

// maxDialogs bounds the calls of one number that are told.
const maxDialogs = 16

// tell is the content of a NOTIFY of an event package, without what differs
// from one NOTIFY to the next: see [dialogInfo].
func (s *scene) tell(event string) string {
	switch event {
	case eventDialog:
		return s.dialogs()
	case eventPeople:
		return s.person()
	}
	return s.summary()
}

// uri is the address of a number of the company.
func (s *scene) uri(number string) string {
	return "sip:" + escapeUser(number) + "@" + s.domain
}

// dialogs lists the calls of the number (RFC 4235 §4.1). A number without
// calls has one that is over: some phones take an empty list for no news.
func (s *scene) dialogs() string {
	var b strings.Builder
	for i, d := range s.calls[:min(len(s.calls), maxDialogs)] {
		s.dialog(&b, i, d)
	}
	switch {
	case len(s.calls) > 0:
	case s.dnd:
		fmt.Fprintf(&b, "<dialog id=\"%s\"><state>confirmed</state></dialog>\n", escapeXML(s.number))
	default:
		fmt.Fprintf(&b, "<dialog id=\"%s\"><state>terminated</state></dialog>\n", escapeXML(s.number))
	}
	return b.String()
}

func (s *scene) dialog(b *strings.Builder, n int, d pbx.DialogState) {
	id := d.ID
	if id == "" {
		id = fmt.Sprint(n)
	}
	fmt.Fprintf(b, `<dialog id="%s"`, escapeXML(id))
	for _, a := range []struct{ name, value string }{{"call-id", d.CallID}, {"local-tag", d.LocalTag}, {"remote-tag", d.RemoteTag}} {
		if a.value != "" {
			fmt.Fprintf(b, ` %s="%s"`, a.name, escapeXML(a.value))
		}
	}
	direction := "recipient"
	if d.Initiator {
		direction = "initiator"
	}
	fmt.Fprintf(b, " direction=\"%s\">\n<state>%s</state>\n", direction, escapeXML(string(d.Phase)))
	own := escapeXML(s.uri(s.number))
	fmt.Fprintf(b, `<local><identity>%s</identity><target uri="%s">`, own, own)
	if d.Held { // RFC 4235 §4.1.6.2, RFC 3840 §10.18
		b.WriteString(`<param pname="+sip.rendering" pval="no"/>`)
	}
	b.WriteString("</target></local>\n")
	if d.Remote != "" {
		uri := escapeXML(s.uri(d.Remote))
		fmt.Fprintf(b, "<remote><identity%s>%s</identity><target uri=\"%s\"/></remote>\n", displayOf(d.RemoteName), uri, uri)
	}
	b.WriteString("</dialog>\n")
}

func displayOf(name string) string {
	if name = clean(name); name == "" {
		return ""
	}
	return ` display="` + escapeXML(name) + `"`
}

// dialogInfo makes the document of a NOTIFY (RFC 4235 §4.1): the full state
// each time, with a version that grows.
func dialogInfo(entity string, version uint32, dialogs string) string {
	return xml.Header + fmt.Sprintf(`<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="%d" state="full" entity="%s">`, version, escapeXML(entity)) +
		"\n" + dialogs + "</dialog-info>\n"
}

// person is the presence document of the number (RFC 3863 §4.1, RFC 4480
// §3.2): open while a phone is registered and its owner may be disturbed.
func (s *scene) person() string {
	basic, note, activity := "open", "Ready", ""
	switch {
	case !s.known:
		basic, note = "closed", "Unregistered"
	case s.dnd:
		basic, note, activity = "closed", "Do not disturb", "busy"
	case s.talks():
		note, activity = "On the phone", "on-the-phone"
	}
	own := escapeXML(s.uri(s.number))
	var b strings.Builder
	b.WriteString(xml.Header + `<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" ` +
		`xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="` + own + "\">\n")
	fmt.Fprintf(&b, "<tuple id=\"phone\"><status><basic>%s</basic></status><contact>%s</contact><note>%s</note></tuple>\n", basic, own, note)
	if activity != "" {
		fmt.Fprintf(&b, "<dm:person id=\"owner\"><rpid:activities><rpid:%s/></rpid:activities></dm:person>\n", activity)
	}
	b.WriteString("</presence>\n")
	return b.String()
}

// talks says whether one of the calls is more than ringing.
func (s *scene) talks() bool {
	for _, d := range s.calls {
		if d.Initiator || d.Phase == pbx.DialogConfirmed {
			return true
		}
	}
	return false
}

// summary is the message summary of the number (RFC 3842 §3.5, §5.2).
func (s *scene) summary() string {
	waiting := "no"
	if s.mailbox.New > 0 {
		waiting = "yes"
	}
	return fmt.Sprintf("Messages-Waiting: %s\r\nMessage-Account: %s\r\nVoice-Message: %d/%d\r\n",
		waiting, s.uri(s.number), max(s.mailbox.New, 0), max(s.mailbox.Old, 0))
}

// escapeXML makes text fit for XML content and attribute values. What XML 1.0
// cannot hold, control characters and broken UTF-8, becomes U+FFFD.
func escapeXML(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

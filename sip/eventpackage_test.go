package sip

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"vpbx/pbx"
)

func TestParseEvent(t *testing.T) {
	for _, c := range []struct {
		text string
		want eventType
		ok   bool
	}{
		{"dialog", eventType{"dialog", ""}, true},
		{" Dialog ; sla ; include-session-description", eventType{"dialog", ""}, true},
		{"dialog;ID=a4", eventType{"dialog", "a4"}, true},
		{"message-summary;id = 7", eventType{"message-summary", "7"}, true},
		{"presence.winfo", eventType{"presence.winfo", ""}, true},
		{"", eventType{}, false},
		{";id=1", eventType{}, false},
		{"dia log", eventType{}, false},
		{"dialog;id=", eventType{}, false},
		{"dialog;id=1;id=2", eventType{}, false},
		{"dialog;id=<a>", eventType{}, false},
		{"dialog;id=" + strings.Repeat("a", 65), eventType{}, false},
		{strings.Repeat("d", 65), eventType{}, false},
	} {
		got, err := parseEvent(c.text)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
}

// FuzzParseEvent: what is read can stand in a header, and reads the same again.
func FuzzParseEvent(f *testing.F) {
	for _, s := range []string{"dialog;id=1", "presence", "dialog;id=\"x\"", ";;=;id", "d\r\nX: y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseEvent(s)
		if err != nil {
			return
		}
		again, err := parseEvent(e.String())
		if err != nil || again != e || control(e.String()) || len(e.String()) > 200 {
			t.Errorf("%q gives %+v, then %+v, %v", s, e, again, err)
		}
	})
}

func TestAcceptsType(t *testing.T) {
	for _, c := range []struct {
		list string
		want bool
	}{
		{"application/pidf+xml", true},
		{"text/html, Application/PIDF+xml;q=0.5", true},
		{"*/*", true},
		{"application/*;q=0.1", true},
		{"application/pidf+xml;q=0", false},
		{"application/pidf+xml;q=0.000", false},
		{"application/pidf+xml;q=", true},
		{"text/*", false},
		{"", false},
		{",;,", false},
	} {
		if got := acceptsType(c.list, bodies[eventPeople]); got != c.want {
			t.Errorf("%q: %t", c.list, got)
		}
	}
}

// FuzzAcceptsType: an Accept header of whatever length and kind is read and
// ends nothing (CVE-2018-7284).
func FuzzAcceptsType(f *testing.F) {
	for _, s := range []string{"*/*", "application/*;q=0", strings.Repeat("a/b,", 100), ";;;,,,q=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if acceptsType(s, "a/b") && !strings.ContainsAny(s, "/") {
			t.Errorf("%q is accepted", s)
		}
	})
}

func TestTextKind(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"text/plain", "text/plain"},
		{" Text/Plain ; charset=\"UTF-8\"", "text/plain;charset=UTF-8"},
		{"text/plain; charset=a b", "text/plain"},
		{"text/plain; format=flowed", "text/plain"},
		{"text/html", ""},
		{"message/cpim", ""},
		{"", ""},
	} {
		got, ok := textKind(c.text)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q %t", c.text, got, ok)
		}
	}
}

// FuzzTextKind: what goes on is a header of ours.
func FuzzTextKind(f *testing.F) {
	f.Add("text/plain;charset=utf-8")
	f.Add("text/plain;charset=\"x\r\nTo: y\"")
	f.Fuzz(func(t *testing.T, s string) {
		if kind, ok := textKind(s); ok && (!strings.HasPrefix(kind, textType) || control(kind)) {
			t.Errorf("%q gives %q", s, kind)
		}
	})
}

// TestScenes shows what is told of a number.
func TestScenes(t *testing.T) {
	ringing := pbx.DialogState{ID: "l1", Phase: pbx.DialogEarly, CallID: "c@1", LocalTag: "p", RemoteTag: "o", Remote: "+7916", RemoteName: `A <"&'` + "\x01\xff\n"}
	held := pbx.DialogState{ID: "l2", Phase: pbx.DialogConfirmed, Initiator: true, Held: true, Remote: "101"}
	for _, c := range []struct {
		name  string
		scene scene
		event string
		want  []string
	}{
		{"idle", scene{}, eventDialog, []string{`<dialog id="102"><state>terminated</state></dialog>`}},
		{"not to be disturbed", scene{dnd: true}, eventDialog, []string{`<state>confirmed</state>`}},
		{"ringing", scene{calls: []pbx.DialogState{ringing}, dnd: true}, eventDialog, []string{
			`<dialog id="l1" call-id="c@1" local-tag="p" remote-tag="o" direction="recipient">`, "<state>early</state>",
			`<identity display="A &lt;&#34;&amp;&#39;">sip:+7916@acme.test</identity>`}},
		{"on hold", scene{calls: []pbx.DialogState{held}}, eventDialog, []string{
			`direction="initiator"`, "<state>confirmed</state>", `<param pname="+sip.rendering" pval="no"/>`, `<target uri="sip:101@acme.test"/>`}},
		{"two calls", scene{calls: []pbx.DialogState{ringing, held}}, eventDialog, []string{`id="l1"`, `id="l2"`}},
		{"nobody there", scene{}, eventPeople, []string{"<basic>closed</basic>", "Unregistered"}},
		{"there", scene{known: true}, eventPeople, []string{"<basic>open</basic>", "<note>Ready</note>"}},
		{"it rings", scene{known: true, calls: []pbx.DialogState{ringing}}, eventPeople, []string{"<note>Ready</note>"}},
		{"talks", scene{known: true, calls: []pbx.DialogState{held}}, eventPeople, []string{"<basic>open</basic>", "<rpid:on-the-phone/>"}},
		{"closed", scene{known: true, dnd: true}, eventPeople, []string{"<basic>closed</basic>", "<rpid:busy/>"}},
		{"no messages", scene{}, eventMailbox, []string{"Messages-Waiting: no\r\n", "Voice-Message: 0/0\r\n"}},
		{"messages", scene{mailbox: pbx.Mailbox{New: 2, Old: 8}}, eventMailbox, []string{
			"Messages-Waiting: yes\r\n", "Message-Account: sip:102@acme.test\r\n", "Voice-Message: 2/8\r\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.scene.number, c.scene.domain = "102", "acme.test"
			got := c.scene.tell(c.event)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if c.event == eventDialog {
				got = dialogInfo("sip:102@acme.test", 3, got)
			}
			if c.event != eventMailbox {
				wellFormed(t, got)
			}
		})
	}
}

// FuzzDialogInfo: names of whatever letters leave the document whole.
func FuzzDialogInfo(f *testing.F) {
	f.Add("Анна <b>", "c&1", "+79160000000", "tag")
	f.Add("]]>\x00\x1b\ufffe", "\"'\"", "<x/>", "\xff\xfe")
	f.Fuzz(func(t *testing.T, name, callID, number, tag string) {
		d := pbx.DialogState{ID: tag, Phase: pbx.DialogPhase(tag), CallID: callID, LocalTag: tag, Remote: number, RemoteName: name}
		s := scene{number: number, domain: "acme.test", calls: []pbx.DialogState{d, d}, known: true}
		doc := dialogInfo(s.uri(number), 1, s.tell(eventDialog))
		wellFormed(t, doc)
		wellFormed(t, s.tell(eventPeople))
		if n := strings.Count(doc, "<dialog "); n != 2 {
			t.Errorf("%d dialogs in %s", n, doc)
		}
		s.calls = nil
		wellFormed(t, dialogInfo(s.uri(number), 1, s.tell(eventDialog)))
	})
}

// wellFormed reads a document to its end.
func wellFormed(t *testing.T, doc string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
	}
}

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestMenuQueueVoicemail brings one call from a carrier through all that a company has for
// callers: a menu with a prompt that was uploaded, out of which a key leads into a queue; the
// queue, with its melody, while its agent's phone rings and nobody answers; then, when it has
// waited long enough, the step behind the menu, a voicemail. The tone that the caller
// speaks there is in the e-mail that a real SMTP server gets.
func TestMenuQueueVoicemail(t *testing.T) {
	t.Parallel()
	post := startPost(t)
	company := acme{Carrier: "127.0.0.1:5060", Steps: `[{menu: main}, {voicemail: "101"}]`, More: `prompts: [{name: hello, upload: true}]
menus:
  - {name: main, prompt: hello, keys: {"1": [{ring: "103"}], "2": [{queue: "700"}]}}
`}.String()
	company = strings.Replace(company, "password: s3cret-101,", "password: s3cret-101, email: anna@acme.test, voicemail: true,", 1)
	company = strings.Replace(company, "trunks:\n", `  - {number: "700", name: Поддержка, kind: queue, members: ["102"], ring: 60s, max_wait: 10s}`+"\ntrunks:\n", 1)
	s := serve(t, serverOptions{Company: company, Config: fmt.Sprintf("mail: {server: %q, tls: none, from: pbx@acme.test, sound: wav}\n", post.addr)})
	s.upload("hello", 1040)
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880})
	caller := startBaresip(t, s, baresipOptions{User: "+79160000037", Carrier: true, Tone: 660})

	caller.do("dial", "sip:"+companyNumber+"@"+s.udp.String())
	caller.waitEvent("CALL_ESTABLISHED")
	caller.waitHeard(1040, 2)
	caller.press("2")
	ivan.waitEvent("CALL_INCOMING")
	before := caller.heard()
	waitFor(t, 20*time.Second, "the melody of the queue is heard", func() bool {
		return caller.heard().loud(0)-before.loud(0) >= 2
	})
	ivan.waitEvent("CALL_CLOSED")
	waitFor(t, 20*time.Second, "the message is being recorded", func() bool {
		list := s.live()
		return len(list) == 1 && list[0].Recording == pbx.RecordingOn
	})
	s.waitRecorded(0, 660, 3)
	caller.do("hangup", "")

	r := s.wantRecord("+79160000037", pbx.OutcomeVoicemail, pbx.Hangup, "menu main: 2 → queue 700")
	if len(r.Queues) != 1 || r.Queues[0].Left != pbx.LeftTimeout || !slices.ContainsFunc(r.Queues[0].Offers, func(o pbx.OfferedAgent) bool { return o.Agent == "102" }) {
		t.Errorf("the record says of the queue %+v", r.Queues)
	}
	if len(r.Recordings) != 1 || r.Recordings[0].Box != "101" {
		t.Fatalf("recordings %+v", r.Recordings)
	}
	s.recording(r).wantTone(t, "the message", 0, 660, 2)
	waitFor(t, 30*time.Second, "the e-mail", func() bool { return len(post.taken()) == 1 })
	to, kind, heard := attachment(t, post.taken()[0])
	if to != "anna@acme.test" || kind != "audio/wav" {
		t.Errorf("e-mail for %s with %s", to, kind)
	}
	heard.wantTone(t, "the attachment", 0, 660, 2)
	heard.wantNone(t, "the attachment", 0, 1040)
	var box pbx.Mailbox
	if s.get("voicemail/101", &box); box.New != 1 {
		t.Errorf("the box has %+v", box)
	}
}

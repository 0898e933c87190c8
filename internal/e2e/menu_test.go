package e2e

import (
	"os"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestMenu brings a call from a carrier into a menu, of which the prompt was uploaded:
// the caller hears it and presses 2, as a telephone event; the phone of the group rings,
// and the two hear each other.
func TestMenu(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.1:5060", Steps: "[{menu: main}]", More: `prompts: [{name: hello, upload: true}]
menus:
  - {name: main, prompt: hello, direct: true, keys: {"1": [{ring: "103"}], "2": [{ring: "600"}]}, otherwise: [{reject: 480}]}
`}.String()})
	s.upload("hello", 1040)
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	carrier := startBaresip(t, s, baresipOptions{User: "+79160000031", Carrier: true, Tone: 660})
	carrier.do("dial", "sip:"+companyNumber+"@"+s.udp.String())
	carrier.waitEvent("CALL_ESTABLISHED")
	carrier.waitHeard(1040, 1)
	carrier.press("2")
	anna.waitEvent("CALL_INCOMING")
	anna.do("accept", "")
	anna.waitHeard(660, 1)
	carrier.waitHeard(440, 1)
	carrier.do("hangup", "")
	anna.waitEvent("CALL_CLOSED")
	s.wantRecord("+79160000031", pbx.OutcomeAnswered, pbx.Hangup, "menu main: 2 → ring 600", "group 600")
}

// upload makes half a minute of a tone the sound of a prompt.
func (s *server) upload(prompt string, freq float64) {
	s.t.Helper()
	tone, err := os.ReadFile(toneFile(s.t, s.t.TempDir(), "prompt.wav", freq, 30*time.Second))
	if err != nil {
		s.t.Fatalf("read the prompt: %v", err)
	}
	if status, _, body := s.request("PUT", "prompts/"+prompt, string(tone)); status != 200 {
		s.t.Fatalf("upload the prompt: %d %s", status, body)
	}
}

// press presses a key and lets go of it.
func (b *baresip) press(key string) {
	b.t.Helper()
	b.do("sndcode", key)
	b.do("sndcode", "\x04")
}

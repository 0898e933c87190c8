package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/media/audio"
)

// TestKeys has a foreign phone press keys as telephone events, and another as INFO;
// they reach a foreign phone in the way that its company has set.
func TestKeys(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{"auto", "inband", "info"} {
		t.Run(keys, func(t *testing.T) {
			t.Parallel()
			s := serve(t, serverOptions{Company: acme{Keys: keys}.String()})
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
			anna.do("dial", "sip:102@acme.vpbx.test")
			anna.waitEvent("CALL_ESTABLISHED")
			ivan.waitHeard(440, 1)
			for _, key := range "5#" {
				anna.do("sndcode", string(key))
				ivan.wantKey(keys, byte(key))
			}
			anna.do("hangup", "")
			ivan.waitEvent("CALL_CLOSED")
			if n := len(ivan.messages("INFO ")); (n > 0) != (keys == "info") {
				t.Errorf("%d requests of INFO", n)
			}
			s.wantNoKeys()
		})
	}
}

// TestKeysByInfo has sipp press keys by INFO.
func TestKeysByInfo(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{}.String()})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
	phone := startSIPp(t, sippOptions{Scenario: "phone_presses", Host: "127.0.0.13", To: s.udp.String(), Tone: 660, Values: phoneCall("103", "102", "talk", "1500")})
	for _, key := range []byte("7*") {
		ivan.wantKey("auto", key)
	}
	phone.done()
	s.wantNoKeys()
}

// wantKey waits until the phone has got a key in a way.
func (b *baresip) wantKey(way string, key byte) {
	b.t.Helper()
	if way == "inband" {
		waitFor(b.t, 30*time.Second, fmt.Sprintf("%s hears the tones of %c", b.name, key), func() bool {
			return strings.Contains(b.keysHeard(), string(key))
		})
		return
	}
	if e := b.waitEvent("CALL_DTMF_START"); e.Param != string(key) {
		b.t.Errorf("%s got the key %q, want %c", b.name, e.Param, key)
	}
	if info := strings.Join(b.messages("INFO "), "\n"); way == "info" && !strings.Contains(b.output.String(), fmt.Sprintf("Signal=%c", key)) {
		b.t.Errorf("no INFO of %c: %s", key, info)
	}
}

// keysHeard are the keys in the sound that the phone has heard.
func (b *baresip) keysHeard() (keys string) {
	var d audio.KeyDetector
	for pcm := b.heard().channels[0]; len(pcm) > 0; {
		before := d.Down()
		pcm = pcm[d.Hear(pcm):]
		if before == 0 && d.Down() != 0 {
			keys += string(d.Down())
		}
	}
	return keys
}

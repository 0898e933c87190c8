package e2e

import "testing"

// TestBaresipTransfers lets a foreign phone transfer its call by REFER, over
// each transport, as the one who was called and as the one who called.
func TestBaresipTransfers(t *testing.T) {
	for _, x := range []struct {
		transport string
		callee    bool // the callee transfers
	}{{"udp", true}, {"tcp", false}, {"tls", true}} {
		name := x.transport + " caller"
		if x.callee {
			name = x.transport + " callee"
		}
		t.Run(name, func(t *testing.T) {
			s := serve(t, serverOptions{Company: acme{}.String(), TLS: x.transport == "tls"})
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Transport: x.transport, Tone: 440})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: x.transport, Tone: 880, Auto: true})
			olga := startBaresip(t, s, baresipOptions{User: "103", Password: "s3cret-103", Transport: x.transport, Tone: 660, Auto: true})
			anna.do("dial", "sip:102@acme.vpbx.test")
			anna.waitEvent("CALL_ESTABLISHED")
			anna.waitHeard(880, 1)
			stays, goes, tone := anna, ivan, 440.0
			if !x.callee {
				stays, goes, tone = ivan, anna, 880
			}
			goes.do("transfer", "sip:103@acme.vpbx.test")
			stays.waitHeard(660, 1.5)
			olga.waitHeard(tone, 1.5)
			goes.waitEvent("CALL_CLOSED")
			stays.do("hangup", "")
			olga.waitEvent("CALL_CLOSED")
		})
	}
}

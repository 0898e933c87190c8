package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestPresence has a foreign phone watch a colleague and send it a text
// message.
func TestPresence(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := serve(t, serverOptions{Company: acme{}.String(), TLS: transport == "tls"})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 800, Auto: true})
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Transport: transport, Tone: 500, Watches: "102"})
			said := func(words ...string) func() bool {
				return func() bool {
					for m := range strings.SplitSeq(anna.output.String(), "\nNOTIFY ") {
						all := true
						for _, w := range words {
							all = all && strings.Contains(m, w)
						}
						if all {
							return true
						}
					}
					return false
				}
			}
			waitFor(t, 30*time.Second, "the presence of 102", said("Event: presence", "<basic>open</basic>", "SIP/2.0 200 OK"))
			anna.do("message", "hello there")
			waitFor(t, 30*time.Second, "the text message", func() bool { return strings.Contains(ivan.output.String(), "hello there") })
			ivan.do("quit", "")
			waitFor(t, 30*time.Second, "that 102 is gone", said("Event: presence", "<basic>closed</basic>", "Unregistered"))
		})
	}
}

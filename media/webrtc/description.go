package webrtc

import (
	"fmt"
	"strings"

	"github.com/pion/ice/v4"
)

// Remote is what the browser's description says of the way of its packets. The strings
// have been checked by who read them: they hold what their grammars allow (RFC 8839
// §5.4, RFC 8122 §5).
type Remote struct {
	Ufrag, Pwd  string
	Hash        string   // of the fingerprint: "sha-256"
	Fingerprint string   // of the certificate of DTLS, hex digits with colons
	Setup       string   // active, passive or actpass; "" is what the RFC has as the default
	Candidates  []string // values of a=candidate; those of no use are passed over
}

// Local is what our description has to say of it.
type Local struct {
	Ufrag, Pwd  string
	Hash        string
	Fingerprint string
	Setup       string
}

// sameWay reports whether two descriptions are of one transport: candidates may come
// and go, and the role is settled.
func (r Remote) sameWay(o Remote) bool { return r.Ufrag == o.Ufrag && r.Pwd == o.Pwd }

// text is the description as pion reads it. The stream is one that we send: that there
// is a=ssrc keeps pion from making a receiver for each source of the browser, which
// Transport hears by itself.
func (r Remote) text(version int) string {
	setup := r.Setup
	if setup == "" {
		setup = "actpass" // RFC 8842 §5.2
	}
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- 1 %d IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n", version)
	b.WriteString("m=audio 9 UDP/TLS/RTP/SAVPF 8\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtpmap:8 PCMA/8000\r\n")
	fmt.Fprintf(&b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", r.Ufrag, r.Pwd)
	fmt.Fprintf(&b, "a=fingerprint:%s %s\r\na=setup:%s\r\n", r.Hash, r.Fingerprint, setup)
	for _, c := range r.Candidates {
		if usable(c) {
			fmt.Fprintf(&b, "a=candidate:%s\r\n", c)
		}
	}
	b.WriteString("a=ssrc:1 cname:browser\r\na=recvonly\r\na=rtcp-mux\r\n")
	return b.String()
}

// usable reports whether a candidate says by which address a browser can be known: not
// a name that only its own network knows (mDNS), not one of TCP.
func usable(candidate string) bool {
	c, err := ice.UnmarshalCandidate(candidate)
	if err != nil || strings.HasSuffix(c.Address(), ".local") {
		return false
	}
	return c.NetworkType().IsUDP() && c.Component() == ice.ComponentRTP
}

// attribute finds an attribute in a description of pion's.
func attribute(text, name string) string {
	_, rest, _ := strings.Cut(text, "\r\na="+name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

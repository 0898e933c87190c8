package media

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"

	"vpbx/media/sdp"
)

// secret is a fresh a=crypto line.
func secret(t *testing.T, tag int, suite string) sdp.Crypto {
	t.Helper()
	key := make([]byte, sdp.KeyLength(suite))
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	return sdp.Crypto{Tag: tag, Suite: suite, Key: key}
}

func cryptoLine(c sdp.Crypto) string {
	return fmt.Sprintf("a=crypto:%d %s inline:%s", c.Tag, c.Suite, base64.StdEncoding.EncodeToString(c.Key))
}

// profiled is describe of another profile.
func profiled(address, profile string, more ...string) []byte {
	return bytes.Replace(describe(address, more...), []byte("RTP/AVP"), []byte(profile), 1)
}

// cryptos are the a=crypto lines of a description.
func cryptos(t *testing.T, text []byte) []sdp.Crypto {
	t.Helper()
	d, err := sdp.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range d.Media {
		if m.Port != 0 {
			return m.Crypto
		}
	}
	return nil
}

// securely makes a phone speak and hear SRTP.
type securely struct {
	*phone
	in, out *srtp.Context
}

func (p *phone) securely(ours, theirs sdp.Crypto) *securely {
	p.t.Helper()
	s := &securely{phone: p}
	var err error
	if s.out, err = newContext(ours); err != nil {
		p.t.Fatal(err)
	}
	if s.in, err = newContext(theirs); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// sealed is the next 20 ms filled with a byte, secured.
func (s *securely) sealed(fill byte) []byte {
	s.t.Helper()
	b, err := s.out.EncryptRTP(nil, rtp(s.pt, false, s.seq, s.ts, s.ssrc, bytes.Repeat([]byte{fill}, frameBytes)), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.seq++
	s.ts += frameBytes
	return b
}

func (s *securely) voice(fill byte) { s.raw(s.sealed(fill)) }

// hear opens what has come.
func (s *securely) hear() []heard {
	s.t.Helper()
	synctest.Wait()
	var all []heard
	for {
		select {
		case d := <-s.rtp.inbox:
			if isDTLS(d.b) || isRTCP(d.b) {
				continue // the end of an association, or a report
			}
			b, err := s.in.DecryptRTP(nil, d.b, nil)
			if err != nil {
				s.t.Fatalf("cannot be opened: %v", err)
			}
			h, ok := parseHeader(b)
			if !ok {
				s.t.Fatalf("got a broken packet: %x", b)
			}
			all = append(all, heard{h, b[h.start:h.end], d.from})
		default:
			return all
		}
	}
}

// fills are the first bytes of what was heard.
func fills(all []heard) string {
	var b strings.Builder
	for _, h := range all {
		fmt.Fprintf(&b, "%d ", h.payload[0])
	}
	return strings.TrimSpace(b.String())
}

// All suites, from a secured party to a plain one and back, with RTCP on its own
// port and on that of RTP.
func TestSDES(t *testing.T) {
	for suite := range suites {
		for _, mux := range []string{"a=x", "a=rtcp-mux"} {
			t.Run(suite+" "+mux, func(t *testing.T) {
				bubble(t, nil, func(r *rig) {
					a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
					key := secret(t, 7, suite)
					answer := a.answer(t, profiled("198.51.100.1:4000", "RTP/SAVP", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:x", cryptoLine(key), cryptoLine(secret(t, 8, "AEAD_AES_128_GCM")), mux))
					ours := cryptos(t, []byte(answer))
					if len(ours) != 1 || ours[0].Tag != 7 || ours[0].Suite != suite || bytes.Equal(ours[0].Key, key.Key) || !strings.Contains(answer, "RTP/SAVP ") {
						t.Fatalf("answer\n%s", answer)
					}
					b.answer(t, describe("198.51.100.2:5000"))
					Join(a.Session, b.Session)
					pa, pb := r.phone("198.51.100.1:4000", a).securely(key, ours[0]), r.phone("198.51.100.2:5000", b)
					pa.voice(1)
					pb.voice(2)
					if fills(pb.hear()) != "1" || fills(pa.hear()) != "2" {
						t.Error("not heard")
					}
					pa.reports(mux != "a=x", a)
					if a.Security() != "sdes "+suite || b.Security() != "" {
						t.Errorf("secured by %q and %q", a.Security(), b.Security())
					}
					a.wantDrops(t, map[string]uint64{})
				})
			})
		}
	}
}

// reports checks that RTCP is secured both ways.
func (s *securely) reports(mux bool, a *party) {
	s.t.Helper()
	b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: s.ssrc, Reports: []rtcp.ReceptionReport{{SSRC: a.out.ssrc, FractionLost: 128}}}})
	if err != nil {
		s.t.Fatal(err)
	}
	sealed, err := s.out.EncryptRTCP(nil, b, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	from, to, box := s.rtcp, s.to2(), s.rtcp
	if mux {
		from, to, box = s.phone.rtp, s.to, s.phone.rtp
	}
	if _, err := from.WriteToUDPAddrPort(sealed, to); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	if q := a.Quality(); q.RemoteLoss != 0.5 {
		s.t.Errorf("the peer's report is not read: %+v", q)
	}
	time.Sleep(8 * time.Second)
	synctest.Wait()
	got := 0
	for len(box.inbox) > 0 {
		d := <-box.inbox
		if plain, err := s.in.DecryptRTCP(nil, d.b, nil); err == nil {
			if _, err := rtcp.Unmarshal(plain); err == nil {
				got++
			}
		}
	}
	if got == 0 {
		s.t.Error("no report of ours can be opened")
	}
}

// secured is a pair like rig.pair, the first of them with SRTP.
func (r *rig) secured(suite string) (a, b *party, pa *securely, pb *phone) {
	r.t.Helper()
	a, b = r.open("198.51.100.1"), r.open("198.51.100.2")
	key := secret(r.t, 1, suite)
	answer := a.answer(r.t, profiled("198.51.100.1:4000", "RTP/SAVP", cryptoLine(key)))
	b.answer(r.t, describe("198.51.100.2:5000"))
	Join(a.Session, b.Session)
	return a, b, r.phone("198.51.100.1:4000", a).securely(key, cryptos(r.t, []byte(answer))[0]), r.phone("198.51.100.2:5000", b)
}

// What is not secured with the peer's key, or comes twice, is dropped, and counted
// apart; sound goes on.
func TestSRTPAttacks(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.secured("AES_CM_128_HMAC_SHA1_80")
		first := pa.sealed(1)
		pa.raw(bytes.Clone(first))
		pa.raw(bytes.Clone(first)) // replayed
		pa.phone.voice(66)         // plain, from the right place
		broken := pa.sealed(2)
		broken[len(broken)-1] ^= 1
		pa.raw(broken)
		header := pa.sealed(3)
		header[9] ^= 1 // another SSRC
		pa.raw(header)
		pa.raw(pa.sealed(4)[:20])
		wrong := pa.phone.securely(secret(t, 1, "AES_CM_128_HMAC_SHA1_80"), secret(t, 1, "AES_CM_128_HMAC_SHA1_80"))
		wrong.voice(66)
		stranger := r.phone("203.0.113.66:4000", a)
		stranger.raw(pa.sealed(5)) // a good packet from elsewhere
		pa.raw([]byte{0x80, 8})
		pa.raw([]byte{22, 254, 253, 0, 0}) // DTLS that nobody has asked for
		for range replayWindow {
			pa.sealed(0) // lost on the way
		}
		pa.voice(6)
		pa.raw(bytes.Clone(first)) // too old to tell
		if got := fills(pb.hear()); got != "1 6" {
			t.Errorf("heard %s", got)
		}
		a.wantDrops(t, map[string]uint64{"auth": 4, "replay": 2, "source": 1, "malformed": 3})
		if q := a.Quality(); q.Unproven != 4 || q.Replayed != 2 || q.Dropped != 4 {
			t.Errorf("%+v", q)
		}
	})
}

// A peer that holds the key cannot make us remember without end.
func TestSRTPSourcesAreBounded(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.secured("AEAD_AES_128_GCM")
		for i := range uint32(3 * maxSources) {
			pa.ssrc = i
			pa.voice(1)
		}
		k := a.agreed.Load().guard.rtp.Load()
		if k.in.streams != maxSources {
			t.Errorf("%d streams", k.in.streams)
		}
		a.wantDrops(t, map[string]uint64{"auth": 2 * maxSources})
	})
}

// The counter of rollovers goes on over hold and resume with the same keys, in both
// directions (RFC 3711 §3.3.1).
func TestRolloverGoesOnOverReoffer(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b, pa, pb := r.secured("AES_CM_128_HMAC_SHA1_80")
		key := a.agreed.Load().guard.rtp.Load().in.key
		roll := func() {
			for range 300 {
				pa.seq += 300
				pb.seq += 300
				pa.voice(1)
				pb.voice(2)
			}
		}
		roll()
		pb.hear()
		pa.hear()
		held := a.answer(t, profiled("198.51.100.1:4000", "RTP/SAVP", cryptoLine(key), "a=sendonly"))
		resumed := a.answer(t, profiled("198.51.100.1:4000", "RTP/SAVP", cryptoLine(key)))
		if !bytes.Equal(cryptos(t, []byte(held))[0].Key, cryptos(t, []byte(resumed))[0].Key) {
			t.Error("our key has changed")
		}
		roll()
		if n, m := len(pb.hear()), len(pa.hear()); n != 300 || m != 300 {
			t.Errorf("%d and %d of 300 heard", n, m)
		}
		if roc, _ := a.agreed.Load().guard.rtp.Load().in.context.ROC(pa.ssrc); roc < 2 {
			t.Errorf("rollover counter %d", roc)
		}
		a.wantDrops(t, map[string]uint64{})
		b.wantDrops(t, map[string]uint64{})
	})
}

// A new key of the peer is answered by one of ours, and counting begins anew on
// both sides.
func TestNewKeyInReoffer(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.secured("AES_CM_128_HMAC_SHA1_80")
		before := a.LocalSDP()
		for range 300 { // past a rollover
			pa.seq += 300
			pa.voice(1)
		}
		pb.hear()
		key := secret(t, 3, "AES_CM_128_HMAC_SHA1_80")
		answer := a.answer(t, profiled("198.51.100.1:4000", "RTP/SAVP", cryptoLine(key)))
		ours := cryptos(t, []byte(answer))[0]
		if bytes.Equal(ours.Key, cryptos(t, before)[0].Key) || ours.Tag != 3 {
			t.Error("our key has not changed")
		}
		anew := pa.phone.securely(key, ours)
		pa.voice(66) // with the old key
		anew.voice(2)
		pb.voice(3)
		if fills(pb.hear()) != "2" || fills(anew.hear()) != "3" {
			t.Error("not heard under the new keys")
		}
		a.wantDrops(t, map[string]uint64{"auth": 1})
	})
}

// An offer that is refused changes nothing, whatever keys it had (RFC 3261 §14.2).
func TestKeysSurviveRefusedReoffer(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.secured("AES_CM_128_HMAC_SHA1_80")
		offer := bytes.Replace(profiled("198.51.100.1:4000", "RTP/SAVP", cryptoLine(secret(t, 1, "AEAD_AES_256_GCM"))), []byte(" 8 0 101"), []byte(" 18"), 1)
		if err := a.SetOffer(offer); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Answer([]Codec{PCMA}); !errors.Is(err, ErrNoCodec) {
			t.Fatal(err)
		}
		pa.voice(1)
		pb.voice(2)
		if fills(pb.hear()) != "1" || fills(pa.hear()) != "2" {
			t.Error("not heard any more")
		}
	})
}

// Which offers are answered how.
func TestOffersOfKeys(t *testing.T) {
	good := cryptoLine(sdp.Crypto{Tag: 1, Suite: "AES_CM_128_HMAC_SHA1_80", Key: make([]byte, 30)})
	short := "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + base64.StdEncoding.EncodeToString(make([]byte, 28))
	print := "a=fingerprint:sha-256 " + strings.Repeat("AA:", 31) + "AA"
	second := func(profile string, more ...string) string {
		return strings.Join(append([]string{"m=audio 4002 " + profile + " 8"}, more...), "\r\n")
	}
	type want struct {
		how   string
		index int
		err   error
	}
	tests := []struct {
		name  string
		offer []byte
		by    map[Security]want
	}{
		{"plain", describe("198.51.100.1:4000"), map[Security]want{AsOffered: {}, Plain: {}, Opportunistic: {}, Required: {err: ErrInsecure}, RequiredDTLS: {err: ErrInsecure}}},
		{"opportunistic", describe("198.51.100.1:4000", good), map[Security]want{AsOffered: {how: "sdes"}, Plain: {}, Required: {how: "sdes"}}},
		{"opportunistic by DTLS", describe("198.51.100.1:4000", print, "a=setup:actpass"), map[Security]want{AsOffered: {how: "dtls"}, Plain: {}, Required: {how: "dtls"}}},
		{"opportunistic with a bad key", describe("198.51.100.1:4000", short), map[Security]want{AsOffered: {}, Required: {err: ErrInsecure}}},
		{"SDES", profiled("198.51.100.1:4000", "RTP/SAVP", good), map[Security]want{AsOffered: {how: "sdes"}, Plain: {err: ErrSecured}, RequiredDTLS: {how: "sdes"}}},
		{"with feedback", profiled("198.51.100.1:4000", "RTP/SAVPF", good), map[Security]want{AsOffered: {how: "sdes"}, Plain: {err: ErrSecured}}},
		{"without a usable key", profiled("198.51.100.1:4000", "RTP/SAVP", short), map[Security]want{AsOffered: {err: ErrNotAcceptable}, Plain: {err: ErrSecured}}},
		{"DTLS", profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVP", print, "a=setup:active"), map[Security]want{AsOffered: {how: "dtls"}, Plain: {err: ErrSecured}, Required: {how: "dtls"}}},
		{"DTLS with a key of SDES", profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVPF", good), map[Security]want{AsOffered: {err: ErrNotAcceptable}}},
		{"DTLS on hold", profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVP", print, "a=setup:holdconn"), map[Security]want{AsOffered: {err: ErrNotAcceptable}}},
		{"plain before secured", describe("198.51.100.1:4000", second("RTP/SAVP", good)), map[Security]want{AsOffered: {how: "sdes", index: 1}, Plain: {}, Required: {how: "sdes", index: 1}}},
		{"secured before plain", profiled("198.51.100.1:4000", "RTP/SAVP", good, second("RTP/AVP")), map[Security]want{AsOffered: {how: "sdes"}, Plain: {index: 1}}},
		{"secured with a bad key before plain", profiled("198.51.100.1:4000", "RTP/SAVP", short, second("RTP/AVP")), map[Security]want{AsOffered: {index: 1}, Required: {err: ErrInsecure}}},
	}
	for _, tt := range tests {
		for sec, want := range tt.by {
			d, err := sdp.Parse(tt.offer)
			if err != nil {
				t.Fatal(err)
			}
			index, how, err := pick(d, sec)
			if index != want.index || how != want.how || !errors.Is(err, want.err) {
				t.Errorf("%s by %d: stream %d by %q, %v", tt.name, sec, index, how, err)
			}
		}
	}
}

// Our own offers, and what is answered to them.
func TestOfferOfKeys(t *testing.T) {
	tests := []struct {
		sec     Security
		offer   string // profile
		keys    int
		answer  string // profile
		tag     int    // of the line that is chosen, 0: none
		suite   string // "": that of the tag
		err     error
		secured bool
	}{
		{AsOffered, "RTP/AVP", 0, "RTP/AVP", 0, "", nil, false},
		{AsOffered, "RTP/AVP", 0, "RTP/SAVP", 0, "", ErrNotAcceptable, false},
		{Opportunistic, "RTP/AVP", 4, "RTP/AVP", 0, "", nil, false},
		{Opportunistic, "RTP/AVP", 4, "RTP/AVP", 3, "", nil, true},
		{Opportunistic, "RTP/AVP", 4, "RTP/SAVP", 1, "", nil, true},
		{Opportunistic, "RTP/AVP", 4, "RTP/SAVP", 0, "", ErrInsecure, false},
		{Required, "RTP/SAVP", 4, "RTP/SAVP", 2, "", nil, true},
		{Required, "RTP/SAVP", 4, "RTP/AVP", 2, "", nil, true},
		{Required, "RTP/SAVP", 4, "RTP/SAVP", 0, "", ErrInsecure, false},
		{Required, "RTP/SAVP", 4, "RTP/AVP", 0, "", ErrInsecure, false},
		{Required, "RTP/SAVP", 4, "RTP/SAVP", 9, "AES_CM_128_HMAC_SHA1_80", ErrNotAcceptable, false},
		{Required, "RTP/SAVP", 4, "RTP/SAVP", 1, "AES_CM_128_HMAC_SHA1_80", ErrNotAcceptable, false},
		{RequiredDTLS, "UDP/TLS/RTP/SAVP", 0, "UDP/TLS/RTP/SAVP", 0, "", ErrInsecure, false},
	}
	for i, tt := range tests {
		bubble(t, nil, func(r *rig) {
			p := &party{}
			var err error
			if p.Session, err = r.e.Open(Options{Peer: netip.MustParseAddr("198.51.100.1"), Security: tt.sec}); err != nil {
				t.Fatal(err)
			}
			offer, err := p.Offer([]Codec{PCMA})
			if err != nil {
				t.Fatal(err)
			}
			lines := cryptos(t, offer)
			if len(lines) != tt.keys || !strings.Contains(string(offer), " "+tt.offer+" ") {
				t.Fatalf("%d:\n%s", i, offer)
			}
			var more []string
			if tt.tag > 0 {
				suite := tt.suite
				if suite == "" {
					suite = lines[tt.tag-1].Suite
				}
				more = append(more, cryptoLine(secret(t, tt.tag, suite)))
			}
			if err := p.SetAnswer(profiled("198.51.100.1:4000", tt.answer, more...)); !errors.Is(err, tt.err) {
				t.Errorf("%d: %v", i, err)
			}
			if tt.err == nil && (p.Security() != "") != tt.secured {
				t.Errorf("%d: secured by %q", i, p.Security())
			}
			again, err := p.Offer([]Codec{PCMA})
			if tt.err == nil && tt.secured {
				if kept := cryptos(t, again); err != nil || len(kept) != 1 || !bytes.Equal(kept[0].Key, lines[tt.tag-1].Key) {
					t.Errorf("%d: offered again\n%s", i, again)
				}
			}
		})
	}
}

// Nothing is heard or sent between an offer of keys and its answer: it could be
// secured by nobody.
func TestNothingBeforeKeys(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		s, err := r.e.Open(Options{Name: "b", Peer: netip.MustParseAddr("198.51.100.2"), Security: Opportunistic})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b.Session = s
		a.answer(t, describe("198.51.100.1:4000"))
		if _, err := b.Offer([]Codec{PCMA}); err != nil {
			t.Fatal(err)
		}
		Join(a.Session, b.Session)
		pa, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
		pb.voice(66)
		pa.voice(66)
		if err := b.SetAnswer(describe("198.51.100.2:5000")); err != nil {
			t.Fatal(err)
		}
		pb.voice(1)
		pa.voice(2)
		if fills(pa.hear()) != "1" || fills(pb.hear()) != "2" {
			t.Error("not heard after a plain answer")
		}
		b.wantDrops(t, map[string]uint64{"keys": 1, "event": 1}) // it has no mailbox
	})
}

// Early sound of two forks with keys of their own, then the answer of the first.
func TestForksWithKeysOfTheirOwn(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		s, err := r.e.Open(Options{Peer: netip.MustParseAddr("198.51.100.2"), Security: Required})
		if err != nil {
			t.Fatal(err)
		}
		b := &party{Session: s}
		a.answer(t, describe("198.51.100.1:4000"))
		pa := r.phone("198.51.100.1:4000", a)
		Join(a.Session, b.Session)
		offer, err := b.Offer([]Codec{PCMA})
		if err != nil {
			t.Fatal(err)
		}
		ours := cryptos(t, offer)
		one, two := secret(t, 3, ours[2].Suite), secret(t, 1, ours[0].Suite)
		fork1, fork2 := r.phone("198.51.100.2:5000", b).securely(one, ours[2]), r.phone("198.51.100.2:6000", b).securely(two, ours[0])
		answers := func(address string, key sdp.Crypto) {
			if err := b.SetAnswer(profiled(address, "RTP/SAVP", cryptoLine(key))); err != nil {
				t.Fatal(err)
			}
		}
		answers("198.51.100.2:5000", one)
		fork1.voice(1)
		pa.voice(2)
		answers("198.51.100.2:6000", two)
		fork2.voice(3)
		pa.voice(4)
		answers("198.51.100.2:5000", one)
		fork1.voice(5)
		pa.voice(6)
		if got := fills(pa.hear()); got != "1 3 5" {
			t.Errorf("the caller hears %s", got)
		}
		if fills(fork1.hear()) != "2 6" || fills(fork2.hear()) != "4" {
			t.Error("a fork does not hear what it should")
		}
		if n := len(b.nego.keys.theirs); n != 2 {
			t.Errorf("%d keys of the peer", n)
		}
	})
}

// A peer may name its key in each packet.
func TestMKI(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		key := secret(t, 1, "AES_CM_128_HMAC_SHA1_80")
		answer := a.answer(t, profiled("198.51.100.1:4000", "RTP/SAVP", cryptoLine(key)+"|2^31|9:4"))
		b.answer(t, describe("198.51.100.2:5000"))
		Join(a.Session, b.Session)
		ours := cryptos(t, []byte(answer))[0]
		pa, pb := r.phone("198.51.100.1:4000", a).securely(key, ours), r.phone("198.51.100.2:5000", b)
		if ours.MKI != nil || strings.Contains(answer, "|") {
			t.Errorf("answer\n%s", answer)
		}
		pa.voice(66) // without
		var err error
		if pa.out, err = newContext(key, srtp.MasterKeyIndicator([]byte{0, 0, 0, 9})); err != nil {
			t.Fatal(err)
		}
		pa.voice(1)
		if got := fills(pb.hear()); got != "1" {
			t.Errorf("heard %s", got)
		}
		a.wantDrops(t, map[string]uint64{"auth": 1})
	})
}

// Two secured parties, a prompt, transcoding and a tap: what is heard is in clear,
// what is sent is secured.
func TestSecuredOnBothSides(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.secured("AES_CM_128_HMAC_SHA1_80")
		b := r.open("198.51.100.3")
		key := secret(t, 1, "AEAD_AES_256_GCM")
		answer := b.answer(t, profiled("198.51.100.3:7000", "RTP/SAVP", cryptoLine(key)), PCMU)
		pb := r.phone("198.51.100.3:7000", b).securely(key, cryptos(t, []byte(answer))[0])
		pb.pt = 0
		var p tape
		a.SetTap(&p)
		Join(a.Session, b.Session)
		pa.voice(0xD5)
		pb.voice(0xFF)
		if got := pb.hear(); len(got) != 1 || got[0].pt != 0 || len(got[0].payload) != frameBytes {
			t.Errorf("%+v", got)
		}
		if got := pa.hear(); len(got) != 1 || got[0].pt != 8 {
			t.Errorf("%+v", got)
		}
		if len(p.fill) != 1 || p.fill[0] != 0xD5 {
			t.Errorf("the tap hears %v", p.fill)
		}
		a.Play(HoldPrompt(), true)
		time.Sleep(time.Second)
		if got := pa.hear(); len(got) < 49 {
			t.Errorf("%d packets of the prompt", len(got))
		}
	})
}

// Keys are in no text but the SDP: not in logs, not in errors.
func TestErrorsTellNoKeys(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0x5A}, 28))
		err := a.SetOffer(profiled("198.51.100.1:4000", "RTP/SAVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+key))
		if err == nil || strings.Contains(err.Error(), "Wlpa") {
			t.Errorf("%v", err)
		}
		c := sdp.Crypto{Tag: 1, Suite: "X", Key: bytes.Repeat([]byte{0x5A}, 30)}
		if _, err := newContext(c); err == nil || regexp.MustCompile(`90 90|5a5a|Wlpa`).MatchString(err.Error()+fmt.Sprint(c)) {
			t.Errorf("%v %v", err, c)
		}
	})
}

// What goes in a datagram offers fewer suites.
func TestShortOfferOfKeys(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		s, err := r.e.Open(Options{Peer: netip.MustParseAddr("198.51.100.1"), Security: Required, Datagrams: true})
		if err != nil {
			t.Fatal(err)
		}
		offer, err := s.Offer([]Codec{PCMA})
		if err != nil {
			t.Fatal(err)
		}
		if lines := cryptos(t, offer); len(lines) != 2 || lines[0].Suite != "AEAD_AES_128_GCM" || lines[1].Suite != "AES_CM_128_HMAC_SHA1_80" {
			t.Errorf("%v", lines)
		}
	})
}

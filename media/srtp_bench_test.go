package media

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"vpbx/media/sdp"
)

// The packets of another implementation, libsrtp's reference (srtp_driver.c): RTP and
// RTCP under one key.
func TestSRTPOfAnotherImplementation(t *testing.T) {
	raw := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key := sdp.Crypto{Suite: "AES_CM_128_HMAC_SHA1_80", Key: raw("e1f97a0d3e018be0d64fa32c06de4139" + "0ec675ad498afeebb6960b3aabe6")}
	clear := raw("800f1234decafbadcafebabe" + "abababababababababababababababab")
	secured := raw("800f1234decafbadcafebabe" + "4e55dc4ce79978d88ca4d215949d2402" + "b78d6acc99ea179b8dbb")
	report := raw("81c8000bcafebabe" + "abababababababababababababababab")
	securedReport := raw("81c8000bcafebabe" + "7128035be487b9bdbef89041f977a5a8" + "80000001" + "993e08cd54d6c1230798")
	out, err := newOutbound(key)
	if err != nil {
		t.Fatal(err)
	}
	in, err := newInbound(key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := out.seal(append(slices.Clone(clear), make([]byte, maxTag)...)[:len(clear)]); err != nil || !bytes.Equal(got, secured) {
		t.Errorf("RTP becomes %x, %v", got, err)
	}
	if got, err := out.sealControl(report); err != nil || !bytes.Equal(got, securedReport) {
		t.Errorf("RTCP becomes %x, %v", got, err)
	}
	if got, why := in.open(slices.Clone(secured)); why != kept || !bytes.Equal(got, clear) {
		t.Errorf("RTP is read as %x, %v", got, why)
	}
	if got, why := in.openControl(securedReport); why != kept || !bytes.Equal(got, report) {
		t.Errorf("RTCP is read as %x, %v", got, why)
	}
}

// BenchmarkRelaySecured is our own work for a packet that comes and goes under SRTP,
// without the system calls: to be compared with BenchmarkRelayPacket.
func BenchmarkRelaySecured(b *testing.B) {
	for _, suite := range offeredSuites {
		b.Run(suite, func(b *testing.B) {
			a, packet, src := relaying(b)
			key, err := newKey(1, suite)
			if err != nil {
				b.Fatal(err)
			}
			in, err := newInbound(key.line)
			if err != nil {
				b.Fatal(err)
			}
			for _, s := range []*Session{a, a.route.Load().to} {
				out, err := newKey(1, suite)
				if err != nil {
					b.Fatal(err)
				}
				next := *s.agreed.Load()
				next.guard = newGuard(bySDES, &keys{suite: suite, in: in, out: out})
				s.agreed.Store(&next)
			}
			a.rejoin()
			at := time.Unix(1000, 0)
			b.ReportAllocs()
			buf := make([]byte, 0, maxPacket+maxTag)
			n := 0
			for b.Loop() {
				b.StopTimer()
				step(packet, n)
				sealed, err := key.context.EncryptRTP(buf, packet, &key.header)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				a.packet(sealed, src, at)
				n++
				at = at.Add(frameTime)
			}
			if q := a.Quality(); q.Unproven > 0 || q.Received == 0 {
				b.Errorf("%+v", q)
			}
		})
	}
}

// What is secured and relayed costs no allocation. Of AES-CM the benchmark says so:
// the race detector makes its HMAC allocate.
func TestSecuredRelayAllocatesNothing(t *testing.T) {
	a, packet, src := relaying(t)
	key, err := newKey(1, "AEAD_AES_256_GCM")
	if err != nil {
		t.Fatal(err)
	}
	in, err := newInbound(key.line)
	if err != nil {
		t.Fatal(err)
	}
	out, err := newKey(1, "AEAD_AES_128_GCM")
	if err != nil {
		t.Fatal(err)
	}
	to := a.route.Load().to
	for s, k := range map[*Session]*keys{a: {in: in, out: out}, to: {in: in, out: out}} {
		next := *s.agreed.Load()
		next.guard = newGuard(bySDES, k)
		s.agreed.Store(&next)
	}
	a.rejoin()
	at, n, buf := time.Unix(1000, 0), 0, make([]byte, 0, maxPacket+maxTag)
	got := testing.AllocsPerRun(200, func() {
		step(packet, n)
		sealed, err := key.context.EncryptRTP(buf, packet, &key.header)
		if err != nil {
			t.Fatal(err)
		}
		a.packet(sealed, src, at)
		n++
		at = at.Add(frameTime)
	})
	if q := a.Quality(); got > 0 || q.Received < 200 {
		t.Errorf("%v allocations, %+v", got, q)
	}
}

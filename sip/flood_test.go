package sip

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// TestAdvisoryCVE2021_41145: a flood of INVITEs, REGISTERs, nonsense and answers
// from five hundred sources, each of which keeps below the rate of one. What we
// remember stays within its bounds, nothing is left when it is over, and
// meanwhile the phones and the carrier are served as ever; who is new gets
// through by trying again, as UDP has it anyway.
func TestAdvisoryCVE2021_41145(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{Sources: 256, StrangerRate: 500, StrangerBurst: 500}
		r := newRig(t, func(c *Config) { c.Limits = limits })
		phone, carrier, fresh := r.raw("203.0.113.7"), r.raw("198.51.100.7"), r.raw("203.0.113.8")
		if res := phone.register("101", "secret101", "Contact: <sip:101@203.0.113.7>"); res.StatusCode != 200 {
			t.Fatal(res)
		}
		goroutines, heap := runtime.NumGoroutine(), heapUsed()
		stop, done := make(chan struct{}), make(chan int)
		go func() {
			sent := 0
			defer func() { done <- sent }()
			var crowd []*raw
			for i := range 500 {
				ip := fmt.Sprintf("198.18.%d.%d", i/250, 1+i%250)
				crowd = append(crowd, newRaw(t, r.net.Host(ip), ip, 5060))
			}
			for ; !isDone(stop); sent++ { // 2000 a second, four times what strangers may send
				flood(crowd[sent%len(crowd)], sent)
				if sent%10 == 9 {
					time.Sleep(5 * time.Millisecond)
				}
			}
		}()
		time.Sleep(2 * time.Second) // the burst is over
		within := func(what string, tries int, f func() *msg.Response, want int) {
			t.Helper()
			got := 0
			for range tries {
				if res := f(); res != nil {
					if got = res.StatusCode; got == want {
						return
					}
				}
			}
			t.Errorf("%s: %d, want %d", what, got, want)
		}
		for range 10 {
			time.Sleep(500 * time.Millisecond)
			within("refresh of a registered phone", 1, func() *msg.Response {
				return phone.register("101", "secret101", "Contact: <sip:101@203.0.113.7>")
			}, 200)
			within("call from the carrier", 1, func() *msg.Response {
				carrier.id = token()
				carrier.send(carrier.request("INVITE", toAcme, "sip:x@carrier.test", toAcme, "Contact: <sip:x@198.51.100.7>"))
				return carrier.final()
			}, 486)
		}
		within("registration of a new phone", 100, func() *msg.Response {
			return fresh.register("102", "secret102", "Contact: <sip:102@203.0.113.8>")
		}, 200)
		if n := r.metric("vpbx_sip_rejected_total", string(flooded)); n < 5000 {
			t.Errorf("%v of the flood were shed", n)
		}
		r.wantBounds(limits)
		close(stop)
		sent := <-done
		time.Sleep(5 * time.Minute) // transactions and their leftovers
		r.wantBounds(limits)
		if n := len(r.s.merged.made); n > 20 {
			t.Errorf("%d INVITEs are remembered", n)
		}
		if n := runtime.NumGoroutine(); n > goroutines+5 {
			t.Errorf("%d goroutines, %d before", n, goroutines)
		}
		if now := heapUsed(); now > heap+8<<20 {
			t.Errorf("%d kB in use after %d messages, %d kB before", now>>10, sent, heap>>10)
		}
	})
}

// flood sends the message of a flood with that number.
func flood(p *raw, n int) {
	p.id, p.tag = fmt.Sprint("flood", n), fmt.Sprint("f", n)
	switch n % 5 {
	case 0:
		p.send(p.request("INVITE", "sip:101@acme.test", fmt.Sprintf("sip:%d@acme.test", n%1000), "sip:101@acme.test", "Contact: <sip:x@"+p.addr+">"))
	case 1:
		aor := fmt.Sprintf("sip:%d@acme.test", n%1000)
		p.send(p.request("REGISTER", acme, aor, aor, `Authorization: Digest username="101", realm="acme.test", nonce="`+p.id+`", uri="sip:acme.test", response="00000000000000000000000000000000"`))
	case 2:
		p.send(p.request("INVITE", "sip:+79160000001@192.0.2.1", "sip:1000@192.0.2.1", "sip:+79160000001@192.0.2.1"))
	case 3:
		p.send(strings.Repeat(fmt.Sprintf("garbage %d\x00\xff", n), 30))
	case 4:
		p.send(fmt.Sprintf("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=%d\r\nTo: <sip:c@d>;tag=x\r\nCall-ID: %d\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n", n, n, n))
	}
}

// wantBounds makes sure that what is remembered of strangers is bounded, and that
// none of them has a leg.
func (r *rig) wantBounds(l Limits) {
	r.t.Helper()
	g := &r.s.guard
	g.mu.Lock()
	sources, guesses, accounts := len(g.sources.byKey), len(g.guesses.byKey), len(g.accounts.byKey)
	g.mu.Unlock()
	if sources > l.Sources || guesses > l.Sources || accounts > l.Sources {
		r.t.Errorf("%d sources, %d guessing, %d accounts are remembered, %d may be", sources, guesses, accounts, l.Sources)
	}
	if n := r.s.ua.TransportLayer().Pool("udp").Size(); n > 1100 { // at most one for each source
		r.t.Errorf("%d entries in the pool of sipgo", n)
	}
	r.s.dlg.mu.Lock()
	defer r.s.dlg.mu.Unlock()
	if n := len(r.s.dlg.legs); n > 1 { // the carrier's
		r.t.Errorf("%d legs", n)
	}
}

// heapUsed is what the heap holds once nothing unused is in it.
func heapUsed() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

package phone_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// pair is two phones on simnet, each the other's server.
type pair struct {
	net        *simnet.Net
	alice, bob *phone.Phone
	ha, hb     *simnet.Host
	ctx        context.Context
}

// on makes a config use a host of simnet.
func on(h *simnet.Host, cfg phone.Config) phone.Config {
	cfg.ListenPacket, cfg.Listen, cfg.Dial = h.ListenPacket, h.Listen, h.Dial
	return cfg
}

func start(t *testing.T, cfg phone.Config) *phone.Phone {
	t.Helper()
	p, err := phone.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// withPair runs f in a bubble with two phones; adjust may change their configs.
func withPair(t *testing.T, o simnet.Options, adjust func(a, b *phone.Config), f func(t *testing.T, p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(o)
		defer n.Close()
		p := &pair{net: n, ha: n.Host("10.0.0.1"), hb: n.Host("10.0.0.2")}
		a := on(p.ha, phone.Config{Address: "10.0.0.1:5060", Server: "10.0.0.2:5060", Domain: "test", User: "alice", Display: `Анна "А"`, Media: true, Tone: 440})
		b := on(p.hb, phone.Config{Address: "10.0.0.2:5060", Server: "10.0.0.1:5060", Domain: "test", User: "bob", Media: true, Tone: 660})
		if adjust != nil {
			adjust(&a, &b)
		}
		p.alice, p.bob = start(t, a), start(t, b)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
		defer cancel()
		p.ctx = ctx
		defer func() {
			_ = p.alice.Close()
			_ = p.bob.Close()
			if open := n.Open(); len(open) > 0 {
				t.Errorf("left open: %v", open)
			}
		}()
		f(t, p)
	})
}

// connect makes a call from alice that bob answers.
func (p *pair) connect(t *testing.T) (ours, theirs *phone.Call) {
	t.Helper()
	return connectWith(t, p, phone.DialOptions{})
}

func connectWith(t *testing.T, p *pair, o phone.DialOptions) (ours, theirs *phone.Call) {
	t.Helper()
	ours, err := p.alice.Dial(p.ctx, "bob", o)
	if err != nil {
		t.Fatal(err)
	}
	theirs = <-p.bob.Incoming()
	if err := theirs.Answer(p.ctx); err != nil {
		t.Fatal(err)
	}
	if err := ours.Answered(p.ctx); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

func mustEnd(t *testing.T, p *pair, c *phone.Call, by string, status int) phone.End {
	t.Helper()
	e, err := c.Ended(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if e.By != by || e.Status != status {
		t.Errorf("ended by %s with %d, want %s with %d", e.By, e.Status, by, status)
	}
	return e
}

func TestCall(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		for _, loss := range []float64{0, 0.2} {
			t.Run(fmt.Sprintf("%s loss %v", network, loss), func(t *testing.T) {
				transport := func(a, b *phone.Config) { a.Transport, b.Transport = network, network }
				withPair(t, simnet.Options{Seed: 5, Loss: loss}, transport, func(t *testing.T, p *pair) {
					ours, theirs := p.connect(t)
					if got := theirs.RemoteDisplay(); got != `Анна "А"` {
						t.Errorf("display %q", got)
					}
					if theirs.RemoteNumber() != "alice" || theirs.DialledNumber() != "bob" || ours.RemoteNumber() != "bob" {
						t.Errorf("numbers %q %q %q", theirs.RemoteNumber(), theirs.DialledNumber(), ours.RemoteNumber())
					}
					time.Sleep(3 * time.Second)
					if !ours.Heard(660) || !theirs.Heard(440) || ours.Heard(440) || theirs.Heard(660) {
						t.Errorf("tones: %v %v %v %v", ours.Heard(660), theirs.Heard(440), ours.Heard(440), theirs.Heard(660))
					}
					if s := ours.RTP(); loss == 0 && (s.Lost != 0 || s.Received < 145 || s.Jitter > time.Millisecond) {
						t.Errorf("received %+v", s)
					} else if loss > 0 && (s.Lost < 10 || s.Lost > 60) {
						t.Errorf("received %+v", s)
					}
					if err := theirs.Hangup(p.ctx); err != nil {
						t.Error(err)
					}
					mustEnd(t, p, theirs, "us", 200)
					mustEnd(t, p, ours, "peer", 200)
					if ours.State() != phone.Ended || p.alice.Calls() != 0 {
						t.Errorf("state %v, %d calls", ours.State(), p.alice.Calls())
					}
				})
			})
		}
	}
}

func TestRefusals(t *testing.T) {
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		for _, status := range []int{404, 486, 603} {
			c, err := p.alice.Dial(p.ctx, "bob", phone.DialOptions{})
			if err != nil {
				t.Fatal(err)
			}
			in := <-p.bob.Incoming()
			if err := in.Reject(status, "Reason", `Q.850;cause=17`); err != nil {
				t.Error(err)
			}
			var s *phone.StatusError
			if err := c.Answered(p.ctx); !errors.As(err, &s) || s.Status != status {
				t.Errorf("rejected with %d: %v", status, err)
			}
			if e := mustEnd(t, p, c, "peer", status); e.Reason != "Q.850;cause=17" {
				t.Errorf("reason %q", e.Reason)
			}
			mustEnd(t, p, in, "us", status)
			if err := in.Answer(p.ctx); !errors.Is(err, phone.ErrState) {
				t.Errorf("answer after the end: %v", err)
			}
		}
	})
}

func TestCancel(t *testing.T) {
	withPair(t, simnet.Options{Loss: 0.3, Seed: 11}, nil, func(t *testing.T, p *pair) {
		c, err := p.alice.Dial(p.ctx, "bob", phone.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Cancel(p.ctx); err != nil { // before any answer
			t.Error(err)
		}
		mustEnd(t, p, c, "us", 487)
		mustEnd(t, p, <-p.bob.Incoming(), "peer", 487)
	})
}

func TestNoCommonCodec(t *testing.T) {
	withPair(t, simnet.Options{}, func(a, b *phone.Config) { a.Codecs = []string{"G729"} }, func(t *testing.T, p *pair) {
		c, _ := p.alice.Dial(p.ctx, "bob", phone.DialOptions{})
		if err := (<-p.bob.Incoming()).Answer(p.ctx); err == nil {
			t.Error("answered without a codec")
		}
		mustEnd(t, p, c, "peer", 488)
	})
}

func TestEarlyMediaAndLateOffer(t *testing.T) {
	withPair(t, simnet.Options{}, func(_, b *phone.Config) { b.RingWith = -1 }, func(t *testing.T, p *pair) {
		c, err := p.alice.Dial(p.ctx, "bob", phone.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		in := <-p.bob.Incoming()
		if err := in.Ring(183, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if r := c.Ringing(); len(r) != 1 || r[0].Status != 183 || len(r[0].SDP) == 0 {
			t.Errorf("ringing %+v", r)
		}
		if !c.Heard(660) {
			t.Error("no early media")
		}
		if err := in.Answer(p.ctx); err != nil {
			t.Fatal(err)
		}
		_ = c.Hangup(p.ctx)
		mustEnd(t, p, in, "peer", 200)

		c, in = connectWith(t, p, phone.DialOptions{NoSDP: true})
		time.Sleep(2 * time.Second)
		if !c.Heard(660) || !in.Heard(440) {
			t.Error("no audio after an offer in 200")
		}
	})
}

func TestHoldResumeDTMF(t *testing.T) {
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		ours, theirs := p.connect(t)
		time.Sleep(time.Second)
		for _, side := range []struct{ holder, held *phone.Call }{{ours, theirs}, {theirs, ours}} {
			if err := side.holder.Hold(p.ctx); err != nil {
				t.Fatal(err)
			}
			if !side.held.OnHold() || !strings.Contains(string(side.holder.LastRemoteSDP()), "a=recvonly") {
				t.Errorf("held %v, answer:\n%s", side.held.OnHold(), side.holder.LastRemoteSDP())
			}
			time.Sleep(2 * time.Second)
			before := side.held.HeardRTP()
			time.Sleep(time.Second)
			if side.held.HeardRTP() != before || side.holder.HeardRTP() == 0 {
				t.Error("audio during hold")
			}
			if err := side.holder.Resume(p.ctx); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if !ours.Heard(660) || !theirs.Heard(440) || side.held.OnHold() {
				t.Error("no audio after resume")
			}
		}
		if err := ours.SendDTMF("15#*0d"); err != nil {
			t.Fatal(err)
		}
		if err := theirs.SendDTMF("77"); err != nil {
			t.Fatal(err)
		}
		if err := ours.SendDTMF("x"); err == nil {
			t.Error("sent a key that does not exist")
		}
		time.Sleep(3 * time.Second)
		if theirs.Digits() != "15#*0D" || ours.Digits() != "77" {
			t.Errorf("digits %q %q", theirs.Digits(), ours.Digits())
		}
		if theirs.RTP().Lost != 0 {
			t.Errorf("gaps in the sequence: %+v", theirs.RTP())
		}
		if reply, err := ours.Request(p.ctx, "INFO", phone.RequestOptions{MIME: "application/dtmf-relay", Body: []byte("Signal=5\r\n")}); err != nil || !reply.OK() {
			t.Errorf("INFO: %v, %v", reply, err)
		}
		if reply, err := theirs.Update(p.ctx, nil); err != nil || !reply.OK() {
			t.Errorf("UPDATE: %v, %v", reply, err)
		}
		if reply, err := theirs.ReInvite(p.ctx, nil); err != nil || !reply.OK() {
			t.Errorf("re-INVITE without SDP: %v, %v", reply, err)
		}
		ours.OnReInvite(func([]byte) (int, []byte) { return 488, nil })
		if err := theirs.Hold(p.ctx); err == nil {
			t.Error("a refused hold is no error")
		}
		if theirs.State() != phone.Answered {
			t.Error("a refused re-INVITE ended the call")
		}
	})
}

func TestGlare(t *testing.T) {
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		ours, theirs := p.connect(t)
		var wg sync.WaitGroup
		for _, c := range []*phone.Call{ours, theirs} {
			wg.Go(func() {
				if err := c.Hold(p.ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if !ours.OnHold() || !theirs.OnHold() || ours.Offers()+theirs.Offers() != 2 {
			t.Errorf("hold %v %v, offers %d %d", ours.OnHold(), theirs.OnHold(), ours.Offers(), theirs.Offers())
		}
	})
}

func TestSessionTimer(t *testing.T) {
	tests := []struct {
		refresher  string
		bobIgnores bool
		noUpdate   bool // bob's peers refresh by re-INVITE
	}{
		{"uac", false, false}, {"uas", false, false}, {"", false, true}, {"uac", true, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			quiet := func(a, b *phone.Config) { a.Media, b.Media, b.NoUpdate = false, false, tt.noUpdate }
			withPair(t, simnet.Options{}, quiet, func(t *testing.T, p *pair) {
				o := phone.DialOptions{SessionExpires: 3 * time.Minute, Refresher: tt.refresher}
				ours, theirs := connectWith(t, p, o)
				if tt.bobIgnores {
					theirs.Misbehave(phone.Misbehave{IgnoreReINVITE: true})
				}
				start := time.Now()
				time.Sleep(time.Hour)
				if tt.bobIgnores {
					e := mustEnd(t, p, ours, "network", 408)
					if d := e.At.Sub(start); d > 3*time.Minute {
						t.Errorf("noticed after %v", d)
					}
					mustEnd(t, p, theirs, "peer", 200)
					return
				}
				if ours.State() != phone.Answered || theirs.State() != phone.Answered {
					t.Fatalf("%v, %v after an hour", ours.State(), theirs.State())
				}
				if tt.refresher != "uas" && theirs.Offers() < 39 || tt.refresher == "uas" && ours.Offers() < 39 {
					t.Errorf("refreshes: %d %d", ours.Offers(), theirs.Offers())
				}
				theirs.Gone()
				ours.Gone()
			})
		})
	}
}

func TestMisbehaviour(t *testing.T) {
	withPair(t, simnet.Options{}, func(_, b *phone.Config) { b.NoTimers = true }, func(t *testing.T, p *pair) {
		// 200 without ACK: bob repeats it for 32 s and then says BYE.
		c, err := p.alice.Dial(p.ctx, "bob", phone.DialOptions{Misbehave: &phone.Misbehave{NoACK: true}})
		if err != nil {
			t.Fatal(err)
		}
		in := <-p.bob.Incoming()
		start := time.Now()
		if err := in.Answer(p.ctx); err == nil {
			t.Error("answered without an ACK")
		}
		e := mustEnd(t, p, in, "network", 408)
		if d := e.At.Sub(start); d < 32*time.Second || d > 33*time.Second {
			t.Errorf("gave up after %v", d)
		}
		mustEnd(t, p, c, "peer", 200)

		ours, theirs := p.connect(t)
		theirs.Misbehave(phone.Misbehave{IgnoreBYE: true, Mute: true})
		heard := ours.HeardRTP()
		if err := ours.Hangup(p.ctx); err != nil {
			t.Error(err)
		}
		if theirs.State() != phone.Answered || ours.HeardRTP() > heard+2 {
			t.Errorf("%v, %d packets", theirs.State(), ours.HeardRTP()-heard)
		}

		p.bob.Gone()
		c, _ = p.alice.Dial(p.ctx, "bob", phone.DialOptions{})
		mustEnd(t, p, c, "network", 408)
	})
}

func TestEcho(t *testing.T) {
	withPair(t, simnet.Options{}, func(_, b *phone.Config) { b.Echo = true }, func(t *testing.T, p *pair) {
		ours, _ := p.connect(t)
		time.Sleep(12 * time.Second)
		if !ours.Heard(440) {
			t.Error("no echo")
		}
		if rtt := ours.RTP().RTT; rtt < 10*time.Millisecond || rtt > 11*time.Millisecond {
			t.Errorf("round trip %v", rtt)
		}
	})
}

func TestCloseDuringCall(t *testing.T) {
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		ours, theirs := p.connect(t)
		_ = p.alice.Close()
		mustEnd(t, p, ours, "us", 200)
		if _, err := p.alice.Request(p.ctx, "OPTIONS", phone.RequestOptions{}); err == nil {
			t.Error("a closed phone sent a request")
		}
		if theirs.State() != phone.Answered {
			t.Error("a phone that was closed said goodbye")
		}
		if err := theirs.Hangup(p.ctx); err != nil { // nobody answers the BYE
			t.Error(err)
		}
	})
}

// TestSameEveryTime compares the messages of a call over a bad link, with their
// times, between runs.
func TestSameEveryTime(t *testing.T) {
	run := func() string {
		var log strings.Builder
		var begin time.Time
		trace := func(who string) func(string, []byte) {
			return func(dir string, raw []byte) {
				line, _, _ := strings.Cut(string(raw), "\r\n")
				fmt.Fprintf(&log, "%v %s %s %s\n", time.Since(begin), who, dir, line)
			}
		}
		both := func(a, b *phone.Config) { a.Trace, b.Trace = trace("alice"), trace("bob") }
		withPair(t, simnet.Options{Seed: 4, Loss: 0.2, Jitter: 3 * time.Millisecond}, both, func(t *testing.T, p *pair) {
			begin = time.Now()
			ours, _ := p.connect(t)
			time.Sleep(time.Minute)
			_ = ours.Hold(p.ctx)
			_ = ours.Hangup(p.ctx)
			time.Sleep(time.Minute)
		})
		return log.String()
	}
	first := run()
	if strings.Count(first, "\n") < 20 {
		t.Errorf("too short:\n%s", first)
	}
	for range 10 {
		if again := run(); again != first {
			t.Fatalf("first:\n%s\nthen:\n%s", first, again)
		}
	}
}

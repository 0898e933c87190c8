package phone_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// TestHourOfTalk is a call of an hour with audio both ways, 360,000 packets made,
// coded, carried and decoded. Its running time is the budget of the flow tests.
func TestHourOfTalk(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	withPair(t, simnet.Options{}, nil, func(t *testing.T, p *pair) {
		ours, theirs := p.connect(t)
		time.Sleep(time.Hour)
		if r := ours.RTP(); r.Lost != 0 || r.Received < 179_990 || !ours.Heard(660) || !theirs.Heard(440) {
			t.Errorf("%+v", r)
		}
	})
}

// BenchmarkCalls is calls of one minute without audio, set up and ended on simnet.
func BenchmarkCalls(b *testing.B) {
	b.ReportAllocs()
	run := testing.InternalTest{Name: "calls", F: func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(simnet.Options{})
			defer n.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 1000*time.Hour)
			defer cancel()
			bob := start(t, on(n.Host("10.0.0.2"), phone.Config{Address: "10.0.0.2:5060", User: "bob", Domain: "test"}))
			defer bob.Close()
			alice := start(t, on(n.Host("10.0.0.1"), phone.Config{Address: "10.0.0.1:5060", Server: "10.0.0.2:5060", User: "alice", Domain: "test"}))
			defer alice.Close()
			for b.Loop() {
				c, err := alice.Dial(ctx, "bob", phone.DialOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if err := (<-bob.Incoming()).Answer(ctx); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if err := c.Hangup(ctx); err != nil {
					t.Fatal(err)
				}
			}
		})
	}}
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{run})
}

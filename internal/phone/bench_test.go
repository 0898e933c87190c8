package phone_test

import (
	"testing"
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

// BenchmarkCalls is 100 calls of a minute without audio, in fake time.
func BenchmarkCalls(b *testing.B) {
	for b.Loop() {
		run := testing.InternalTest{Name: "calls", F: hundredCalls}
		testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{run})
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/100, "us/call")
}

func hundredCalls(t *testing.T) {
	quiet := func(a, b *phone.Config) { a.Media, b.Media = false, false }
	withPair(t, simnet.Options{}, quiet, func(t *testing.T, p *pair) {
		for range 100 {
			ours, _ := p.connect(t)
			time.Sleep(time.Minute)
			if err := ours.Hangup(p.ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
}

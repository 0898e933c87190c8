package media

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
)

func TestMeasure(t *testing.T) {
	c, err := Measure()
	if err != nil {
		t.Fatal(err)
	}
	for w := Relay; w < works; w++ {
		if c[w] <= 0 || c[w] > 1 {
			t.Errorf("a session takes %v of a processor to %v", c[w], w)
		}
	}
	if c[Transcode] <= c[Relay] || c[Mix] <= c[Relay] {
		t.Errorf("work costs nothing: %v", c)
	}
	half, whole := c.Budget(0.5), c.Budget(1)
	for w := Relay; w < works; w++ {
		if half[w] < floor || whole[w] < half[w] {
			t.Errorf("%v: %d sessions in half of the time, %d in all of it", w, half[w], whole[w])
		}
	}
}

func TestBudgetOfCosts(t *testing.T) {
	if b := (Costs{}).Budget(0.7); b != (Budget{}) {
		t.Errorf("unknown costs limit to %v", b)
	}
	if b := (Costs{Relay: 1000}).Budget(0.7); b[Relay] != floor || b[Mix] != 0 {
		t.Errorf("%v", b)
	}
}

func TestAdmission(t *testing.T) {
	bubble(t, func(c *Config) { c.Budget = Budget{Relay: 4, Transcode: 2, Mix: 3, Record: 1} }, func(r *rig) {
		a, b, _, _ := r.pair()
		c := r.open("198.51.100.9")
		d := r.open("198.51.100.10")
		if _, err := r.e.Open(Options{Peer: c.opt.Peer}); !errors.Is(err, ErrBusy) {
			t.Errorf("a fifth session: %v", err)
		}
		for range 2 {
			is(t, a.Admit(Record), nil)
		}
		is(t, b.Admit(Record), ErrBusy)
		a.Settled()
		is(t, b.Admit(Record), nil)
		b.SetTap(&tape{})
		b.Settled()
		is(t, a.Admit(Record), ErrBusy) // it is recorded now
		b.SetTap(nil)
		is(t, a.Admit(Record), nil)

		is(t, a.Admit(Transcode), nil)
		is(t, b.Admit(Transcode), nil)
		is(t, c.Admit(Transcode), ErrBusy)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		is(t, c.Admit(Transcode), nil)
		if _, err := r.e.Open(Options{Peer: c.opt.Peer}); err != nil {
			t.Errorf("room given back: %v", err)
		}
		for _, s := range []*party{b, c, d} {
			s.answer(t, describe(s.opt.Peer.String()+":4000"))
		}
		conference, other := r.e.NewConference(), r.e.NewConference()
		defer conference.Close()
		defer other.Close()
		is(t, conference.Add(b.Session, Role{}), nil)
		is(t, conference.Add(c.Session, Role{}), nil)
		is(t, conference.Add(d.Session, Role{Mute: true}), nil)

		if r.e.room(Mix, 1) {
			t.Error("room for a fourth who is mixed")
		}
		conference.Remove(d.Session)
		if !r.e.room(Mix, 3) {
			t.Error("two who are a relay again take room in the mixer")
		}
	})
}

// A session whose packets cost more, for SRTP or because keys are looked for in its sound,
// counts more among the relayed ones.
func TestLoad(t *testing.T) {
	bubble(t, func(c *Config) { c.Budget = Budget{Relay: 9} }, func(r *rig) {
		open := func(n int, c Codec, events int, more ...string) *party {
			p := r.open(fmt.Sprintf("198.51.100.%d", n))
			p.answer(t, described(fmt.Sprintf("198.51.100.%d:4000", n), c, events, more...), c)
			return p
		}
		key := "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + base64.StdEncoding.EncodeToString(make([]byte, 30))
		for i, tt := range []struct {
			p    *party
			want int
		}{
			{open(1, PCMA, 8000), plainLoad},
			{open(2, PCMA, 8000, key), plainLoad + secureLoad},
			{open(3, PCMA, 0), plainLoad + listenLoad},
			{open(4, PCMA, 0, key), plainLoad + secureLoad + listenLoad},
		} {
			if got := tt.p.load(); got != tt.want {
				t.Errorf("%d counts %d halves, want %d", i+1, got, tt.want)
			}
		}
		// 12 halves of 18 are taken: there is room for three who are plain yet, and for
		// none when one of them turns out to be Opus without events.
		p := r.open("198.51.100.5")
		if !r.e.room(Relay, 2) || r.e.room(Relay, 3) {
			t.Error("not room for exactly two more")
		}
		p.answer(t, described("198.51.100.5:4000", Opus, 0), Opus)
		if got := p.load(); got != plainLoad+decodeLoad || r.e.room(Relay, 1) {
			t.Errorf("%d halves, and still room", got)
		}
		if _, err := r.e.Open(Options{Peer: p.opt.Peer}); !errors.Is(err, ErrBusy) {
			t.Errorf("another session: %v", err)
		}
	})
}

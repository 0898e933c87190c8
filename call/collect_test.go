package call

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media"
	"vpbx/pbx"
)

// alone is a call with a caller and nobody else, for what needs no sound.
func alone() *Call {
	c := &Call{m: &Manager{}, mail: make(chan any, 64), gone: make(chan struct{}), log: slog.New(slog.DiscardHandler), company: &pbx.Company{}}
	c.caller = &party{who: "101", number: "101", media: &media.Session{}}
	c.limit = time.NewTimer(time.Hour)
	return c
}

// TestCollect: keys are read one by one, each within its time; what was pressed before
// counts, too.
func TestCollect(t *testing.T) {
	const first, between = 5 * time.Second, 2 * time.Second
	for name, tt := range map[string]struct {
		typed   string
		presses []time.Duration // after the one before, of 1, 2, 3 …
		q       collect
		want    string
		takes   time.Duration
	}{
		"all":                {"", []time.Duration{time.Second, time.Second, time.Second}, collect{max: 3}, "123", 3 * time.Second},
		"nothing":            {"", nil, collect{max: 3}, "", first},
		"too late":           {"", []time.Duration{first + time.Second}, collect{max: 3}, "", first},
		"stops in between":   {"", []time.Duration{time.Second, time.Second}, collect{max: 3}, "12", 2*time.Second + between},
		"ends with a key":    {"", []time.Duration{time.Second, time.Second, time.Second}, collect{max: 9, until: '2'}, "1", 2 * time.Second},
		"typed ahead":        {"78", []time.Duration{time.Second}, collect{max: 3}, "781", time.Second},
		"all typed ahead":    {"7890", nil, collect{max: 3}, "789", 0},
		"none are read":      {"78", nil, collect{}, "", 0},
		"end typed ahead":    {"7#8", nil, collect{max: 5, until: '#'}, "7", 0},
		"nothing but an end": {"#", nil, collect{max: 5, until: '#'}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := alone()
				defer c.limit.Stop()
				c.typed = []byte(tt.typed)
				tt.q.first, tt.q.between = first, between
				go func() {
					for i, d := range tt.presses {
						time.Sleep(d)
						c.mail <- media.DTMF{S: c.caller.media, Digit: byte('1' + i)}
					}
				}()
				began := time.Now()
				keys, err := c.collect(tt.q)
				if keys != tt.want || err != nil || time.Since(began) != tt.takes {
					t.Errorf("%q, %v after %v; want %q after %v", keys, err, time.Since(began), tt.want, tt.takes)
				}
				if c.listens {
					t.Error("keys are read for ever")
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestTypingIsBounded: keys that nobody reads do not pile up.
func TestTypingIsBounded(t *testing.T) {
	c := alone()
	defer c.limit.Stop()
	if c.typing(c.caller, '1') {
		t.Error("a key was taken that nobody reads")
	}
	c.listens = true
	for range 1000 {
		if !c.typing(c.caller, '1') {
			t.Fatal("not taken")
		}
	}
	if len(c.typed) != maxTyped {
		t.Errorf("%d keys wait", len(c.typed))
	}
	if c.typing(nil, '1') || c.typing(&party{}, '1') {
		t.Error("a key of somebody else was taken")
	}
}

// TestCollectEnds: the end of the call ends the reading.
func TestCollectEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := alone()
		defer c.limit.Stop()
		c.mail <- hangup{pbx.NewCause(pbx.PartyPBX, pbx.Hangup)}
		if _, err := c.collect(collect{max: 1, first: time.Minute}); err == nil {
			t.Error("keys are read of a call that is over")
		}
	})
}

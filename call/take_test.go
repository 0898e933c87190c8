package call

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// TestThrough: what was begun is seen through when the caller hangs up meanwhile, for no
// longer than saveBound, and the record says what came of it.
func TestThrough(t *testing.T) {
	for name, tt := range map[string]struct {
		takes, hangsUp time.Duration // 0: it does not
		fails          error
		panics         bool
		ok             bool
		err            error
		why            string
		at             time.Duration
	}{
		"done":                      {takes: time.Second, ok: true, why: "kept", at: time.Second},
		"fails":                     {takes: time.Second, fails: &pbx.Error{Kind: pbx.Conflict, Msg: "it is gone"}, err: errFailed, why: "not kept: it is gone", at: time.Second},
		"hangs up before":           {takes: time.Second, hangsUp: time.Millisecond, ok: true, err: errOver, why: "kept", at: time.Second},
		"hangs up and fails":        {takes: time.Second, hangsUp: time.Millisecond, fails: errors.New("disk"), err: errOver, why: "not kept", at: time.Second},
		"hangs up and hangs":        {takes: time.Hour, hangsUp: time.Millisecond, err: errOver, why: "not kept", at: saveBound},
		"breaks":                    {takes: time.Second, panics: true, err: errOver, at: time.Second, why: "not kept"},
		"hangs up later than it is": {takes: time.Second, hangsUp: 2 * time.Second, ok: true, why: "kept", at: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := alone()
				defer c.limit.Stop()
				c.m = NewManager(Config{Journal: forgetful{}, Publish: func(pbx.Live) {}, Log: c.log, Metrics: prometheus.NewRegistry()})
				if tt.hangsUp > 0 {
					time.AfterFunc(tt.hangsUp, func() { c.post(hangup{pbx.NewCause(pbx.PartyCaller, pbx.Hangup)}) })
				}
				began := time.Now()
				ok, err := c.through(func(ctx context.Context) error {
					select {
					case <-time.After(tt.takes):
					case <-ctx.Done():
						return ctx.Err()
					}
					if tt.panics {
						panic("broken")
					}
					return tt.fails
				}, "kept", "not kept")
				if ok != tt.ok || !errors.Is(err, tt.err) || time.Since(began) != tt.at {
					t.Errorf("%v, %v after %v", ok, err, time.Since(began))
				}
				if why := c.trace[len(c.trace)-1].Why; !slices.Equal(why, []string{tt.why}) {
					t.Errorf("the record says %q", why)
				}
				close(c.gone)
			})
		})
	}
}

// TestCutEnd: silence behind what was said is left out; what is no sound is refused.
func TestCutEnd(t *testing.T) {
	whole, err := audio.EncodeWAV(audio.PCM{Samples: make([]int16, 8000), Rate: 8000})
	if err != nil {
		t.Fatal(err)
	}
	for end, want := range map[time.Duration]int{0: 8000, -time.Second: 8000, 250 * time.Millisecond: 6000, time.Second: 0, time.Hour: 0} {
		data, err := cutEnd(whole, end)
		if err != nil {
			t.Fatal(err)
		}
		if pcm, err := audio.ReadSound(data, audio.Limits{}); err != nil && want > 0 || len(pcm.Samples) != want {
			t.Errorf("%v off: %d samples, %v", end, len(pcm.Samples), err)
		}
	}
	if _, err := cutEnd([]byte("no sound"), 0); err == nil || !strings.Contains(err.Error(), "read a recording") {
		t.Errorf("no sound: %v", err)
	}
}

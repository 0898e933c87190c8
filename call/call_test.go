package call

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/pbx"
)

// TestAwaitPanic: what breaks beside a call ends that call, not the process.
func TestAwaitPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewManager(Config{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
		c := m.newCall(&pbx.Company{}, time.Now())
		c.caller = &party{}
		c.limit = time.NewTimer(m.MaxLength)
		defer c.limit.Stop()
		_, err := await(c, func(context.Context) int { panic("a CRM's answer nobody thought of") })
		if err == nil || c.cause.Reason != pbx.Broken {
			t.Errorf("error %v, cause %v: want the call to be over, by our fault", err, c.cause)
		}
	})
}

// nowhere is a Journal that keeps nothing.
type nowhere struct{}

func (nowhere) JournalCall(context.Context, pbx.TenantID, pbx.CallID, []pbx.CallEvent) error {
	return nil
}
func (nowhere) Record(context.Context, pbx.TenantID, pbx.CDR, []pbx.CallEvent) error { return nil }

// TestTraceIsBounded: what a peer can repeat at will does not fill memory and
// the journal, and does not push the end out of the record.
func TestTraceIsBounded(t *testing.T) {
	m := NewManager(Config{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Journal: nowhere{}, Publish: func(pbx.Live) {}})
	c := m.newCall(&pbx.Company{}, time.Now())
	c.caller = &party{}
	for range 100_000 {
		c.note(pbx.CallEvent{Kind: pbx.Held})
		c.note(pbx.CallEvent{Kind: pbx.Resumed})
	}
	c.note(pbx.CallEvent{Kind: pbx.LegEnded})
	if n := len(c.trace); n > maxTrace+1 || c.trace[n-1].Kind != pbx.LegEnded {
		t.Errorf("%d events, the last is %s", n, c.trace[n-1].Kind)
	}
}

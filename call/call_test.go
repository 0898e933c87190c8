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
		c.limit = time.NewTimer(m.MaxLength)
		defer c.limit.Stop()
		_, err := await(c, func(context.Context) int { panic("a CRM's answer nobody thought of") })
		if err == nil || c.cause.Reason != pbx.Broken {
			t.Errorf("error %v, cause %v: want the call to be over, by our fault", err, c.cause)
		}
	})
}

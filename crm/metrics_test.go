package crm

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestMetrics: every lookup is counted under its result, and the label has no
// other values than the closed set.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		l, err := NewLookup(Options{Connectors: map[string]Connector{"desk": knows("101", "Ivan", 20*time.Millisecond)}, Log: slog.New(slog.DiscardHandler), Metrics: r})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ask(t, l, acme(), "+79160000001")
		ask(t, l, acme(), "+79160000001")
		ask(t, l, acme(), "")
		families, err := r.Gather()
		if err != nil || len(families) != 1 || families[0].GetName() != "vpbx_crm_lookup_seconds" {
			t.Fatalf("%v, %v", families, err)
		}
		got := map[string]uint64{}
		for _, m := range families[0].Metric {
			got[m.Label[0].GetValue()] = m.Histogram.GetSampleCount()
		}
		if len(got) != len(results) || got[found] != 1 || got[cached] != 1 || got[none] != 1 || got[timeout] != 0 {
			t.Errorf("counted %v", got)
		}
		if _, err := NewLookup(Options{Metrics: r}); err == nil {
			t.Error("registered twice")
		}
	})
}

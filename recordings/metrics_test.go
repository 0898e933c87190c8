package recordings

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/media/audio"
)

func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		s, err := New(Options{Dir: dir, Log: slog.New(slog.DiscardHandler), Metrics: registry, MaxOpen: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		whole, err := s.Start("acme", "1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		lossy, err := s.Start("acme", "2", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Start("acme", "3", time.Now()); err == nil {
			t.Error("one too many")
		}
		for range maxPackets + 7 { // at one instant: the writer cannot keep up
			lossy.Side(0).RTP(audio.PCMA, 0, 0, false, make([]byte, frame), time.Now())
		}
		whole.Close()
		if rec := lossy.Close(); rec.Lost != 7 || rec.Error != "" {
			t.Errorf("recording %+v", rec)
		}
		families, err := registry.Gather()
		if err != nil || len(families) != 1 || families[0].GetName() != "vpbx_recordings_total" {
			t.Fatalf("%v, %v", families, err)
		}
		for _, m := range families[0].Metric {
			if m.Counter.GetValue() != 1 {
				t.Errorf("%s: %v", m.Label[0].GetValue(), m.Counter.GetValue())
			}
		}
		if _, err := New(Options{Dir: dir, Metrics: registry}); err == nil {
			t.Error("registered twice")
		}
	})
}

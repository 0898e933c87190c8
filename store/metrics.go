package store

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer is where the metrics of a store are registered.
type Registerer = prometheus.Registerer

// metrics are the counters of one store.
type metrics struct {
	commits       *prometheus.CounterVec // by result: ok, failed
	commitSeconds prometheus.Histogram
	batch         prometheus.Histogram
	querySeconds  *prometheus.HistogramVec // by query: call, calls, recording, recordings
	records       *prometheus.CounterVec   // by result: saved, spooled, lost
	spoolRecords  prometheus.Gauge
	spoolBytes    prometheus.Gauge
	spoolCorrupt  prometheus.Counter
	outbox        prometheus.Gauge
}

// newMetrics makes the counters of a store.
func newMetrics() *metrics {
	m := &metrics{
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vpbx_store_commits_total", Help: "Transactions by result."}, []string{"result"}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vpbx_store_commit_seconds", Help: "Length of a write transaction.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5, 2}}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vpbx_store_commit_jobs", Help: "Writes that share one transaction.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100}}),
		querySeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "vpbx_store_query_seconds", Help: "Length of a query.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .05, .1, .5, 2}}, []string{"query"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vpbx_store_records_total", Help: "Call records by where they went."}, []string{"result"}),
		spoolRecords: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vpbx_store_spool_records", Help: "Call records that wait in the spool for the database."}),
		spoolBytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vpbx_store_spool_bytes", Help: "Size of the spool file."}),
		spoolCorrupt: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vpbx_store_spool_corrupt_total", Help: "Lines of the spool that could not be used."}),
		outbox: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vpbx_outbox_pending", Help: "Events that wait to be delivered to other systems."}),
	}
	for _, result := range []string{"saved", "spooled", "lost"} {
		m.records.WithLabelValues(result)
	}
	return m
}

// register registers the counters with r, which may be nil.
func (m *metrics) register(r Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.commits, m.commitSeconds, m.batch, m.querySeconds, m.records,
		m.spoolRecords, m.spoolBytes, m.spoolCorrupt, m.outbox} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// oldestTime bounds the query of a scrape.
const oldestTime = 2 * time.Second

// watchOutbox registers the age of the oldest event that waits, which is asked
// for when somebody looks.
func (s *Store) watchOutbox(r Registerer) error {
	if r == nil {
		return nil
	}
	err := r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "vpbx_outbox_oldest_seconds", Help: "How long the oldest event waits that is to be delivered to another system.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), oldestTime)
		defer cancel()
		oldest, err := s.OutboxOldest(ctx)
		if err != nil || oldest.IsZero() {
			return 0
		}
		return time.Since(oldest).Seconds()
	}))
	if err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

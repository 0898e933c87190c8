package speech

import "github.com/prometheus/client_golang/prometheus"

// Registerer is where the metrics are registered; nil: nowhere.
type Registerer = prometheus.Registerer

type metrics struct {
	spoken  *prometheus.CounterVec // by result: ok, cached, timeout, failed, resting, none
	seconds prometheus.Histogram
}

func newMetrics(r Registerer) *metrics {
	m := &metrics{
		spoken: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vpbx_speech_texts_total", Help: "Texts that were to be spoken, by what came of it."}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vpbx_speech_seconds", Help: "How long the speech engine took.",
			Buckets: []float64{.05, .1, .2, .5, 1, 2, 5, 10, 30}}),
	}
	for _, result := range []string{"ok", "cached", "timeout", "failed", "resting", "none"} {
		m.spoken.WithLabelValues(result)
	}
	if r != nil {
		r.MustRegister(m.spoken, m.seconds)
	}
	return m
}

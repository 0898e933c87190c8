package crm

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	lookups *prometheus.HistogramVec
}

// newMetrics registers the metrics with r; nil leaves them unregistered.
func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{lookups: promauto.With(r).NewHistogramVec(prometheus.HistogramOpts{
		Name:    "vpbx_crm_lookup_seconds",
		Help:    "Time to learn the owner of a caller from the CRM, by result.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .2, .3, .5, .7, 1, 2, 5},
	}, []string{"result"})}
	for _, result := range results {
		m.lookups.WithLabelValues(result)
	}
	return m
}

func (m metrics) observe(result string, took time.Duration) {
	m.lookups.WithLabelValues(result).Observe(took.Seconds())
}

package recordings

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer is where a Store makes its metrics known.
type Registerer = prometheus.Registerer

type metrics struct {
	ok, failed, lost prometheus.Counter
}

// newMetrics registers the metrics with r; nil leaves them unregistered.
func newMetrics(r Registerer) (metrics, error) {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vpbx_recordings_total",
		Help: "Recordings that ended: whole (ok), with packets the disk was too slow for (lost), not whole or not begun (failed).",
	}, []string{"result"})
	if r != nil {
		if err := r.Register(total); err != nil {
			return metrics{}, fmt.Errorf("register the metrics of recordings: %w", err)
		}
	}
	return metrics{
		ok:     total.WithLabelValues("ok"),
		failed: total.WithLabelValues("failed"),
		lost:   total.WithLabelValues("lost"),
	}, nil
}

package recordings

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer is where a Store makes its metrics known.
type Registerer = prometheus.Registerer

type metrics struct {
	ok, failed, lost       prometheus.Counter
	uploaded, uploadFailed prometheus.Counter
	pending, pendingBytes  prometheus.Gauge
}

// newMetrics registers the metrics with r, those of uploads where there are any; nil
// leaves them unregistered.
func newMetrics(r Registerer, uploading bool) (metrics, error) {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vpbx_recordings_total",
		Help: "Recordings that ended: whole (ok), with packets the disk was too slow for (lost), not whole or not begun (failed).",
	}, []string{"result"})
	uploads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vpbx_recordings_uploads_total",
		Help: "Uploads of recordings to the S3 storage: whole and verified there (ok), to be tried again (failed).",
	}, []string{"result"})
	pending := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "vpbx_recordings_pending_uploads",
		Help: "Recordings on the disk that wait to be uploaded to the S3 storage.",
	})
	pendingBytes := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "vpbx_recordings_pending_bytes",
		Help: "Bytes of the recordings that wait to be uploaded to the S3 storage.",
	})
	all := []prometheus.Collector{total}
	if uploading {
		all = append(all, uploads, pending, pendingBytes)
	}
	if r != nil {
		for _, c := range all {
			if err := r.Register(c); err != nil {
				return metrics{}, fmt.Errorf("register the metrics of recordings: %w", err)
			}
		}
	}
	return metrics{
		ok:     total.WithLabelValues("ok"),
		failed: total.WithLabelValues("failed"),
		lost:   total.WithLabelValues("lost"),

		uploaded:     uploads.WithLabelValues("ok"),
		uploadFailed: uploads.WithLabelValues("failed"),
		pending:      pending,
		pendingBytes: pendingBytes,
	}, nil
}

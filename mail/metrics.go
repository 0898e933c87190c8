package mail

import "github.com/prometheus/client_golang/prometheus"

// Registerer takes the metrics of this package.
type Registerer = prometheus.Registerer

// metrics of contract names.
type metrics struct {
	tries   *prometheus.CounterVec // by result: sent, deferred, dead
	pending prometheus.Gauge
}

func newMetrics(r Registerer) (metrics, error) {
	m := metrics{
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vpbx_mail_tries_total", Help: "Tries to send an e-mail, by result."}, []string{"result"}),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{Name: "vpbx_mail_pending", Help: "E-mails that wait to be sent."}),
	}
	for _, result := range []string{sent, deferred, dead} {
		m.tries.WithLabelValues(result)
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.tries, m.pending} {
		if err := r.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}

// The results of a try.
const (
	sent     = "sent"
	deferred = "deferred"
	dead     = "dead"
)

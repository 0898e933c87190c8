package hep

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer takes the metrics of this package.
type Registerer = prometheus.Registerer

type metrics struct{ sent, dropped prometheus.Counter }

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	m := &metrics{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vpbx_sip_hep_sent_total", Help: "SIP messages that were sent to the HEP server.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vpbx_sip_hep_dropped_total", Help: "SIP messages that were not sent to the HEP server: too many waited, or it was not found.",
		}),
	}
	for _, c := range []prometheus.Collector{m.sent, m.dropped} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register HEP metrics: %w", err)
		}
	}
	return m, nil
}

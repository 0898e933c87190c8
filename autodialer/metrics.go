package autodialer

import (
	"github.com/prometheus/client_golang/prometheus"

	"vpbx/pbx"
)

// Registerer takes the metrics of this package.
type Registerer = prometheus.Registerer

// metrics have labels of closed sets only.
type metrics struct {
	attempts *prometheus.CounterVec
	held     *prometheus.CounterVec
	paused   prometheus.Counter
}

func (m *metrics) register(r Registerer) {
	m.attempts = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_campaign_attempts_total", Help: "Attempts of campaigns that are over, by what they came to."}, []string{"outcome"})
	m.held = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_campaign_held_total", Help: "Targets that were due and were not called, by the reason."}, []string{"reason"})
	m.paused = prometheus.NewCounter(prometheus.CounterOpts{Name: "vpbx_campaign_alerts_total", Help: "Campaigns that were paused without anybody's word."})
	r.MustRegister(m.attempts, m.held, m.paused)
	for _, o := range pbx.AttemptOutcomes {
		m.attempts.WithLabelValues(string(o))
	}
}

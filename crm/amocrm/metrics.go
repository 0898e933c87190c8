package amocrm

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer is where a Client makes its metrics known.
type Registerer = prometheus.Registerer

// What can come of a request, and of a refresh of tokens: the closed sets of the
// labels.
const (
	resultOK           = "ok"
	resultRefused      = "refused"
	resultUnauthorized = "unauthorized"
	resultLimited      = "limited"
	resultFailed       = "failed"
)

type metrics struct {
	requests  *prometheus.CounterVec
	refreshes *prometheus.CounterVec
	waits     *prometheus.HistogramVec
}

// newMetrics registers the metrics with r; nil leaves them unregistered.
func newMetrics(r Registerer) (metrics, error) {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vpbx_amocrm_requests_total",
			Help: "Requests to amoCRM by result; limited: answered with 429, or with the 403 that follows it.",
		}, []string{"result"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vpbx_amocrm_refreshes_total",
			Help: "Renewals of an account's tokens by result; refused: the account must be linked anew.",
		}, []string{"result"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "vpbx_amocrm_wait_seconds",
			Help:    "Time that a request waited for its turn, by lane.",
			Buckets: []float64{.001, .01, .1, .2, .5, 1, 2, 5, 10, 30},
		}, []string{"lane"}),
	}
	for _, result := range []string{resultOK, resultRefused, resultUnauthorized, resultLimited, resultFailed} {
		m.requests.WithLabelValues(result)
	}
	for _, result := range []string{resultOK, resultRefused, resultFailed} {
		m.refreshes.WithLabelValues(result)
	}
	if r != nil {
		for _, c := range []prometheus.Collector{m.requests, m.refreshes, m.waits} {
			if err := r.Register(c); err != nil {
				return metrics{}, fmt.Errorf("register the metrics of amocrm: %w", err)
			}
		}
	}
	return m, nil
}

func (m metrics) request(status int) {
	result := resultFailed
	switch {
	case status >= 200 && status < 300:
		result = resultOK
	case status == 400, status == 404, status == 422:
		result = resultRefused
	case status == 401:
		result = resultUnauthorized
	case status == 429:
		result = resultLimited
	}
	m.requests.WithLabelValues(result).Inc()
}

func (m metrics) refresh(result string) { m.refreshes.WithLabelValues(result).Inc() }

func (m metrics) waited(of lane, took time.Duration) {
	name := "bulk"
	if of == urgent {
		name = "urgent"
	}
	m.waits.WithLabelValues(name).Observe(took.Seconds())
}

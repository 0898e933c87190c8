package rtk

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer is where a Server makes its metrics known.
type Registerer = prometheus.Registerer

// The results of a request of a CRM: the closed set of the label.
const (
	resultOK      = "ok"      // it was understood and allowed; the result may still be no
	resultRefused = "refused" // 4xx
	resultFailed  = "failed"  // 5xx
)

type metrics struct {
	requests *prometheus.CounterVec
}

func newMetrics(r Registerer) (metrics, error) {
	m := metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vpbx_integration_requests_total", Help: "Requests of CRMs to the integration API, by method and result.",
	}, []string{"method", "result"})}
	if r != nil {
		if err := r.Register(m.requests); err != nil {
			return metrics{}, fmt.Errorf("register the metrics of the integration API: %w", err)
		}
	}
	return m, nil
}

func (m metrics) count(method, result string) {
	m.requests.WithLabelValues(known(method), result).Inc()
}

// known is the name of a method, "unknown" for one that is none of ours.
func known(method string) string {
	if methods[method] == nil {
		return "unknown"
	}
	return method
}

func resultOf(status int) string {
	switch {
	case status >= 500:
		return resultFailed
	case status >= 400:
		return resultRefused
	}
	return resultOK
}

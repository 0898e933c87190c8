package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is where metrics are registered and read: a prometheus.Registry.
type Metrics interface {
	prometheus.Registerer
	prometheus.Gatherer
}

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	handler  http.Handler
}

func newMetrics(m Metrics, s *streams) (metrics, error) {
	out := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vpbx_http_requests_total", Help: "HTTP requests by route and status.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "vpbx_http_request_seconds", Help: "Time to answer an HTTP request, streams until their end.",
			Buckets: []float64{0.001, 0.005, 0.02, 0.1, 0.5, 2, 10},
		}, []string{"route"}),
		handler: promhttp.HandlerFor(m, promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "vpbx_http_streams", Help: "Event streams that are open.",
	}, func() float64 { return float64(s.count()) })
	return out, errors.Join(m.Register(out.requests), m.Register(out.seconds), m.Register(open))
}

// request counts a request. The route is its pattern, never its path, so that
// the label stays a closed set.
func (m *metrics) request(r *http.Request, status int, took time.Duration) {
	pattern := r.Pattern
	if pattern == "" {
		pattern = "none"
	}
	if status == 0 {
		status = http.StatusOK
	}
	m.requests.WithLabelValues(pattern, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(pattern).Observe(took.Seconds())
}

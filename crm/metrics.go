package crm

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer is where a Lookup makes its metrics known.
type Registerer = prometheus.Registerer

type metrics struct {
	lookups *prometheus.HistogramVec
}

// newMetrics registers the metrics with r; nil leaves them unregistered.
func newMetrics(r Registerer) (metrics, error) {
	m := metrics{lookups: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "vpbx_crm_lookup_seconds",
		Help:    "Time to learn the owner of a caller from the CRM, by result.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .2, .3, .5, .7, 1, 2, 5},
	}, []string{"result"})}
	for _, result := range results {
		m.lookups.WithLabelValues(result)
	}
	if r != nil {
		if err := r.Register(m.lookups); err != nil {
			return metrics{}, fmt.Errorf("register the metrics of crm: %w", err)
		}
	}
	return m, nil
}

func (m metrics) observe(result string, took time.Duration) {
	m.lookups.WithLabelValues(result).Observe(took.Seconds())
}

// What can come of a try to deliver an event, and of an event: the closed set of
// the label.
const (
	delivered = "delivered"
	refused   = "refused"
	givenUp   = "given_up"
)

type deliveryMetrics struct {
	deliveries *prometheus.CounterVec
}

// newDeliveryMetrics registers the metrics with r; nil leaves them unregistered.
func newDeliveryMetrics(r Registerer) (deliveryMetrics, error) {
	m := deliveryMetrics{deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vpbx_crm_delivery_total",
		Help: "Tries to deliver an event to a CRM, by result; given_up: events that are tried no more.",
	}, []string{"result"})}
	for _, result := range []string{delivered, refused, timeout, failed, badAnswer, givenUp} {
		m.deliveries.WithLabelValues(result)
	}
	if r != nil {
		if err := r.Register(m.deliveries); err != nil {
			return deliveryMetrics{}, fmt.Errorf("register the metrics of crm: %w", err)
		}
	}
	return m, nil
}

func (m deliveryMetrics) add(result string, n int) {
	m.deliveries.WithLabelValues(result).Add(float64(n))
}

type debugMetrics struct {
	kept, lost prometheus.Counter
}

// newDebugMetrics registers the metrics with r; nil leaves them unregistered.
func newDebugMetrics(r Registerer) (debugMetrics, error) {
	exchanges := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vpbx_crm_exchanges_total",
		Help: "Requests between companies and their CRMs that were to be kept for debugging, by result: kept or lost.",
	}, []string{"result"})
	m := debugMetrics{kept: exchanges.WithLabelValues("kept"), lost: exchanges.WithLabelValues("lost")}
	if r != nil {
		if err := r.Register(exchanges); err != nil {
			return debugMetrics{}, fmt.Errorf("register the metrics of crm: %w", err)
		}
	}
	return m, nil
}

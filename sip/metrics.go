package sip

import (
	"fmt"
	"strconv"

	msg "github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus"
)

// Registerer takes the metrics of this package.
type Registerer = prometheus.Registerer

// counter is one metric that only grows.
type counter = prometheus.Counter

// reason says why a message was not served: the closed set of
// vpbx_sip_rejected_total.
type reason string

const (
	malformed     reason = "malformed"      // cannot be parsed as SIP, or tries to smuggle lines
	garbage       reason = "garbage"        // does not even begin like SIP
	flooded       reason = "rate"           // more messages than a source may send
	guessing      reason = "guessing"       // wrong passwords, and everything from a source that tries them
	replayed      reason = "replay"         // a digest answer used twice
	unknownOwner  reason = "unknown_owner"  // a trunk call to nobody's number
	unknownDomain reason = "unknown_domain" // a request for nobody's domain
	spoofed       reason = "spoofed"        // an extension that calls itself another one, or a stranger in a call
	looped        reason = "loop"           // the same request by two ways
	connections   reason = "connections"    // too many TCP connections
)

var reasons = []reason{malformed, garbage, flooded, guessing, replayed, unknownOwner, unknownDomain, spoofed, looped, connections}

// metrics are the figures of this package (contract: metrics).
type metrics struct {
	registrations prometheus.Gauge
	requests      *prometheus.CounterVec
	rejections    map[reason]prometheus.Counter
	trunkUp       *prometheus.GaugeVec // labels tenant, trunk: bounded by what is configured
	storeFailures prometheus.Counter
	panics        prometheus.Counter
	watches       prometheus.Gauge

	captureDropped prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	rejections := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vpbx_sip_rejected_total", Help: "SIP messages not served, by reason.",
	}, []string{"reason"})
	m := &metrics{
		registrations: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vpbx_registrations", Help: "Contacts that are registered now.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vpbx_sip_requests_total", Help: "SIP requests received, by method and our final answer.",
		}, []string{"method", "code"}),
		rejections: map[reason]prometheus.Counter{},
		trunkUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "vpbx_trunk_up", Help: "1 while a trunk answers OPTIONS and, when it registers, is registered.",
		}, []string{"tenant", "trunk"}),
		storeFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vpbx_sip_binding_store_failures_total", Help: "Attempts to save bindings that failed.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vpbx_sip_panics_total", Help: "Faults of ours caught while serving a request.",
		}),
		captureDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vpbx_sip_capture_dropped_total", Help: "Messages that captures of extensions lack because their reader was too slow.",
		}),
	}
	m.watches = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "vpbx_sip_subscriptions", Help: "Subscriptions of phones to the state of numbers and mailboxes.",
	})
	for _, why := range reasons {
		m.rejections[why] = rejections.WithLabelValues(string(why))
	}
	for _, c := range []prometheus.Collector{m.registrations, m.requests, rejections, m.trunkUp, m.storeFailures, m.panics, m.captureDropped, m.watches} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register SIP metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) rejected(why reason) { m.rejections[why].Inc() }

func (m *metrics) answered(req msg.RequestMethod, code int) {
	m.requests.WithLabelValues(method(req), strconv.Itoa(code)).Inc()
}

package call

import (
	"github.com/prometheus/client_golang/prometheus"

	"vpbx/pbx"
)

// Registerer takes the metrics of this package.
type Registerer = prometheus.Registerer

// metrics of contract names; labels come from the closed sets of package pbx.
type metrics struct {
	active prometheus.Gauge
	total  *prometheus.CounterVec
	setup  prometheus.Histogram
	mos    prometheus.Histogram
	panics prometheus.Counter
	lost   prometheus.Counter

	guarded *prometheus.CounterVec
	rooms   prometheus.Gauge
	pins    prometheus.Counter
	boxPINs prometheus.Counter
	left    *prometheus.CounterVec
}

// What becomes of what is said to voicemail.
const (
	leftKept   = "kept"
	leftShort  = "short"
	leftSilent = "silent"
	leftFull   = "full"
	leftFailed = "failed"
)

func (m *metrics) register(r prometheus.Registerer) {
	m.active = prometheus.NewGauge(prometheus.GaugeOpts{Name: "vpbx_calls_active", Help: "Calls that are going on."})
	m.total = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_calls_total", Help: "Calls that have ended."}, []string{"direction", "outcome"})
	m.setup = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vpbx_call_setup_seconds",
		Help:    "From the INVITE until the caller was told that it rings, or answered.",
		Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}})
	m.mos = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vpbx_call_mos",
		Help: "MOS (ITU-T G.107) of each leg that was answered.", Buckets: []float64{1.5, 2, 2.5, 3, 3.3, 3.6, 3.8, 4, 4.1, 4.2, 4.3, 4.4}})
	m.panics = prometheus.NewCounter(prometheus.CounterOpts{Name: "vpbx_call_panics_total", Help: "Calls that ended by an error in our code."})
	m.lost = prometheus.NewCounter(prometheus.CounterOpts{Name: "vpbx_call_records_lost_total", Help: "Records that neither the store nor the spool took."})
	m.guarded = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_call_guarded_total", Help: "Calls that the fraud guard refused or ended."}, []string{"reason"})
	for _, reason := range []pbx.Reason{pbx.OverLimit, pbx.Forbidden, pbx.Premium, pbx.Spent} {
		m.guarded.WithLabelValues(string(reason))
	}
	m.rooms = prometheus.NewGauge(prometheus.GaugeOpts{Name: "vpbx_conferences_active", Help: "Conferences that are going on."})
	m.pins = prometheus.NewCounter(prometheus.CounterOpts{Name: "vpbx_conference_wrong_pins_total", Help: "PINs of conferences that were wrong."})
	m.boxPINs = prometheus.NewCounter(prometheus.CounterOpts{Name: "vpbx_voicemail_wrong_pins_total", Help: "PINs of boxes that were wrong."})
	m.left = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_voicemail_messages_total", Help: "Callers of voicemail, by what became of what they said."}, []string{"result"})
	for _, result := range []string{leftKept, leftShort, leftSilent, leftFull, leftFailed} {
		m.left.WithLabelValues(result)
	}
	r.MustRegister(m.boxPINs, m.left, m.rooms, m.pins, m.guarded, m.active, m.total, m.setup, m.mos, m.panics, m.lost)
	for _, d := range []pbx.Direction{pbx.In, pbx.Out, pbx.InternalTo} {
		for _, o := range pbx.Outcomes {
			m.total.WithLabelValues(string(d), string(o))
		}
	}
}

func (m *metrics) ended(c pbx.CDR) {
	m.total.WithLabelValues(string(c.Direction), string(c.Outcome)).Inc()
}

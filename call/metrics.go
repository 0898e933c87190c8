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
	said    *prometheus.CounterVec

	waiting   prometheus.Gauge
	left      *prometheus.CounterVec
	queued    prometheus.Histogram
	agents    *prometheus.CounterVec
	callbacks *prometheus.CounterVec

	campaigns prometheus.Gauge
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
	m.said = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_voicemail_messages_total", Help: "Callers of voicemail, by what became of what they said."}, []string{"result"})
	for _, result := range []string{leftKept, leftShort, leftSilent, leftFull, leftFailed} {
		m.said.WithLabelValues(result)
	}
	m.campaigns = prometheus.NewGauge(prometheus.GaugeOpts{Name: "vpbx_campaign_active_calls", Help: "Calls of campaigns that are going on."})
	r.MustRegister(m.campaigns, m.boxPINs, m.said, m.rooms, m.pins, m.guarded, m.active, m.total, m.setup, m.mos, m.panics, m.lost)
	m.registerQueues(r)
	for _, d := range []pbx.Direction{pbx.In, pbx.Out, pbx.InternalTo} {
		for _, o := range pbx.Outcomes {
			m.total.WithLabelValues(string(d), string(o))
		}
	}
}

func (m *metrics) ended(c pbx.CDR) {
	m.total.WithLabelValues(string(c.Direction), string(c.Outcome)).Inc()
}

func (m *metrics) registerQueues(r prometheus.Registerer) {
	m.waiting = prometheus.NewGauge(prometheus.GaugeOpts{Name: "vpbx_queue_waiting", Help: "Callers who wait in queues."})
	m.left = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_queue_left_total", Help: "Callers who have left a queue, or could not come in."}, []string{"how"})
	m.queued = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vpbx_queue_wait_seconds",
		Help: "How long callers were in a queue.", Buckets: []float64{1, 5, 10, 20, 30, 60, 120, 300, 600, 1800}})
	m.agents = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_queue_agent_changes_total", Help: "Logins, logouts, pauses and resumptions of agents."}, []string{"do"})
	m.callbacks = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vpbx_queue_callbacks_total", Help: "Callbacks by what became of them; waiting: asked for."}, []string{"state"})
	r.MustRegister(m.waiting, m.left, m.queued, m.agents, m.callbacks)
	for _, how := range pbx.LeftQueues {
		m.left.WithLabelValues(string(how))
	}
	for _, do := range pbx.AgentVerbs {
		m.agents.WithLabelValues(string(do))
	}
	for _, state := range pbx.CallbackStates {
		m.callbacks.WithLabelValues(string(state))
	}
}

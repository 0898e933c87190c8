package media

import "github.com/prometheus/client_golang/prometheus"

// Registerer is where an engine makes its metrics known.
type Registerer = prometheus.Registerer

// collector sums the sessions' own counters when it is asked, so that packets of
// different sessions share no counter.
type collector struct {
	e *Engine

	sessions, packets, lost, dropped, events, strange, budget, refused *prometheus.Desc
}

// register makes the engine's figures known; the result takes them back.
func register(r prometheus.Registerer, e *Engine) (unregister func(), err error) {
	if r == nil {
		return func() {}, nil
	}
	c := &collector{
		e:        e,
		sessions: prometheus.NewDesc("vpbx_media_sessions", "Open media sessions by kind of work.", []string{"kind"}, nil),
		packets:  prometheus.NewDesc("vpbx_media_packets_total", "RTP packets taken from peers (in) and sent to them (out).", []string{"direction"}, nil),
		lost:     prometheus.NewDesc("vpbx_media_lost_packets_total", "RTP packets of peers that never came.", nil, nil),
		dropped:  prometheus.NewDesc("vpbx_media_dropped_packets_total", "RTP and RTCP packets that went no further, by reason.", []string{"reason"}, nil),
		strange:  prometheus.NewDesc("vpbx_media_webrtc_dropped_packets_total", "Datagrams at the port of browsers that went no further, by reason.", []string{"reason"}, nil),
		events:   prometheus.NewDesc("vpbx_media_dropped_events_total", "Events that found the call's mailbox full.", nil, nil),
		budget:   prometheus.NewDesc("vpbx_media_budget", "Sessions that may do a kind of work at once; none is shown where there is no limit.", []string{"kind"}, nil),
		refused:  prometheus.NewDesc("vpbx_media_refused_total", "Sessions for which the budget had no room, by kind of work.", []string{"kind"}, nil),
	}
	if err := r.Register(c); err != nil {
		return nil, err
	}
	return func() { r.Unregister(c) }, nil
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.sessions, c.packets, c.lost, c.dropped, c.events, c.strange, c.budget, c.refused} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	sum, open, mixed, transcoded, browsers := c.e.totals()
	counter := func(d *prometheus.Desc, n uint64, label ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), label...)
	}
	ch <- prometheus.MustNewConstMetric(c.sessions, prometheus.GaugeValue, float64(open-mixed-transcoded), "relay")
	ch <- prometheus.MustNewConstMetric(c.sessions, prometheus.GaugeValue, float64(mixed), "mix")
	ch <- prometheus.MustNewConstMetric(c.sessions, prometheus.GaugeValue, float64(transcoded), "transcode")
	ch <- prometheus.MustNewConstMetric(c.sessions, prometheus.GaugeValue, float64(browsers), "webrtc")
	counter(c.packets, sum.received, "in")
	counter(c.packets, sum.sent, "out")
	counter(c.lost, sum.lost)
	for why := dropMalformed; why < dropEvent; why++ {
		counter(c.dropped, sum.drops[why], why.String())
	}
	counter(c.events, sum.drops[dropEvent])
	strange := c.e.browserDrops()
	counter(c.strange, strange.Garbage, "garbage")
	counter(c.strange, strange.Stranger, "stranger")
	counter(c.strange, strange.Forged, "forged")
	counter(c.strange, strange.Full, "full")
	for w := Relay; w < works; w++ {
		if most := c.e.cfg.Budget[w]; most > 0 {
			ch <- prometheus.MustNewConstMetric(c.budget, prometheus.GaugeValue, float64(most), w.String())
		}
		counter(c.refused, c.e.refused[w].Load(), w.String())
	}
}

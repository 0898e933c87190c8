package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"vpbx/pbx"
)

// encodeCall gives the JSON of a call record and its trace. A measurement that
// is no number (0/0 packets) must not cost the record, so it becomes 0.
func encodeCall(c pbx.CDR, trace []pbx.CallEvent) (body, events json.RawMessage, err error) {
	body, err = json.Marshal(c)
	if err == nil {
		events, err = json.Marshal(trace)
	}
	if _, ok := errors.AsType[*json.UnsupportedValueError](err); ok {
		c, trace = finite(c, trace)
		body, err = json.Marshal(c)
		if err == nil {
			events, err = json.Marshal(trace)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("encode call %s: %w", c.ID, err)
	}
	return body, events, nil
}

// finite gives a copy without infinities and NaNs.
func finite(c pbx.CDR, trace []pbx.CallEvent) (pbx.CDR, []pbx.CallEvent) {
	c.Wait, c.Talk = number(c.Wait), number(c.Talk)
	c.CRM = finiteLookup(c.CRM)
	c.Caller.Quality = finiteQuality(c.Caller.Quality)
	c.Parties = slices.Clone(c.Parties)
	for i := range c.Parties {
		c.Parties[i].Quality = finiteQuality(c.Parties[i].Quality)
	}
	c.Recordings = slices.Clone(c.Recordings)
	for i := range c.Recordings {
		c.Recordings[i].Seconds = number(c.Recordings[i].Seconds)
	}
	trace = slices.Clone(trace)
	for i := range trace {
		e := &trace[i]
		e.CRM, e.Quality = finiteLookup(e.CRM), finiteQuality(e.Quality)
		if e.Recording != nil {
			r := *e.Recording
			r.Seconds = number(r.Seconds)
			e.Recording = &r
		}
	}
	return c, trace
}

func finiteLookup(l *pbx.Lookup) *pbx.Lookup {
	if l == nil {
		return nil
	}
	clean := *l
	clean.MS = number(l.MS)
	return &clean
}

func finiteQuality(q *pbx.Quality) *pbx.Quality {
	if q == nil {
		return nil
	}
	clean := *q
	for _, f := range []*float64{&clean.MOS, &clean.Loss, &clean.JitterMs, &clean.RTTMs, &clean.FirstRTPMs, &clean.LongestGap,
		&clean.MaxJitter, &clean.RemoteMOS, &clean.RemoteLoss, &clean.RemoteJitter} {
		*f = number(*f)
	}
	return &clean
}

// number is f, or 0 when f is none.
func number(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

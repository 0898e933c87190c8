package sim

import (
	"math"
	"time"

	"vpbx/autodialer/pace"
)

// ratio is the adaptive ratio of VICIdial, as its manual describes ADAPT_HARD_LIMIT: the
// lines of a campaign, talks among them, are kept at the operators at work times a dial
// level. Each 15 s the level goes up or down by the share of the operators who were waiting
// on average of the last minute, less the calls that were; once the drops of the day are
// over the limit it is 1.
type ratio struct {
	level     float64
	most      float64 // level
	limit     float64
	adapted   time.Time
	day       time.Time
	waited    [4]float64 // quarters of a minute: operators less calls, on average
	sum, over float64    // of this quarter
	last      time.Time
	waits     float64

	ringing, waiting, talking int
	live, dropped             int
}

func newRatio() *ratio { return &ratio{level: 1, most: 6, limit: 0.03} }

func (p *ratio) Launches(at time.Time, now pace.Now) (int, time.Time) {
	if day := at.Truncate(24 * time.Hour); !day.Equal(p.day) {
		p.day, p.live, p.dropped, p.level, p.adapted, p.last = day, 0, 0, 1, at, at
	}
	d := at.Sub(p.last).Seconds()
	p.sum += d * p.waits
	p.over += d
	p.last, p.waits = at, float64(now.Free-p.waiting)
	if at.Sub(p.adapted) >= 15*time.Second {
		p.adapt(now)
		p.adapted = at
	}
	lines := int(math.Round(p.level * float64(now.Operators)))
	return max(0, lines-p.ringing-p.waiting-p.talking), p.adapted.Add(15 * time.Second)
}

func (p *ratio) adapt(now pace.Now) {
	copy(p.waited[1:], p.waited[:])
	p.waited[0] = p.sum / max(p.over, 1e-9)
	p.sum, p.over = 0, 0
	mean := (p.waited[0] + p.waited[1] + p.waited[2] + p.waited[3]) / 4
	p.level = min(max(p.level*(1+mean/float64(max(1, now.Operators))), 1), p.most)
	if float64(p.dropped) > p.limit*float64(p.live) {
		p.level = 1
	}
}

func (p *ratio) Tell(_ time.Time, what Event, _ string) {
	switch what {
	case Launched:
		p.ringing++
	case Failed, Machine:
		p.ringing--
	case Answered:
		p.ringing--
		p.waiting++
		p.live++
	case Connected:
		p.waiting--
		p.talking++
	case Abandoned:
		p.waiting--
		p.dropped++
	case Finished:
		p.talking--
	}
}

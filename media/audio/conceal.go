package audio

// How lost sound is made up, in milliseconds (after ITU-T G.711 appendix I): the
// last period of the voice again, and quieter after a while.
const (
	concealKeep  = 30 // what is remembered
	concealMatch = 10 // what is compared to find the period
	periodLeast  = 3  // 400 Hz
	periodMost   = 15 // 66 Hz
	concealFull  = 10 // from here on it gets quieter
	concealLast  = 60 // and is silent
	concealMelt  = 4  // over which it becomes what has come again
)

// concealer makes up sound that was lost.
type concealer struct {
	ms     int // samples of a millisecond
	past   []int16
	period int // of what is made up; 0: nothing was lost last
	made   int // samples
}

func newConcealer(rate int) *concealer {
	return &concealer{ms: rate / 1000, past: make([]int16, concealKeep*rate/1000)}
}

// heard remembers samples that have come, and lets what was made up before them
// melt into them.
func (c *concealer) heard(pcm []int16) {
	if c.period > 0 {
		n := min(concealMelt*c.ms, len(pcm))
		for i := range n {
			pcm[i] = int16((int(c.next())*(n-i) + int(pcm[i])*i) / n)
		}
		c.period, c.made = 0, 0
	}
	n := len(c.past)
	if len(pcm) >= n {
		copy(c.past, pcm[len(pcm)-n:])
		return
	}
	copy(c.past, c.past[len(pcm):])
	copy(c.past[n-len(pcm):], pcm)
}

// fill makes samples up.
func (c *concealer) fill(dst []int16) {
	if c.period == 0 {
		c.period = c.pitch()
	}
	for i := range dst {
		dst[i] = c.next()
	}
}

// next is the next sample that is made up.
func (c *concealer) next() int16 {
	v := int(c.past[len(c.past)-c.period+c.made%c.period])
	full, last := concealFull*c.ms, concealLast*c.ms
	c.made = min(c.made+1, last*16)
	switch {
	case c.made <= full:
		return int16(v)
	case c.made >= last:
		return 0
	}
	return int16(v * (last - c.made) / (last - full))
}

// pitch finds the distance at which the end of the past is most like itself.
func (c *concealer) pitch() int {
	n, end := concealMatch*c.ms, len(c.past)
	best, found := 0.0, periodMost*c.ms
	for lag := periodLeast * c.ms; lag <= periodMost*c.ms; lag++ {
		var sum, energy float64
		for i := end - n; i < end; i++ {
			a, b := float64(c.past[i]), float64(c.past[i-lag])
			sum += a * b
			energy += b * b
		}
		if sum > 0 && sum*sum/(energy+1) > best*1.02 { // the shortest of those that are as good
			best, found = sum*sum/(energy+1), lag
		}
	}
	return found
}

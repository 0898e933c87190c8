package amd

const (
	progressTop  = 640 // hertz: tones of the progress of a call are below (ITU-T E.180, supplement 2)
	progressRing = 25  // blocks: single ones that are longer are not beeps, as long as nobody has spoken
	busyMost     = 65  // blocks that a busy tone is on or off
	busyEven     = 15  // blocks by which the two differ
	faxLeast     = 40  // blocks of a fax or modem
	informMost   = 45  // blocks of one of the special information tones
	informLeast  = 20  // and that one is at least
	informGap    = 15  // after which the next one does not come
	informOff    = 50  // hertz
)

// network knows the tones that no voice mail makes.
type network struct {
	progress bool // a tone of the progress of a call was heard: somebody may yet answer
	machine  bool // nobody will
	on, end  int  // of the last tone of progress: how long it was, and when it ended
	inform   int  // special information tones in a row
	informed int  // when the last of them ended
}

// progress reports whether it may be a tone of the progress of a call.
func (t toneSound) progress() bool { return max(t.low, t.high) < progressTop }

// fax reports whether it is the tone of a fax machine or a modem: that of the called or of the calling
// one (ITU-T T.30).
func (t toneSound) fax() bool {
	return t.high == 0 && t.blocks >= faxLeast && (near(t.low, 2100, 0.01) || near(t.low, 1100, 0.01))
}

// inform are the special information tones, one after the other (ITU-T E.180 §4).
var inform = [3]float64{950, 1400, 1800}

// hear takes a tone that ended at now, before anybody has spoken, and reports whether it is one of the
// network or of a fax.
func (n *network) hear(t toneSound, now int) bool {
	switch {
	case n.information(t, now):
	case t.fax():
		n.machine = true
	case t.progress() && (t.high != 0 || t.blocks >= progressRing):
		n.ring(t, now)
	default:
		return false
	}
	return true
}

// ring takes a tone of the progress of a call. Two alike, with a pause alike, are a busy tone.
func (n *network) ring(t toneSound, now int) {
	off := now - n.end - t.blocks
	even := max(n.on-off, off-n.on) <= busyEven && max(n.on-t.blocks, t.blocks-n.on) <= busyEven
	if n.on > 0 && max(n.on, off) <= busyMost && even {
		n.machine = true
	}
	n.progress, n.on, n.end = true, t.blocks, now
}

// information follows the three tones; two are enough.
func (n *network) information(t toneSound, now int) bool {
	if t.high != 0 || t.blocks < informLeast || t.blocks > informMost || n.inform == len(inform) {
		return false
	}
	if off := t.low - inform[n.inform]; max(off, -off) > informOff {
		return false
	}
	n.inform++
	n.informed = now
	n.machine = n.machine || n.inform >= 2
	return true
}

// alone reports whether what was taken for the first of the three tones is not followed by the second: it
// was a beep.
func (n *network) alone(now int) bool {
	if n.inform == 0 || now-n.informed <= informGap {
		return false
	}
	was := n.inform
	n.inform = 0
	return was == 1
}

package sip

import "slices"

// take makes o the owner. What the former one asked for is done first; events
// that nobody has taken yet are o's, and so is whatever still waits for an
// answer of the owner, or says that the leg is over.
func (l *Leg) take(o owner) {
	l.lastWords()
	l.owner = o
	l.stop(clockOwner)
	switch {
	case l.phase == ended:
		if !waits[LegEnded](l.queue) {
			l.queue = append(l.queue, l.last)
		}
		return
	case l.asked() != nil && !waits[Offered](l.queue):
		l.emit(Offered{l, sdpOf(l.asked().req)})
	}
	if l.refer != nil && l.refer.x != nil && !waits[Referred](l.queue) {
		l.emit(l.refer.event)
	}
}

// waits says whether an event of a type is in a queue.
func waits[T any](queue []any) bool {
	return slices.ContainsFunc(queue, func(e any) bool { _, is := e.(T); return is })
}

package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// transcript collects what happens in a flow.
type transcript struct {
	start time.Time // time zero

	mu    sync.Mutex
	lines []line
	open  bool // nothing is written before the flow begins
}

// line is something that happened.
type line struct {
	at   time.Time
	who  string // of several things at one instant, those of one come together
	text string
	rank int // its place in what happened to who at that instant; 0 in the order of writing
}

// add notes that something happened to somebody just now.
func (t *transcript) add(who, format string, args ...any) { t.addAt(time.Now(), who, format, args...) }

// addAt notes something with the time at which it happened.
func (t *transcript) addAt(at time.Time, who, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open {
		t.lines = append(t.lines, line{at: at, who: who, text: fmt.Sprintf(format, args...)})
	}
}

// addFirst is addAt for what comes before the other things of that instant, when it
// is noted by another goroutine than they are.
func (t *transcript) addFirst(at time.Time, who, format string, args ...any) {
	t.addRanked(-1, at, who, format, args...)
}

// endRank is the place of what ends a dialog. Of two that end in one instant either may
// be noted first.
const endRank = 1

// order is that of two lines of one phone and instant.
func (l line) order(o line) int {
	if l.rank == endRank && o.rank == endRank {
		return strings.Compare(l.text, o.text)
	}
	return cmp.Compare(l.rank, o.rank)
}

// addRanked is addAt for what has a place among the other things of that instant.
func (t *transcript) addRanked(rank int, at time.Time, who, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open {
		t.lines = append(t.lines, line{at: at, who: who, text: fmt.Sprintf(format, args...), rank: rank})
	}
}

// begin sets time zero.
func (t *transcript) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start, t.open = time.Now(), true
}

// since is a time as the transcript shows it.
func (t *transcript) since(at time.Time) time.Duration {
	return at.Sub(t.start).Round(time.Millisecond)
}

// text puts the lines in order: by time, and what happened at one instant by who
// it happened to. The order of what happened to one is kept.
func (t *transcript) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := slices.Clone(t.lines)
	slices.SortStableFunc(lines, func(a, b line) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.who, b.who), a.order(b))
	})
	for i := 0; i < len(lines); { // of one link, what was sent at one instant comes microseconds apart
		n := i + 1
		for n < len(lines) && lines[n].who == lines[i].who && t.since(lines[n].at) == t.since(lines[i].at) {
			n++
		}
		slices.SortStableFunc(lines[i:n], line.order)
		i = n
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%9s  %-12s %s\n", t.since(l.at), l.who, l.text)
	}
	return b.String()
}

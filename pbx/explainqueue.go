package pbx

import (
	"cmp"
	"time"
)

// waiting is the time in a queue while a sentence is made.
type waiting struct {
	at     time.Time
	clause int // counted from 1, 0: none
	name   string
}

// leftQueue says how a caller left a queue where that is not told otherwise; {who} is the queue.
var leftQueue = map[LeftQueue]phrase{
	LeftTimeout:  {"nobody in the queue {who} was free in time", "в очереди {who} никто не освободился вовремя", ""},
	LeftFull:     {"the queue {who} was full", "очередь {who} была заполнена", ""},
	LeftEmpty:    {"no agent of the queue {who} was logged in", "в очереди {who} не было операторов", ""},
	LeftCallback: {"the caller asked to be called back", "вызывающий попросил перезвонить", ""},
}

// queued takes what happens in queues.
func (x *explanation) queued(e CallEvent) {
	switch e.Kind {
	case Queued:
		x.flush()
		name := named(cmp.Or(e.Text, e.To))
		x.waits = waiting{at: e.At, name: name}
		if e.Position > 0 {
			x.say(Text{"the caller waited in the queue " + name, "вызывающий ждал в очереди " + name})
			x.waits.clause = len(x.clauses)
		}
	case QueueLeft:
		if n := x.waits.clause; n > 0 && n <= len(x.clauses) {
			t := x.clauses[n-1].Text
			if s := span(e.At.Sub(x.waits.at)); s.EN != "" {
				t = t.plus(Text{" for " + s.EN, " " + s.RU})
			}
			x.clauses[n-1].Text = t
		}
		if p, ok := leftQueue[LeftQueue(e.Text)]; ok {
			x.flush()
			x.say(p.say([]string{x.waits.name}, 0))
		}
		x.waits = waiting{}
	}
}

package sip

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestHandoverLosesNothing: owners take turns while the peer presses keys. Those
// who were there heard every key between them, once and in order.
func TestHandoverLosesNothing(t *testing.T) {
	for seed := range uint64(10) {
		inBubble(t, nil, func(r *legRig) {
			rng := rand.New(rand.NewPCG(seed, 2))
			l, c := r.answered()
			var want, got strings.Builder
			take := func(from chan any, most int) {
				for range min(most, len(from)) {
					got.WriteRune((<-from).(Pressed).Digit)
				}
			}
			for i := range 60 {
				digit := "0123456789*#"[rng.IntN(12)]
				want.WriteByte(digit)
				c.p.send("INFO "+c.uri+" SIP/2.0", fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bKp%d;rport", c.p.addr, i), "From: "+c.from, "To: "+c.to,
					"Call-ID: "+c.id, fmt.Sprintf("CSeq: %d INFO", 2+i), "Max-Forwards: 70", "Content-Type: application/dtmf", "", string(digit))
				if rng.IntN(3) > 0 {
					r.peer.want("SIP/2.0 200")
				}
				take(r.events, rng.IntN(3))
				if rng.IntN(3) == 0 {
					former := r.heir(l)
					take(former, len(former))
				}
				time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
			}
			time.Sleep(time.Second)
			take(r.events, 64)
			if got.String() != want.String() {
				t.Errorf("seed %d: heard %s, want %s", seed, &got, &want)
			}
		})
	}
}

// wildPeer is a peer that does whatever comes to its mind.
type wildPeer struct {
	*rawCall
	rng  *rand.Rand
	seq  int
	sent map[string]string // branch of an INVITE, or "", by CSeq
	done map[string]string // first final answer by CSeq
}

var (
	wildMethods = []string{"INVITE", "INVITE", "UPDATE", "UPDATE", "REFER", "REFER", "REFER", "SUBSCRIBE", "INFO", "PRACK", "OPTIONS", "NOTIFY", "BYE"}
	wildHeaders = []string{
		"Refer-To: <sip:102@acme.test>", "Refer-To: <sip:102@acme.test?Replaces=a;to-tag=1;from-tag=2>", "Refer-To: x", "Refer-Sub: false", "Event: refer", "Event: refer;id=3",
		"Expires: 0", "Expires: 99999999999", "RAck: 1 1 INVITE", "Supported: timer, 100rel", "Session-Expires: 10", "Session-Expires: 100;refresher=uac", "Require: replaces",
		"Referred-By: <sip:101@acme.test>", "Replaces: x", "Subject: nothing",
	}
)

// act sends a request.
func (w *wildPeer) act() {
	method := wildMethods[w.rng.IntN(len(wildMethods))]
	if method == "BYE" && w.rng.IntN(8) > 0 {
		method = "OPTIONS"
	}
	var headers []string
	for range w.rng.IntN(4) {
		headers = append(headers, wildHeaders[w.rng.IntN(len(wildHeaders))])
	}
	if method == "REFER" && w.rng.IntN(4) > 0 {
		headers = []string{wildHeaders[0], wildHeaders[w.rng.IntN(len(wildHeaders)-4)+3]}
	}
	w.seq++
	body := []string{"", offerSDP, holdSDP, "nonsense"}[w.rng.IntN(4)]
	branch := w.send(method, w.seq, body, headers...)
	if method != "INVITE" {
		branch = ""
	}
	w.sent[fmt.Sprintf("%d %s", w.seq, method)] = branch
}

// hear takes what comes within d, and answers some of it.
func (w *wildPeer) hear(t *testing.T, d time.Duration) {
	for until := time.Now().Add(d); ; {
		m, ok := w.p.next(time.Until(until))
		if !ok {
			return
		}
		status, answer := strings.CutPrefix(m.start, "SIP/2.0 ")
		seq, method := m.cseq()
		switch {
		case !answer && method == "ACK":
		case !answer:
			reply := "200 OK"
			switch k := w.rng.IntN(40); {
			case method == "BYE":
			case k < 8:
				reply = "491 Later"
			case k < 9, k < 15 && method == "NOTIFY":
				reply = "481 No"
			case k < 16, k < 20 && method == "NOTIFY":
				reply = ""
			}
			if reply != "" {
				w.p.reply(m, reply, "", map[bool]string{true: holdSDP}[method == "INVITE" && reply == "200 OK"])
			}
		case status[0] == '1':
		default:
			key := m.one("CSeq")
			if first, ok := w.done[key]; ok && first != status {
				t.Errorf("%s: %s after %s", key, status, first)
			}
			w.done[key] = status
			if method == "INVITE" && status[0] == '2' {
				w.send("ACK", int(seq), map[bool]string{true: offerSDP}[w.rng.IntN(2) == 0])
			} else if method == "INVITE" {
				w.sendBranch(w.sent[key], "ACK", int(seq), "")
			}
		}
	}
}

// TestWildPeer: a peer that sends anything at any time, to a leg whose owners do
// the same. Each request has one answer, each owner hears of the end once, as the
// last thing, and nothing breaks or is left.
func TestWildPeer(t *testing.T) {
	for seed := range uint64(30) {
		inBubble(t, nil, func(r *legRig) {
			rng := rand.New(rand.NewPCG(seed, 3))
			l, c := r.answered()
			w := &wildPeer{rawCall: c, rng: rng, seq: 1, sent: map[string]string{}, done: map[string]string{}}
			owners := map[chan any]int{r.events: 0}
			attend := func(events chan any) {
				for len(events) > 0 {
					e := <-events
					if owners[events] > 0 {
						t.Errorf("seed %d: %T behind the end", seed, e)
					}
					switch e.(type) {
					case Offered:
						l.AnswerOffer([]byte(answerSDP))
					case Referred:
						[]func(){l.AcceptRefer, func() { l.RefuseRefer(403) }, func() {}}[rng.IntN(3)]()
					case LegEnded:
						owners[events]++
					}
				}
			}
			for range 60 {
				switch rng.IntN(12) {
				case 0:
					attend(r.heir(l))
					owners[r.events] = 0
				case 1, 2, 3:
					l.ReferProgress([]int{100, 180, 183, 200, 486, 0}[rng.IntN(6)])
				case 4:
					l.Offer([]byte(answerSDP + fmt.Sprintf("a=x:%d\r\n", rng.Int())))
				case 5:
					if rng.IntN(10) == 0 {
						l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
					}
				default:
					w.act()
				}
				w.hear(t, time.Duration(rng.IntN(3000))*time.Millisecond)
				attend(r.events)
			}
			l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
			w.hear(t, 3*time.Minute)
			attend(r.events)
			if owners[r.events] != 1 {
				t.Errorf("seed %d: the last owner heard of the end %d times", seed, owners[r.events])
			}
			for key := range w.sent {
				if w.done[key] == "" {
					t.Errorf("seed %d: %s has no answer", seed, key)
				}
			}
			if n := r.panics(); n != 0 {
				t.Errorf("seed %d: %v panics", seed, n)
			}
		})
	}
}

// panics counts the faults that were caught.
func (r *legRig) panics() float64 {
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "vpbx_sip_panics_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return -1
}

package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"vpbx/internal/phone"
	"vpbx/pbx"
)

// talks is a campaign in which operators talk with those who are called.
func talks(name string) string {
	return fmt.Sprintf(`  - name: %s
    kind: operators
    mode: progressive
    when: always
    callers: [{number: "+74950000000", label: "Акме, опрос"}]
    consent: given
    ring: 2m
    pace: {per_second: 10, at_once: 10}
    operators: {queue: "700", sorry: sorry}
    redial: {attempts: 1, per_number: 1, spacing: 1s}
`, name)
}

// aTone is the level that operators speak with, and no ringing tone has.
const aTone = 3800

// answered are those who were called and have answered.
type answered struct {
	mu    sync.Mutex
	waits map[float64][]time.Duration // from the answer until that tone was heard
	late  chan struct{}               // closed: who is to answer late does
}

// TestCampaignOperators dials for two operators with foreign phones, one on an operator's
// line, one that answers by itself: who answers talks with one of them, and how soon is
// measured. Whose operator leaves while the number rings is told so.
func TestCampaignOperators(t *testing.T) {
	const people, late = 12, "+79160000099"
	a := &answered{waits: map[float64][]time.Duration{}, late: make(chan struct{})}
	carrier := startMass(t, func(ctx context.Context, c *phone.Call) {
		if c.DialledNumber() == late {
			select {
			case <-a.late:
			case <-ctx.Done():
				return
			}
		}
		a.take(ctx, c)
	})
	s := serve(t, serverOptions{Company: campaigned(acme{Carrier: carrier.Addr().String()}, `"101", "102"`, talks("survey")+talks("late"))})
	s.upload("sorry", 1500)
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
	anna.do("dial", "sip:*47@acme.vpbx.test")
	anna.waitEvent("CALL_ESTABLISHED")
	var rows []string
	for i := range people {
		rows = append(rows, fmt.Sprintf("+7916%07d;Абонент;%d;%s", i, i, noon()))
	}
	s.addList("survey", rows...)
	s.startCampaign("survey")
	s.waitCampaign("survey", pbx.CampaignFinished)
	var f pbx.CampaignReport
	s.get("campaigns/survey/report", &f)
	line, phone := a.waited(440), a.waited(880)
	// An operator's phone that stands still for the two seconds of the law is too late for
	// who was called meanwhile.
	connected, abandoned := f.Outcomes[pbx.AttemptConnected], f.Outcomes[pbx.AttemptAbandoned]
	if connected+abandoned != people || abandoned > people/3 || f.Attempts != people || len(line)+len(phone) != connected || len(line) == 0 || len(phone) == 0 {
		t.Fatalf("of %d: %v; heard %v and %v", people, f.Outcomes, line, phone)
	}
	for what, waits := range map[string][]time.Duration{"line": line, "phone that answers by itself": phone} {
		t.Logf("from the answer to the sound of an operator with a %s, %d calls: p50 %v, p95 %v", what, len(waits), waits[len(waits)/2], waits[len(waits)*95/100])
	}
	anna.heard().wantTone(t, "what the operator on the line hears", 0, 660, 1)
	ivan.heard().wantTone(t, "what the operator whose phone answers hears", 0, 660, 1)

	sorry := len(a.waited(1500))
	s.agent("pause") // 102
	s.addList("late", late+";Абонент;1;"+noon())
	s.startCampaign("late")
	waitFor(t, 30*time.Second, "the last number rings", func() bool { return len(carrier.dialled()[late]) > 0 })
	anna.do("hangup", "")
	anna.waitEvent("CALL_CLOSED")
	s.record("*47") // she has left for the server, too
	close(a.late)
	waitFor(t, 60*time.Second, "the attempt is over", func() bool {
		f = pbx.CampaignReport{}
		s.get("campaigns/late/report", &f)
		return f.Attempts == 1
	})
	k := s.record(late).Campaign // that it is within 2 s is shown on fake time: a machine can stand still for longer
	if told := a.waited(1500); f.Outcomes[pbx.AttemptAbandoned] != 1 || k == nil || k.Sorry == nil || len(told) != sorry+1 {
		t.Errorf("without an operator: %v, %+v, told after %v", f.Outcomes, k, told)
	} else {
		t.Logf("without an operator the prompt begins after %v s and was heard after %v", *k.Sorry, told[sorry:])
	}
}

// take answers a call, listens who is there, and hangs up.
func (a *answered) take(ctx context.Context, c *phone.Call) {
	ctx, cancel := context.WithTimeout(ctx, patience*30*time.Second)
	defer cancel()
	at := time.Now()
	if c.Answer(ctx) != nil {
		return
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var wait, end time.Duration
	tone := 0.0
	for end == 0 || time.Since(at) < end {
		select {
		case <-tick.C:
		case <-c.Done():
			return
		case <-ctx.Done():
			return
		}
		if wait == 0 && c.Level() > aTone {
			wait = time.Since(at)
		}
		for _, f := range []float64{440, 880, 1500} { // which takes a fifth of a second
			if end == 0 && c.Heard(f) {
				tone, end = f, time.Since(at)+time.Second // of talk
			}
		}
	}
	if wait == 0 {
		wait = end - time.Second
	}
	a.mu.Lock()
	a.waits[tone] = append(a.waits[tone], wait)
	a.mu.Unlock()
	_ = c.Hangup(ctx)
}

// waited are the waits for a tone so far, the shortest first.
func (a *answered) waited(tone float64) []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(slices.Values(a.waits[tone]))
}

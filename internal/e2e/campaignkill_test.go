package e2e

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"vpbx/internal/phone"
	"vpbx/pbx"
)

const (
	massTargets = 1000
	massRate    = 80 // dials a second
)

// TestCampaignKilled kills the process again and again, at random instants of a campaign
// that calls a thousand people, and starts it at once; VPBX_KILLS says how often, by VPBX_SEED.
// In the end each of them has a fate, was called at most once, and the report, the attempts
// and the records of the calls say the same.
func TestCampaignKilled(t *testing.T) {
	kills, seed := setting(t, "VPBX_KILLS", 20), setting(t, "VPBX_SEED", 6)
	carrier := startMass(t, various)
	s := serve(t, serverOptions{Again: true, Company: campaigned(acme{Carrier: carrier.Addr().String()}, `"101"`, fmt.Sprintf(`  - name: mass
    kind: inform
    when: always
    callers: [{number: "+74950000000", label: "Акме, новости"}]
    consent: given
    ring: 10s
    pace: {per_second: %d, at_once: 60}
    redial: {attempts: 1, per_number: 1, spacing: 1s}
    script: [{name: main, play: hello, keys: {"9": {opt_out: true}}}]
`, massRate))})
	s.upload("hello", 1040)
	rows := make([]string, massTargets)
	for i := range rows {
		rows[i] = fmt.Sprintf("+7916%07d;Абонент %d;%d;%s", i, i, i, noon())
	}
	if read := s.addList("mass", rows...); read.Added != massTargets {
		t.Fatalf("of the list was read: %+v", read)
	}
	s.startCampaign("mass")

	random := rand.New(rand.NewPCG(uint64(seed), 0))
	began, starting := time.Now(), time.Duration(0)
	share := 4 * massTargets / (3 * kills) // of a life at most: all lives together dial two thirds of the targets
	inTime := 0
	for n := range kills {
		if n%5 == 4 { // before it is ready, too
			s.sleep(time.Duration(random.Int64N(int64(starting/time.Duration(n) + 1))))
		} else {
			if n > 0 {
				at := time.Now()
				s.waitReady()
				starting += time.Since(at)
			}
			carrier.waitDialled(t, random.IntN(share+1))
		}
		if carrier.count() < massTargets {
			inTime++
		}
		s.crash()
		s.launch()
	}
	atLast := len(carrier.dialled())
	s.waitReady()
	waitFor(t, 120*time.Second, "the campaign is over", func() bool {
		var p pbx.CampaignProgress
		s.get("campaigns/mass/progress", &p)
		return p.Status == pbx.CampaignFinished
	})
	t.Logf("%d kills by seed %d in %v; at the last %d of %d numbers had been dialled, at the end %d", kills, seed, time.Since(began).Round(time.Millisecond),
		atLast, massTargets, len(carrier.dialled()))
	if inTime < kills/2 {
		t.Errorf("the campaign was over before %d of %d kills", kills-inTime, kills)
	}
	// After a stall records wait beside the database, and are not in the list yet.
	waitFor(t, 60*time.Second, "all records are in the database", func() bool { return s.metric("vpbx_store_spool_records") == 0 })
	s.wantExactlyOnce(carrier.dialled())
}

// wantExactlyOnce compares what the store says of the campaign with what the carrier saw:
// the Call-IDs of INVITEs by number.
func (s *server) wantExactlyOnce(seen map[string]map[string]bool) {
	s.t.Helper()
	records := map[string]pbx.CDR{}
	for _, r := range s.allRecords() {
		records[string(r.ID)] = r
	}
	attempts, outcomes := map[string]int{}, map[pbx.AttemptOutcome]int{}
	for _, a := range s.reportTable("mass", "attempts") {
		number, outcome := a["phone"], pbx.AttemptOutcome(a["outcome"])
		attempts[number]++
		outcomes[outcome]++
		r, has := records[a["call"]]
		switch {
		case !has && outcome != pbx.AttemptInterrupted:
			s.t.Errorf("the attempt to %s came to %q without a call", number, outcome)
		case has && (r.Campaign == nil || r.Campaign.Outcome != outcome || r.Campaign.Number != number):
			s.t.Errorf("the attempt to %s came to %q, its call to %+v", number, outcome, r.Campaign)
		case len(seen[number]) == 0 && outcome != pbx.AttemptInterrupted:
			s.t.Errorf("the attempt to %s came to %q, and the carrier saw none", number, outcome)
		}
		delete(records, a["call"])
	}
	for id, r := range records {
		s.t.Errorf("call %s is of no attempt: %+v", id, r.Campaign)
	}
	for number, calls := range seen {
		if len(calls) > attempts[number] || len(calls) > 1 {
			s.t.Errorf("%s was called %d times by %d attempts", number, len(calls), attempts[number])
		}
	}
	states := map[pbx.TargetState]int{}
	targets := s.reportTable("mass", "targets")
	for _, target := range targets {
		state := pbx.TargetState(target["state"])
		states[state]++
		if n := attempts[target["phone 1"]]; !state.Over() || n != 1 || target["attempts"] != "1" {
			s.t.Errorf("%s is %s after %s attempts, of which %d are kept", target["phone 1"], state, target["attempts"], n)
		}
	}
	var f pbx.CampaignReport
	s.get("campaigns/mass/report", &f)
	if len(targets) != massTargets || f.Attempts != len(attempts) || fmt.Sprint(f.Outcomes) != fmt.Sprint(outcomes) || fmt.Sprint(f.Targets) != fmt.Sprint(states) {
		s.t.Errorf("the report says %d attempts, %v, %v; there are %d, %v, %v", f.Attempts, f.Outcomes, f.Targets, len(attempts), outcomes, states)
	}
	s.t.Logf("%v, %v", states, outcomes)
}

// allRecords lists the records of all calls.
func (s *server) allRecords() (all []pbx.CDR) {
	s.t.Helper()
	for cursor, more := "", true; more; more = cursor != "" {
		var l struct {
			Items []pbx.CDR
			Next  string
		}
		s.get("calls?"+url.Values{"limit": {"100"}, "cursor": {cursor}}.Encode(), &l)
		all, cursor = append(all, l.Items...), l.Next
	}
	return all
}

// sleep waits for so long while the process runs.
func (s *server) sleep(d time.Duration) {
	s.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.exited:
		s.t.Fatalf("vpbx ended by itself: %v", s.err)
	}
}

// setting reads a number of the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q", name, text)
	}
	return n
}

// various is busy, does not exist, or answers and hangs up soon, as the number says.
func various(ctx context.Context, c *phone.Call) {
	ctx, cancel := context.WithTimeout(ctx, patience*30*time.Second)
	defer cancel()
	h := fnv.New32a()
	h.Write([]byte(c.DialledNumber()))
	kind, after := h.Sum32()%10, time.Duration(h.Sum32()/10%300)*time.Millisecond
	timer := time.NewTimer(after)
	defer timer.Stop()
	switch {
	case kind < 2:
		_ = c.Reject(486) // who has called may be dead; so below
	case kind < 4:
		_ = c.Reject(404)
	case kind < 6: // rings for a while
		select {
		case <-timer.C:
			_ = c.Reject(486)
		case <-c.Done():
		case <-ctx.Done():
		}
	case c.Answer(ctx) == nil:
		select {
		case <-timer.C:
			_ = c.Hangup(ctx)
		case <-c.Done():
		case <-ctx.Done():
		}
	}
}

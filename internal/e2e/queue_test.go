package e2e

import (
	"slices"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestQueue lets a foreign phone wait in a queue with the melody until its agent, another
// one, goes on after a pause; then the two hear each other, and the agent rests.
func TestQueue(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{}.String() + `  - {number: "700", name: Поддержка, kind: queue, members: ["102"], wrapup: 10m}` + "\n"})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: "tcp", Tone: 880, Auto: true})
	s.agent("pause")
	anna.do("dial", "sip:700@acme.vpbx.test")
	anna.waitEvent("CALL_ESTABLISHED")
	waitFor(t, 30*time.Second, "the melody is heard", func() bool { return anna.heard().loud(0) >= 2 })
	anna.heard().wantNone(t, "what the one who waits hears", 0, 880)
	var q pbx.QueueInfo
	if s.get("queues/700", &q); len(q.Waiting) != 1 || q.Waiting[0].Position != 1 || q.Agents[0].Status != pbx.AgentPaused {
		t.Errorf("while it waits: %+v", q)
	}
	s.agent("resume")
	anna.waitHeard(880, 1.5)
	ivan.waitHeard(440, 1.5)
	anna.do("hangup", "")
	ivan.waitEvent("CALL_CLOSED")
	r := s.find("101", func(r record) bool { return len(r.Queues) == 1 })
	if v := r.Queues[0]; v.Left != pbx.LeftAnswered || v.Agent != "102" || v.Waited < 1 || v.Talk < 1 {
		t.Errorf("the record says %+v", v)
	}
	waitFor(t, 20*time.Second, "the agent rests", func() bool {
		s.get("queues/700", &q)
		return len(q.Waiting) == 0 && q.Agents[0].Status == pbx.AgentWrapup
	})
	var f pbx.QueueFigures
	if s.get("queues/700/figures", &f); f.Answered != 1 || len(f.Agents) != 1 {
		t.Errorf("figures %+v", f)
	}
}

// agent lets 102 pause or go on.
func (s *server) agent(do string) {
	s.t.Helper()
	if status, _, answer := s.request("POST", "agents/102/"+do, ""); status != 200 {
		s.t.Errorf("%s: %d %s", do, status, answer)
	}
}

// loud is how many seconds of a channel are not silent.
func (s sound) loud(channel int) float64 {
	const block = rate / 10
	n := 0
	for pcm := s.channels[channel]; len(pcm) >= block; pcm = pcm[block:] {
		if slices.Max(pcm[:block]) > 500 {
			n++
		}
	}
	return float64(n) / 10
}

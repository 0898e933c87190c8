package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"vpbx/internal/phone"
	"vpbx/pbx"
)

// wire counts the final responses of INVITEs, as the agents see them.
type wire struct {
	mu     sync.Mutex
	finals map[string]map[string]bool // status lines by agent, Call-ID and CSeq
}

// watch sees every message of an agent.
func (a *agent) watch(dir string, raw []byte) {
	if dir == "in" && strings.HasPrefix(string(raw), "REFER ") {
		a.w.fail(fmt.Errorf("the PBX sends a REFER to %s", a.name))
	}
	if dir != "in" || !strings.HasPrefix(string(raw), "SIP/2.0 ") {
		return
	}
	head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	var id, cseq string
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "call-id", "i":
			id = value
		case "cseq":
			cseq = value
		}
	}
	if !strings.HasSuffix(cseq, "INVITE") || lines[0] < "SIP/2.0 2" {
		return
	}
	w := &a.w.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finals == nil {
		w.finals = map[string]map[string]bool{}
	}
	key := a.name + id + cseq
	if w.finals[key] == nil {
		w.finals[key] = map[string]bool{}
	}
	w.finals[key][lines[0]] = true
}

// check looks at what must be true after every flow, while the PBX still runs.
func (w *world) check(all map[string][]record) error {
	var errs []error
	for key, statuses := range w.wire.finals {
		if len(statuses) > 1 {
			errs = append(errs, fmt.Errorf("an INVITE got several final responses: %v (%s)", slices.Collect(maps.Keys(statuses)), key))
		}
	}
	for _, m := range w.made {
		if s := m.call.State(); s != phone.Ended {
			errs = append(errs, fmt.Errorf("a call of %s is still %v", m.by.name, s))
		}
	}
	for company, records := range all {
		ids := map[pbx.CallID]bool{}
		for _, r := range records {
			if ids[r.ID] {
				errs = append(errs, fmt.Errorf("the call from %s has two records", r.From))
			}
			ids[r.ID] = true
			if r.Tenant != tenantID(company) {
				errs = append(errs, fmt.Errorf("%s sees a call of %s", company, r.Tenant))
			}
			if err := checkRecord(r); err != nil {
				errs = append(errs, fmt.Errorf("call of %s from %s to %s: %w", company, r.From, r.To, err))
			}
		}
	}
	return errors.Join(append(errs, checkGoroutines(), w.checkMetrics(all), w.checkQueues(), w.checkTenants(all["acme"]))...)
}

// checkGoroutines looks for what lives only as long as a call, among the
// goroutines of this bubble.
func checkGoroutines() error {
	own := make([]byte, 256)
	own = own[:runtime.Stack(own, false)]
	head, _, _ := strings.Cut(string(own), "\n")
	_, bubble, ok := strings.Cut(strings.TrimSuffix(head, "]:"), "synctest bubble ")
	if !ok {
		return fmt.Errorf("this is no bubble: %s", head)
	}
	all := make([]byte, 8<<20)
	all = all[:runtime.Stack(all, true)]
	var errs []error
	for stack := range strings.SplitSeq(string(all), "\n\n") {
		head, rest, _ := strings.Cut(stack, "\n")
		if !strings.HasSuffix(head, "synctest bubble "+bubble+"]:") {
			continue
		}
		for _, f := range []string{"vpbx/sip.(*Leg).run", "vpbx/call.(*Call).run", "vpbx/media.(*Session).", "vpbx/recordings.(*Recorder)."} {
			if strings.Contains(rest, f) {
				errs = append(errs, fmt.Errorf("no call goes on and %s runs:\n%s", f, stack))
			}
		}
	}
	return errors.Join(errs...)
}

// checkRecord compares a record with itself and with its trace.
func checkRecord(r record) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	length := r.Ended.Sub(r.Started).Seconds()
	if r.Answered != nil && !w1(r.Wait+r.Talk, length) && !parted(r.Trace) {
		bad("waiting %v and talking %v are not its length %v", r.Wait, r.Talk, length)
	}
	if r.Answered == nil && (!w1(r.Wait, length) || r.Talk != 0) {
		bad("it waited %v and talked %v in %v without an answer", r.Wait, r.Talk, length)
	}
	if len(r.Trace) == 0 || r.Trace[0].Kind != pbx.Arrived {
		bad("its trace does not begin with its arrival")
	}
	for _, text := range []string{r.Explained.EN, r.Explained.RU} {
		if strings.Count(text, ".") < 1 || !strings.HasSuffix(text, ".") || strings.Contains(text, "{") || strings.Contains(text, "  ") {
			bad("it is explained as %q", text)
		}
	}
	legs := map[pbx.LegID]bool{}
	for i, e := range r.Trace {
		if e.Kind == pbx.Ended && i != len(r.Trace)-1 {
			bad("%s comes after its end", r.Trace[i+1].Kind)
		}
		if i > 0 && e.At.Before(r.Trace[i-1].At) && e.Kind != pbx.RecordEnd {
			bad("%s comes before what was before it", e.Kind)
		}
		switch e.Kind {
		case pbx.Dialled, pbx.CallerDialled:
			legs[e.Leg] = true
		case pbx.LegEnded:
			delete(legs, e.Leg)
		}
	}
	interrupted := r.Cause.Reason == pbx.Interrupted
	if err := checkQueued(r); err != nil {
		errs = append(errs, err)
	}
	if err := checkLadder(r); err != nil && !interrupted {
		errs = append(errs, err)
	}
	if len(legs) > 0 && !interrupted {
		bad("%d of its legs did not end", len(legs))
	}
	if n := len(r.Trace); n > 0 && r.Trace[n-1].Kind != pbx.Ended && !interrupted {
		bad("its trace does not end")
	}
	return errors.Join(errs...)
}

// checkLadder looks through the SIP messages of a call: of each leg that was
// called or called us there are some, in order, and none tells a secret.
func checkLadder(r record) error {
	legs := map[pbx.LegID]int{}
	for i, m := range r.Ladder {
		legs[m.Leg]++
		if i > 0 && m.At.Before(r.Ladder[i-1].At) {
			return fmt.Errorf("message %d of its ladder comes before the one before it", i)
		}
		if m.Who == "" || m.Dir != "in" && m.Dir != "out" || m.Start == "" || len(m.Headers) == 0 {
			return fmt.Errorf("message %d of its ladder: %+v", i, m)
		}
		for _, line := range m.SDP {
			if strings.Contains(line, "crypto") || strings.Contains(line, "inline") {
				return fmt.Errorf("message %d of its ladder has a key", i)
			}
		}
		for _, h := range m.Headers {
			if name, value, _ := strings.Cut(h, ": "); strings.Contains(strings.ToLower(name), "auth") && value != "(not kept)" {
				return fmt.Errorf("message %d of its ladder has a secret: %s", i, h)
			}
		}
	}
	if r.Caller.Leg != "" && legs[r.Caller.Leg] == 0 {
		return fmt.Errorf("its ladder has no messages of the caller's leg")
	}
	return nil
}

// w1 says whether two times in seconds are the same to the rounding.
func w1(a, b float64) bool { return math.Abs(a-b) < 0.0025 }

// parted says whether two who talked were parted before the end.
func parted(trace []pbx.CallEvent) bool {
	n := 0
	for _, e := range trace {
		if e.Kind == pbx.Bridged || e.Kind == pbx.Transferring || e.Kind == pbx.JoinedRoom {
			n++
		}
	}
	return n > 1
}

// checkMetrics compares what the PBX counts with what is there.
func (w *world) checkMetrics(all map[string][]record) error {
	var text []byte
	if err := w.get("nobody", "/metrics", &text); err != nil {
		return err
	}
	var errs []error
	ended := 0.0
	for l := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(l), " ")
		var n float64
		if _, err := fmt.Sscan(value, &n); err != nil || n == 0 {
			continue
		}
		family, _, _ := strings.Cut(name, "{")
		switch family {
		case "vpbx_calls_active", "vpbx_queue_waiting", "vpbx_conferences_active", "vpbx_media_sessions", "vpbx_call_panics_total", "vpbx_sip_panics_total", "vpbx_call_records_lost_total", "vpbx_sip_legs":
			errs = append(errs, fmt.Errorf("%s is %v", name, n))
		case "vpbx_calls_total":
			ended += n
		}
	}
	if n := len(all["acme"]) + len(all["umbra"]); w.runs == 1 && int(ended) != n {
		errs = append(errs, fmt.Errorf("%v calls are counted, there are %d records", ended, n))
	}
	return errors.Join(errs...)
}

// checkTenants asks for everything of acme as umbra.
func (w *world) checkTenants(acme []record) error {
	var errs []error
	paths := []string{"", "/calls", "/registrations", "/recordings", "/queues", "/agents"}
	for _, r := range acme[:min(3, len(acme))] {
		paths = append(paths, "/calls/"+string(r.ID))
		for _, rec := range r.Recordings {
			paths = append(paths, "/recordings/"+string(rec.ID))
		}
	}
	for _, p := range paths {
		status, text, err := w.request("umbra", "GET", "/api/v1/tenants/acme"+p, nil, "")
		if err != nil || status != 403 && status != 404 {
			errs = append(errs, fmt.Errorf("umbra asks for %q of acme: %d %s %v", p, status, text, err))
		}
		if own, ok := strings.CutPrefix(p, "/calls/"); ok {
			status, _, err := w.request("umbra", "GET", "calls/"+own, nil, "")
			if err != nil || status != 404 {
				errs = append(errs, fmt.Errorf("umbra finds a call of acme among its own: %d %v", status, err))
			}
		}
	}
	var registered struct{ Items []json.RawMessage }
	if err := w.get("umbra", "registrations", &registered); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, raw := range registered.Items {
		if strings.Contains(string(raw), "acme") {
			errs = append(errs, fmt.Errorf("umbra sees a registration of acme: %s", raw))
		}
	}
	return errors.Join(errs...)
}

// checkRest looks at what is left when everything is closed.
func (w *world) checkRest() error {
	var errs []error
	if open := w.net.Open(); len(open) > 0 {
		errs = append(errs, fmt.Errorf("sockets are left open: %v", open))
	}
	dir := filepath.Join(w.cfg.Data, "recordings")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasSuffix(path, ".part") {
			return fmt.Errorf("a recording is not closed: %s", filepath.Base(path))
		}
		if !strings.HasSuffix(path, ".wav") {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err == nil {
			_, _, err = stereo(raw)
		}
		return err
	})
	return errors.Join(append(errs, err)...)
}

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vpbx/pbx"
)

// record is a call record as the API gives it.
type record struct {
	pbx.CDR
	Trace []pbx.CallEvent `json:"trace"`
}

// why is the reasons of a record in one line.
func (r record) why() string { return strings.Join(r.Why, "; ") }

// saw tells whether the trace holds an event of that kind.
func (r record) saw(kind pbx.EventKind) bool {
	for _, e := range r.Trace {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

// request asks the API. Path is below /api/v1/tenants/acme/ unless it begins
// with a slash.
func (s *server) request(method, path, body string, header ...string) (status int, head http.Header, answer []byte) {
	s.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/api/v1/tenants/acme/" + path
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience*30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.http+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatalf("ask the API: %v", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("ask the API: %v", err)
	}
	defer res.Body.Close()
	return res.StatusCode, res.Header, readAll(s.t, res.Body)
}

// get reads a resource as JSON.
func (s *server) get(path string, v any) {
	s.t.Helper()
	status, _, body := s.request(http.MethodGet, path, "")
	if status != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		s.t.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

// live lists the calls that are going on.
func (s *server) live() []pbx.CallInfo {
	s.t.Helper()
	var l struct{ Items []pbx.CallInfo }
	s.get("calls?live=true", &l)
	return l.Items
}

// waitLive waits until one call is in that state, and gives it.
func (s *server) waitLive(state pbx.EventKind) pbx.CallInfo {
	s.t.Helper()
	var found pbx.CallInfo
	waitFor(s.t, 20*time.Second, fmt.Sprintf("a call is %s", state), func() bool {
		for _, c := range s.live() {
			if c.State == state {
				found = c
				return true
			}
		}
		return false
	})
	return found
}

// records lists the records of the calls with an outside or inside number.
func (s *server) records(number string) []pbx.CDR {
	s.t.Helper()
	var l struct{ Items []pbx.CDR }
	s.get("calls?number="+strings.ReplaceAll(number, "+", "%2B"), &l)
	return l.Items
}

// record waits for the only record of the calls with a number, and reads it
// with its trace.
func (s *server) record(number string) record {
	s.t.Helper()
	var list []pbx.CDR
	waitFor(s.t, 20*time.Second, "a record of the call with "+number, func() bool {
		list = s.records(number)
		return len(list) > 0
	})
	if len(list) != 1 {
		s.t.Fatalf("%d records of calls with %s, want 1", len(list), number)
	}
	var r record
	s.get("calls/"+string(list[0].ID), &r)
	return r
}

// wantRecord reads the record of the call with a number and compares what it
// says.
func (s *server) wantRecord(number string, outcome pbx.Outcome, reason pbx.Reason, why ...string) record {
	s.t.Helper()
	r := s.record(number)
	if r.Outcome != outcome || r.Cause.Reason != reason {
		s.t.Errorf("the call with %s: %s by %s, want %s by %s; why: %s", number, r.Outcome, r.Cause.Reason, outcome, reason, r.why())
	}
	for _, w := range why {
		if !strings.Contains(r.why(), w) {
			s.t.Errorf("the call with %s: why %q lacks %q", number, r.why(), w)
		}
	}
	return r
}

// recording downloads the only recording of a call in pieces, by Range, and
// checks that they are the whole.
func (s *server) recording(r record) sound {
	s.t.Helper()
	if len(r.Recordings) != 1 {
		s.t.Fatalf("%d recordings, want 1: %+v", len(r.Recordings), r.Recordings)
	}
	path := "recordings/" + string(r.Recordings[0].ID)
	status, head, whole := s.request(http.MethodGet, path, "")
	if status != http.StatusOK || head.Get("Content-Type") != "audio/wav" {
		s.t.Fatalf("GET %s: %d %s %s", path, status, head.Get("Content-Type"), whole[:min(len(whole), 200)])
	}
	half := len(whole) / 2
	status, head, first := s.request(http.MethodGet, path, "", "Range", fmt.Sprintf("bytes=0-%d", half-1))
	if want := fmt.Sprintf("bytes 0-%d/%d", half-1, len(whole)); status != http.StatusPartialContent || head.Get("Content-Range") != want {
		s.t.Fatalf("the first half of %s: %d, Content-Range %q, want %q", path, status, head.Get("Content-Range"), want)
	}
	status, _, second := s.request(http.MethodGet, path, "", "Range", fmt.Sprintf("bytes=%d-", half))
	if status != http.StatusPartialContent || !bytes.Equal(append(first, second...), whole) {
		s.t.Fatalf("the two halves of %s are not the whole", path)
	}
	return readWAV(s.t, whole)
}

// metric sums a metric over its labels; a label may be given as in
// name{result="failed"}. What is not there is 0.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	name, label, _ := strings.Cut(name, "{")
	label = strings.TrimSuffix(label, "}")
	status, _, body := s.request(http.MethodGet, "/metrics", "")
	if status != http.StatusOK {
		s.t.Fatalf("GET /metrics: %d", status)
	}
	var sum float64
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), " ")
		at, labels, _ := strings.Cut(series, "{")
		if !ok || at != name || !strings.Contains(labels, label) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			s.t.Fatalf("metric %s: %v", series, err)
		}
		sum += v
	}
	return sum
}

// registered tells how many contacts an extension has.
func (s *server) registered(extension string) int {
	s.t.Helper()
	var l struct{ Items []pbx.Binding }
	s.get("registrations", &l)
	n := 0
	for _, b := range l.Items {
		if b.Extension == extension {
			n++
		}
	}
	return n
}

// waitRegistered waits until an extension has so many contacts.
func (s *server) waitRegistered(extension string, n int) {
	s.t.Helper()
	waitFor(s.t, 20*time.Second, fmt.Sprintf("%s has %d registrations", extension, n), func() bool {
		return s.registered(extension) == n
	})
}

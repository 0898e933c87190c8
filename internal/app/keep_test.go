package app

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/events"
	"vpbx/internal/simnet"
	"vpbx/pbx"
)

// TestRecordingAcrossCrash: the process dies after the file is finished and
// before the trace says so. The next start gives it its sum and its place, and
// says that it is ready; whoever alters it then is found out.
func TestRecordingAcrossCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Options{})
		defer net.Close()
		host := hostOf(net)
		cfg := testConfig(t, company)
		log := slog.New(slog.DiscardHandler)
		a, err := New(t.Context(), cfg, host, log, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		sub := a.bus.Subscribe(events.Filter{Tenant: "acme"})
		now := time.Now()
		record := func() pbx.Recording {
			r, err := a.recordings.Start("acme", pbx.NewCallID(now), now)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			return r.Close()
		}
		traceOf := func(r pbx.Recording) []pbx.CallEvent {
			return []pbx.CallEvent{{At: now, Kind: pbx.Arrived, From: "101", To: "102"},
				{At: now, Kind: pbx.RecordStart, Recording: &pbx.Recording{ID: r.ID, Tenant: "acme", Call: r.Call}}}
		}
		first, second := record(), record()
		cause := pbx.NewCause(pbx.PartyCaller, pbx.Hangup)
		trace := append(traceOf(first), pbx.CallEvent{At: now, Kind: pbx.RecordEnd, Recording: &first}, pbx.CallEvent{At: now, Kind: pbx.Ended, Cause: &cause})
		if err := a.store.Record(t.Context(), "acme", pbx.Summarize("acme", first.Call, trace), trace); err != nil {
			t.Fatal(err)
		}
		e, err := sub.Next(t.Context())
		if r, is := e.Body.(pbx.Recording); err != nil || e.Kind != "recording.ready" || !is || r.ID != first.ID || r.Link == "" {
			t.Errorf("event %+v, %v", e, err)
		}
		if _, err := a.store.Recording(t.Context(), "acme", first.ID); err != nil {
			t.Errorf("told of before it could be asked for: %v", err)
		}
		if err := a.store.JournalCall(t.Context(), "acme", second.Call, traceOf(second)); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}

		if a, err = New(t.Context(), cfg, host, log, io.Discard); err != nil {
			t.Fatal(err)
		}
		v, err := a.keeper.Verify(t.Context(), "acme", pbx.VerifyQuery{})
		if err != nil || v.Whole != 2 || len(v.Findings) != 0 {
			t.Errorf("%+v, %v", v, err)
		}
		if err := a.recordings.Remove("acme", first.ID); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		sound, err := Verify(context.Background(), cfg, "", &out)
		if err != nil || sound || !strings.Contains(out.String(), "acme: missing "+string(first.ID)+" (place 1)") || !strings.Contains(out.String(), "2 recordings in the chain, 1 whole") {
			t.Errorf("%v, %v: %s", sound, err, out.String())
		}
		if _, err := Verify(context.Background(), cfg, "nobody", &out); err == nil {
			t.Error("a company that does not exist is verified")
		}
	})
}

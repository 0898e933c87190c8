package app

import (
	"context"
	"fmt"
	"time"

	"vpbx/pbx"
)

// recover deals with what a process that died has left: recordings that were
// not closed are made playable, calls that were open get their record, with
// the cause Interrupted.
func (a *App) recover(ctx context.Context) error {
	repaired, err := a.recordings.Repair(ctx)
	if err != nil {
		return fmt.Errorf("repair recordings: %w", err)
	}
	found := make(map[pbx.RecordingID]pbx.Recording, len(repaired))
	for _, r := range repaired {
		found[r.ID] = r
	}
	open, err := a.store.Interrupted(ctx, a.cfg.Node)
	if err != nil {
		return fmt.Errorf("find interrupted calls: %w", err)
	}
	for _, c := range open {
		trace := a.closeRecordings(ctx, c.Trace, found)
		cdr := pbx.Summarize(c.Tenant, c.ID, trace)
		if err := a.store.Record(ctx, c.Tenant, cdr, trace); err != nil {
			return fmt.Errorf("record interrupted call %s: %w", c.ID, err)
		}
	}
	if len(open)+len(repaired) > 0 {
		a.log.Warn("the last run was interrupted", "calls", len(open), "recordings", len(repaired))
	}
	return nil
}

// closeRecordings adds the end of recordings that the trace shows as begun
// only. What the dead process could not note any more is read off the file.
func (a *App) closeRecordings(ctx context.Context, trace []pbx.CallEvent, found map[pbx.RecordingID]pbx.Recording) []pbx.CallEvent {
	begun := make(map[pbx.RecordingID]pbx.CallEvent)
	for _, e := range trace {
		switch {
		case e.Recording == nil:
		case e.Kind == pbx.RecordStart:
			begun[e.Recording.ID] = e
		case e.Kind == pbx.RecordEnd, e.Kind == pbx.RecordDropped:
			delete(begun, e.Recording.ID)
		}
	}
	for id, start := range begun {
		r, ok := found[id]
		if !ok {
			r = a.finished(ctx, *start.Recording)
		}
		r.Call, r.Box, r.Pauses = start.Recording.Call, start.Recording.Box, pausesOf(trace, id, r.Seconds)
		end := start.At.Add(time.Duration(r.Seconds * float64(time.Second)))
		trace = append(trace, pbx.CallEvent{At: end, Kind: pbx.RecordEnd, Recording: &r})
	}
	return trace
}

// pausesOf reads off a trace when a recording that began in it was paused. One that
// was paused when the process died is so to its end.
func pausesOf(trace []pbx.CallEvent, id pbx.RecordingID, length float64) []pbx.Pause {
	var list []pbx.Pause
	var began time.Time
	paused := -1.0
	add := func(to float64) {
		if to = min(to, length); paused >= 0 && to > paused {
			list = append(list, pbx.Pause{From: paused, To: to})
		}
		paused = -1
	}
	for _, e := range trace {
		if e.Recording == nil || e.Recording.ID != id {
			continue
		}
		switch at := e.At.Sub(began).Seconds(); e.Kind {
		case pbx.RecordStart:
			began = e.At
		case pbx.RecordPaused:
			paused = at
		case pbx.RecordResumed:
			add(at)
		}
	}
	add(length)
	return list
}

// finished is a recording whose file the dead process had closed already, though
// not noted that; or one whose file is missing.
func (a *App) finished(ctx context.Context, r pbx.Recording) pbx.Recording {
	f, size, _, err := a.recordings.Open(r.Tenant, r.ID)
	switch {
	case pbx.KindOf(err) == pbx.NotFound:
		r.Error = "the recording was interrupted and its file is missing"
		return r
	case err != nil: // it gets its place in the chain later
		a.log.Warn("recording not looked at", "tenant", r.Tenant, "recording", r.ID, "error", err)
		r.Error = "the recording was interrupted, and its file could not be looked at"
		return r
	}
	defer f.Close()
	if r.SHA256, _, err = a.recordings.Sum(ctx, r.Tenant, r.ID); err != nil {
		a.log.Warn("recording not summed", "tenant", r.Tenant, "recording", r.ID, "error", err)
	}
	r.Bytes = size
	r.Seconds = float64(size-44) / (2 * 2 * 8000) // 16 bits, two sides, 8 kHz
	return r
}

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vpbx/events"
	"vpbx/pbx"
)

const (
	heartbeat        = 15 * time.Second // between two signs of life of a quiet stream
	reconnect        = 3 * time.Second  // what clients are told to wait before they come back
	farewell         = time.Second      // for the last write when the server is closed
	maxStreams       = 1024             // streams open at once
	maxTenantStreams = 128              // of one company
)

type inEvents struct {
	InTenant
	Last string `header:"Last-Event-ID" maxLength:"20" doc:"Id of the last event that was seen: those after it come first, as far as they are still known"`
}

func (s *Server) addEvents() {
	handle(s, ReadEvents, huma.Operation{
		OperationID: "stream-events", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/events",
		Tags: []string{"events"}, Summary: "Streams what happens to calls and registrations as server-sent events",
		Description: "An event is named by what happened, call.arrived to call.ended, recording.ready, registration.* or agent.*, and its data is that line of the trace of " +
			"the call, the recording, the binding, or the agent. The event missed, {\"missed\": n}, says that n events are left out here, 0 when it is not known how many, " +
			"because the client was too slow or came back too late; what is true now is then to be asked for anew.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The stream",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}},
		}},
	}, s.events)
}

// events opens a stream. It lasts until the client goes, its token or its
// company is no longer good, or the server is closed.
func (s *Server) events(ctx context.Context, q *request, in *inEvents) (*stream, error) {
	after, err := lastEvent(in.Last)
	if err != nil {
		return nil, err
	}
	if err := s.streams.enter(q.tenant()); err != nil {
		return nil, err
	}
	return &stream{Body: func(hc huma.Context) {
		defer s.streams.leave(q.tenant())
		_, w := humago.Unwrap(hc)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.life, func() {
			cancel()
			// A client that reads gets the end; a write to one that does not is given up.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(farewell))
		})()
		if err := s.stream(ctx, q, after, w); err != nil && ctx.Err() == nil {
			q.log.Debug("event stream broken off", "err", err)
		}
	}}, nil
}

// lastEvent reads Last-Event-ID; 0 when there is none.
func lastEvent(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, invalid("Last-Event-ID", "it is not one that this stream gave")
	}
	return id, nil
}

// stream sends events until ctx is done or the client does not take them.
func (s *Server) stream(ctx context.Context, q *request, after uint64, w http.ResponseWriter) error {
	sub := s.c.Bus.Subscribe(events.Filter{Tenant: q.tenant(), After: after})
	defer sub.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would collect the events
	w.WriteHeader(http.StatusOK)
	out := eventWriter{w: w, control: http.NewResponseController(w)}
	if err := out.begin(); err != nil {
		return err
	}
	loc, admitted := zoneOf(q.company), time.Now()
	for {
		wait, cancel := context.WithTimeout(ctx, heartbeat)
		e, err := sub.Next(wait)
		cancel()
		if now := time.Now(); now.Sub(admitted) >= heartbeat {
			if err := s.stillAdmitted(q, ReadEvents); err != nil {
				return err
			}
			loc, admitted = zoneOf(q.company), now // the document may have been changed
		}
		var missed events.Missed
		switch {
		case err == nil:
			err = out.event(e, loc)
		case ctx.Err() != nil || errors.Is(err, events.ErrClosed):
			return nil
		case errors.As(err, &missed):
			err = out.missed(missed)
		case errors.Is(err, context.DeadlineExceeded):
			err = out.beat()
		}
		if err != nil {
			return err
		}
	}
}

// stillAdmitted says whether a stream that was opened may go on. A store that
// cannot be asked just now ends no stream.
func (s *Server) stillAdmitted(q *request, p Permission) error {
	err := s.admit(q, p)
	switch pbx.KindOf(err) {
	case pbx.Unauthenticated, pbx.Denied, pbx.NotFound:
		return fmt.Errorf("no longer admitted: %w", err)
	}
	return nil
}

// eventWriter writes server-sent events as the WHATWG HTML standard §9.2 has
// them.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

func (o *eventWriter) begin() error {
	fmt.Fprintf(&o.buf, "retry: %d\n\n", reconnect.Milliseconds())
	return o.flush()
}

func (o *eventWriter) beat() error {
	o.buf.WriteString(": \n\n")
	return o.flush()
}

func (o *eventWriter) event(e events.Event, loc *time.Location) error {
	data, err := json.Marshal(eventBody(e.Body, loc))
	if err != nil {
		return fmt.Errorf("encode event %d: %w", e.ID, err)
	}
	fmt.Fprintf(&o.buf, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Kind, data)
	return o.flush()
}

func (o *eventWriter) missed(n events.Missed) error {
	fmt.Fprintf(&o.buf, "event: missed\ndata: {\"missed\":%d}\n\n", n)
	return o.flush()
}

func (o *eventWriter) flush() error {
	defer o.buf.Reset()
	if _, err := o.w.Write(o.buf.Bytes()); err != nil {
		return err
	}
	return o.control.Flush()
}

// eventBody gives the body of an event with its times in the zone loc.
func eventBody(body any, loc *time.Location) any {
	switch b := body.(type) {
	case pbx.Live:
		b.At = b.At.In(loc)
		return b
	case pbx.Binding:
		return bindingInZone(b, loc)
	case pbx.AgentInfo:
		return agentInZone(b, loc)
	}
	return body
}

// streams counts the open event streams.
type streams struct {
	mu    sync.Mutex
	open  map[pbx.TenantID]int
	total int
}

func (s *streams) enter(t pbx.TenantID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxStreams || s.open[t] >= maxTenantStreams {
		return &retryError{after: reconnect, error: &pbx.Error{Kind: pbx.Limit, Msg: "too many event streams are open"}}
	}
	s.open[t]++
	s.total++
	return nil
}

func (s *streams) leave(t pbx.TenantID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.open[t]--; s.open[t] == 0 {
		delete(s.open, t)
	}
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

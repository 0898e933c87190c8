package rtk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"vpbx/pbx"
)

// Bounds of a period.
const (
	maxHistory = 366 * 24 * time.Hour
	maxCharges = 31 * 24 * time.Hour
)

// Histories keeps the orders of histories. Package store implements it.
type Histories interface {
	// OrderHistory keeps an order: Conflict, with its id as the field, when the same
	// is kept already; Limit when there are too many.
	OrderHistory(ctx context.Context, t pbx.TenantID, h pbx.History) error
	History(ctx context.Context, t pbx.TenantID, id string) (pbx.History, error)
	// NextHistory gives the oldest order that waits, NotFound when none does.
	NextHistory(ctx context.Context) (pbx.History, error)
	// FinishHistory keeps what became of one, and tells the CRM.
	FinishHistory(ctx context.Context, t pbx.TenantID, h pbx.History) error
	// LoseHistory says that the file of one is gone.
	LoseHistory(ctx context.Context, t pbx.TenantID, id string) error
	// ForgetHistories forgets those from before a time, of all companies.
	ForgetHistories(ctx context.Context, before time.Time) error
}

// historyDirections and historyStates are what may be asked for; 0 is all.
var (
	historyDirections = map[text]pbx.Direction{"": "", "0": "", "1": pbx.In, "2": pbx.Out, "3": pbx.InternalTo}
	historyStates     = map[text]*bool{"": nil, "0": nil, "1": new(true), "2": new(false)}
)

// orderHistory takes an order of a file of calls (domain_call_history).
func (s *Server) orderHistory(ctx context.Context, c *call) (any, error) {
	var q struct {
		Start     text `json:"date_start"`
		End       text `json:"date_end"`
		Direction text `json:"direction"`
		State     text `json:"state"`
		Number    text `json:"phone_number"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	since, until, err := period(q.Start, q.End, maxHistory)
	if err != nil {
		return nil, err
	}
	direction, ok := historyDirections[q.Direction]
	if !ok {
		return nil, malformed("direction")
	}
	answered, ok := historyStates[q.State]
	if !ok {
		return nil, malformed("state")
	}
	h := pbx.History{ID: newOrder(), Tenant: c.company.ID, Since: since, Until: until, Direction: direction, Answered: answered,
		Ordered: time.Now().UTC(), State: pbx.HistoryWaiting}
	if q.Number != "" {
		if h.Number = c.company.E164(string(q.Number)); h.Number == "" {
			return nil, malformed("phone_number")
		}
	}
	if err := s.Histories.OrderHistory(ctx, c.company.ID, h); err != nil {
		return nil, notOrdered(err)
	}
	s.exporter.poke()
	return struct {
		envelope
		Order string `json:"order_id"`
	}{done, h.ID}, nil
}

// notOrdered is the answer when an order was not taken.
func notOrdered(err error) error {
	e, ok := errors.AsType[*pbx.Error](err)
	switch {
	case ok && e.Kind == pbx.Conflict:
		return &fault{http.StatusOK, codeOrdered, "a history of that period has been ordered already: order " + e.Field}
	case ok && e.Kind == pbx.Limit:
		return &fault{http.StatusTooManyRequests, codeTooMany, e.Msg}
	}
	return err
}

// newOrder makes the id of an order; nobody can guess it.
func newOrder() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// downloadHistory gives the file of an order (download_call_history).
func (s *Server) downloadHistory(ctx context.Context, c *call) (any, error) {
	var q struct {
		Order text `json:"order_id"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	if q.Order == "" {
		return nil, malformed("order_id")
	}
	none := &fault{http.StatusNotFound, codeNoHistory, "there is no such order"}
	h, err := s.Histories.History(ctx, c.company.ID, string(q.Order))
	if pbx.KindOf(err) == pbx.NotFound {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	switch h.State {
	case pbx.HistoryWaiting:
		return nil, &fault{http.StatusNotFound, codeHistory, "the file is not ready yet"}
	case pbx.HistoryFailed:
		return nil, &fault{http.StatusNotFound, codeNoHistory, "the file could not be made: " + h.Error}
	}
	f, err := s.exporter.open(&h)
	if pbx.KindOf(err) == pbx.NotFound {
		s.Log.Error("integration: the file of a history is gone", "tenant", h.Tenant, "order", h.ID)
		return nil, errors.Join(none, s.Histories.LoseHistory(ctx, h.Tenant, h.ID))
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// period reads the two ends of a period, of which the second is not included.
func period(start, end text, most time.Duration) (since, until time.Time, err error) {
	if since, err = parseTime(string(start)); err != nil {
		return since, until, malformed("date_start")
	}
	if until, err = parseTime(string(end)); err != nil {
		return since, until, malformed("date_end")
	}
	if !since.Before(until) || until.Sub(since) > most {
		return since, until, &fault{http.StatusBadRequest, codeMalformed,
			"date_end must be later than date_start, by " + strconv.Itoa(int(most.Hours()/24)) + " days at most"}
	}
	return since, until, nil
}

// times are the forms of a time, which is of Moscow.
var times = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05"} // with a fraction of seconds as well

// parseTime reads a time as the API writes it, or the seconds since 1970; so many of
// them that it would be thousands of years are milliseconds.
func parseTime(s string) (time.Time, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > 99_999_999_999 {
			return inRange(time.UnixMilli(n))
		}
		return inRange(time.Unix(n, 0))
	}
	var t time.Time
	var err error
	for _, form := range times {
		if t, err = time.ParseInLocation(form, s, moscow); err == nil {
			return inRange(t)
		}
	}
	return t, err
}

// inRange refuses years that no call is of.
func inRange(t time.Time) (time.Time, error) {
	if y := t.Year(); y < 1970 || y > 9999 {
		return time.Time{}, errors.New("out of range")
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

package rtk

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"

	"vpbx/pbx"
)

// maxCharged bounds the calls that are looked at for one answer.
const maxCharged = 50_000

// charge is what a subscriber's calls have cost. The vendor's fields are not
// published; these are ours.
type charge struct {
	Shown   string    `json:"display_name"`
	PIN     string    `json:"pin"`
	Calls   int       `json:"calls"`
	Seconds int       `json:"duration"`
	Amount  pbx.Money `json:"amount"` // in what the rates of the company are in
}

// charges tells what the outgoing calls of a period cost by the rates of the company
// as they are now (user_calls_charges).
func (s *Server) charges(ctx context.Context, c *call) (any, error) {
	var q struct {
		Start text `json:"date_start"`
		End   text `json:"date_end"`
		PIN   text `json:"user_pin"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	since, until, err := period(q.Start, q.End, maxCharges)
	if err != nil {
		return nil, err
	}
	if q.PIN != "" && c.company.Extensions[string(q.PIN)] == nil {
		return nil, errSubscriber
	}
	if !s.reckon(c.company.ID) {
		return nil, &fault{http.StatusTooManyRequests, codeTooMany, "charges are being reckoned already; ask one after the other"}
	}
	defer s.reckoned(c.company.ID)
	users, total, err := s.charged(ctx, c.company, string(q.PIN), pbx.CallQuery{Since: since, Until: until, Direction: pbx.Out, Number: string(q.PIN), Limit: historyPage})
	if err != nil {
		return nil, err
	}
	return struct {
		envelope
		Users []*charge `json:"users"`
		Total pbx.Money `json:"amount"`
	}{done, users, total}, nil
}

// reckon says whether the charges of a company may be reckoned now: it reads many
// calls, so that it is done once at a time.
func (s *Server) reckon(t pbx.TenantID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reckoning[t] {
		return false
	}
	s.reckoning[t] = true
	return true
}

func (s *Server) reckoned(t pbx.TenantID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reckoning, t)
}

// charged adds up the calls that a query selects; pin "" is everybody.
func (s *Server) charged(ctx context.Context, company *pbx.Company, pin string, q pbx.CallQuery) ([]*charge, pbx.Money, error) {
	by, calls, total := map[string]*charge{}, 0, pbx.Money(0)
	tooMany := errors.New("too many calls")
	err := eachCall(ctx, s.Records, company.ID, q, func(c *pbx.CDR) error {
		if calls++; calls > maxCharged {
			return tooMany
		}
		e := company.Extensions[c.From]
		if e == nil || c.Caller.Trunk != "" || c.Outcome != pbx.OutcomeAnswered || pin != "" && c.From != pin {
			return nil
		}
		u := by[c.From]
		if u == nil {
			u = &charge{Shown: e.Name, PIN: e.Number}
			by[c.From] = u
		}
		rate, _ := company.RateOf(c.To)
		cost := rate.Cost(c.Talk)
		u.Calls, u.Seconds, u.Amount = u.Calls+1, u.Seconds+int(math.Round(c.Talk)), u.Amount+cost
		total += cost
		return nil
	})
	if errors.Is(err, tooMany) {
		return nil, 0, &fault{http.StatusBadRequest, codeMalformed, "the period has too many calls; ask for a shorter one"}
	}
	if err != nil {
		return nil, 0, err
	}
	users := slices.SortedFunc(maps.Values(by), func(a, b *charge) int { return cmp.Compare(a.PIN, b.PIN) })
	if users == nil {
		users = []*charge{}
	}
	return users, total, nil
}

package rtk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// Bounds of tests.
const (
	MaxTest      = 20 * time.Second // that a test waits for its answer
	maxTests     = 32               // at once
	maxTestsEach = 2                // of a company
)

// Test is a request by which somebody tries a CRM.
type Test struct {
	Method string        // one of TestMethods
	Body   []byte        // nil: the sample
	Within time.Duration // how long it waits for the answer, up to MaxTest
	SSL    pbx.SSLMode   // "": that of the company
}

// TestMethods are the methods of a CRM.
var TestMethods = []string{"get_number_info", "call_events", "history_file_completed"}

// tests are those under way.
type tests struct {
	pools *crm.Pools // that reach what a company may choose

	mu      sync.Mutex
	running map[pbx.TenantID]int
	all     int
}

// begin counts a test, false when there are too many.
func (t *tests) begin(of pbx.TenantID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all >= maxTests || t.running[of] >= maxTestsEach {
		return false
	}
	if t.running == nil {
		t.running = map[pbx.TenantID]int{}
	}
	t.running[of]++
	t.all++
	return true
}

func (t *tests) end(of pbx.TenantID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[of]--; t.running[of] == 0 {
		delete(t.running, of)
	}
	t.all--
}

// Test sends a signed request to the CRM of a company, over a connection of its own,
// and gives what came of it: an answer of any status, or why there was none. Addresses
// that companies may not choose are not reached. The error says why nothing was sent:
// Invalid, Conflict when the company has no CRM of kind rtk, Limit. The Client's Log is
// not told.
func (c *Client) Test(ctx context.Context, company *pbx.Company, t Test) (Exchange, error) {
	at := company.CRM
	if t.SSL != "" {
		at.SSL = t.SSL
	}
	switch {
	case at.Kind != "rtk":
		return Exchange{}, &pbx.Error{Kind: pbx.Conflict, Msg: "the company has no CRM of kind rtk"}
	case !slices.Contains(TestMethods, t.Method):
		return Exchange{}, &pbx.Error{Kind: pbx.Invalid, Field: "method", Msg: "a CRM has no such method"}
	case t.Within <= 0 || t.Within > MaxTest:
		return Exchange{}, &pbx.Error{Kind: pbx.Invalid, Field: "timeout", Msg: fmt.Sprintf("at most %s", MaxTest)}
	}
	if t.Body == nil {
		t.Body = sampleOf(company, t.Method)
	}
	ctx, cancel := context.WithTimeout(ctx, t.Within)
	defer cancel()
	req, err := signed(ctx, at, t.Method, t.Body)
	if err != nil {
		return Exchange{}, &pbx.Error{Kind: pbx.Invalid, Field: "ssl", Msg: err.Error()}
	}
	if !c.tests.begin(company.ID) {
		return Exchange{}, &pbx.Error{Kind: pbx.Limit, Msg: "too many tests are under way"}
	}
	defer c.tests.end(company.ID)
	h, err := c.tests.pools.Single(crm.Peer{Certificate: at.Certificate, Any: at.SSL == pbx.SSLOff}, t.Within)
	if err != nil {
		return Exchange{}, fmt.Errorf("test %s: %w", t.Method, err)
	}
	defer h.Close()
	x, req := begun(company, t.Method, req, t.Body)
	x.Test, x.Trusted = true, at.SSL != pbx.SSLOff
	x.ask(h, req)
	x.Took = time.Since(x.At)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && x.Err != nil {
		x.Err = fmt.Errorf("timeout: no answer in %s", t.Within)
	}
	return *x, nil
}

// ask sends the request and notes what comes back.
func (x *Exchange) ask(h *crm.HTTP, req *http.Request) {
	resp, err := h.Do(req)
	if err != nil {
		x.Err = err
		return
	}
	defer resp.Body.Close()
	x.Status, x.AnswerHeader = resp.StatusCode, resp.Header
	const most = pbx.MaxExchangeBody + pbx.ExchangeSpare
	x.Answer, x.Err = io.ReadAll(io.LimitReader(resp.Body, most))
	if x.Size = int64(len(x.Answer)); x.Size == most {
		x.Size = max(x.Size, resp.ContentLength)
	}
}

package rtk

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// Options configures a Client.
type Options struct {
	Dial crm.Dial    // nil: the real network
	TLS  *tls.Config // nil: the system's authorities; cloned
	Log  Logger      // nil: nobody is told

	// Networks are those that tests may reach beside public addresses.
	Networks []netip.Prefix
}

// Client is the connector for CRMs of kind rtk. It may be used by any number
// of goroutines, for any number of companies.
type Client struct {
	pools *crm.Pools
	tests tests
	log   Logger
}

// New makes a Client. It must be closed.
func New(o Options) *Client {
	c := &Client{pools: crm.NewPools(o.Dial, o.TLS), log: o.Log}
	c.tests.pools = crm.NewPools(crm.Guarded(o.Dial, o.Networks), o.TLS)
	if c.log == nil {
		c.log = func(Exchange) {}
	}
	return c
}

// Close ends dials under way and closes idle connections. Requests under way
// are ended by their contexts, which the caller must do first.
func (c *Client) Close() error {
	c.pools.Close()
	c.tests.pools.Close()
	return nil
}

// http gives the connections for a CRM, as far as it is trusted. No question waits for
// a connection that is used to tell of an event.
func (c *Client) http(of *pbx.CRM, events bool) (*crm.HTTP, error) {
	return c.pools.HTTP(crm.Peer{Certificate: of.Certificate, Any: of.SSL == pbx.SSLOff, Events: events})
}

// question is the body of get_number_info.
type question struct {
	Session string `json:"session_id"`
	Domain  string `json:"domain"`
	From    string `json:"from_number"`
	To      string `json:"request_number"`
}

// Owner asks the company's CRM who from is; both numbers are in E.164 form. See
// [crm.Connector].
func (c *Client) Owner(ctx context.Context, company *pbx.Company, from, to string, call pbx.CallID) (pbx.Contact, error) {
	body, err := c.post(ctx, company, "get_number_info", question{string(call), company.Domain, from, to})
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("ask get_number_info: %w", err)
	}
	contact, err := parseAnswer(body)
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("ask get_number_info: %w", err)
	}
	return contact, nil
}

// post calls a method of the CRM and gives the body of its answer. The methods
// that are called this way change nothing at the CRM.
func (c *Client) post(ctx context.Context, company *pbx.Company, method string, v any) ([]byte, error) {
	body, req, err := request(ctx, company.CRM, method, v)
	if err != nil {
		return nil, err
	}
	h, err := c.http(&company.CRM, false)
	if err != nil {
		return nil, err
	}
	x, req := begun(company, method, req, body)
	x.Status, x.Answer, x.Err = fetch(h, req)
	c.end(x)
	return x.Answer, x.Err
}

func fetch(h *crm.HTTP, req *http.Request) (status int, answer []byte, err error) {
	resp, err := h.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, crm.MaxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("%w: HTTP status %d", crm.ErrBadAnswer, resp.StatusCode)
	case err != nil:
		err = fmt.Errorf("read: %w", err)
	case len(answer) > crm.MaxAnswer:
		answer, err = answer[:crm.MaxAnswer], fmt.Errorf("%w: more than %d bytes", crm.ErrBadAnswer, crm.MaxAnswer)
	}
	return resp.StatusCode, answer, err
}

// begun is an exchange that begins, and the request by which it learns where that
// goes.
func begun(company *pbx.Company, method string, req *http.Request, body []byte) (*Exchange, *http.Request) {
	x := &Exchange{Tenant: company.ID, Direction: ToCRM, Method: method, Mode: modeOf(req.URL.Scheme), At: time.Now(), Request: body,
		URL: req.URL.String(), Trusted: company.CRM.SSL != pbx.SSLOff, Header: req.Header.Clone()}
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { x.Remote = i.Conn.RemoteAddr().String() }}
	return x, req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
}

// end tells of an exchange that is over.
func (c *Client) end(x *Exchange) {
	x.Took = time.Since(x.At)
	c.log(*x)
}

// request makes the signed request that calls a method of the CRM, and its body.
func request(ctx context.Context, at pbx.CRM, method string, v any) ([]byte, *http.Request, error) {
	raw, err := encode(v)
	if err != nil {
		return nil, nil, fmt.Errorf("encode: %w", err)
	}
	req, err := signed(ctx, at, method, raw)
	return raw, req, err
}

// signed makes the request that calls a method of the CRM with that body.
func signed(ctx context.Context, at pbx.CRM, method string, raw []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(at.URL, "/")+"/"+method, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if at.SSL == pbx.SSLOn && req.URL.Scheme != "https" {
		return nil, fmt.Errorf("the address is not https, and ssl is on")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(HeaderID, at.ClientID)
	req.Header.Set(HeaderSign, Sign(at.ClientID, at.SignKey, raw))
	// Not sent; it tells net/http that the request may be made again when the
	// CRM closed the idle connection it was written to.
	req.Header["Idempotency-Key"] = []string{}
	return req, nil
}

package rtk

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
}

// Client is the connector for CRMs of kind rtk. It may be used by any number
// of goroutines, for any number of companies.
type Client struct {
	http   *crm.HTTP // for questions
	events *crm.HTTP // to tell of events, however slow: no question waits for a connection
	log    Logger
}

// New makes a Client. It must be closed.
func New(o Options) *Client {
	c := &Client{http: crm.NewHTTP(o.Dial, o.TLS), events: crm.NewHTTP(o.Dial, o.TLS), log: o.Log}
	if c.log == nil {
		c.log = func(Exchange) {}
	}
	return c
}

// Close ends dials under way and closes idle connections. Requests under way
// are ended by their contexts, which the caller must do first.
func (c *Client) Close() error {
	c.http.Close()
	c.events.Close()
	return nil
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
	x := begun(company, method, req, body)
	x.Status, x.Answer, x.Err = c.answer(req)
	c.end(x)
	return x.Answer, x.Err
}

func (c *Client) answer(req *http.Request) (status int, answer []byte, err error) {
	resp, err := c.http.Do(req)
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

// begun is an exchange that begins.
func begun(company *pbx.Company, method string, req *http.Request, body []byte) Exchange {
	return Exchange{Tenant: company.ID, Direction: ToCRM, Method: method, Mode: modeOf(req.URL.Scheme), At: time.Now(), Request: body}
}

// end tells of an exchange that is over.
func (c *Client) end(x Exchange) {
	x.Took = time.Since(x.At)
	c.log(x)
}

// request makes the signed request that calls a method of the CRM, and its body.
func request(ctx context.Context, at pbx.CRM, method string, v any) ([]byte, *http.Request, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, nil, fmt.Errorf("encode: %w", err)
	}
	raw := bytes.TrimRight(body.Bytes(), "\n")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(at.URL, "/")+"/"+method, bytes.NewReader(raw))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(HeaderID, at.ClientID)
	req.Header.Set(HeaderSign, Sign(at.ClientID, at.SignKey, raw))
	// Not sent; it tells net/http that the request may be made again when the
	// CRM closed the idle connection it was written to.
	req.Header["Idempotency-Key"] = []string{}
	return raw, req, nil
}

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

	"vpbx/crm"
	"vpbx/pbx"
)

// Options configures a Client.
type Options struct {
	Dial crm.Dial    // nil: the real network
	TLS  *tls.Config // nil: the system's authorities; cloned
}

// Client is the connector for CRMs of kind rtk. It may be used by any number
// of goroutines, for any number of companies.
type Client struct {
	http   *crm.HTTP // for questions
	events *crm.HTTP // to tell of events, however slow: no question waits for a connection
}

// New makes a Client. It must be closed.
func New(o Options) *Client {
	return &Client{http: crm.NewHTTP(o.Dial, o.TLS), events: crm.NewHTTP(o.Dial, o.TLS)}
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
	body, err := c.post(ctx, company.CRM, "get_number_info", question{string(call), company.Domain, from, to})
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
func (c *Client) post(ctx context.Context, at pbx.CRM, method string, v any) ([]byte, error) {
	req, err := request(ctx, at, method, v)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d", crm.ErrBadAnswer, resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, crm.MaxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if len(answer) > crm.MaxAnswer {
		return nil, fmt.Errorf("%w: more than %d bytes", crm.ErrBadAnswer, crm.MaxAnswer)
	}
	return answer, nil
}

// request makes the signed request that calls a method of the CRM.
func request(ctx context.Context, at pbx.CRM, method string, v any) (*http.Request, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	raw := bytes.TrimRight(body.Bytes(), "\n")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(at.URL, "/")+"/"+method, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(HeaderID, at.ClientID)
	req.Header.Set(HeaderSign, Sign(at.ClientID, at.SignKey, raw))
	// Not sent; it tells net/http that the request may be made again when the
	// CRM closed the idle connection it was written to.
	req.Header["Idempotency-Key"] = []string{}
	return req, nil
}

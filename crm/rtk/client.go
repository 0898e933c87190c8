package rtk

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// Bounds of the HTTP client. The time of a request is bounded by its context.
const (
	dialTimeout   = 5 * time.Second
	idleTimeout   = 90 * time.Second
	maxIdle       = 128 // idle connections, to all CRMs
	maxIdlePerCRM = 8
	maxPerCRM     = 64
	maxHeader     = 16 << 10 // bytes of an answer's header
)

// Options configures a Client.
type Options struct {
	Dial func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the real network
	TLS  *tls.Config                                                       // nil: the system's authorities; cloned
}

// Client is the connector for CRMs of kind rtk. It may be used by any number
// of goroutines, for any number of companies.
type Client struct {
	http    http.Client
	pool    *http.Transport
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	closing context.Context
	close   context.CancelFunc
}

// New makes a Client. It must be closed.
func New(o Options) *Client {
	c := &Client{dial: o.Dial}
	if c.dial == nil {
		c.dial = (&net.Dialer{}).DialContext
	}
	c.closing, c.close = context.WithCancel(context.Background())
	config := &tls.Config{}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	c.pool = &http.Transport{
		DialContext:            c.dialBounded,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    dialTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerCRM,
		MaxConnsPerHost:        maxPerCRM,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // a small answer that unpacks to a huge one is of no use
	}
	c.http = http.Client{
		Transport:     c.pool,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Close ends dials under way and closes idle connections. Requests under way
// are ended by their contexts, which the caller must do first.
func (c *Client) Close() error {
	c.close()
	c.pool.CloseIdleConnections()
	return nil
}

// dialBounded dials for the pool. The pool lets a dial outlive the request it
// was begun for, so it needs a bound of its own.
func (c *Client) dialBounded(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	return c.dial(ctx, network, addr)
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
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d", crm.ErrBadAnswer, resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("%w: more than %d bytes", crm.ErrBadAnswer, maxAnswer)
	}
	return answer, nil
}

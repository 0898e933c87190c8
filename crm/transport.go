package crm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Bounds of HTTP to CRMs. The time of a request is bounded by its context.
const (
	dialTimeout   = 5 * time.Second
	idleTimeout   = 90 * time.Second
	maxIdle       = 128 // idle connections, to all CRMs
	maxIdlePerCRM = 8
	maxPerCRM     = 64
	maxHeader     = 16 << 10 // bytes of an answer's header
	maxDrained    = 4 << 10  // bytes read of an answer that is of no use
)

// Dial opens connections, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// HTTP is a client for HTTP requests to CRMs: bounded, without redirects, without
// a proxy and without decompression. It may be used by any number of goroutines.
type HTTP struct {
	http.Client
	pool     *http.Transport
	dial     Dial
	patience time.Duration // for a dial
	closing  context.Context
	close    context.CancelFunc
}

// NewHTTP makes an HTTP. dial nil is the real network, config nil trusts the
// system's authorities; it is cloned. It must be closed.
func NewHTTP(dial Dial, config *tls.Config) *HTTP {
	h := &HTTP{dial: dial, patience: dialTimeout}
	if h.dial == nil {
		h.dial = (&net.Dialer{}).DialContext
	}
	h.closing, h.close = context.WithCancel(context.Background())
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	h.pool = &http.Transport{
		DialContext:            h.dialBounded,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    dialTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerCRM,
		MaxConnsPerHost:        maxPerCRM,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // a small answer that unpacks to a huge one is of no use
	}
	h.Client = http.Client{
		Transport:     h.pool,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h
}

// Close ends dials under way and closes idle connections. Requests under way
// are ended by their contexts, which the caller must do first.
func (h *HTTP) Close() {
	h.close()
	h.pool.CloseIdleConnections()
}

// dialBounded dials for the pool. The pool lets a dial outlive the request it
// was begun for, so it needs a bound of its own.
func (h *HTTP) dialBounded(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	defer context.AfterFunc(h.closing, cancel)()
	return h.dial(ctx, network, addr)
}

// Taken sends a request that tells of an event and says, as [Connector] wants it
// told, whether the CRM has taken it: any status of 200 to 299 says so, whatever
// stands in the body. 400, 413, 415 and 422 refuse the event; 429 and 503 may
// name the time to wait. Everything else, redirects and wrong credentials
// included, somebody can repair: the event is tried again.
func (h *HTTP) Taken(req *http.Request) error {
	_, _, err := h.Told(req)
	return err
}

// Told is Taken; it gives the status and the beginning of the body of the answer as
// well, for whoever keeps a log of them. The status is 0 when there was no answer.
func (h *HTTP) Told(req *http.Request) (status int, answer []byte, err error) {
	resp, err := h.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	// What is short is read, so that the connection can be used again; whether
	// that works does not change the answer.
	answer, _ = io.ReadAll(io.LimitReader(resp.Body, maxDrained))
	return resp.StatusCode, answer, taken(resp)
}

// taken says what the status of an answer means.
func taken(resp *http.Response) error {
	err := fmt.Errorf("%w: HTTP status %d", ErrBadAnswer, resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return errors.Join(ErrRefused, err)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if after, ok := ParseRetryAfter(resp.Header.Get("Retry-After")); ok {
			return &RetryAfter{After: after, Err: err}
		}
	}
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return err
}

// ParseRetryAfter reads a Retry-After (RFC 9110 §10.2.3), never below 0.
func ParseRetryAfter(text string) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return max(0, time.Until(at)), true
}

package amocrm

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// Bounds of a request.
const (
	requestTime = 30 * time.Second // when the context has no deadline
	maxAnswer   = 4 << 20          // bytes read of a list of 250
	maxProblem  = 256 << 10        // and of a problem of 50 items
	maxDetail   = 500              // runes kept of amoCRM's words
	maxLimited  = 5                // times that a request is sent again after 429
	maxLimiters = 10_000
)

// errClosed answers whoever uses a closed client.
var errClosed = errors.New("the client is closed")

// Options configures a Client.
type Options struct {
	Dial    crm.Dial    // nil: the real network
	TLS     *tls.Config // nil: the system's authorities; cloned
	Tokens  Tokens
	Hosts   []string     // host or host:port of accounts beside amoCRM's own, by plain http too: a stand-in
	Log     *slog.Logger // nil: silent
	Metrics Registerer   // nil: not registered
}

// Client speaks to amoCRM for all companies. It may be used by any number of
// goroutines.
type Client struct {
	tokens  Tokens
	hosts   []string
	log     *slog.Logger
	metrics metrics
	pools   [lanes]*crm.HTTP // no urgent request waits for a connection of another
	flying  sync.WaitGroup

	mu       sync.Mutex // guards the following
	closed   bool
	flights  map[pbx.TenantID]*flight
	unsaved  map[pbx.TenantID]pbx.CRMToken // that the store has not taken yet
	limiters map[string]*limiter           // by integration
}

// New makes a Client. It must be closed.
func New(o Options) (*Client, error) {
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	c := &Client{
		tokens: o.Tokens, hosts: slices.Clone(o.Hosts), log: o.Log, metrics: m,
		pools:    [lanes]*crm.HTTP{crm.NewHTTP(o.Dial, o.TLS), crm.NewHTTP(o.Dial, o.TLS)},
		flights:  map[pbx.TenantID]*flight{},
		unsaved:  map[pbx.TenantID]pbx.CRMToken{},
		limiters: map[string]*limiter{},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// Close waits for renewals of tokens that are under way, 15 s at most, and saves what is not
// saved yet; requests under way are ended by their contexts, which the caller must do
// first.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.flying.Wait()
	var errs []error
	ctx, cancel := context.WithTimeout(context.Background(), renewTime)
	defer cancel()
	for _, tenant := range c.leftovers() {
		errs = append(errs, c.saveLeft(ctx, tenant))
	}
	for _, pool := range c.pools {
		pool.Close()
	}
	return errors.Join(errs...)
}

// leftovers are the companies whose token is not saved yet.
func (c *Client) leftovers() []pbx.TenantID {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []pbx.TenantID
	for tenant := range c.unsaved {
		list = append(list, tenant)
	}
	return list
}

// urgentKey is the key of a context by Urgent.
type urgentKey struct{}

// Urgent gives a context whose requests go before all others: somebody on the phone
// waits for the answer.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

func laneOf(ctx context.Context) lane {
	if ctx.Value(urgentKey{}) != nil {
		return urgent
	}
	return bulk
}

// own are the names of accounts. Nothing else gets a token of ours.
var own = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.(amocrm\.ru|amocrm\.com|kommo\.com)$`)

// CheckBase says whether base can be the address of an account: https:// and a name
// of amoCRM's, or http:// or https:// and one of hosts.
func CheckBase(base string, hosts []string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.String() != base || base != u.Scheme+"://"+u.Host:
		return errors.New("not an address like https://example.amocrm.ru")
	case slices.Contains(hosts, u.Host) && (u.Scheme == "http" || u.Scheme == "https"):
		return nil
	case u.Scheme != "https" || !own.MatchString(u.Host):
		return errors.New("not an address of amoCRM like https://example.amocrm.ru")
	}
	return nil
}

func (c *Client) checkBase(base string) (*url.URL, error) {
	if err := CheckBase(base, c.hosts); err != nil {
		return nil, fmt.Errorf("address of the account: %w", err)
	}
	return url.Parse(base)
}

// zone is the part of a name that all accounts have in common: amocrm.ru.
func zone(host string) string {
	if _, after, ok := strings.Cut(host, "."); ok && own.MatchString(host) {
		return after
	}
	return ""
}

// common is the address that all accounts of a zone have in common.
func (c *Client) common(base *url.URL) string {
	if z := zone(base.Host); z != "" {
		return base.Scheme + "://www." + z
	}
	return base.String()
}

// limiter gives the one of an integration.
func (c *Client) limiter(client string) *limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.limiters[client]; l != nil {
		return l
	}
	if len(c.limiters) >= maxLimiters {
		now := time.Now()
		for name, l := range c.limiters {
			if l.idle(now) {
				delete(c.limiters, name)
			}
		}
	}
	l := &limiter{}
	c.limiters[client] = l
	return l
}

// request is one to send.
type request struct {
	method string
	url    string // with query
	token  string // "": without
	body   []byte // JSON; nil: none
	most   int    // bytes of the answer
}

// answer is what came.
type answer struct {
	status int
	body   []byte
	after  time.Duration // of a Retry-After
}

// send waits for the request's turn, sends it once and reads the answer. What is no
// success is no error.
func (c *Client) send(ctx context.Context, client string, r request) (answer, error) {
	lane, l := laneOf(ctx), c.limiter(client)
	before := time.Now()
	if err := l.wait(ctx, lane); err != nil {
		return answer{}, err
	}
	c.metrics.waited(lane, time.Since(before))
	got, err := c.exchange(ctx, lane, r)
	if err != nil {
		c.metrics.request(0)
		return answer{}, err
	}
	switch got.status {
	case http.StatusTooManyRequests:
		pause := l.limited(got.after)
		c.log.Warn("amoCRM takes no more requests for now", "pause", pause)
	case http.StatusForbidden:
		if left, ok := l.lockedOut(); ok {
			c.metrics.request(http.StatusTooManyRequests)
			c.log.Error("amoCRM has locked the integration out for too many requests", "pause", left)
			return answer{}, &crm.RetryAfter{After: left, Err: &StatusError{Status: got.status}}
		}
	default:
		l.taken()
	}
	c.metrics.request(got.status)
	return got, nil
}

// exchange sends a request and reads the answer.
func (c *Client) exchange(ctx context.Context, lane lane, r request) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, errors.New("make the request: an address or a method that cannot be")
	}
	req.Header.Set("User-Agent", "vpbx")
	req.Header.Set("Accept", "application/json")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.pools[lane].Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which has numbers of callers
		}
		return answer{}, fmt.Errorf("ask amoCRM: %w", err)
	}
	defer resp.Body.Close()
	most := r.most
	if resp.StatusCode >= 300 {
		most = maxProblem
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if err != nil {
		return answer{}, fmt.Errorf("read amoCRM's answer: %w", err)
	}
	if len(body) > most {
		return answer{}, fmt.Errorf("%w: more than %d bytes", crm.ErrBadAnswer, most)
	}
	after, _ := crm.ParseRetryAfter(resp.Header.Get("Retry-After")) // 0: there is none
	return answer{resp.StatusCode, body, after}, nil
}

// ask sends a request of the account until amoCRM has answered it: once more with
// new tokens after 401, once more to where the account has moved, and in their turn
// after 429 those that came too fast. An answer of 200 to 299 is given, and one of 400; each
// other is an error.
func (c *Client) ask(ctx context.Context, a Account, method, path string, query url.Values, body any) (answer, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, requestTime)
		defer cancel()
	}
	r := request{method: method, most: maxAnswer}
	if body != nil {
		var err error
		if r.body, err = json.Marshal(body); err != nil {
			return answer{}, fmt.Errorf("encode: %w", err)
		}
	}
	stale, moved := "", false
	for limited := 0; ; {
		t, err := c.token(ctx, a, stale)
		if err != nil {
			return answer{}, err
		}
		base, err := c.checkBase(t.Base)
		if err != nil {
			return answer{}, err
		}
		base = base.JoinPath(path)
		base.RawQuery = query.Encode()
		r.url, r.token = base.String(), t.Access
		got, err := c.send(ctx, a.ClientID, r)
		if err != nil {
			return answer{}, err
		}
		switch {
		case got.status/100 == 2, got.status == http.StatusBadRequest:
			return got, nil
		case got.status == http.StatusUnauthorized && stale == "":
			stale = t.Access
		case got.status/100 == 3 && !moved:
			moved = true
			if err := c.move(ctx, a, t); err != nil {
				return answer{}, err
			}
		case got.status == http.StatusTooManyRequests && limited < maxLimited:
			limited++
		case got.status == http.StatusTooManyRequests:
			return answer{}, &crm.RetryAfter{After: maxPause, Err: &StatusError{Status: got.status}}
		case got.status == http.StatusServiceUnavailable && got.after > 0:
			return answer{}, &crm.RetryAfter{After: got.after, Err: &StatusError{Status: got.status}}
		default:
			return answer{}, &StatusError{got.status, got.problem()}
		}
	}
}

// problem gives the words of an answer that is a problem (RFC 9457), cleaned.
func (a answer) problem() string {
	var p struct{ Title, Detail, Hint, Message text }
	if json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	var words []string
	for _, w := range []text{p.Title, p.Detail, p.Hint, p.Message} {
		if w != "" && !slices.Contains(words, string(w)) {
			words = append(words, string(w))
		}
	}
	return crm.Clean(strings.Join(words, ": "), maxDetail)
}

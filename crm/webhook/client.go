package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// The headers of every request.
const (
	HeaderTimestamp = "Vpbx-Timestamp" // Unix seconds
	HeaderSignature = "Vpbx-Signature" // as Sign gives it
	HeaderEvent     = "Vpbx-Event"     // kind of the event, or lookup
	HeaderDelivery  = "Vpbx-Delivery"  // tenant/call-seq, or tenant/target-id-seq: the same when an event comes again
)

// Options configures a Client.
type Options struct {
	Dial     crm.Dial       // nil: the real network
	TLS      *tls.Config    // nil: the system's authorities; cloned
	Networks []netip.Prefix // that webhooks may reach beside public addresses
}

// Client is the connector for CRMs of kind webhook. It may be used by any number
// of goroutines, for any number of companies.
type Client struct {
	pools *crm.Pools
}

// New makes a Client. It must be closed.
func New(o Options) *Client {
	return &Client{pools: crm.NewPools(crm.Guarded(o.Dial, o.Networks), o.TLS)}
}

// Close closes idle connections and ends dials under way. Requests under way are
// ended by their contexts, which the caller must do first.
func (c *Client) Close() error {
	c.pools.Close()
	return nil
}

// http gives the pool for a company. No question waits for a connection that is used
// to tell of an event.
func (c *Client) http(w *pbx.Webhook, events bool) (*crm.HTTP, error) {
	return c.pools.HTTP(crm.Peer{Certificate: w.Certificate, Events: events})
}

// Sign gives the value of the signature header: sha256= and the HMAC-SHA256, in
// lower-case hex, of the timestamp, a full stop and the body as it is sent.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// event is the body that tells of an event.
type event struct {
	Tenant pbx.TenantID `json:"tenant"`
	*pbx.Notification
}

// Deliver posts the event. See [crm.Connector].
func (c *Client) Deliver(ctx context.Context, company *pbx.Company, n *pbx.Notification) error {
	w := company.CRM.Webhook
	if w == nil || n.Kind == pbx.NotifyHistory {
		return nil
	}
	h, err := c.http(w, true)
	if err != nil {
		return err
	}
	body, err := json.Marshal(event{company.ID, n})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	req, err := request(ctx, w, http.MethodPost, company.CRM.URL, body, string(n.Kind))
	if err != nil {
		return err
	}
	req.Header.Set(HeaderDelivery, string(company.ID)+"/"+pbx.DeliveryID(subject(n), n.Seq))
	if err := h.Taken(req); err != nil {
		return fmt.Errorf("post to the webhook: %w", err)
	}
	return nil
}

// subject names what an event is about: a call, or somebody whom a campaign calls.
func subject(n *pbx.Notification) string {
	if n.Kind == pbx.NotifyTarget && n.Target != nil {
		return "target-" + strconv.FormatInt(n.Target.Target.ID, 10)
	}
	return string(n.Call)
}

// Owner asks as the company describes. A 404 or 204, or nothing at the path of
// the owner and of the name, is a caller that the CRM does not know. See
// [crm.Connector].
func (c *Client) Owner(ctx context.Context, company *pbx.Company, from, to string, call pbx.CallID) (pbx.Contact, error) {
	w := company.CRM.Webhook
	if w == nil || w.Lookup == nil {
		return pbx.Contact{}, nil
	}
	contact, err := c.owner(ctx, w, question{from: from, to: to, call: string(call), tenant: string(company.ID)})
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("ask the webhook for the owner: %w", err)
	}
	return contact, nil
}

func (c *Client) owner(ctx context.Context, w *pbx.Webhook, q question) (pbx.Contact, error) {
	h, err := c.http(w, false)
	if err != nil {
		return pbx.Contact{}, err
	}
	var body []byte
	if w.Lookup.Method == http.MethodPost {
		body = []byte(q.inJSON(w.Lookup.Body))
	}
	req, err := request(ctx, w, w.Lookup.Method, q.inURL(w.Lookup.URL), body, "lookup")
	if err != nil {
		return pbx.Contact{}, err
	}
	resp, err := h.Do(req)
	if err != nil {
		return pbx.Contact{}, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusNoContent:
		return pbx.Contact{}, nil
	default:
		return pbx.Contact{}, fmt.Errorf("%w: HTTP status %d", crm.ErrBadAnswer, resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, crm.MaxAnswer+1))
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("read: %w", err)
	}
	if len(answer) > crm.MaxAnswer {
		return pbx.Contact{}, fmt.Errorf("%w: more than %d bytes", crm.ErrBadAnswer, crm.MaxAnswer)
	}
	return parseAnswer(w.Lookup, answer)
}

// request makes a signed request with the headers of the company.
func request(ctx context.Context, w *pbx.Webhook, method, url string, body []byte, kind string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range w.Headers {
		req.Header.Set(name, value)
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("User-Agent", "vpbx")
	req.Header.Set(HeaderEvent, kind)
	req.Header.Set(HeaderTimestamp, now)
	req.Header.Set(HeaderSignature, Sign(w.Secret, now, body))
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	// Not sent; it tells net/http that the request may be made again when the
	// CRM closed the idle connection it was written to.
	req.Header["Idempotency-Key"] = []string{}
	return req, nil
}

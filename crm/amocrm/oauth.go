package amocrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// Tokens keeps the tokens of the companies. What it has taken must survive the
// process.
type Tokens interface {
	// CRMToken gives a company's token, a NotFound error when there is none.
	CRMToken(ctx context.Context, t pbx.TenantID) (pbx.CRMToken, error)
	// SaveCRMToken keeps it; a company that is not there any more is a NotFound error.
	SaveCRMToken(ctx context.Context, t pbx.TenantID, token pbx.CRMToken) error
	// DropCRMToken forgets a company's token, if there is one.
	DropCRMToken(ctx context.Context, t pbx.TenantID) error
}

const (
	// renewTime bounds a renewal. It does not end with the request for which it is made:
	// once amoCRM has made the new tokens the old ones are worth nothing.
	renewTime  = 15 * time.Second
	expiresIn  = time.Minute     // how long before its end a token is not used any more
	renewAgain = 5 * time.Second // after a renewal that failed
	tryAgain   = time.Minute     // likewise, while the token is still good
	justIssued = time.Minute     // a token that is refused so soon is not renewed again
	maxToken   = 16 << 10
	maxReason  = 300 // runes
)

// flight is a renewal, or another change of a company's token, that is under way or has just
// failed. There is one for a company.
type flight struct {
	done  chan struct{} // closed behind the last write to the rest
	token pbx.CRMToken
	err   error
	again time.Time // zero while it is under way; when another may follow one that failed
}

// AuthorizeURL is where an administrator of the account allows the integration to
// act for it. amoCRM then sends his browser to the RedirectURI with code and state.
func (c *Client) AuthorizeURL(a Account, state string) (string, error) {
	base, err := c.checkBase(a.Base)
	if err != nil {
		return "", err
	}
	q := url.Values{"client_id": {a.ClientID}, "state": {state}}
	return c.common(base) + "/oauth?" + q.Encode(), nil
}

// Exchange links the account: it gets tokens for the code that came to the
// RedirectURI and keeps them in the place of those that were there.
func (c *Client) Exchange(ctx context.Context, a Account, code string) error {
	_, err := c.alone(ctx, a.Tenant, func(ctx context.Context) (pbx.CRMToken, error) {
		t, err := c.grant(ctx, a, a.Base, map[string]string{"grant_type": "authorization_code", "code": code})
		if err != nil {
			return pbx.CRMToken{}, err
		}
		return t, c.keep(ctx, a.Tenant, t)
	})
	var refused *BrokenError
	if errors.As(err, &refused) {
		err = fmt.Errorf("%w by amoCRM: %s", crm.ErrRefused, refused.Reason)
	}
	if err != nil {
		return fmt.Errorf("link the account of amoCRM: %w", err)
	}
	return nil
}

// Unlink forgets the tokens of a company.
func (c *Client) Unlink(ctx context.Context, t pbx.TenantID) error {
	_, err := c.alone(ctx, t, func(ctx context.Context) (pbx.CRMToken, error) {
		c.mu.Lock()
		delete(c.unsaved, t)
		c.mu.Unlock()
		return pbx.CRMToken{}, c.tokens.DropCRMToken(ctx, t)
	})
	if err != nil {
		return fmt.Errorf("unlink the account of amoCRM: %w", err)
	}
	return nil
}

// Linked is nil when the company can use the account, [ErrNotLinked] or a
// [BrokenError] when it cannot. amoCRM is not asked.
func (c *Client) Linked(ctx context.Context, a Account) error {
	_, err := c.stored(ctx, a)
	return err
}

// token gives a token to use. stale is one that amoCRM has refused, "" otherwise.
func (c *Client) token(ctx context.Context, a Account, stale string) (pbx.CRMToken, error) {
	t, err := c.stored(ctx, a)
	if err != nil {
		return pbx.CRMToken{}, err
	}
	now := time.Now()
	left := t.Expires.Sub(now)
	if t.Access == stale && now.Sub(t.Issued) < justIssued {
		return pbx.CRMToken{}, &StatusError{Status: http.StatusUnauthorized, Detail: "the new token was refused, too"}
	}
	// From a quarter of its life on a token is renewed while it is still used: so
	// who is called by day does not wait for it in the morning.
	good, young := t.Access != stale && left > expiresIn, left > t.Expires.Sub(t.Issued)/4*3
	if good && (young && !c.isUnsaved(a.Tenant) || c.failedLately(a.Tenant)) {
		return t, nil
	}
	f, err := c.board(a.Tenant, func(ctx context.Context) (pbx.CRMToken, error) { return c.renew(ctx, a, t.Access) })
	if good {
		return t, nil // whatever comes of the renewal
	}
	if err != nil {
		return pbx.CRMToken{}, err
	}
	return f.wait(ctx)
}

// stored gives the token of the account as it is kept.
func (c *Client) stored(ctx context.Context, a Account) (pbx.CRMToken, error) {
	t, err := c.tokens.CRMToken(ctx, a.Tenant)
	switch {
	case pbx.KindOf(err) == pbx.NotFound:
		return pbx.CRMToken{}, ErrNotLinked
	case err != nil:
		return pbx.CRMToken{}, fmt.Errorf("read the token: %w", err)
	case t.Client != a.ClientID || t.Linked != a.Base && t.Base != a.Base:
		return pbx.CRMToken{}, ErrNotLinked
	case t.Broken != "":
		return pbx.CRMToken{}, &BrokenError{t.Broken}
	}
	return t, nil
}

// renew gets new tokens for those of which used is the access token, unless somebody
// has done so meanwhile.
func (c *Client) renew(ctx context.Context, a Account, used string) (pbx.CRMToken, error) {
	if err := c.saveLeft(ctx, a.Tenant); err != nil {
		return pbx.CRMToken{}, err
	}
	old, err := c.stored(ctx, a)
	if err != nil || old.Access != used {
		return old, err
	}
	t, err := c.grant(ctx, a, old.Base, map[string]string{"grant_type": "refresh_token", "refresh_token": old.Refresh})
	var refused *BrokenError
	if errors.As(err, &refused) {
		c.metrics.refresh(resultRefused)
		c.log.Error("amoCRM refuses to renew the tokens; link the account anew", "tenant", a.Tenant, "base", old.Base, "reason", refused.Reason)
		old.Broken = refused.Reason
		return pbx.CRMToken{}, errors.Join(err, c.keep(ctx, a.Tenant, old))
	}
	if err != nil {
		c.metrics.refresh(resultFailed)
		return pbx.CRMToken{}, fmt.Errorf("renew the token: %w", err)
	}
	c.metrics.refresh(resultOK)
	t.Base = old.Base
	return t, c.keep(ctx, a.Tenant, t)
}

// keep saves a token. Until that has worked the token is not used, and not lost.
func (c *Client) keep(ctx context.Context, tenant pbx.TenantID, t pbx.CRMToken) error {
	c.mu.Lock()
	c.unsaved[tenant] = t
	c.mu.Unlock()
	return c.saveLeft(ctx, tenant)
}

// saveLeft saves the token of a company that is not saved yet, if there is one. It
// is called by the company's flight only.
func (c *Client) saveLeft(ctx context.Context, tenant pbx.TenantID) error {
	c.mu.Lock()
	t, ok := c.unsaved[tenant]
	c.mu.Unlock()
	if !ok {
		return nil
	}
	err := c.tokens.SaveCRMToken(ctx, tenant, t)
	gone := pbx.KindOf(err) == pbx.NotFound
	if err != nil && !gone {
		c.log.Error("the token of an account of amoCRM cannot be saved", "tenant", tenant, "error", err)
		return fmt.Errorf("save the token: %w", err)
	}
	c.mu.Lock()
	delete(c.unsaved, tenant)
	c.mu.Unlock()
	if gone {
		return fmt.Errorf("save the token: %w", err)
	}
	return nil
}

func (c *Client) isUnsaved(tenant pbx.TenantID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.unsaved[tenant]
	return ok
}

// board begins a flight of a company or joins the one that is under way.
func (c *Client) board(tenant pbx.TenantID, work func(context.Context) (pbx.CRMToken, error)) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[tenant]; f != nil && (f.again.IsZero() || time.Now().Before(f.again)) {
		return f, nil
	}
	if c.closed {
		return nil, errClosed
	}
	f := &flight{done: make(chan struct{})}
	c.flights[tenant] = f
	c.flying.Go(func() { c.fly(tenant, f, work) })
	return f, nil
}

// failedLately tells whether a renewal has just failed.
func (c *Client) failedLately(tenant pbx.TenantID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flights[tenant]
	return f != nil && !f.again.IsZero() && time.Now().Before(f.again.Add(tryAgain-renewAgain))
}

// fly does the work of a flight.
func (c *Client) fly(tenant pbx.TenantID, f *flight, work func(context.Context) (pbx.CRMToken, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), renewTime)
	defer cancel()
	f.token, f.err = work(ctx)
	c.mu.Lock()
	if f.err == nil {
		delete(c.flights, tenant)
	} else {
		f.again = time.Now().Add(renewAgain)
	}
	c.mu.Unlock()
	close(f.done)
}

// wait gives what came of a flight.
func (f *flight) wait(ctx context.Context) (pbx.CRMToken, error) {
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return pbx.CRMToken{}, fmt.Errorf("wait for the token: %w", ctx.Err())
	}
}

// alone does a work that changes a company's token, behind the flight that is under
// way.
func (c *Client) alone(ctx context.Context, tenant pbx.TenantID, work func(context.Context) (pbx.CRMToken, error)) (pbx.CRMToken, error) {
	for {
		began := make(chan struct{})
		mine := func(ctx context.Context) (pbx.CRMToken, error) {
			close(began)
			return work(ctx)
		}
		c.landed(tenant)
		f, err := c.board(tenant, mine)
		if err != nil {
			return pbx.CRMToken{}, err
		}
		t, err := f.wait(ctx)
		select {
		case <-began:
			return t, err
		default: // it was another's
		}
		if ctx.Err() != nil {
			return pbx.CRMToken{}, err
		}
	}
}

// landed forgets a flight that has failed, so that another may follow at once.
func (c *Client) landed(tenant pbx.TenantID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[tenant]; f != nil && !f.again.IsZero() {
		delete(c.flights, tenant)
	}
}

// grant asks for tokens. A [BrokenError] says that amoCRM will never give any for what
// we have.
func (c *Client) grant(ctx context.Context, a Account, base string, what map[string]string) (pbx.CRMToken, error) {
	u, err := c.checkBase(base)
	if err != nil {
		return pbx.CRMToken{}, err
	}
	fields := map[string]string{"client_id": a.ClientID, "client_secret": a.ClientSecret, "redirect_uri": a.RedirectURI}
	for name, value := range what {
		fields[name] = value
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return pbx.CRMToken{}, fmt.Errorf("encode: %w", err)
	}
	issued := time.Now()
	got, err := c.send(Urgent(ctx), a.ClientID, request{method: http.MethodPost, url: u.String() + "/oauth2/access_token", body: body, most: maxToken})
	if err != nil {
		return pbx.CRMToken{}, err
	}
	switch got.status {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusUnauthorized:
		secrets := []string{a.ClientSecret, what["code"], what["refresh_token"]}
		return pbx.CRMToken{}, &BrokenError{withoutSecrets(got.problem(), secrets)}
	default:
		return pbx.CRMToken{}, &StatusError{Status: got.status}
	}
	access, refresh, life, err := decodeGrant(got.body)
	if err != nil {
		return pbx.CRMToken{}, err
	}
	return pbx.CRMToken{Client: a.ClientID, Linked: a.Base, Base: base, Access: access, Refresh: refresh, Issued: issued, Expires: issued.Add(life)}, nil
}

// decodeGrant reads the answer with tokens.
func decodeGrant(body []byte) (access, refresh string, life time.Duration, err error) {
	var g struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires int64  `json:"expires_in"`
	}
	if json.Unmarshal(body, &g) != nil {
		return "", "", 0, fmt.Errorf("%w: no tokens, no JSON", crm.ErrBadAnswer)
	}
	const year = 366 * 24 * 3600
	if !isToken(g.Access) || !isToken(g.Refresh) || g.Expires <= 0 || g.Expires > year {
		return "", "", 0, fmt.Errorf("%w: no tokens", crm.ErrBadAnswer)
	}
	return g.Access, g.Refresh, time.Duration(g.Expires) * time.Second, nil
}

// isToken tells whether a text can stand in a header as a token (RFC 6750 §2.1).
func isToken(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return s != "" && len(s) < maxToken
}

// withoutSecrets cleans foreign text that may repeat what it was told.
func withoutSecrets(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "…")
		}
	}
	if s = crm.Clean(s, maxReason); s == "" {
		return "no reason given"
	}
	return s
}

// move learns where an account that answers with a redirect is now and keeps that.
func (c *Client) move(ctx context.Context, a Account, old pbx.CRMToken) error {
	u, err := c.checkBase(old.Base)
	if err != nil {
		return err
	}
	got, err := c.send(ctx, a.ClientID, request{method: http.MethodGet, url: c.common(u) + "/oauth2/account/subdomain", token: old.Access, most: maxToken})
	if err != nil {
		return fmt.Errorf("ask where the account is: %w", err)
	}
	if got.status != http.StatusOK {
		return fmt.Errorf("ask where the account is: %w", &StatusError{Status: got.status})
	}
	var answer struct{ Domain string }
	if json.Unmarshal(got.body, &answer) != nil {
		return fmt.Errorf("ask where the account is: %w: no JSON", crm.ErrBadAnswer)
	}
	base, err := c.checkBase(u.Scheme + "://" + strings.ToLower(answer.Domain))
	if err != nil || base.String() == u.String() || zone(base.Host) != zone(u.Host) {
		return fmt.Errorf("ask where the account is: %w: %q", crm.ErrBadAnswer, crm.Clean(answer.Domain, 100))
	}
	_, err = c.alone(ctx, a.Tenant, func(ctx context.Context) (pbx.CRMToken, error) {
		t, err := c.stored(ctx, a)
		if err != nil || t.Base != old.Base {
			return t, err
		}
		t.Base = base.String()
		c.log.Info("an account of amoCRM has moved", "tenant", a.Tenant, "from", old.Base, "to", t.Base)
		return t, c.keep(ctx, a.Tenant, t)
	})
	return err
}

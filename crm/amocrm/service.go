package amocrm

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"vpbx/pbx"
)

// Settings changes what companies have set up. Package tenants implements it.
type Settings interface {
	// LinkAmo connects a company with an account; Conflict when that may not be.
	LinkAmo(ctx context.Context, t pbx.TenantID, link pbx.AmoLink, replace bool) error
	// UnlinkAmo disconnects it; of, unless nil, is the account that it must be.
	UnlinkAmo(ctx context.Context, t pbx.TenantID, of *pbx.AmoLink) error
}

// States keeps links that were asked for. Package store implements it.
type States interface {
	AddAmoState(ctx context.Context, t pbx.TenantID, state pbx.AmoState) error
	TakeAmoState(ctx context.Context, hash string, now time.Time) (pbx.AmoState, error)
}

// Records is where ended calls are looked up.
type Records interface {
	Call(ctx context.Context, t pbx.TenantID, id pbx.CallID) (pbx.CDR, []pbx.CallEvent, error)
}

// Links makes addresses at which a recording can be fetched.
type Links interface {
	Make(ctx context.Context, t pbx.TenantID, o pbx.LinkOrder) (token string, err error)
}

// ServiceOptions configures a Service; all of it is needed.
type ServiceOptions struct {
	Client    *Client
	Companies func() *pbx.Directory
	Settings  Settings
	States    States
	Records   Records
	Links     Links
	// MayLink says why a company cannot be connected with an account.
	MayLink func(c *pbx.Company, account string, replace bool) error
	// Originate begins a call.
	Originate func(ctx context.Context, o pbx.Originate) (pbx.CallID, error)
	// Changed is told of a company whose settings have changed.
	Changed  func(pbx.TenantID)
	External string // as of NewConnector
	Log      *slog.Logger
}

// Service connects companies with accounts of amoCRM and answers what is asked from
// there. It may be used by any number of goroutines.
type Service struct{ o ServiceOptions }

// NewService makes a Service.
func NewService(o ServiceOptions) *Service {
	o.External = strings.TrimRight(o.External, "/")
	return &Service{o}
}

// stateLife is how long an administrator has to allow the integration.
const stateLife = 10 * time.Minute

// Link gives the address at which an administrator of the account allows the
// integration. Nothing is connected before he does.
func (s *Service) Link(ctx context.Context, c *pbx.Company, o pbx.AmoLinkOrder) (string, error) {
	if s.o.External == "" {
		return "", &pbx.Error{Kind: pbx.Unsupported, Msg: "http.external of the config is needed: amoCRM must reach this server"}
	}
	account := strings.ToLower(o.Account)
	if account == "" && c.CRM.Amo != nil {
		account = c.CRM.Amo.Account
	}
	if err := s.o.MayLink(c, account, o.Replace); err != nil {
		return "", err
	}
	state := pbx.AmoState{Tenant: c.ID, Account: account, ClientID: c.CRM.ClientID, ClientSecret: c.CRM.Amo.ClientSecret, By: o.By, Replace: o.Replace,
		Expires: time.Now().Add(stateLife)}
	if o.ClientID != "" {
		state.ClientID, state.ClientSecret = o.ClientID, o.ClientSecret
	}
	var b [24]byte
	rand.Read(b[:]) // never fails since Go 1.24
	word := base64.RawURLEncoding.EncodeToString(b[:])
	state.Hash = hashState(word)
	address, err := s.o.Client.AuthorizeURL(s.account(c, &state), word)
	if err != nil {
		return "", &pbx.Error{Kind: pbx.Invalid, Field: "account", Msg: err.Error()}
	}
	if err := s.o.States.AddAmoState(ctx, c.ID, state); err != nil {
		return "", err
	}
	return address, nil
}

func hashState(word string) string {
	sum := sha256.Sum256([]byte(word))
	return hex.EncodeToString(sum[:])
}

func (s *Service) account(c *pbx.Company, state *pbx.AmoState) Account {
	return Account{Tenant: c.ID, Country: c.Country, Base: baseOf(state.Account), ClientID: state.ClientID, ClientSecret: state.ClientSecret,
		RedirectURI: s.o.External + CallbackPath}
}

// Callback connects the company that asked for it, when the browser of the
// administrator comes back from amoCRM, and gives the name of the account. referer is
// the account in which he allowed the integration: another than asked for is refused.
func (s *Service) Callback(ctx context.Context, code, word, referer string) (string, error) {
	state, err := s.o.States.TakeAmoState(ctx, hashState(word), time.Now())
	if err != nil {
		return "", err
	}
	c := s.o.Companies().Company(state.Tenant)
	if c == nil {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "the company that asked for this link is there no longer"}
	}
	if referer != "" && hostOf(baseOf(referer)) != hostOf(baseOf(state.Account)) {
		return "", &pbx.Error{Kind: pbx.Conflict, Msg: fmt.Sprintf("the integration was allowed in another account than %s, for which the link was asked for", state.Account)}
	}
	if code == "" {
		return "", &pbx.Error{Kind: pbx.Denied, Msg: "the integration was not allowed"}
	}
	if err := s.o.MayLink(c, state.Account, state.Replace); err != nil {
		return "", err
	}
	if other := s.o.Companies().AmoAccount(state.Account); other != nil && other.ID != c.ID {
		return "", &pbx.Error{Kind: pbx.Conflict, Field: "account", Msg: "the amoCRM account " + state.Account + " belongs to another company"}
	}
	if err := s.connect(ctx, c, &state, code); err != nil {
		return "", err
	}
	s.o.Log.Info("audit: amoCRM account connected", "tenant", c.ID, "account", state.Account, "by", state.By)
	s.o.Changed(c.ID)
	return state.Account, nil
}

// connect gets the tokens and keeps the link; when that is not done the tokens are
// forgotten.
func (s *Service) connect(ctx context.Context, c *pbx.Company, state *pbx.AmoState, code string) error {
	a := s.account(c, state)
	if err := s.o.Client.Exchange(ctx, a, code); err != nil {
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "amoCRM did not give its tokens; ask for the link again", Err: err}
	}
	info, err := s.o.Client.AccountInfo(ctx, a)
	if err != nil || info.ID == 0 {
		err = &pbx.Error{Kind: pbx.Unavailable, Msg: "amoCRM does not say which account it is; ask for the link again", Err: err}
	}
	if err == nil {
		var key [32]byte
		rand.Read(key[:])
		err = s.o.Settings.LinkAmo(ctx, c.ID, pbx.AmoLink{Account: state.Account, AccountID: info.ID, ClientID: a.ClientID, ClientSecret: a.ClientSecret,
			Key: hex.EncodeToString(key[:]), At: time.Now().UTC()}, state.Replace)
	}
	if err != nil {
		return errors.Join(err, s.o.Client.Unlink(ctx, c.ID))
	}
	return nil
}

// Unlink disconnects a company: from then on it is as if it had no CRM.
func (s *Service) Unlink(ctx context.Context, t pbx.TenantID) error {
	return s.unlink(ctx, t, nil)
}

func (s *Service) unlink(ctx context.Context, t pbx.TenantID, of *pbx.AmoLink) error {
	if err := s.o.Settings.UnlinkAmo(ctx, t, of); err != nil {
		return err
	}
	s.o.Changed(t)
	if err := s.o.Client.Unlink(ctx, t); err != nil {
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "the account is disconnected, but its tokens could not be forgotten", Err: err}
	}
	return nil
}

// Uninstalled is told by amoCRM that an administrator of an account has turned the
// integration off. sign is the hex HMAC-SHA256 of the id of the integration, a bar and
// the id of the account, with the secret of the integration.
func (s *Service) Uninstalled(ctx context.Context, client, account, sign string) error {
	wrong := &pbx.Error{Kind: pbx.Unauthenticated, Msg: "this does not come from amoCRM"}
	id, err := strconv.ParseInt(account, 10, 64)
	if err != nil {
		return wrong
	}
	c := s.o.Companies().AmoAccountID(id)
	if c == nil {
		return wrong
	}
	l := c.CRM.Amo.Link
	mac := hmac.New(sha256.New, []byte(l.ClientSecret))
	mac.Write([]byte(client + "|" + account)) // cannot fail
	if client != l.ClientID || !hmac.Equal([]byte(strings.ToLower(sign)), []byte(hex.EncodeToString(mac.Sum(nil)))) {
		return wrong
	}
	if err := s.unlink(ctx, c.ID, l); err != nil {
		return err
	}
	s.o.Log.Info("audit: amoCRM account disconnected by amoCRM", "tenant", c.ID, "account", l.Account)
	return nil
}

// Trouble says why a connected account cannot be used, "" when it can.
func (s *Service) Trouble(ctx context.Context, c *pbx.Company) string {
	if !connected(c) {
		return ""
	}
	if err := s.o.Client.Linked(ctx, accountOf(c, s.o.External)); err != nil {
		return err.Error()
	}
	return ""
}

// Users lists the users of the connected account, with the internal numbers they have.
// Users who are gone and have a number all the same are listed without a name.
func (s *Service) Users(ctx context.Context, c *pbx.Company) ([]pbx.AmoUser, error) {
	if !connected(c) {
		return nil, notConnected()
	}
	found, err := s.o.Client.Users(ctx, accountOf(c, s.o.External))
	if err != nil {
		return nil, unanswered(err)
	}
	all, seen := []pbx.AmoUser{}, map[int64]bool{}
	for _, u := range found {
		seen[u.ID] = true
		if u.Active || c.CRM.Amo.Users[u.ID] != "" {
			all = append(all, pbx.AmoUser{ID: u.ID, Name: u.Name, Email: u.Email, Active: u.Active, Extension: c.CRM.Amo.Users[u.ID]})
		}
	}
	for id, extension := range c.CRM.Amo.Users {
		if !seen[id] {
			all = append(all, pbx.AmoUser{ID: id, Extension: extension})
		}
	}
	return all, nil
}

// Pipelines lists the pipelines of the connected account.
func (s *Service) Pipelines(ctx context.Context, c *pbx.Company) ([]pbx.AmoPipeline, error) {
	if !connected(c) {
		return nil, notConnected()
	}
	found, err := s.o.Client.Pipelines(ctx, accountOf(c, s.o.External))
	if err != nil {
		return nil, unanswered(err)
	}
	all := []pbx.AmoPipeline{}
	for _, p := range found {
		if p.Archived {
			continue
		}
		one := pbx.AmoPipeline{ID: p.ID, Name: p.Name, Main: p.Main, Statuses: []pbx.AmoStatus{}}
		for _, st := range p.Statuses {
			if !st.Unsorted {
				one.Statuses = append(one.Statuses, pbx.AmoStatus{ID: st.ID, Name: st.Name})
			}
		}
		all = append(all, one)
	}
	return all, nil
}

func notConnected() error {
	return &pbx.Error{Kind: pbx.Conflict, Msg: "no amoCRM account is connected"}
}

func unanswered(err error) error {
	return &pbx.Error{Kind: pbx.Unavailable, Msg: "amoCRM does not answer as it should", Err: err}
}

// hostOf is the host of an address, with its port.
func hostOf(address string) string {
	u, err := url.Parse(strings.ToLower(address))
	if err != nil {
		return ""
	}
	return u.Host
}

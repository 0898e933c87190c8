package amocrm

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"vpbx/pbx"
)

const (
	maxWidgetToken = 4096
	widgetLife     = 35 * time.Minute // amoCRM makes them for half an hour
	widgetSkew     = time.Minute      // that its clock may be off
)

// claims are what a token of the widget says.
type claims struct {
	Issuer  string `json:"iss"`
	Account id     `json:"account_id"`
	User    id     `json:"user_id"`
	Client  string `json:"client_uuid"`
	Issued  int64  `json:"iat"`
	Begins  int64  `json:"nbf"`
	Ends    int64  `json:"exp"`
}

// Visitor says who looks at the widget: what the token of its page says, a JWT that
// amoCRM signs with the secret of the integration (RFC 7519; HS256, RFC 7518 §3.2).
// origin is that of the page, which must be the account's.
func (s *Service) Visitor(token, origin string) (pbx.AmoVisitor, error) {
	c, said, err := s.verify(token, time.Now())
	if err != nil {
		return pbx.AmoVisitor{}, err
	}
	if origin != "" && s.Origin(origin) != c {
		return pbx.AmoVisitor{}, &pbx.Error{Kind: pbx.Denied, Msg: "the page is not one of the account"}
	}
	user := int64(said.User)
	return pbx.AmoVisitor{Tenant: c.ID, Account: c.CRM.Amo.Link.Account, User: user, Extension: c.CRM.Amo.Users[user]}, nil
}

// Origin gives the company that is connected with the account a page is of, nil when
// none is.
func (s *Service) Origin(origin string) *pbx.Company {
	if c := s.o.Companies().AmoAccount(strings.TrimPrefix(origin, "https://")); c != nil && strings.HasPrefix(origin, "https://") {
		return c
	}
	return s.o.Companies().AmoAccount(origin) // a stand-in, which is named by its address
}

// Dial rings the phone of a user of amoCRM and then a number for him.
func (s *Service) Dial(ctx context.Context, token, origin, number string) (pbx.CallID, error) {
	v, err := s.Visitor(token, origin)
	if err != nil {
		return "", err
	}
	if v.Extension == "" {
		return "", &pbx.Error{Kind: pbx.Denied, Msg: "this user of amoCRM has no internal number"}
	}
	return s.o.Originate(ctx, pbx.Originate{Tenant: v.Tenant, From: v.Extension, To: number})
}

// verify gives the company and the claims of a good token. It says nothing of why
// another is not good.
func (s *Service) verify(token string, now time.Time) (*pbx.Company, claims, error) {
	wrong := &pbx.Error{Kind: pbx.Unauthenticated, Msg: "the token is not one of a connected account, or it has expired"}
	parts := strings.Split(token, ".")
	if len(token) > maxWidgetToken || len(parts) != 3 {
		return nil, claims{}, wrong
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var said claims
	if !part(parts[0], &header) || header.Alg != "HS256" || !part(parts[1], &said) {
		return nil, claims{}, wrong
	}
	sign, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return nil, claims{}, wrong
	}
	c := s.o.Companies().AmoAccountID(int64(said.Account))
	if c == nil {
		return nil, claims{}, wrong
	}
	l := c.CRM.Amo.Link
	mac := hmac.New(sha256.New, []byte(l.ClientSecret))
	mac.Write([]byte(parts[0] + "." + parts[1])) // cannot fail
	if !hmac.Equal(sign, mac.Sum(nil)) || said.User == 0 || !said.of(l) || !said.at(now) {
		return nil, claims{}, wrong
	}
	return c, said, nil
}

// of says whether the token is of a connected account and its integration.
func (c *claims) of(l *pbx.AmoLink) bool {
	return hostOf(c.Issuer) == hostOf(baseOf(l.Account)) && (c.Client == "" || c.Client == l.ClientID)
}

// at says whether the token is good at that time; one without an end never is.
func (c *claims) at(now time.Time) bool {
	ends := time.Unix(c.Ends, 0)
	return c.Ends > 0 && now.Before(ends.Add(widgetSkew)) && ends.Before(now.Add(widgetLife)) &&
		!time.Unix(max(c.Begins, c.Issued), 0).After(now.Add(widgetSkew))
}

// part reads a part of a token.
func part(text string, v any) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && json.Unmarshal(raw, v) == nil
}

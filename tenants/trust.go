package tenants

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"vpbx/pbx"
)

// Trust are the keys of a CRM of kind rtk that say whom it is trusted as. Its
// certificate is that of Webhook.
type Trust struct {
	Allow []netip.Prefix `yaml:"allow" json:"allow,omitempty"` // where it may ask from, default anywhere
	TLS   string         `yaml:"tls" json:"tls,omitempty"`     // on, off; default: certificates count where there are any
}

// Bounds of the white list.
const maxAllow = 256

var sslModes = []string{string(pbx.SSLOn), string(pbx.SSLOff)}

// checkTrust checks the keys of the trust, and that none of another kind are there.
func (c *checker) checkTrust() {
	t := &c.CRM.Trust
	if c.CRM.Kind != "rtk" {
		if len(t.Allow) > 0 || t.TLS != "" {
			c.note("crm", "allow and tls are keys of kind rtk")
		}
		if c.CRM.Kind == "amocrm" && c.CRM.SignKey != "" {
			c.note("crm", pbx.OneCRM)
		}
		return
	}
	if len(t.Allow) > maxAllow {
		c.note("crm.allow", "%d networks; %d at most", len(t.Allow), maxAllow)
	}
	for i, p := range t.Allow {
		at := fmt.Sprintf("crm.allow[%d]", i)
		switch {
		case !p.IsValid():
			c.note(at, "must be a network such as 203.0.113.0/24")
		case p.Addr().Is4In6():
			c.note(at, "%s is an IPv4 address written as IPv6; write it as 203.0.113.0/24", p)
		case p.Masked() != p:
			c.note(at, "%s has bits behind its mask; write %s", p, p.Masked())
		}
	}
	c.oneOf("crm.tls", t.TLS, sslModes)
	if t.TLS == string(pbx.SSLOn) && !strings.HasPrefix(strings.ToLower(c.CRM.URL), "https://") {
		c.note("crm.url", "must be an https address with tls: on")
	}
	if err := certificates(c.CRM.Certificate); err != nil {
		c.note("crm.certificate", "%v", err)
	}
}

// trust makes the trust of the company. Keys that were replaced by the API stay so,
// whatever document still has them.
func (b *build) trust(c *pbx.CRM) {
	if b.old != nil {
		c.Retired = clone(b.old.CRM.Retired)
	}
	if c.Kind != "rtk" {
		return
	}
	c.Allow, c.SSL, c.Certificate = clone(b.CRM.Allow), pbx.SSLMode(b.CRM.TLS), b.CRM.Certificate
	switch retired := c.IsRetired(c.ClientID, c.SignKey); {
	case retired && b.old.CRM.Kind == c.Kind:
		c.ClientID, c.SignKey = b.old.CRM.ClientID, b.old.CRM.SignKey
	case retired:
		b.note("crm.client_id", "these keys were replaced by new ones and count no longer")
	}
}

// documentTrust gives the trust of a company.
func documentTrust(c *pbx.CRM) Trust {
	return Trust{Allow: clone(c.Allow), TLS: string(c.SSL)}
}

// NewKeys gives a company's CRM of kind rtk a new client id and sign key, and returns
// them: the only time that the key is shown. Those it had are good for nothing when
// NewKeys returns. NotFound when there is no such company, Conflict when its CRM is of
// another kind.
func (s *Service) NewKeys(ctx context.Context, t pbx.TenantID) (clientID, signKey string, err error) {
	var made pbx.CRM
	err = s.store.UpdateCompany(ctx, t, func(old *pbx.Company) (*pbx.Company, error) {
		if old == nil {
			return nil, unknown()
		}
		if old.CRM.Kind != "rtk" {
			return nil, &pbx.Error{Kind: pbx.Conflict, Field: "crm.kind", Msg: "the company has no CRM of kind rtk"}
		}
		next := *old
		next.CRM.NewKeys()
		made = next.CRM
		return &next, nil
	})
	if err != nil {
		return "", "", fmt.Errorf("make new keys for company %s: %w", t, err)
	}
	return made.ClientID, made.SignKey, nil
}

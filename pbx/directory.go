package pbx

import (
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Directory is one consistent view of all companies of this node: who owns a
// SIP domain, a public number or a source address. It never changes; whoever
// wants news asks for the current one again.
type Directory struct {
	companies []*Company // by id
	byID      map[TenantID]*Company
	byDomain  map[string]*Company
	byAmo     map[string]*Company   // by host and by #id of the account that is connected
	byClient  map[string][]*Company // of CRMs of kind rtk, by client id
	sources   []TrunkOf
}

// TrunkOf is a trunk with the company it belongs to.
type TrunkOf struct {
	*Company
	*Trunk
}

// NewDirectory indexes companies. It keeps the pointers: the caller must not
// change what they point to.
func NewDirectory(companies []*Company) *Directory {
	d := &Directory{
		companies: append([]*Company(nil), companies...),
		byID:      make(map[TenantID]*Company, len(companies)),
		byDomain:  make(map[string]*Company, len(companies)),
		byAmo:     map[string]*Company{},
		byClient:  map[string][]*Company{},
	}
	sort.Slice(d.companies, func(i, j int) bool { return d.companies[i].ID < d.companies[j].ID })
	for _, c := range d.companies {
		d.byID[c.ID] = c
		d.byDomain[strings.ToLower(c.Domain)] = c
		if c.CRM.Amo != nil && c.CRM.Amo.Link != nil {
			d.byAmo[c.CRM.Amo.Link.Account] = c
			d.byAmo[amoKey(c.CRM.Amo.Link.AccountID)] = c
		}
		if id := c.CRM.ClientID; c.CRM.Kind == "rtk" && id != "" {
			d.byClient[id] = append(d.byClient[id], c)
		}
		for _, t := range c.Trunks {
			d.sources = append(d.sources, TrunkOf{c, t})
		}
	}
	return d
}

// Company gives the company of that id, nil when there is none.
func (d *Directory) Company(id TenantID) *Company { return d.byID[id] }

// Domain gives the company whose SIP domain that is, nil when nobody's.
func (d *Directory) Domain(domain string) *Company { return d.byDomain[strings.ToLower(domain)] }

// AmoAccount gives the company that is connected with the amoCRM account of that
// host, nil when none is.
func (d *Directory) AmoAccount(host string) *Company { return d.byAmo[strings.ToLower(host)] }

// AmoAccountID gives the company that is connected with the amoCRM account of that
// id, nil when none is.
func (d *Directory) AmoAccountID(id int64) *Company { return d.byAmo[amoKey(id)] }

func amoKey(id int64) string { return "#" + strconv.FormatInt(id, 10) }

// Clients lists the companies whose CRM of kind rtk has that client id, by id. There
// may be several: a client id may stand for several domains, and nobody keeps a
// company from naming that of another. The key says who it is.
func (d *Directory) Clients(id string) []*Company { return d.byClient[id] }

// Companies lists all companies by id. The slice must not be changed.
func (d *Directory) Companies() []*Company { return d.companies }

// TrunksFrom lists the trunks whose From holds the source address. Several
// companies may share a provider, so several trunks may match; the dialled
// number decides between them (see [Owner]).
func (d *Directory) TrunksFrom(source netip.Addr) []TrunkOf {
	source = source.Unmap()
	var found []TrunkOf
	for _, t := range d.sources {
		for _, p := range t.From {
			if p.Contains(source) {
				found = append(found, t)
				break
			}
		}
	}
	return found
}

// Owner picks, among trunks that a call may have come in on, the one whose
// company owns the dialled number on that trunk. When no company owns the
// number and all trunks are of one company, it is the first of them: the
// number is then unknown, but it is known whose call that is. Otherwise ok is
// false, and the call must be refused.
func Owner(trunks []TrunkOf, dialled string) (t TrunkOf, ok bool) {
	var found []TrunkOf
	for _, t := range trunks {
		if n := t.Numbers[t.Tenant.E164(dialled)]; n != nil && n.Trunk == t.Trunk.Name {
			found = append(found, t)
		}
	}
	if len(found) == 1 {
		return found[0], true
	}
	if len(found) > 1 || len(trunks) == 0 {
		return TrunkOf{}, false
	}
	for _, t := range trunks[1:] {
		if t.Company.ID != trunks[0].Company.ID {
			return TrunkOf{}, false
		}
	}
	return trunks[0], true
}

// Inside tells whether a number is one that the company's own phones call each
// other by: an extension, a group, a conference or a menu.
func (c *Company) Inside(number string) bool {
	return c.Extensions[number] != nil || c.Groups[number] != nil || c.Conferences[number] != nil || c.MenuAt(number) != nil
}

// Mates lists the extensions that are in a group with one, itself left out.
func (c *Company) Mates(ext string) []string {
	var mates []string
	for _, g := range c.Groups {
		if !slices.Contains(g.Members, ext) {
			continue
		}
		for _, m := range g.Members {
			if m != ext && !slices.Contains(mates, m) {
				mates = append(mates, m)
			}
		}
	}
	return mates
}

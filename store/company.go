package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"vpbx/pbx"
)

// The nouns of company_rows. A domain, a number and an account of amoCRM belong to
// one company only.
const (
	nounTenant    = "tenant"
	nounDomain    = "domain"
	nounExtension = "extension"
	nounGroup     = "group"
	nounTrunk     = "trunk"
	nounNumber    = "number"
	nounOutbound  = "outbound"
	nounRate      = "rate"
	nounRule      = "rule"
	nounPrompt    = "prompt"
	nounConf      = "conference"
	nounMusic     = "music"
	nounMenu      = "menu"
	nounCampaign  = "campaign"
	nounCRM       = "crm"
	nounSchedule  = "schedule"
	nounList      = "list"
	nounAmo       = "amocrm" // the account that is connected, by its name and by its id
)

// Directory gives the companies as they are after the last commit. It is a
// snapshot: whoever wants news asks again.
func (s *Store) Directory() *pbx.Directory { return s.directory.Load() }

// UpdateCompany replaces company t by what change makes of it, in one
// transaction that writes only the rows that differ. old is nil when there is
// no such company; a nil company removes it, with its registrations, tokens,
// what its CRM was still to be told and what passed between the two, and all that its
// campaigns have left, but keeps the records of its calls. change
// may be called twice and must have no effects of its own; its error is returned
// as it is. A domain or number that another company has is a Conflict. The
// Directory is new when UpdateCompany returns, and the same when nothing differs.
func (s *Store) UpdateCompany(ctx context.Context, t pbx.TenantID, change func(old *pbx.Company) (*pbx.Company, error)) error {
	return s.writer.do(ctx, func(tx *txn) error {
		have, err := tx.companyRows(t)
		if err != nil {
			return err
		}
		old, err := companyOf(t, have)
		if err != nil {
			return err
		}
		next, err := change(old)
		if err != nil {
			return err
		}
		if next == nil {
			return s.removeCompany(tx, t, have)
		}
		if t == "" || next.ID != t {
			return mismatch("the company document")
		}
		want, err := rowsOf(next)
		if err != nil {
			return err
		}
		if err := tx.checkOwned(t, want); err != nil {
			return err
		}
		changed, err := tx.applyRows(t, have, want)
		if err != nil || !changed {
			return err
		}
		company, err := companyOf(t, want)
		if err != nil {
			return err
		}
		tx.after = append(tx.after, func() { s.swap(t, company) })
		return nil
	})
}

func (s *Store) removeCompany(tx *txn, t pbx.TenantID, have []row) error {
	if len(have) == 0 {
		return nil
	}
	for _, query := range []string{
		`DELETE FROM company_rows WHERE tenant = $1`,
		`DELETE FROM bindings WHERE tenant = $1`,
		`DELETE FROM tokens WHERE tenant = $1`,
		`DELETE FROM spending WHERE tenant = $1`,
		`DELETE FROM contacts WHERE tenant = $1`,
		`DELETE FROM agents WHERE tenant = $1`,
		`DELETE FROM agent_states WHERE tenant = $1`,
		`DELETE FROM agent_talks WHERE tenant = $1`,
		`DELETE FROM callbacks WHERE tenant = $1 AND state IN ('waiting', 'dialling')`,
		`DELETE FROM recording_links WHERE tenant = $1`,
		`DELETE FROM histories WHERE tenant = $1`,
		`DELETE FROM crm_tokens WHERE tenant = $1`,
		`DELETE FROM exchanges WHERE tenant = $1`,
		`DELETE FROM debugging WHERE tenant = $1`,
		`DELETE FROM amo_steps WHERE tenant = $1`,
		`DELETE FROM amo_states WHERE tenant = $1`,
		`DELETE FROM outbox WHERE tenant = $1 AND dead = 1`,
		`DELETE FROM mails WHERE tenant = $1`,
		`DELETE FROM campaigns WHERE tenant = $1`,
		`DELETE FROM targets WHERE tenant = $1`,
		`DELETE FROM target_ids WHERE tenant = $1`,
		`DELETE FROM target_counts WHERE tenant = $1`,
		`DELETE FROM target_numbers WHERE tenant = $1`,
		`DELETE FROM attempts WHERE tenant = $1`,
		`DELETE FROM attempt_hours WHERE tenant = $1`,
		`DELETE FROM answer_hours WHERE tenant = $1`,
		`DELETE FROM stops WHERE tenant = $1`,
		`DELETE FROM consents WHERE tenant = $1`,
	} {
		if _, err := tx.exec(query, string(t)); err != nil {
			return err
		}
	}
	waiting, err := tx.exec(`DELETE FROM outbox WHERE tenant = $1`, string(t))
	if err != nil {
		return err
	}
	tx.after = append(tx.after, func() { s.metrics.outbox.Sub(float64(waiting)) })
	tx.after = append(tx.after, func() { s.swap(t, nil) })
	return nil
}

// there is a NotFound error when there is no such company: what is written for one that
// was removed meanwhile would be found by the next of that id.
func (t *txn) there(tenant pbx.TenantID) error {
	found := false
	err := t.query(func(*sql.Rows) error { found = true; return nil }, `SELECT 1 FROM company_rows WHERE tenant = $1 LIMIT 1`, string(tenant))
	if err == nil && !found {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
	}
	return err
}

// Reload reads a company again, for what a tool changed beside this process.
// The Directory has it, or has it no longer, when Reload returns.
func (s *Store) Reload(ctx context.Context, t pbx.TenantID) error {
	return s.writer.do(ctx, func(tx *txn) error {
		rows, err := tx.companyRows(t)
		if err != nil {
			return err
		}
		c, err := companyOf(t, rows)
		if err != nil {
			return err
		}
		tx.after = append(tx.after, func() { s.swap(t, c) })
		return nil
	})
}

// swap replaces the Directory by one with company t as c, or without it when c
// is nil. Only the writer's goroutine calls it.
func (s *Store) swap(t pbx.TenantID, c *pbx.Company) {
	var companies []*pbx.Company
	for _, other := range s.Directory().Companies() {
		if other.ID != t {
			companies = append(companies, other)
		}
	}
	if c != nil {
		companies = append(companies, c)
	}
	s.directory.Store(pbx.NewDirectory(companies))
}

// loadCompanies reads every company, when the store is opened.
func (s *Store) loadCompanies(ctx context.Context) ([]*pbx.Company, error) {
	all := map[pbx.TenantID][]row{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var t pbx.TenantID
		var r row
		if err := rows.Scan(&t, &r.noun, &r.key, &r.pos, &r.body); err != nil {
			return err
		}
		all[t] = append(all[t], r)
		return nil
	}, `SELECT tenant, noun, key, pos, body FROM company_rows ORDER BY tenant, noun, pos, key`)
	if err != nil {
		return nil, fmt.Errorf("load companies: %w", err)
	}
	var companies []*pbx.Company
	for t, rows := range all {
		c, err := companyOf(t, rows)
		if err != nil {
			return nil, err
		}
		companies = append(companies, c)
	}
	return companies, nil
}

// row is one thing of a company: its noun, what tells it from others of the
// noun, where it stands among them and its JSON.
type row struct {
	noun, key string
	pos       int
	body      string
}

// companyRows reads the rows of a company in the order of companyOf.
func (t *txn) companyRows(tenant pbx.TenantID) ([]row, error) {
	var all []row
	err := t.query(func(rows *sql.Rows) error {
		var r row
		if err := rows.Scan(&r.noun, &r.key, &r.pos, &r.body); err != nil {
			return err
		}
		all = append(all, r)
		return nil
	}, `SELECT noun, key, pos, body FROM company_rows WHERE tenant = $1 ORDER BY noun, pos, key`, string(tenant))
	return all, err
}

// checkOwned refuses a domain, number or account of another company, without saying
// whose it is.
func (t *txn) checkOwned(tenant pbx.TenantID, want []row) error {
	for _, r := range want {
		if r.noun != nounDomain && r.noun != nounNumber && r.noun != nounAmo {
			continue
		}
		taken := false
		err := t.query(func(*sql.Rows) error { taken = true; return nil },
			`SELECT 1 FROM company_rows WHERE noun IN ('domain', 'number', 'amocrm') AND noun = $1 AND key = $2 AND tenant <> $3`,
			r.noun, r.key, string(tenant))
		if err != nil {
			return err
		}
		if taken {
			field := map[string]string{nounDomain: "domain", nounNumber: "numbers", nounAmo: "account"}[r.noun]
			what := map[string]string{nounDomain: "domain", nounNumber: "number", nounAmo: "the amoCRM account"}[r.noun]
			return &pbx.Error{Kind: pbx.Conflict, Field: field, Msg: fmt.Sprintf("%s %s belongs to another company", what, r.key)}
		}
	}
	return nil
}

// applyRows makes the rows of a company what they should be and says whether
// that changed any.
func (t *txn) applyRows(tenant pbx.TenantID, have, want []row) (changed bool, err error) {
	type id struct{ noun, key string }
	old := make(map[id]row, len(have))
	for _, r := range have {
		old[id{r.noun, r.key}] = r
	}
	var put []row
	for _, r := range want {
		if was, ok := old[id{r.noun, r.key}]; !ok || was != r {
			put = append(put, r)
		}
		delete(old, id{r.noun, r.key})
	}
	for k := range old {
		if _, err := t.exec(`DELETE FROM company_rows WHERE tenant = $1 AND noun = $2 AND key = $3`,
			string(tenant), k.noun, k.key); err != nil {
			return false, err
		}
	}
	for _, r := range put {
		if _, err := t.exec(`INSERT INTO company_rows (tenant, noun, key, pos, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant, noun, key) DO UPDATE SET pos = excluded.pos, body = excluded.body`,
			string(tenant), r.noun, r.key, r.pos, r.body); err != nil {
			return false, err
		}
	}
	return len(old)+len(put) > 0, nil
}

// builder collects the rows of a company.
type builder struct {
	rows []row
	seen map[string]int // how often a noun and key came
	err  error
}

// add adds a row. A key that comes again is numbered, so that lists with equal
// keys keep all their items.
func (b *builder) add(noun, key string, pos int, v any) {
	name := noun + " " + key
	if b.seen[name]++; b.seen[name] > 1 {
		key += "#" + strconv.Itoa(b.seen[name])
	}
	body, err := json.Marshal(v)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("encode %s %s: %w", noun, key, err)
	}
	b.rows = append(b.rows, row{noun, key, pos, string(body)})
}

// addAll adds what is kept by name or number.
func addAll[T any](b *builder, noun string, m map[string]*T) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.add(noun, k, 0, m[k])
	}
}

// rowsOf takes a company apart, in the order of companyRows.
func rowsOf(c *pbx.Company) ([]row, error) {
	b := builder{seen: map[string]int{}}
	b.add(nounTenant, "", 0, c.Tenant)
	b.add(nounDomain, c.Domain, 0, struct{}{})
	b.add(nounCRM, "", 0, c.CRM)
	if c.CRM.Amo != nil && c.CRM.Amo.Link != nil {
		b.add(nounAmo, c.CRM.Amo.Link.Account, 0, struct{}{})
		if id := c.CRM.Amo.Link.AccountID; id != 0 { // a name may be changed, and given to another
			b.add(nounAmo, strconv.FormatInt(id, 10), 0, struct{}{})
		}
	}
	addAll(&b, nounExtension, c.Extensions)
	addAll(&b, nounGroup, c.Groups)
	addAll(&b, nounNumber, c.Numbers)
	addAll(&b, nounPrompt, c.Prompts)
	addAll(&b, nounConf, c.Conferences)
	addAll(&b, nounMusic, c.Music)
	addAll(&b, nounSchedule, c.Schedules)
	addAll(&b, nounList, c.Lists)
	addAll(&b, nounMenu, c.Menus)
	addAll(&b, nounCampaign, c.Campaigns)
	for i, t := range c.Trunks {
		b.add(nounTrunk, t.Name, i, t)
	}
	for i, o := range c.Outbound {
		b.add(nounOutbound, o.Prefix, i, o)
	}
	for i, r := range c.Rates {
		b.add(nounRate, r.Prefix, i, r)
	}
	for i, r := range c.Rules {
		b.add(nounRule, r.Key(), i, r)
	}
	slices.SortFunc(b.rows, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.noun, y.noun), cmp.Compare(x.pos, y.pos), cmp.Compare(x.key, y.key))
	})
	return b.rows, b.err
}

// companyOf puts a company together from its rows; nil when there are none.
func companyOf(t pbx.TenantID, rows []row) (*pbx.Company, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	c := &pbx.Company{
		Extensions: map[string]*pbx.Extension{},
		Groups:     map[string]*pbx.Group{},
		Numbers:    map[string]*pbx.Number{},
		Prompts:    map[string]*pbx.Prompt{},

		Conferences: map[string]*pbx.Conference{},
	}
	for _, r := range rows {
		if err := addRow(c, r); err != nil {
			return nil, fmt.Errorf("decode %s %s of company %s: %w", r.noun, r.key, t, err)
		}
	}
	if c.ID != t {
		return nil, fmt.Errorf("the rows of company %s name company %q", t, c.ID)
	}
	return c, nil
}

// addRow puts one row into the company.
func addRow(c *pbx.Company, r row) error {
	body := []byte(r.body)
	switch r.noun {
	case nounTenant:
		return json.Unmarshal(body, &c.Tenant)
	case nounDomain, nounAmo:
		return nil
	case nounCRM:
		return json.Unmarshal(body, &c.CRM)
	case nounExtension:
		return decodeInto(&c.Extensions, r.key, body)
	case nounGroup:
		return decodeInto(&c.Groups, r.key, body)
	case nounNumber:
		return decodeInto(&c.Numbers, r.key, body)
	case nounPrompt:
		return decodeInto(&c.Prompts, r.key, body)
	case nounConf:
		return decodeInto(&c.Conferences, r.key, body)
	case nounMusic:
		return decodeInto(&c.Music, r.key, body)
	case nounSchedule:
		return decodeInto(&c.Schedules, r.key, body)
	case nounList:
		return decodeInto(&c.Lists, r.key, body)
	case nounMenu:
		return decodeInto(&c.Menus, r.key, body)
	case nounCampaign:
		return decodeInto(&c.Campaigns, r.key, body)
	case nounTrunk:
		return decodeNext(&c.Trunks, body)
	case nounOutbound:
		return decodeNext(&c.Outbound, body)
	case nounRate:
		return decodeNext(&c.Rates, body)
	case nounRule:
		return decodeNext(&c.Rules, body)
	}
	return fmt.Errorf("unknown noun")
}

// decodeInto decodes body and puts it into a map, which may be nil before.
func decodeInto[T any](m *map[string]*T, key string, body []byte) error {
	if *m == nil {
		*m = map[string]*T{}
	}
	v := new(T)
	(*m)[key] = v
	return json.Unmarshal(body, v)
}

// decodeNext decodes body and puts it behind a list.
func decodeNext[T any](list *[]T, body []byte) error {
	var v T
	err := json.Unmarshal(body, &v)
	*list = append(*list, v)
	return err
}

package amocrm

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"vpbx/pbx"
)

const (
	pageSize     = 250 // the most that amoCRM gives at once
	maxPages     = 20  // of users
	sameDigits   = 10  // as many last digits make two numbers the same
	shortest     = 5   // digits of a number that a card is looked for by
	maxFound     = 250 // cards among which the number is looked for
	maxLeadsRead = 50  // leads of a contact that are read
)

// AccountInfo tells of the account itself.
func (c *Client) AccountInfo(ctx context.Context, a Account) (Info, error) {
	got, err := c.read(ctx, a, "/api/v4/account", nil)
	if err != nil {
		return Info{}, fmt.Errorf("read the account: %w", err)
	}
	info, err := decodeInfo(got)
	if err != nil {
		return Info{}, fmt.Errorf("read the account: %w", err)
	}
	return info, nil
}

// Users gives everybody who works in the account.
func (c *Client) Users(ctx context.Context, a Account) ([]User, error) {
	var all []User
	for page := 1; page <= maxPages; page++ {
		got, err := c.read(ctx, a, "/api/v4/users", url.Values{"limit": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(page)}})
		if err != nil {
			return nil, fmt.Errorf("read the users: %w", err)
		}
		users, more, err := decodeUsers(got)
		if err != nil {
			return nil, fmt.Errorf("read the users: %w", err)
		}
		all = append(all, users...)
		if !more || len(users) == 0 {
			break
		}
	}
	return all, nil
}

// Pipelines gives the pipelines of the account with their statuses.
func (c *Client) Pipelines(ctx context.Context, a Account) ([]Pipeline, error) {
	got, err := c.read(ctx, a, "/api/v4/leads/pipelines", nil)
	if err != nil {
		return nil, fmt.Errorf("read the pipelines: %w", err)
	}
	all, err := decodePipelines(got)
	if err != nil {
		return nil, fmt.Errorf("read the pipelines: %w", err)
	}
	return all, nil
}

// Contacts gives the contacts that have the number on their card, in the order
// amoCRM gives them. amoCRM looks for the digits in all fields of a card, and anywhere in
// them; what is no number of the card, or another one, is left out here.
func (c *Client) Contacts(ctx context.Context, a Account, number string) ([]Contact, error) {
	digits := onlyDigits(number)
	if len(digits) < shortest {
		return nil, nil
	}
	query := url.Values{"query": {lastDigits(digits)}, "with": {"leads"}, "limit": {strconv.Itoa(maxFound)}}
	got, err := c.read(ctx, a, "/api/v4/contacts", query)
	if err != nil {
		return nil, fmt.Errorf("find the contact: %w", err)
	}
	all, err := decodeContacts(got)
	if err != nil {
		return nil, fmt.Errorf("find the contact: %w", err)
	}
	var found []Contact
	for _, contact := range all {
		if contact.has(a.Country, number) {
			found = append(found, contact)
		}
	}
	return found, nil
}

// Contact gives one contact; an account that does not have it is a [StatusError] of 404.
func (c *Client) Contact(ctx context.Context, a Account, id int64) (Contact, error) {
	got, err := c.read(ctx, a, "/api/v4/contacts/"+strconv.FormatInt(id, 10), url.Values{"with": {"leads"}})
	if err != nil {
		return Contact{}, fmt.Errorf("read the contact: %w", err)
	}
	var w wireContact
	if err := decode(got, &w); err != nil {
		return Contact{}, fmt.Errorf("read the contact: %w", err)
	}
	if w.ID == 0 {
		return Contact{}, fmt.Errorf("read the contact: %w", &StatusError{Status: http.StatusNotFound})
	}
	return w.contact(), nil
}

// LeadsOf gives the leads of a contact, the last ones when there are very many.
func (c *Client) LeadsOf(ctx context.Context, a Account, contact Contact) ([]Lead, error) {
	wanted := contact.Leads
	if len(wanted) == 0 {
		return nil, nil
	}
	if len(wanted) > maxLeadsRead {
		wanted = wanted[len(wanted)-maxLeadsRead:]
	}
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for _, id := range wanted {
		query.Add("filter[id][]", strconv.FormatInt(id, 10))
	}
	got, err := c.read(ctx, a, "/api/v4/leads", query)
	if err != nil {
		return nil, fmt.Errorf("read the leads: %w", err)
	}
	all, err := decodeLeads(got)
	if err != nil {
		return nil, fmt.Errorf("read the leads: %w", err)
	}
	return all, nil
}

// read asks for something that is there.
func (c *Client) read(ctx context.Context, a Account, path string, query url.Values) (answer, error) {
	got, err := c.ask(ctx, a, http.MethodGet, path, query, nil)
	if err == nil && got.status == http.StatusBadRequest {
		err = &StatusError{got.status, got.problem()}
	}
	return got, err
}

// has tells whether a number is on the card.
func (c *Contact) has(country, number string) bool {
	for _, phone := range c.Phones {
		for _, n := range numbersIn(phone) {
			if same(country, n, number) {
				return true
			}
		}
	}
	return false
}

// same tells whether two spellings are one number: as a company of the country
// reads them, or, where it cannot read one, by the last ten digits.
func same(country, a, b string) bool {
	if lastDigits(onlyDigits(a)) != lastDigits(onlyDigits(b)) {
		return false
	}
	reader := &pbx.Tenant{Country: country}
	a, b = reader.E164(a), reader.E164(b)
	return !strings.HasPrefix(a, "+") || !strings.HasPrefix(b, "+") || a == b
}

// numbersIn takes the numbers out of what people write into a field for one:
// "8 (916) 123-45-67 доб. 12, home +7 495 …".
func numbersIn(s string) []string {
	var all []string
	start, digits := 0, 0
	end := func(at int) {
		if digits >= shortest {
			all = append(all, s[start:at])
		}
		digits = 0
	}
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			if digits == 0 && (start >= i || s[start] != '+') {
				start = i
			}
			digits++
		case r == '+':
			end(i)
			start = i
		case strings.ContainsRune(" -.()\u00a0\u2011\u2013\t", r):
		default:
			end(i)
			start = i + len(string(r))
		}
	}
	end(len(s))
	return all
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func lastDigits(digits string) string { return digits[max(0, len(digits)-sameDigits):] }

// unix reads seconds; 0 is the zero time.
func unix(seconds int64) time.Time {
	const end = 253402300800 // of the year 9999
	if seconds == 0 || seconds >= end {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

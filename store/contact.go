package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"vpbx/pbx"
)

// Contact gives whom a number belongs to by the address book of a company; the zero
// Contact when it has none.
func (s *Store) Contact(ctx context.Context, t pbx.TenantID, number string) (pbx.Contact, error) {
	var c pbx.Contact
	err := s.readDB.QueryRowContext(ctx, `SELECT name, owner FROM contacts WHERE tenant = $1 AND number = $2`, string(t), column(number)).
		Scan(&c.Name, &c.Owner)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return pbx.Contact{}, unavailable("read the address book", err)
	}
	return c, nil
}

// Contacts lists the address book of a company in the order of the numbers, behind
// after, limit of them at most.
func (s *Store) Contacts(ctx context.Context, t pbx.TenantID, after string, limit int) ([]pbx.BookEntry, error) {
	defer s.metrics.time("contacts")()
	var list []pbx.BookEntry
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var e pbx.BookEntry
		if err := rows.Scan(&e.Number, &e.Name, &e.Owner); err != nil {
			return err
		}
		list = append(list, e)
		return nil
	}, `SELECT number, name, owner FROM contacts WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT $3`, string(t), column(after), limit)
	if err != nil {
		return nil, fmt.Errorf("list the contacts of company %s: %w", t, err)
	}
	return list, nil
}

// PutContacts adds contacts to the address book of a company, in one transaction,
// each in the place of the one with that number. More than [pbx.MaxContacts] in all
// are a Limit error, a company that was removed meanwhile is a NotFound.
func (s *Store) PutContacts(ctx context.Context, t pbx.TenantID, list []pbx.BookEntry) error {
	return s.writer.do(ctx, func(tx *txn) error {
		if err := tx.there(t); err != nil {
			return err
		}
		for _, e := range list {
			if _, err := tx.exec(`INSERT INTO contacts (tenant, number, name, owner) VALUES ($1, $2, $3, $4)
				ON CONFLICT (tenant, number) DO UPDATE SET name = excluded.name, owner = excluded.owner`,
				string(t), column(e.Number), column(e.Name), column(e.Owner)); err != nil {
				return err
			}
		}
		count := 0
		err := tx.query(func(rows *sql.Rows) error { return rows.Scan(&count) }, `SELECT count(*) FROM contacts WHERE tenant = $1`, string(t))
		if err == nil && count > pbx.MaxContacts {
			return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("the address book would have %d contacts; %d at most", count, pbx.MaxContacts)}
		}
		return err
	})
}

// DropContact removes a contact, a NotFound error when there is none.
func (s *Store) DropContact(ctx context.Context, t pbx.TenantID, number string) error {
	return s.writer.do(ctx, func(tx *txn) error {
		n, err := tx.exec(`DELETE FROM contacts WHERE tenant = $1 AND number = $2`, string(t), column(number))
		if err == nil && n == 0 {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such contact"}
		}
		return err
	})
}

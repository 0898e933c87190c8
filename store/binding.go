package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"vpbx/pbx"
)

// Bindings lists the registrations of this node, of all companies. Expired ones
// are among them until they are dropped.
func (s *Store) Bindings(ctx context.Context) ([]pbx.Binding, error) {
	var all []pbx.Binding
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var b pbx.Binding
		var body string
		if err := rows.Scan(&body); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			return err
		}
		all = append(all, b)
		return nil
	}, `SELECT body FROM bindings WHERE node = $1 ORDER BY tenant, extension, contact`, s.node)
	if err != nil {
		return nil, fmt.Errorf("read bindings: %w", err)
	}
	return all, nil
}

// SaveBindings writes the bindings in put and then removes those in drop, in
// one transaction. A binding is known by its company, extension and contact. The last of
// them may be lost with the power: phones register again.
func (s *Store) SaveBindings(ctx context.Context, put, drop []pbx.Binding) error {
	bodies := make([]string, len(put))
	for i, b := range put {
		body, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("encode a binding of %s: %w", b.Extension, err)
		}
		bodies[i] = string(body)
	}
	return s.writer.doLossy(ctx, func(tx *txn) error {
		for i, b := range put {
			if _, err := tx.exec(`INSERT INTO bindings (tenant, extension, contact, node, expires, body) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (tenant, extension, contact)
				DO UPDATE SET node = excluded.node, expires = excluded.expires, body = excluded.body`,
				string(b.Tenant), b.Extension, column(b.Contact), s.node, micros(b.Expires), bodies[i]); err != nil {
				return err
			}
		}
		for _, b := range drop {
			if _, err := tx.exec(`DELETE FROM bindings WHERE tenant = $1 AND extension = $2 AND contact = $3`,
				string(b.Tenant), b.Extension, column(b.Contact)); err != nil {
				return err
			}
		}
		return nil
	})
}

package store

import (
	"context"
	"fmt"

	"vpbx/pbx"
)

// CRMToken gives the token of a company's CRM, a NotFound error when there is none.
func (s *Store) CRMToken(ctx context.Context, t pbx.TenantID) (pbx.CRMToken, error) {
	var token pbx.CRMToken
	var issued, expires int64
	err := s.readDB.QueryRowContext(ctx, `SELECT client, linked, base, access, refresh, issued, expires, broken
		FROM crm_tokens WHERE tenant = $1`, string(t)).
		Scan(&token.Client, &token.Linked, &token.Base, &token.Access, &token.Refresh, &issued, &expires, &token.Broken)
	if err != nil {
		return pbx.CRMToken{}, found(err, "token of a CRM")
	}
	token.Issued, token.Expires = fromMicros(issued), fromMicros(expires)
	return token, nil
}

// SaveCRMToken keeps the token of a company's CRM in the place of the one that is there.
// A company that is removed meanwhile is a NotFound error.
func (s *Store) SaveCRMToken(ctx context.Context, t pbx.TenantID, token pbx.CRMToken) error {
	if t == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "a token of a CRM without company"}
	}
	err := s.writer.do(ctx, func(tx *txn) error {
		n, err := tx.exec(`INSERT INTO crm_tokens (tenant, client, linked, base, access, refresh, issued, expires, broken)
			SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE EXISTS (SELECT 1 FROM company_rows WHERE tenant = $1)
			ON CONFLICT (tenant) DO UPDATE SET client = excluded.client, linked = excluded.linked, base = excluded.base,
			access = excluded.access, refresh = excluded.refresh, issued = excluded.issued, expires = excluded.expires,
			broken = excluded.broken`,
			string(t), column(token.Client), column(token.Linked), column(token.Base), column(token.Access), column(token.Refresh),
			micros(token.Issued), micros(token.Expires), column(token.Broken))
		if err == nil && n == 0 {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("save the token of the CRM of company %s: %w", t, err)
	}
	return nil
}

// DropCRMToken forgets the token of a company's CRM, if there is one.
func (s *Store) DropCRMToken(ctx context.Context, t pbx.TenantID) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`DELETE FROM crm_tokens WHERE tenant = $1`, string(t))
		return err
	})
	if err != nil {
		return fmt.Errorf("drop the token of the CRM of company %s: %w", t, err)
	}
	return nil
}

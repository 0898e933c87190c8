package store

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"time"

	"vpbx/pbx"
)

// Token is what is kept of a bearer token; the token itself is not.
type Token struct {
	Hash    string       // lower-case hex of its SHA-256
	Name    string       // for the list
	Tenant  pbx.TenantID // "": of no single company
	Role    string
	Created time.Time
}

var tokenHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// AddToken keeps a token. One that is there already is a Conflict.
func (s *Store) AddToken(ctx context.Context, t Token) error {
	if !tokenHash.MatchString(t.Hash) {
		return &pbx.Error{Kind: pbx.Invalid, Field: "hash", Msg: "not the hex form of a SHA-256"}
	}
	return s.writer.do(ctx, func(tx *txn) error {
		n, err := tx.exec(`INSERT INTO tokens (hash, name, tenant, role, created) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (hash) DO NOTHING`, t.Hash, column(t.Name), string(t.Tenant), t.Role, micros(t.Created))
		if err == nil && n == 0 {
			return &pbx.Error{Kind: pbx.Conflict, Msg: "that token is there already"}
		}
		return err
	})
}

// Token gives the token with that hash, a NotFound error when there is none.
func (s *Store) Token(ctx context.Context, hash string) (Token, error) {
	t := Token{Hash: hash}
	var created int64
	err := s.readDB.QueryRowContext(ctx, `SELECT name, tenant, role, created FROM tokens WHERE hash = $1`, hash).
		Scan(&t.Name, &t.Tenant, &t.Role, &created)
	if err != nil {
		return Token{}, found(err, "token")
	}
	t.Created = fromMicros(created)
	return t, nil
}

// DropToken forgets a token, a NotFound error when there is none.
func (s *Store) DropToken(ctx context.Context, hash string) error {
	return s.writer.do(ctx, func(tx *txn) error {
		n, err := tx.exec(`DELETE FROM tokens WHERE hash = $1`, hash)
		if err == nil && n == 0 {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such token"}
		}
		return err
	})
}

// Tokens lists the tokens of a company, or all of them when t is "".
func (s *Store) Tokens(ctx context.Context, t pbx.TenantID) ([]Token, error) {
	var all []Token
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var token Token
		var created int64
		if err := rows.Scan(&token.Hash, &token.Name, &token.Tenant, &token.Role, &created); err != nil {
			return err
		}
		token.Created = fromMicros(created)
		all = append(all, token)
		return nil
	}, `SELECT hash, name, tenant, role, created FROM tokens WHERE tenant = $1 OR $1 = '' ORDER BY created, hash`, string(t))
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return all, nil
}

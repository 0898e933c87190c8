package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"

	"vpbx/pbx"
)

// maxLinks bounds the links of a company that are good at once.
const maxLinks = 20_000

// AddRecordingLink keeps a link to a recording of the company, and forgets those
// that have expired. The error is NotFound when there is no such recording, Gone when
// it was removed, Limit when the company has too many links.
func (s *Store) AddRecordingLink(ctx context.Context, t pbx.TenantID, l pbx.RecordingLink) error {
	if l.Tenant != t {
		return mismatch("the link")
	}
	if !tokenHash.MatchString(l.Hash) {
		return &pbx.Error{Kind: pbx.Invalid, Field: "hash", Msg: "not the hex form of a SHA-256"}
	}
	err := s.writer.do(ctx, func(tx *txn) error {
		r, err := tx.recording(t, l.Recording)
		if err != nil {
			return err
		}
		if r.Removed != nil {
			return &pbx.Error{Kind: pbx.Gone, Msg: "the recording was removed"}
		}
		if _, err := tx.exec(`DELETE FROM recording_links WHERE tenant = $1 AND expires <= $2`, string(t), micros(l.Made)); err != nil {
			return err
		}
		var have int
		if err := tx.query(func(rows *sql.Rows) error { return rows.Scan(&have) },
			`SELECT count(*) FROM recording_links WHERE tenant = $1`, string(t)); err != nil {
			return err
		}
		if have >= maxLinks {
			return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("%d links to recordings are good already", maxLinks)}
		}
		_, err = tx.exec(`INSERT INTO recording_links (hash, tenant, recording, source, single, made, maker, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			l.Hash, string(t), string(l.Recording), addrText(l.From), bit(l.Single), micros(l.Made), column(l.By), micros(l.Expires))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a link to recording %s: %w", l.Recording, err)
	}
	return nil
}

const linkColumns = `SELECT tenant, recording, source, single, made, maker, expires, used, used_by, taken FROM recording_links WHERE hash = $1`

// RecordingLink gives the link with that hash, a NotFound error when there is none.
func (s *Store) RecordingLink(ctx context.Context, hash string) (pbx.RecordingLink, error) {
	l, err := scanLink(hash, s.readDB.QueryRowContext(ctx, linkColumns, hash).Scan)
	if err != nil {
		return pbx.RecordingLink{}, found(err, "link")
	}
	return l, nil
}

// UseRecordingLink notes a use of a link of the company, or gives the error of
// [pbx.RecordingLink.Refuse]: of two uses at once of a link that is good once, one
// is refused.
func (s *Store) UseRecordingLink(ctx context.Context, t pbx.TenantID, hash string, u pbx.LinkUse) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		l := pbx.RecordingLink{}
		err := tx.query(func(rows *sql.Rows) (err error) { l, err = scanLink(hash, rows.Scan); return err }, linkColumns, hash)
		if err != nil {
			return err
		}
		if l.Tenant != t {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such link"}
		}
		if err := l.Refuse(u); err != nil {
			return err
		}
		if l.Used.IsZero() {
			l.Used, l.UsedBy = u.At, u.From
		}
		_, err = tx.exec(`UPDATE recording_links SET used = $1, used_by = $2, taken = $3 WHERE hash = $4`,
			micros(l.Used), addrText(l.UsedBy), bit(l.Taken || u.Whole), hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("use a link to a recording: %w", err)
	}
	return nil
}

func scanLink(hash string, scan func(...any) error) (pbx.RecordingLink, error) {
	l := pbx.RecordingLink{Hash: hash}
	var from, by string
	var made, expires, used int64
	if err := scan(&l.Tenant, &l.Recording, &from, &l.Single, &made, &l.By, &expires, &used, &by, &l.Taken); err != nil {
		return l, err
	}
	l.Made, l.Expires = fromMicros(made), fromMicros(expires)
	if used != 0 {
		l.Used = fromMicros(used)
	}
	var err error
	if l.From, err = textAddr(from); err != nil {
		return l, err
	}
	l.UsedBy, err = textAddr(by)
	return l, err
}

// addrText is an address as it stands in a column; "" for the zero address.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func textAddr(s string) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	return netip.ParseAddr(s)
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

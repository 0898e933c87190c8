package recordings

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"vpbx/pbx"
)

// How long a link is good at least and at most.
const (
	minLink = time.Minute
	maxLink = 30 * 24 * time.Hour

	maxLinkToken = 64 // bytes
)

// LinkLedger keeps links to recordings. Package store implements it.
type LinkLedger interface {
	AddRecordingLink(ctx context.Context, t pbx.TenantID, l pbx.RecordingLink) error
	RecordingLink(ctx context.Context, hash string) (pbx.RecordingLink, error)
	UseRecordingLink(ctx context.Context, t pbx.TenantID, hash string, u pbx.LinkUse) error
}

// Links makes links by which a recording can be fetched without a token of the
// API, and says whether one is good. Its methods may be called from any goroutine.
type Links struct {
	ledger LinkLedger
	log    *slog.Logger
}

// NewLinks makes Links that are kept in a ledger.
func NewLinks(ledger LinkLedger, log *slog.Logger) *Links { return &Links{ledger: ledger, log: log} }

// Make makes a link and gives its token, which stands behind [pbx.RecordsPath] in
// the address of the sound. Only its hash is kept. The error is NotFound when the
// company has no such recording, Gone when it was removed, Limit when the company
// has too many links.
func (l *Links) Make(ctx context.Context, t pbx.TenantID, o pbx.LinkOrder) (token string, err error) {
	var b [24]byte
	rand.Read(b[:]) // never fails since Go 1.24
	token = base64.RawURLEncoding.EncodeToString(b[:])
	now := time.Now()
	link := pbx.RecordingLink{Hash: hashLink(token), Tenant: t, Recording: o.Recording, From: o.From.Unmap(), Single: o.Single,
		Made: now, By: o.By, Expires: now.Add(min(max(o.For, minLink), maxLink))}
	if err := l.ledger.AddRecordingLink(ctx, t, link); err != nil {
		return "", fmt.Errorf("make a link: %w", err)
	}
	l.log.Info("audit: link to a recording made", "tenant", t, "recording", o.Recording, "by", o.By,
		"for", addrOf(link.From), "single", o.Single, "expires", link.Expires)
	return token, nil
}

// Find gives the link with that token, when it is good for a use. The error is
// NotFound when there is none, Gone when it has expired or was used up, Denied for
// another address than the one it is for.
func (l *Links) Find(ctx context.Context, token string, u pbx.LinkUse) (pbx.RecordingLink, error) {
	if len(token) > maxLinkToken {
		return pbx.RecordingLink{}, &pbx.Error{Kind: pbx.NotFound, Msg: "no such link"}
	}
	link, err := l.ledger.RecordingLink(ctx, hashLink(token))
	if err == nil {
		err = link.Refuse(u)
	}
	if err != nil {
		return pbx.RecordingLink{}, fmt.Errorf("find a link: %w", err)
	}
	return link, nil
}

// Use notes a use of a link; the error is one of Find when others were faster.
func (l *Links) Use(ctx context.Context, link pbx.RecordingLink, u pbx.LinkUse) error {
	if err := l.ledger.UseRecordingLink(ctx, link.Tenant, link.Hash, u); err != nil {
		return err
	}
	l.log.Info("audit: recording fetched by a link", "tenant", link.Tenant, "recording", link.Recording, "made by", link.By,
		"from", addrOf(u.From), "whole", u.Whole)
	return nil
}

func addrOf(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// hashLink is the form in which a token is kept. Tokens are long and random, so no
// slower hash is needed.
func hashLink(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"vpbx/config"
	"vpbx/internal/strict"
	"vpbx/tenants"
)

// provision applies the company files that were read, but for those that were applied
// before as they are. One that cannot be applied keeps those behind it from being so.
func (a *App) provision(ctx context.Context, docs []*tenants.Document) error {
	for i, d := range docs {
		wasOnAmo := a.onAmo(d.Tenant)
		changes, stale, err := a.tenants.Provision(ctx, d)
		if err != nil {
			return fmt.Errorf("apply %s: %w", a.cfg.Provision[i], err)
		}
		if stale {
			if len(changes) > 0 {
				a.log.Info("the company file is the one applied before; what was changed by the API since stays", "file", a.cfg.Provision[i], "tenant", d.Tenant, "differences", len(changes))
			}
			continue
		}
		if wasOnAmo && !a.onAmo(d.Tenant) {
			a.leftAmo(ctx, d.Tenant)
		}
		if now := a.store.Directory().Company(d.Tenant); d.CRM.ClientID != "" && now != nil && !strings.EqualFold(now.CRM.ClientID, d.CRM.ClientID) {
			a.log.Warn("the company file has keys of the integration API that were replaced; the new ones stay", "file", a.cfg.Provision[i], "tenant", d.Tenant)
		}
		if len(changes) > 0 {
			a.log.Info("company file applied", "file", a.cfg.Provision[i], "tenant", d.Tenant, "changes", len(changes))
		}
	}
	return nil
}

// ReadCompanies reads the company files that a config names. The error lists
// the mistakes of all of them.
func ReadCompanies(cfg config.Config) ([]*tenants.Document, error) {
	var docs []*tenants.Document
	var errs []error
	for _, file := range cfg.Provision {
		data, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("provision: %w", err))
			continue
		}
		if len(data) > strict.MaxSize {
			errs = append(errs, fmt.Errorf("provision: %s is larger than %d bytes", file, strict.MaxSize))
			continue
		}
		d, err := tenants.Parse(data, filepath.Dir(file))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:\n%w", file, err))
			continue
		}
		docs = append(docs, d)
	}
	return docs, errors.Join(errs...)
}

// certificate reads the certificate for TLS, nil when none is configured.
func (a *App) certificate() (*tls.Certificate, error) {
	if a.cfg.TLS.Cert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(a.cfg.TLS.Cert, a.cfg.TLS.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return &cert, nil
}

// tlsConfig is asked at each handshake: a certificate that was replaced counts
// from the next connection on, and open ones stay.
func (a *App) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c := a.cert.Load(); c != nil {
				return c, nil
			}
			return nil, errors.New("no certificate is configured")
		}}
}

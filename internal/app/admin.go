package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpbx/api"
	"vpbx/config"
	"vpbx/pbx"
	"vpbx/store"
	"vpbx/tenants"
)

// beside opens the store for a tool, while a server may be running.
func beside(ctx context.Context, cfg config.Config, f func(*store.Store) error) error {
	s, err := store.Open(ctx, store.Options{Dir: cfg.Data, Node: cfg.Node, Beside: true})
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}

// AddToken makes an API token: an administrator's, or with a tenant that
// company's. It is stored as a hash only, so the caller must show it.
func AddToken(ctx context.Context, cfg config.Config, name string, tenant pbx.TenantID) (token string, err error) {
	err = beside(ctx, cfg, func(s *store.Store) error {
		if tenant != "" && s.Directory().Company(tenant) == nil {
			return fmt.Errorf("there is no company %q", tenant)
		}
		token, err = newToken(ctx, s, name, tenant)
		return err
	})
	return token, err
}

func newToken(ctx context.Context, s *store.Store, name string, tenant pbx.TenantID) (string, error) {
	token := randomToken()
	role := api.RoleAdmin
	if tenant != "" {
		role = api.RoleTenant
	}
	err := s.AddToken(ctx, store.Token{Hash: api.HashToken(token), Name: name, Tenant: tenant, Role: string(role), Created: time.Now()})
	if err != nil {
		return "", fmt.Errorf("keep token: %w", err)
	}
	return token, nil
}

// SetPassword changes the SIP password of one extension. A company file that
// names another one sets that again when it is read the next time.
func SetPassword(ctx context.Context, cfg config.Config, tenant pbx.TenantID, number, password string) error {
	return beside(ctx, cfg, func(s *store.Store) error {
		service := tenants.NewService(s)
		d, err := service.Document(ctx, tenant)
		if err != nil {
			return err
		}
		for i := range d.Extensions {
			if d.Extensions[i].Number == number {
				d.Extensions[i].Password = password
				_, err := service.Apply(ctx, d)
				return err
			}
		}
		return fmt.Errorf("company %s has no extension %q", tenant, number)
	})
}

// Backup copies the database to a new file; a server may be running.
func Backup(ctx context.Context, cfg config.Config, file string) error {
	return store.Backup(ctx, cfg.Data, file)
}

// Restore puts a backup in the place of the database, after checking it. No
// server may be running.
func Restore(ctx context.Context, cfg config.Config, file string) error {
	return store.Restore(ctx, file, cfg.Data)
}
